"""Write a model bundle: the last step of every export. Needs no torch.

The directory appears under its final name by one rename, with everything in it flushed to the disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from safetensors.numpy import save as save_safetensors

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.contract.manifest import (
    MANIFEST_NAME,
    PARITY_NAME,
    SCHEMA_VERSION,
    SIGNATURE_NAME,
    WEIGHTS_NAME,
    Dataset,
    File,
    Input,
    Manifest,
    Suppression,
    Tensor,
    Tolerance,
    Variant,
    decode,
    detection_tensors,
    encode,
    segmentation_tensors,
)
from perception_infer.models import ModelRepository

if TYPE_CHECKING:
    from ..signing.signer import Signer

Precision = Literal["fp32", "fp16", "int8", "int8_cpu"]
BackendName = Literal["onnxruntime", "openvino", "tensorrt"]
GRAPH_FILES: dict[Precision, str] = {
    "fp32": "model.onnx",
    "fp16": "model.fp16.onnx",
    "int8": "model.int8.onnx",
    "int8_cpu": "model.int8_cpu.onnx",
}
_TRITON_TYPES = {"uint8": "TYPE_UINT8", "int32": "TYPE_INT32", "float32": "TYPE_FP32"}
_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Graph:
    """One ONNX graph of the weights, in one file, with the figures it reached on the validation set."""

    data: bytes
    metrics: Mapping[str, float]
    meant_for: tuple[BackendName, ...] = ("onnxruntime", "openvino", "tensorrt")
    tolerance: Tolerance = field(default_factory=Tolerance)


@dataclass(frozen=True)
class ModelFacts:
    """What the manifest says of the model besides its files; the version is given by `write_bundle`.

    ``thresholds`` holds the recommended score per class; ``software`` names and versions of what trained
    and exported it; ``suppression`` is None for segmentation.
    """

    name: str
    task: Literal["detection", "segmentation"]
    architecture: str
    classes: tuple[str, ...]
    input: Input
    suppression: Suppression | None
    thresholds: tuple[float, ...]
    dataset: Dataset
    software: Mapping[str, str]


def write_bundle(
    repository: Path,
    facts: ModelFacts,
    graphs: Mapping[Precision, Graph],
    weights: bytes,
    parity: Mapping[str, npt.NDArray[Any]],
    signer: Signer | None = None,
) -> Path:
    """Write the next version of a model, one above the highest that is there.

    Args:
        repository: MODEL_REPO; made when it does not exist.
        facts: what the manifest says of the model.
        graphs: ONNX graphs by precision; ``fp32`` is needed.
        weights: ``weights.safetensors``, serialised.
        parity: ``image`` uint8 [N, H, W, 3], and for each precision ``<precision>.boxes``, ``.scores`` and
            ``.labels`` (or ``.mask``) as the trainer's model (8 bits: the quantised graph) answered for them.
        signer: signs the manifest, so that the bundle is never there without its signature; None leaves it unsigned.

    Returns:
        the new directory ``repository/<name>/<version>``.

    Raises:
        UserError: the facts break a rule of the contract, the parity arrays do not fit, or the repository
            cannot be written.
    """
    _check_parity(facts, graphs, parity)
    contents = {GRAPH_FILES[precision]: graph.data for precision, graph in graphs.items()}
    contents[WEIGHTS_NAME] = weights
    contents[PARITY_NAME] = save_safetensors({name: np.ascontiguousarray(array) for name, array in parity.items()})
    # Checked with a stand-in version first: a bad name must not become a directory, not even for the lock.
    decode(encode(_manifest(facts, graphs, contents, 1)))
    durable.ensure_writable(repository)
    with FileLock(repository / f".{facts.name}.lock", timeout=_LOCK_SECONDS):
        version = (ModelRepository(repository).latest(facts.name) or 0) + 1
        manifest = _manifest(facts, graphs, contents, version)
        directory = repository / facts.name / str(version)
        with durable.new_directory(directory) as work:
            for name, data in contents.items():
                (work / name).write_bytes(data)
            raw = encode(manifest)
            (work / MANIFEST_NAME).write_bytes(raw)
            if signer is not None:
                (work / SIGNATURE_NAME).write_bytes(signer.sign(raw))
        _write_triton_config(directory.parent, manifest)
    return directory


def provisional_manifest(facts: ModelFacts, graphs: Mapping[Precision, Graph]) -> Manifest:
    """What the manifest will say of graphs before they are published (to run them), with version 1."""
    return _manifest(facts, graphs, {GRAPH_FILES[precision]: graph.data for precision, graph in graphs.items()}, 1)


def _manifest(
    facts: ModelFacts, graphs: Mapping[Precision, Graph], contents: Mapping[str, bytes], version: int
) -> Manifest:
    inputs, outputs = _tensors(facts)
    variants = {
        str(precision): Variant(
            precision=precision,
            meant_for=graph.meant_for,
            file=GRAPH_FILES[precision],
            inputs=inputs,
            outputs=outputs,
            tolerance=graph.tolerance,
            metrics=dict(graph.metrics),
        )
        for precision, graph in graphs.items()
    }
    return Manifest(
        schema_version=SCHEMA_VERSION,
        name=facts.name,
        version=version,
        task=facts.task,
        architecture=facts.architecture,
        classes=facts.classes,
        input=facts.input,
        suppression=facts.suppression,
        thresholds=facts.thresholds,
        variants=variants,
        dataset=facts.dataset,
        software=dict(facts.software),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        files={name: File(size=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in contents.items()},
    )


def _tensors(facts: ModelFacts) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    size = facts.input
    if facts.task == "detection":
        if facts.suppression is None:
            raise UserError("a detection model must say how its graph suppresses", where=facts.name)
        return detection_tensors(size.width, size.height, size.batch, facts.suppression.slots)
    return segmentation_tensors(size.width, size.height, size.batch)


def _check_parity(facts: ModelFacts, graphs: Mapping[Precision, Graph], parity: Mapping[str, npt.NDArray[Any]]) -> None:
    size = facts.input
    images = parity.get("image")
    if (
        images is None
        or images.dtype != np.uint8
        or images.shape[1:] != (size.height, size.width, 3)
        or not len(images)
    ):
        raise UserError(f"parity needs 'image' uint8 [N, {size.height}, {size.width}, 3]", where=facts.name)
    for precision in graphs:
        for tensor in _tensors(facts)[1]:
            if tensor.name == "confidence":
                continue
            key, shape = f"{precision}.{tensor.name}", (len(images), *tensor.shape[1:])
            array = parity.get(key)
            if array is None or array.dtype != np.dtype(tensor.dtype) or array.shape != shape:
                raise UserError(f"parity needs '{key}' {tensor.dtype} {list(shape)}", where=facts.name)


def _write_triton_config(folder: Path, manifest: Manifest) -> None:
    """``config.pbtxt`` beside the versions, so that Triton can serve MODEL_REPO as it is."""
    variant = manifest.variants["fp32"]

    def tensors(kind: str, listed: tuple[Tensor, ...]) -> str:
        def entry(t: Tensor) -> str:
            dims = ", ".join(map(str, t.shape))
            return f'  {{ name: "{t.name}" data_type: {_TRITON_TYPES[t.dtype]} dims: [ {dims} ] }}'

        return f"{kind} [\n" + ",\n".join(map(entry, listed)) + "\n]\n"

    # The batch is static and part of every shape, which Triton calls max_batch_size 0.
    text = f'name: "{manifest.name}"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
    text += f'default_model_filename: "{variant.file}"\n'
    text += tensors("input", variant.inputs) + tensors("output", variant.outputs)
    path = folder / "config.pbtxt"
    if not path.is_file() or path.read_text() != text:
        durable.write_text(path, text)
