# Writes resize.txt: a picture, and what OpenCV's resize makes of it. Each line: width height pixels.
import cv2
import numpy as np

rng = np.random.default_rng(1)
img = rng.integers(0, 256, (11, 7), dtype=np.uint8)
with open("resize.txt", "w") as f:
    for h, w in (11, 7), (22, 14), (5, 3), (13, 20), (1, 1), (40, 5), (6, 7):
        out = cv2.resize(img, (w, h))
        print(w, h, *out.flatten(), file=f)
