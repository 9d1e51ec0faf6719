"""The manifest of a model bundle: the contract between trainer and robot, as frozen data.

A bundle is the directory ``MODEL_REPO/<name>/<version>/``. Its ``manifest.json`` says what the model
is and lists every other file with size and SHA-256. Unknown keys are errors: a robot never guesses.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from perception_common.errors import UserError

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
WEIGHTS_NAME = "weights.safetensors"
PARITY_NAME = "parity.safetensors"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_MANIFEST_BYTES = 1 << 20


def _told(description: str) -> msgspec.Meta:
    """What a field is, for the schema."""
    return msgspec.Meta(description=description)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all parts: immutable, and an unknown key is an error."""


class Tensor(_Part, frozen=True):
    """A tensor of a graph."""

    name: str
    dtype: Literal["uint8", "int32", "float32"]
    shape: tuple[int, ...]


class Tolerance(_Part, frozen=True):
    """How far a backend's answer may lie from the trainer's on the reference images.

    Detections: matched boxes of the same class have at least this IoU and scores that differ by at
    most ``score``; at least the share ``matched`` of the detections must. Segmentation: at least the share
    ``agreement`` of the pixels has the same class.
    """

    iou: float = 0.99
    score: float = 0.01
    agreement: float = 0.999
    matched: float = 1.0


#: What computing in half floats, or in bfloat16, may change of a float32 model's answers.
HALF = Tolerance(iou=0.98, score=0.02, agreement=0.995)


class Variant(_Part, frozen=True):
    """One graph of the same weights in one precision."""

    precision: Annotated[Literal["fp32", "fp16", "int8", "int8_cpu"], _told("the key of this variant, too")]
    meant_for: Annotated[tuple[Literal["onnxruntime", "openvino", "tensorrt"], ...], _told("backends that may run it")]
    file: Annotated[str, _told("the graph, a file of the bundle")]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    tolerance: Tolerance
    metrics: Annotated[dict[str, float], _told("figures on the validation images, through this graph")]


class Input(_Part, frozen=True):
    """Network input size in pixels and the static batch."""

    width: int
    height: int
    batch: int


class Suppression(_Part, frozen=True):
    """What the suppression inside the graph was built with."""

    slots: Annotated[int, _told("detections that an image can have")]
    candidates: Annotated[int, _told("pairs of place and class that are looked at, the best ones")]
    score_floor: Annotated[float, _told("lower scores are no candidates")]
    iou: Annotated[float, _told("a box that overlaps a better one of its class by more goes")]
    rounds: int


class Dataset(_Part, frozen=True):
    """What the model was trained and validated on; the hashes are those of annotations.json."""

    train: str
    train_sha256: str
    train_images: int
    validation: str
    validation_sha256: str
    validation_images: int
    preset: Annotated[str | None, _told("the world of generated pictures")] = None


class File(_Part, frozen=True):
    """Size in bytes and SHA-256 of a file of the bundle."""

    size: int
    sha256: str


class Manifest(_Part, frozen=True):
    """What a model bundle is, and every other file of it with size and SHA-256. Unknown keys are errors."""

    schema_version: int
    name: Annotated[str, _told("the model's, which is its folder's too: lower-case letters, digits, '-' and '_'")]
    version: Annotated[int, _told("from 1 on, and higher with every export")]
    task: Literal["detection", "segmentation"]
    architecture: str
    classes: Annotated[tuple[str, ...], _told("names, in the order of the graph's numbers")]
    input: Input
    suppression: Annotated[Suppression | None, _told("null for segmentation")]
    thresholds: Annotated[tuple[float, ...], _told("recommended least score of every class")]
    variants: Annotated[dict[str, Variant], _told("graphs by precision; fp32 is always there")]
    dataset: Dataset
    software: Annotated[dict[str, str], _told("versions of what the bundle was made with")]
    created: Annotated[str, _told("when, in UTC (ISO 8601)")]
    files: Annotated[dict[str, File], _told("every file but the manifest itself and its signature")]


def is_model_name(text: str) -> bool:
    """Whether a model may have this name, which is a directory's too."""
    return _NAME.fullmatch(text) is not None


