"""Unpacks the headers and the licence of a wheel of NVIDIA's into a folder: unpack_headers.py WHEEL FOLDER.

A file goes to its place below the folder and nowhere else; links are refused, and so is more than any header package holds.
"""
import os
import posixpath
import stat
import sys
import zipfile

INSIDE = "nvidia/cuda_runtime/include/"
MOST_BYTES, MOST_FILES = 64 << 20, 2000


def members(wheel):
    """Yields the headers of a wheel, with their places below the folder."""
    total = 0
    for info in wheel.infolist():
        if info.is_dir():
            continue
        if info.filename.startswith(INSIDE):
            place = info.filename[len(INSIDE):]
        elif posixpath.basename(info.filename) == "License.txt":
            place = "LICENSE.nvidia.txt"
        else:
            continue
        if posixpath.isabs(place) or "\\" in place or ".." in place.split("/") or posixpath.normpath(place) != place:
            sys.exit(f"{info.filename!r} is no name of a header; nothing more is unpacked")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            sys.exit(f"{info.filename!r} is no plain file; nothing more is unpacked")
        total += info.file_size
        if total > MOST_BYTES:
            sys.exit(f"more than {MOST_BYTES} bytes of headers; nothing more is unpacked")
        yield info, place


def main(path, folder):
    with zipfile.ZipFile(path) as wheel:
        found = list(members(wheel))  # all are looked at before the first is written
        if not found or len(found) > MOST_FILES:
            sys.exit(f"{path}: {len(found)} headers")
        for info, place in found:
            to = os.path.join(folder, *place.split("/"))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            data = wheel.read(info)  # checks its CRC
            with open(to, "wb") as f:
                f.write(data)


main(*sys.argv[1:])
