"""``python -m perception_train``."""

import sys

from .cli import main

sys.exit(main())
