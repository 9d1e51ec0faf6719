"""Bundles that engines are built of, and for how long NVIDIA's real builder may work on one."""

from __future__ import annotations

from pathlib import Path

import pytest
from bundles import write_detector

from perception_infer.contract.manifest import Variant
from perception_infer.engines.build import Limits
from perception_infer.models import Bundle, open_bundle

#: TensorRT for RTX builds without a GPU.
RTX = "tensorrt_rtx"
LIMITS = Limits(seconds=100)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    write_detector(root, meant_for=("onnxruntime", "tensorrt"))
    return root


@pytest.fixture(scope="module")
def bundle(repository: Path) -> Bundle:
    return open_bundle(repository / "rectangles" / "1")


def fp32(bundle: Bundle) -> Variant:
    return bundle.manifest.variants["fp32"]
