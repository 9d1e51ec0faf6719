"""Small datasets in every foreign format, made here: noise with bright rectangles whose pixels are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np

from perception_train.data.importing.params import ImportParams
from perception_train.data.readers import FORMATS, Options, Sample, Tally

WIDTH, HEIGHT = 64, 48
Rectangle = tuple[int, int, int, int]
Frame = list[tuple[str, Rectangle]]
#: Pixel edges; the second frame shows nothing, and one rectangle ends with the image.
FRAMES: list[Frame] = [
    [("cone", (5, 6, 20, 30)), ("pallet", (30, 10, 64, 48))],
    [],
    [("cone", (0, 0, 10, 12)), ("cone", (40, 20, 41, 26))],
]
CLASSES = ("cone", "pallet")
BOX_ROW = [("semanticId", "<u4"), *((side, "<i4") for side in ("x_min", "y_min", "x_max", "y_max"))]


def picture(frame: Frame, path: Path, channels: int = 3) -> None:
    """An image of a frame, with 3 or 4 channels."""
    rng = np.random.default_rng(sum(map(ord, path.stem)))
    image = rng.integers(0, 60, (HEIGHT, WIDTH, channels), dtype=np.uint8)
    for _, (x0, y0, x1, y1) in frame:
        image[y0:y1, x0:x1] = 230
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def colours(frame: Frame, picked: list[tuple[int, int, int, int]], background: tuple[int, ...]) -> np.ndarray:
    """BGRA picture in which rectangle i has the RGBA colour ``picked[i]``."""
    image = np.empty((HEIGHT, WIDTH, 4), np.uint8)
    image[:] = [background[i] for i in (2, 1, 0, 3)]
    for (_, (x0, y0, x1, y1)), colour in zip(frame, picked, strict=True):
        image[y0:y1, x0:x1] = [colour[i] for i in (2, 1, 0, 3)]
    return image


def replicator_names(layout: str, root: Path) -> Callable[[str, str, str], Path]:
    """(annotator, what follows it, ending) to path, for one of BasicWriter's layouts."""

    def name(annotator: str, rest: str, ending: str) -> Path:
        file = f"{annotator}_{rest}.{ending}"
        if layout == "nested":
            return root / "RenderProduct_Camera" / annotator / file
        if layout == "prefix":
            return root / f"RenderProduct_01_{file}"
        if layout == "nested prefix":
            return root / annotator / f"Camera_01_{file}"
        return root / file

    return name


def replicator(
    root: Path,
    frames: list[Frame] = FRAMES,
    layout: str = "flat",
    number: str = "{:04d}",
    occlusion: Callable[[int], float] | None = lambda row: 0.0,
    segmentation: str = "colour",
) -> None:
    """BasicWriter's files: ``segmentation`` is ``colour``, ``ids`` or ``""``."""
    path = replicator_names(layout, root)
    for index, frame in enumerate(frames):
        count = number.format(index)
        picture(frame, path("rgb", count, "png"), 4)
        names = sorted({name for name, _ in frame}, reverse=index % 2 == 0)
        dtype = BOX_ROW + ([("occlusionRatio", "<f4")] if occlusion else [])
        rows = [
            (names.index(name), x0, y0, x1 - 1, y1 - 1, *([occlusion(row)] if occlusion else []))
            for row, (name, (x0, y0, x1, y1)) in enumerate(frame)
        ]
        table = path("bounding_box_2d_tight", count, "npy")
        table.parent.mkdir(parents=True, exist_ok=True)
        np.save(table, np.array(rows, dtype))
        labels = {str(number): {"class": name} for number, name in enumerate(names)}
        write_json(path("bounding_box_2d_tight", f"labels_{count}", "json"), labels)
        prims = [f"/World/Thing_{row}/Mesh" for row in range(len(frame))]
        write_json(path("bounding_box_2d_tight", f"prim_paths_{count}", "json"), prims)
        if segmentation:
            _replicator_segmentation(path, count, frame, prims, segmentation == "colour")
    write_json(root / "metadata.txt", {"name": "BasicWriter", "version": "0.0.2", "replicator_global_seed:": 7})


