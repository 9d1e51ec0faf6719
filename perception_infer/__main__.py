"""`python -m perception_infer`."""

from .cli import main

raise SystemExit(main())