def detection_tensors(width: int, height: int, batch: int, slots: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs that every detection graph has."""
    outputs = (
        Tensor(name="boxes", dtype="float32", shape=(batch, slots, 4)),
        Tensor(name="scores", dtype="float32", shape=(batch, slots)),
        Tensor(name="labels", dtype="int32", shape=(batch, slots)),
    )
    return (_image_tensor(width, height, batch),), outputs


def segmentation_tensors(width: int, height: int, batch: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs that every segmentation graph has."""
    names = ("mask", "confidence")
    return (_image_tensor(width, height, batch),), tuple(
        Tensor(name=name, dtype="uint8", shape=(batch, height, width)) for name in names
    )


def encode(manifest: Manifest) -> bytes:
    """The manifest as indented JSON with a stable order."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes, where: object = None) -> Manifest:
    """A manifest from JSON, with every rule checked.

    Raises:
        UserError: the JSON is damaged, has unknown or missing keys, or breaks a rule of the contract.
    """
    fix = "export the bundle again with this version of the suite"
    if len(data) > MAX_MANIFEST_BYTES:
        raise UserError("the manifest is larger than 1 MiB", where=where, fix=fix)
    try:
        schema = msgspec.json.decode(data, type=_SchemaOnly).schema_version
        if schema != SCHEMA_VERSION:
            raise UserError(
                f"manifest schema {schema} is not supported (this robot reads {SCHEMA_VERSION})", where=where, fix=fix
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the manifest is not valid: {error}", where=where, fix=fix) from error
    problem = _first_problem(manifest)
    if problem is not None:
        raise UserError(f"the manifest is not valid: {problem}", where=where, fix=fix)
    return manifest


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of manifest.json; `decode` checks more than it can say."""
    _, parts = msgspec.json.schema_components((Manifest,), ref_template="#/$defs/{name}")
    main = parts.pop("Manifest")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **main, "$defs": parts}


class _SchemaOnly(msgspec.Struct):
    schema_version: int


def _image_tensor(width: int, height: int, batch: int) -> Tensor:
    return Tensor(name="image", dtype="uint8", shape=(batch, height, width, 3))


def _first_problem(m: Manifest) -> str | None:
    if not _NAME.fullmatch(m.name):
        return f"name {m.name!r} must be lower-case letters, digits, '-' and '_'"
    if not 1 <= m.version < 1 << 31:
        return f"version {m.version} must be 1 to 2147483647"
    if not m.classes or len(set(m.classes)) != len(m.classes) or not all(name.strip() for name in m.classes):
        return "classes must be distinct, non-empty names"
    if len(m.thresholds) != len(m.classes) or not all(0 <= value <= 1 for value in m.thresholds):
        return f"thresholds must be {len(m.classes)} numbers from 0 to 1, one per class"
    if not all(1 <= side <= 8192 for side in (m.input.width, m.input.height)) or not 1 <= m.input.batch <= 64:
        return f"input {m.input.width}x{m.input.height}, batch {m.input.batch} is out of range"
    if m.task == "detection" and m.suppression is None:
        return "a detection model must say how its graph suppresses"
    return _variant_problem(m) or _file_problem(m)


def _variant_problem(m: Manifest) -> str | None:
    if "fp32" not in m.variants:
        return "the variant 'fp32' is missing"
    if m.suppression is not None and m.task == "detection":
        wanted = detection_tensors(m.input.width, m.input.height, m.input.batch, m.suppression.slots)
    else:
        wanted = segmentation_tensors(m.input.width, m.input.height, m.input.batch)
    for key, variant in m.variants.items():
        if variant.precision != key:
            return f"variant '{key}' says its precision is {variant.precision}"
        if (variant.inputs, variant.outputs) != wanted:
            return f"variant '{key}' does not have the tensors of a {m.task} graph of this size"
        if variant.file not in m.files:
            return f"variant '{key}' names the file {variant.file!r}, which is not listed"
    return None


def _file_problem(m: Manifest) -> str | None:
    for name, file in m.files.items():
        if not _FILE.fullmatch(name) or name in (MANIFEST_NAME, SIGNATURE_NAME):
            return f"file name {name!r} is not allowed"
        if file.size < 0 or not _SHA256.fullmatch(file.sha256):
            return f"size or sha256 of {name!r} is not valid"
    return next((f"the file {name} is not listed" for name in (WEIGHTS_NAME, PARITY_NAME) if name not in m.files), None)
