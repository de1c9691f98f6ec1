# Writes jpeg_*.jpg, with every subsampling of colour, and jpeg_*.raw: what OpenCV reads from them, blue, green, red.
import cv2
import numpy as np

rng = np.random.default_rng(0)
img = cv2.resize(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8), (43, 29), interpolation=cv2.INTER_CUBIC)
for name in "420", "422", "444":
    factor = getattr(cv2, "IMWRITE_JPEG_SAMPLING_FACTOR_" + name)
    cv2.imwrite(f"jpeg_{name}.jpg", img, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])
    cv2.imread(f"jpeg_{name}.jpg").transpose(2, 0, 1).tofile(f"jpeg_{name}.raw")
