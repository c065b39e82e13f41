"""The other half of `catalogue.py`: imagecorruptions, under an interpreter that has it.

It needs scikit-image and the OpenCV build with windows, which must not lie beside ours: hence a process of
its own. It reads names of corruptions from stdin, one per line; for each it spoils all pictures of the file
that it was started with at severities 1 to 5, and prints the processor seconds that this took.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import sys
import time
import warnings

import cv2
import numpy as np
from imagecorruptions import corrupt

warnings.simplefilter("ignore")
cv2.setNumThreads(1)
np.float_ = np.float64  # noqa: NPY201 (`fog` asks for the name that numpy 2 took away)
frames = np.load(sys.argv[1])
for line in sys.stdin:
    np.random.seed(0)  # noqa: NPY002 (the only generator that it takes)
    started = time.process_time()
    for severity in (1, 2, 3, 4, 5):
        for frame in frames:
            corrupt(frame, corruption_name=line.strip(), severity=severity)
    print(time.process_time() - started, flush=True)
