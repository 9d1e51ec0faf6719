"""``perception-train import``: other people's datasets as one of ours."""