def _replicator_segmentation(
    path: Callable[[str, str, str], Path], count: str, frame: Frame, prims: list[str], colourised: bool
) -> None:
    numbers = list(range(3, 3 + len(frame)))
    picked = [(10 * number, 200, 255 - number, 255) for number in numbers]
    keys = [str(colour) for colour in picked] if colourised else [str(number) for number in numbers]
    if colourised:
        instances = colours(frame, picked, (0, 0, 0, 0))
    else:
        instances = np.zeros((HEIGHT, WIDTH), np.uint16)
        for (_, (x0, y0, x1, y1)), number in zip(frame, numbers, strict=True):
            instances[y0:y1, x0:x1] = number
    for annotator in ("instance_segmentation", "semantic_segmentation"):
        file = path(annotator, count, "png")
        file.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(file), instances)
    write_json(path("instance_segmentation", f"mapping_{count}", "json"), dict(zip(keys, prims, strict=True)))
    semantics = {key: {"class": name} for key, (name, _) in zip(keys, frame, strict=True)}
    write_json(path("instance_segmentation", f"semantics_mapping_{count}", "json"), semantics)
    nothing = {"(0, 0, 0, 0)": {"class": "BACKGROUND"}, "(0, 0, 0, 255)": {"class": "UNLABELLED"}}
    labels = semantics | (nothing if colourised else {"0": {"class": "BACKGROUND"}})
    write_json(path("semantic_segmentation", f"labels_{count}", "json"), labels)


def kitti(root: Path, frames: list[Frame] = FRAMES) -> None:
    for index, frame in enumerate(frames):
        picture(frame, root / "training" / "image_2" / f"{index:06d}.png")
        lines = [
            f"{name} 0.00 0 -1.57 {x0}.00 {y0}.00 {x1}.00 {y1}.00 1.5 1.6 3.9 1.8 1.5 8.4 0.01"
            for name, (x0, y0, x1, y1) in frame
        ]
        path = root / "training" / "label_2" / f"{index:06d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("".join(line + "\r\n" for line in lines).encode())


def coco_content(frames: list[Frame], first: int = 0, folder: str = "") -> dict[str, Any]:
    """A COCO document whose ids start at ``first``, with polygons and uncompressed run lengths in turn."""
    images, annotations = [], []
    for index, frame in enumerate(frames):
        images.append({"id": first + index, "file_name": f"{folder}{index}.png", "width": WIDTH, "height": HEIGHT})
        for name, (x0, y0, x1, y1) in frame:
            mask = np.zeros((HEIGHT, WIDTH), bool)
            mask[y0:y1, x0:x1] = True
            outline = [[x0, y0, x1, y0, x1, y1, x0, y1]]
            annotations.append(
                {
                    "id": first + len(annotations),
                    "image_id": first + index,
                    "category_id": first + CLASSES.index(name),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": int(mask.sum()),
                    "iscrowd": 0,
                    "segmentation": outline if len(annotations) % 2 else runs(mask),
                }
            )
    categories = [{"id": first + index, "name": name} for index, name in enumerate(CLASSES)]
    return {"images": images, "annotations": annotations, "categories": categories}


def runs(mask: np.ndarray) -> dict[str, Any]:
    """Uncompressed run lengths, counted pixel by pixel."""
    counts, value = [0], False
    for pixel in mask.ravel(order="F").tolist():
        if pixel == value:
            counts[-1] += 1
        else:
            counts.append(1)
            value = pixel
    return {"size": list(mask.shape), "counts": counts}


def coco(root: Path, frames: list[Frame] = FRAMES) -> None:
    for index, frame in enumerate(frames):
        picture(frame, root / "images" / f"{index}.png")
    write_json(root / "annotations" / "instances.json", coco_content(frames))


def blenderproc(root: Path, frames: list[Frame] = FRAMES) -> None:
    for index, frame in enumerate(frames):
        picture(frame, root / "coco_data" / "images" / f"{index}.png")
    write_json(root / "coco_data" / "coco_annotations.json", coco_content(frames, folder="images/"))


def yolo(root: Path, frames: list[Frame] = FRAMES) -> None:
    for index, frame in enumerate(frames):
        picture(frame, root / "images" / "train" / f"{index}.png")
        lines = []
        for row, (name, (x0, y0, x1, y1)) in enumerate(frame):
            corners = [x0 / WIDTH, y0 / HEIGHT, x1 / WIDTH, y1 / HEIGHT]
            left, top, right, bottom = corners
            box = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
            polygon = [left, top, right, top, right, bottom, left, bottom]
            lines.append(" ".join(map(str, [CLASSES.index(name), *(polygon if row % 2 else box)])))
        path = root / "labels" / "train" / f"{index}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))
    (root / "dataset.yaml").write_text("path: .\ntrain: images/train\nval: images/nothing\nnames: [cone, pallet]\n")


