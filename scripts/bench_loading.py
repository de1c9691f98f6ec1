"""Images a second that one thread makes of a JPEG as large as ImageNet's are on average, as a net reads them: decoded, a
random crop of 227×227, mirrored or not, without the mean, as float32 in Caffe's order. bench_loading.py TEST: in each
round TEST, the compiled tests of caffe/dataset (`go test -c`), OpenCV and Pillow take turns; medians are printed.

Wants opencv-python-headless, Pillow and numpy from PyPI."""

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
from PIL import Image

ROUNDS, CROP = int(os.environ.get("ROUNDS", "5")), 227
MEAN = numpy.float32([104, 117, 123])


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


def opencv(data, random):
    return finished(cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR), random)


def pillow(data, random):
    return finished(numpy.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[..., ::-1], random)


def rate(f, data, seconds=1.5):
    random = numpy.random.default_rng(2)
    f(data, random)
    count, begin = 0, time.perf_counter()
    while (took := time.perf_counter() - begin) < seconds:
        f(data, random)
        count += 1
    return count / took


def ours(test, path):
    out = subprocess.run([test, "-test.run", "^$", "-test.bench", "Loading", "-test.benchtime", "1.5s"], check=True,
                         env={**os.environ, "JPEG": path, "GOMAXPROCS": "1"}, capture_output=True, text=True).stdout
    return float(re.search(r"([0-9.]+) images/s", out)[1])


def main():
    cv2.setNumThreads(1)
    data = picture()
    test = os.path.abspath(sys.argv[1])
    with tempfile.NamedTemporaryFile(suffix=".jpg") as f:
        f.write(data)
        f.flush()
        rounds = [(ours(test, f.name), rate(opencv, data), rate(pillow, data)) for _ in range(ROUNDS)]
    print(f"a JPEG of {len(data)} bytes, {ROUNDS} rounds, OpenCV {cv2.__version__}, Pillow {Image.__version__}\n")
    print("| images/s of a thread: dns-tui | OpenCV | Pillow | dns-tui / OpenCV | dns-tui / Pillow |\n"
          "| ---: | ---: | ---: | ---: | ---: |")
    print("| " + " | ".join(f"{statistics.median(r[i] for r in rounds):.0f}" for i in range(3)) + " | "
          + " | ".join(f"{statistics.median(r[0] / r[i] for r in rounds):.2f}" for i in (1, 2)) + " |")


if __name__ == "__main__":
    main()
