"""What is too large to be meant. Imported before OpenCV, which reads its own limit once, when it is loaded."""

from __future__ import annotations

import os

#: Images with a longer side are refused before anything is allocated for them.
MAX_SIDE = 16384

# OpenCV alone would allocate 3 GiB for a file of 100 kB. This holds for every format that it reads, in child processes
# too; who has larger images sets it otherwise.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_SIDE * MAX_SIDE))
