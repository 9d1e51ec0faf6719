"""Where NVIDIA's TensorRT node keeps an engine: it loads whatever lies at the path that it is given."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..backends.tensorrt import load_module
from .key import Key, this_device
from .source import default_root

NODE = "isaac_ros_tensor_rt"


def engine_file(graph: Path, root: Path | None = None) -> tuple[Path, bool]:
    """A path that names what the engine of a graph depends on, and whether an engine there is sure to be of this GPU.

    It is not where TensorRT's Python module or cuda-python is missing, or there is no GPU: then the node has to build
    the engine at every start.

    Args:
        graph: the ONNX file.
        root: directory of all engines; that of our own nodes when None. It is made.
    """
    device = this_device()
    try:
        version = str(load_module("tensorrt").__version__)
    except ImportError:
        version = ""
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    key = Key(digest, NODE, version, precision="", options={}, device=device)
    folder = (root or default_root()) / NODE
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{key.digest}.plan", bool(version and device.name)