def voc(root: Path, frames: list[Frame] = FRAMES) -> None:
    for index, frame in enumerate(frames):
        picture(frame, root / "JPEGImages" / f"{index}.PNG")
        tree = ElementTree.Element("annotation")
        ElementTree.SubElement(tree, "filename").text = f"{index}.png"
        size = ElementTree.SubElement(tree, "size")
        for side, value in (("width", WIDTH), ("height", HEIGHT), ("depth", 3)):
            ElementTree.SubElement(size, side).text = str(value)
        for name, (x0, y0, x1, y1) in frame:
            entry = ElementTree.SubElement(tree, "object")
            for key, text in (("name", name), ("truncated", "0"), ("difficult", "0")):
                ElementTree.SubElement(entry, key).text = text
            box = ElementTree.SubElement(entry, "bndbox")
            for key, value in (("xmin", x0 + 1), ("ymin", y0 + 1), ("xmax", x1), ("ymax", y1)):
                ElementTree.SubElement(box, key).text = str(value)
        path = root / "Annotations" / f"{index}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        ElementTree.ElementTree(tree).write(path)


def solo(root: Path, frames: list[Frame] = FRAMES) -> None:
    for index, frame in enumerate(frames):
        folder = root / f"sequence.{index}"
        picture(frame, folder / "step0.camera.png")
        picked = [(40 * (row + 1), 255 - row, 7, 255) for row in range(len(frame))]
        instances = "step0.camera.instance segmentation.png"
        assert cv2.imwrite(str(folder / instances), colours(frame, picked, (0, 0, 0, 255)))
        boxes = [
            {"instanceId": row + 1, "labelName": name, "origin": [x0, y0], "dimension": [x1 - x0, y1 - y0]}
            for row, (name, (x0, y0, x1, y1)) in enumerate(frame)
        ]
        known = [
            {"instanceId": row + 1, "labelName": name, "color": list(colour)}
            for row, ((name, _), colour) in enumerate(zip(frame, picked, strict=True))
        ]
        kind = "type.unity.com/unity.solo."
        capture = {
            "@type": kind + "RGBCamera",
            "id": "camera",
            "filename": "step0.camera.png",
            "dimension": [WIDTH, HEIGHT],
            "projection": "Perspective",
            "matrix": [1.5, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, -1.0],
            "annotations": [
                {"@type": kind + "BoundingBox3DAnnotation", "values": []},
                {"@type": kind + "BoundingBox2DAnnotation", "values": boxes},
                {"@type": kind + "InstanceSegmentationAnnotation", "filename": instances, "instances": known},
            ],
        }
        write_json(folder / "step0.frame_data.json", {"frame": index, "captures": [capture], "metrics": []})


WRITERS: dict[str, Callable[..., None]] = {
    "replicator": replicator,
    "solo": solo,
    "blenderproc": blenderproc,
    "coco": coco,
    "yolo": yolo,
    "voc": voc,
    "kitti": kitti,
}


def read(name: str, root: Path, tally: Tally | None = None, **options: Any) -> list[Sample]:
    """Every sample that a reader yields."""
    return list(FORMATS[name].read(root, Options(**options), tally or Tally()))


def truth(samples: list[Sample]) -> list[list[tuple[str, tuple[float, ...]]]]:
    """Names and boxes of samples, to compare with `FRAMES`."""
    return [
        [(item.names[0], tuple(round(side, 6) for side in item.box)) for item in found.objects] for found in samples
    ]


def params(source: Path | list[Path], output: Path, **values: Any) -> ImportParams:
    """Parameters of an import into one directory, unless told otherwise."""
    sources = source if isinstance(source, list) else [source]
    told: dict[str, Any] = {"val_share": 0.0, "min_box_px": 0.0} | values
    return ImportParams(source=tuple(map(str, sources)), output=str(output), **told)


def reasons(tally: Tally, kind: str) -> dict[str, int]:
    """Counts of one kind by reason."""
    return {reason: count for known, reason, count, _ in tally.rows() if known == kind}
