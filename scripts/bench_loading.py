"""Images a second that one thread makes of a JPEG as large as ImageNet's are on average, as a net reads them: decoded, a
random crop of 227×227, mirrored or not, without the mean, as float32 in Caffe's order; and the same scaled to 256×256
before the crop. bench_loading.py TEST: in each round TEST, the compiled tests of caffe/dataset (`go test -c`), OpenCV,
Pillow and torchvision take turns; medians are printed. Seconds are those of the processor, so that what else runs
counts little.

torchvision is asked twice: its own decoder and transforms of tensors, and Pillow with transforms of its images, as its
ImageFolder reads them. Both scale from RGB to 0 to 1, as ToTensor does, before they take the mean. Resize of a tensor
is without antialiasing here, as OpenCV's is, and Caffe's; Pillow's has no such choice, and does more for it.

Wants what bench_loading_requirements.txt names, from PyPI."""

import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import cv2
import numpy
import torch
import torchvision
from PIL import Image
from torchvision.transforms import v2

ROUNDS, CROP, SCALED = int(os.environ.get("ROUNDS", "5")), 227, 256
MEAN = numpy.float32([104, 117, 123])
KINDS = {"crop": "crop", "resize": f"{SCALED}×{SCALED}, crop"}


def picture():
    """A JPEG of 500×375: waves of all lengths, and some noise."""
    random = numpy.random.default_rng(1)
    y, x = numpy.mgrid[:375, :500]
    image = numpy.full((375, 500, 3), 128.0)
    for length in (400, 200, 100, 50, 25, 12, 6):
        for c in range(3):
            a, b = random.normal(size=2) / length * 6
            image[..., c] += length / 10 * numpy.sin(a * x + b * y + random.uniform(0, 6))
    image += random.normal(scale=7, size=image.shape)
    return cv2.imencode(".jpg", image.clip(0, 255).astype(numpy.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def finished(pixels, random):
    """What a net reads of BGR pixels of rows and columns."""
    h, w = pixels.shape[:2]
    y, x = random.integers(h - CROP + 1), random.integers(w - CROP + 1)
    pixels = pixels[y:y + CROP, x:x + CROP]
    if random.integers(2):
        pixels = pixels[:, ::-1]
    return numpy.ascontiguousarray((pixels.astype(numpy.float32) - MEAN).transpose(2, 0, 1))


def opencv(data, kind, random):
    pixels = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR)
    if kind == "resize":
        pixels = cv2.resize(pixels, (SCALED, SCALED), interpolation=cv2.INTER_LINEAR)
    return finished(pixels, random)


def pillow(data, kind, random):
    image = Image.open(io.BytesIO(data)).convert("RGB")
    if kind == "resize":
        image = image.resize((SCALED, SCALED), Image.Resampling.BILINEAR)
    return finished(numpy.asarray(image)[..., ::-1], random)


def transforms(kind, scale):
    return v2.Compose([
        *([scale] if kind == "resize" else []), v2.RandomCrop(CROP), v2.RandomHorizontalFlip(), v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.482, 0.459, 0.408], [1, 1, 1]),
    ])


OF_TENSORS = {k: transforms(k, v2.Resize((SCALED, SCALED), antialias=False)) for k in KINDS}
OF_PILLOW = {k: transforms(k, v2.Resize((SCALED, SCALED))) for k in KINDS}


def tensors(data, kind, random):
    bytes_of = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    return OF_TENSORS[kind](torchvision.io.decode_jpeg(bytes_of, torchvision.io.ImageReadMode.RGB))


def image_folder(data, kind, random):
    return OF_PILLOW[kind](Image.open(io.BytesIO(data)).convert("RGB"))


PEERS = {
    f"OpenCV {cv2.__version__}": opencv, f"Pillow {Image.__version__}": pillow,
    f"torchvision {torchvision.__version__}, tensors": tensors, "torchvision, Pillow": image_folder,
}


def rate(f, data, kind, seconds=1.5):
    random = numpy.random.default_rng(2)
    f(data, kind, random)
    count, begin = 0, time.process_time()
    while (took := time.process_time() - begin) < seconds:
        f(data, kind, random)
        count += 1
    return count / took


def ours(test, path, kind):
    out = subprocess.run([test, "-test.run", "^$", "-test.bench", f"Loading/^{kind}$", "-test.benchtime", "1.5s"],
                         check=True, env={**os.environ, "JPEG": path, "GOMAXPROCS": "1"}, capture_output=True,
                         text=True).stdout
    return float(re.search(r"([0-9.]+) images/s", out)[1])


def main():
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    data = picture()
    test = os.path.abspath(sys.argv[1])
    print(f"a JPEG of {len(data)} bytes, {ROUNDS} rounds; images/s of a thread, and dns-tui's over theirs\n")
    print("| | dns-tui | " + " | ".join(PEERS) + " |\n| --- " + "| ---: " * (1 + len(PEERS)) + "|")
    with tempfile.NamedTemporaryFile(suffix=".jpg") as f:
        f.write(data)
        f.flush()
        for kind, title in KINDS.items():
            rounds = [(ours(test, f.name, kind), *(rate(p, data, kind) for p in PEERS.values()))
                      for _ in range(ROUNDS)]
            cells = [f"{statistics.median(r[0] for r in rounds):.0f}"]
            for i in range(1, 1 + len(PEERS)):
                cells.append(f"{statistics.median(r[i] for r in rounds):.0f} "
                             f"({statistics.median(r[0] / r[i] for r in rounds):.2f})")
            print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
