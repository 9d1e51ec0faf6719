"""`perception-infer replay`: answers as on pictures, the same bytes twice, true figures, and odd recordings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bundles import CLASSES, scene, write_detector, write_segmenter
from recorded import CAMERA, PERIOD, START, TRUTH, Film, Pixels, image, write_bag
from rosbags.rosbag2 import StoragePlugin, Writer

from perception_infer.cli import main
from perception_infer.predictor import Predictor
from perception_infer.recordings.types import IMAGE, ros2_types
from perception_infer.replay.schema import check

Box = tuple[float, float, float, float]
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SIZE = (320, 256)


def boxes_at(index: int) -> dict[str, tuple[int, int, int, int]]:
    """A red and a green rectangle that move."""
    return {"red": (20 + 4 * index, 30, 80 + 4 * index, 100), "green": (200, 20 + 2 * index, 260, 90 + 2 * index)}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_detector(root)
    write_detector(root, score=0.8)
    write_segmenter(root)
    # One that finds something in photographs.
    write_detector(root, "anything", limits=(130.0, 131.0))
    return root


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames with their truth."""
    film = Film([scene(SIZE, boxes_at(i)) for i in range(10)], truth=[boxes_at(i) for i in range(10)])
    return write_bag(tmp_path_factory.mktemp("bags") / "bag", film, packed=True)


def replay(
    repository: Path, bag: Path, output: Path, *arguments: object, model: str = "rectangles:1", status: int = 0
) -> dict[str, Any]:
    """Run the command; replay.json, or an empty dict where there is none."""
    told = ["replay", "--bag", bag, "--model-root", repository, "--output", output, "--no-report", *arguments]
    if model:
        told += ["--model", model]
    assert main([str(part) for part in told]) == status
    path = output / "replay.json"
    if not path.exists():
        return {}
    summary: dict[str, Any] = json.loads(path.read_text())
    check(summary)
    return summary


def lines(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "frames.jsonl").read_text().splitlines()]


def film_of(rectangles: list[Mapping[str, Box]], **more: Any) -> Film:
    """Frames that show rectangles."""
    shown = [{name: tuple(map(int, box)) for name, box in frame.items()} for frame in rectangles]
    return Film([scene(SIZE, frame) for frame in shown], **more)  # type: ignore[arg-type]


def test_a_perfect_model_is_perfect(repository: Path, bag: Path, tmp_path: Path) -> None:
    told = replay(repository, bag, tmp_path)
    figures = told["figures"]
    assert (figures["map"], figures["precision"], figures["recall"], figures["f1"]) == pytest.approx((1, 1, 1, 1))
    assert told["truth"] == {
        "kind": "topic", "source": TRUTH, "joined_by": "stamp", "frames": 10, "without_frame": 0, "objects": 20,
        "unknown_classes": [],
    }  # fmt: skip
    assert figures["confusion"]["counts"] == [[10, 0, 0, 0], [0, 10, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert [row["objects"] for row in figures["by_size"]] == [0, 20, 0]
    assert figures["by_distance"] == []
    assert told["stability"]["flicker"] == 0
    # Even motion is no jitter.
    assert told["stability"]["jitter_px"] == pytest.approx(0, abs=1e-3)
    assert told["counts"]["per_class"] == {"red": 10, "green": 10, "blue": 0}
    assert set(told["timing"]["latency_ms"]) == {"read", "decode", "prepare", "infer", "total"}
    assert told["bag"]["duration_s"] == pytest.approx(0.9)
    first = lines(tmp_path)[0]
    assert (first["index"], first["stamp"], first["width"], first["height"]) == (0, START, *SIZE)
    assert first["found"] == [[20, 30, 80, 100, 0.9, 0], [200, 20, 260, 90, 0.89, 1]]
    assert first["truth"] == [[20, 30, 80, 100, 0, 0, None], [200, 20, 260, 90, 1, 0, None]]


def test_twice_the_same_bytes(repository: Path, bag: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        replay(repository, bag, tmp_path / name, "--threads", 1)
    assert (tmp_path / "one" / "frames.jsonl").read_bytes() == (tmp_path / "two" / "frames.jsonl").read_bytes()


def test_misses_false_alarms_and_wrong_names_are_counted(repository: Path, tmp_path: Path) -> None:
    """Frame by frame: all right; red missed; a false blue; green taken for red; nothing there and nothing found."""
    red, green, blue = (20.0, 30.0, 80.0, 100.0), (200.0, 20.0, 260.0, 90.0), (100.0, 120.0, 150.0, 200.0)
    shown: list[Mapping[str, Box]] = [{"red": red, "green": green}, {}, {"red": red, "blue": blue}, {"red": green}, {}]
    truth: list[Mapping[str, Box]] = [{"red": red, "green": green}, {"red": red}, {"red": red}, {"green": green}, {}]
    told = replay(repository, write_bag(tmp_path / "bag", film_of(shown, truth=truth)), tmp_path / "out")
    figures = told["figures"]
    assert figures["confusion"]["counts"] == [[2, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]
    assert (figures["precision"], figures["recall"]) == (3 / 5, 3 / 5)
    rows = {row["name"]: (row["objects"], row["false_alarms"], row["missed"]) for row in figures["classes"]}
    assert rows == {"red": (3, 1, 1), "green": (2, 0, 1), "blue": (0, 1, 0)}
    # Five frames, a tenth of a second each.
    assert figures["false_alarms_per_minute"] == pytest.approx(2 / (0.5 / 60))
    assert (told["counts"]["frames_without"], told["counts"]["per_frame"]) == (2, 1.0)


def test_an_object_that_is_gone_for_a_frame_flickers(repository: Path, tmp_path: Path) -> None:
    red = {"red": (20.0, 30.0, 80.0, 100.0)}
    shown: list[Mapping[str, Box]] = [red, red, {}, red, red, red, red]
    told = replay(repository, write_bag(tmp_path / "bag", film_of(shown)), tmp_path / "out")
    assert told["figures"] is None
    assert told["truth"]["kind"] == "none"
    # Frames 1 and 3 both show it, and 2 does not; of 0-2, 2-4 nothing is known, 3-5 and 4-6 are steady.
    assert told["stability"]["flicker"] == pytest.approx(1 / 3)
    assert told["stability"]["tracks"] == 2
    assert told["stability"]["track_breaks_per_minute"] == pytest.approx(1 / (0.7 / 60))


def test_thresholds_classes_and_regions_are_those_asked_for(repository: Path, bag: Path, tmp_path: Path) -> None:
    strict = replay(repository, bag, tmp_path / "a", "--class-thresholds", "green=0.95")
    assert strict["counts"]["per_class"] == {"red": 10, "green": 0, "blue": 0}
    assert strict["figures"]["recall"] == 0.5
    assert strict["figures"]["map"] == pytest.approx(1.0), "scores below the threshold still make the curve"
    only = replay(repository, bag, tmp_path / "b", "--classes", "red")
    assert {row[5] for line in lines(tmp_path / "b") for row in line["found"]} == {0}
    assert only["counts"]["detections"] == 10
    left = replay(repository, bag, tmp_path / "c", "--region", 0, 0, 0.5, 1)
    assert left["counts"]["per_class"]["green"] == 0
    few = replay(repository, bag, tmp_path / "d", "--frames", 4)
    assert (few["bag"]["frames"], len(lines(tmp_path / "d"))) == (4, 4)


def coco(path: Path, images: list[dict[str, Any]], boxes: Mapping[int, Mapping[str, Box]]) -> Path:
    """A COCO file; ``boxes`` by image id."""
    annotations = [
        {"id": 1 + 10 * number + k, "image_id": number, "category_id": 7 + CLASSES.index(name),
         "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]], "area": 1, "iscrowd": 0}
        for number, shown in boxes.items()
        for k, (name, box) in enumerate(shown.items())
    ]  # fmt: skip
    categories = [{"id": 7 + index, "name": name} for index, name in enumerate(CLASSES)]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


@pytest.mark.parametrize("key", ["name", "stamp_ns", "timestamp", "file"])
def test_coco_truth_is_joined_by_name_or_stamp_never_by_position(
    repository: Path, bag: Path, tmp_path: Path, key: str
) -> None:
    images, boxes = [], {}
    for number in (7, 2, 9, 0, 1, 3, 4, 5, 6, 8):
        stamp = START + number * PERIOD
        entry: dict[str, Any] = {"id": 100 + number, "file_name": f"{number + 2}.jpg", "width": 640, "height": 512}
        if key == "file":
            entry["file_name"] = f"cam_{stamp // 10**9}_{stamp % 10**9:09}.jpg"
        elif key != "name":
            entry[key] = stamp if key == "stamp_ns" else stamp / 1e9
        images.append(entry)
        # The pictures of the file are twice as large as the frames.
        boxes[100 + number] = {name: tuple(2.0 * x for x in box) for name, box in boxes_at(number).items()}
    truth = coco(tmp_path / "truth.json", images, boxes)  # type: ignore[arg-type]
    told = replay(repository, bag, tmp_path / "out", "--truth", truth)
    assert told["figures"]["map"] == pytest.approx(1.0)
    assert told["truth"]["joined_by"] == ("name" if key == "name" else "stamp")
    assert (told["truth"]["frames"], told["truth"]["objects"]) == (10, 20)
    if key == "name":
        assert [line["name"] for line in lines(tmp_path / "out")] == [f"{number + 2}.jpg" for number in range(10)]


def test_truth_of_some_frames_and_of_strange_classes(
    repository: Path, bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [{"id": n, "file_name": "x.jpg", "stamp_ns": START + n * PERIOD} for n in (2, 3, 50)]
    truth = coco(tmp_path / "truth.json", images, {2: boxes_at(2), 3: boxes_at(3)})
    content = json.loads(truth.read_text())
    content["categories"].append({"id": 99, "name": "unicorn"})
    content["annotations"].append({"id": 999, "image_id": 3, "category_id": 99, "bbox": [1, 1, 9, 9], "iscrowd": 0})
    content["annotations"].append(
        {"id": 998, "image_id": 2, "category_id": 7, "bbox": [150, 150, 40, 40], "iscrowd": 1}
    )
    truth.write_text(json.dumps(content))
    told = replay(repository, bag, tmp_path / "out", "--truth", truth)
    assert told["truth"]["unknown_classes"] == ["unicorn"]
    assert told["classes"] == [*CLASSES, "unicorn"]
    assert (told["truth"]["frames"], told["truth"]["without_frame"], told["truth"]["objects"]) == (2, 1, 5)
    figures = told["figures"]
    assert (figures["precision"], figures["recall"]) == (1.0, 4 / 5)
    assert figures["classes"][3] | {"curve": 0} == {
        "name": "unicorn", "objects": 1, "ap": 0.0, "ap50": 0.0, "threshold": None, "precision": None, "recall": 0.0,
        "false_alarms": 0, "missed": 1, "curve": 0,
    }  # fmt: skip
    # Without stamps the numbers have to agree.
    short = coco(tmp_path / "short.json", [{"id": 1, "file_name": "a.jpg"}], {})
    replay(repository, bag, tmp_path / "none", "--truth", short, status=2)
    assert "no stamps and 1 images, the topic 10 frames" in capsys.readouterr().err
    for text in ("{}", "[]", "no json", '{"images": [{}], "annotations": [], "categories": []}'):
        (tmp_path / "bad.json").write_text(text)
        replay(repository, bag, tmp_path / "none", "--truth", tmp_path / "bad.json", status=2)
        assert "the truth is not valid COCO" in capsys.readouterr().err


def test_masks_are_scored_against_masks(repository: Path, tmp_path: Path) -> None:
    red = {"red": (40, 40, 120, 100)}
    frames = [scene(SIZE, red) for _ in range(4)]
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[40:100, 40:120] = 1
    half = mask.copy()
    half[:, 80:] = 0
    film = Film(frames)
    for index in range(4):
        stamp = film.stamp(index)
        film.extra.append(
            ("/camera/ground_truth/mask", IMAGE, stamp, image(half if index else mask, stamp, "c", "mono8"))
        )
    bag = write_bag(tmp_path / "bag", film)
    told = replay(repository, bag, tmp_path / "out", model="segments")
    # Four times 4,800 pixels found, of which 4,800 and three times 2,400 are true.
    assert told["figures"]["miou"] == pytest.approx((4800 + 3 * 2400) / (4 * 4800))
    assert told["figures"]["classes"][1] | {"pixels": 0} == {
        "name": "red", "pixels": 0, "iou": pytest.approx(0.625), "precision": pytest.approx(0.625), "recall": 1.0,
    }  # fmt: skip
    assert told["truth"]["source"] == "/camera/ground_truth/mask"
    first = lines(tmp_path / "out")[1]
    assert first["truth"]["confusion"] == [[0, 0, 81920 - 4800], [0, 1, 2400], [1, 1, 2400]]
    assert told["counts"]["shares"]["red"] == pytest.approx(4800 / 81920)


def test_polygons_are_masks_too(repository: Path, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", Film([scene(SIZE, {"red": (40, 40, 120, 100)})]))
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0, "area": 4800}
    for segmentation, status in (([[40, 40, 119, 40, 119, 99, 40, 99]], 0), ({"counts": "x", "size": [1, 1]}, 2)):
        content = {
            "images": [{"id": 1, "file_name": "1.jpg", "width": 320, "height": 256}],
            "annotations": [annotation | {"segmentation": segmentation}],
            "categories": [{"id": 1, "name": "red"}],
        }
        (tmp_path / "truth.json").write_text(json.dumps(content))
        told = replay(
            repository, bag, tmp_path / "out", "--truth", tmp_path / "truth.json", model="segments", status=status
        )
        assert told["figures"]["miou"] == pytest.approx(1.0)


def odd_bag(path: Path, messages: list[bytes], stamps: list[int]) -> Path:
    """Serialised messages under the name of images."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(CAMERA, IMAGE, typestore=ros2_types())
        for message, stamp in zip(messages, stamps, strict=True):
            writer.write(connection, stamp, message)
    return path


def test_frames_that_cannot_be_used_are_counted_and_the_rest_is_scored(repository: Path, tmp_path: Path) -> None:
    good = image(scene(SIZE, boxes_at(0)), START)
    store = ros2_types()
    whole = store.serialize_cdr(good, IMAGE)
    empty, short, strange = image(scene(SIZE, {}), START), image(scene(SIZE, {}), START), image(scene(SIZE, {}), START)
    empty.width = empty.height = 0
    short.data = short.data[:100]
    strange.encoding = "plaid8"
    odd = [store.serialize_cdr(message, IMAGE) for message in (empty, short, strange)]
    messages = [bytes(whole), *map(bytes, odd), bytes(whole)[:50], b"", bytes(whole)]
    bag = odd_bag(tmp_path / "bag", messages, [START + index * PERIOD for index in range(7)])
    told = replay(repository, bag, tmp_path / "out")
    assert told["bag"]["frames"] == 2
    assert [line["index"] for line in lines(tmp_path / "out")] == [0, 6]
    reasons = {entry["reason"]: (entry["count"], entry["first_index"]) for entry in told["bag"]["skipped"]}
    assert sum(count for count, _ in reasons.values()) == 5
    assert any("plaid8" in reason for reason in reasons)
    assert any("size 0x0 is not usable" in reason for reason in reasons)
    assert any("the message cannot be read" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("stamps", "warning"),
    [
        ([0, 0, 0], "3 frames have no stamp"),
        ([START, START, START + 5], "1 frames have the stamp of the frame before"),
        ([START + 9, START + 5, START + 20], "1 frames have an earlier stamp"),
    ],
)
def test_odd_stamps_are_told_and_change_nothing(
    repository: Path, tmp_path: Path, stamps: list[int], warning: str
) -> None:
    film = Film([scene(SIZE, boxes_at(index)) for index in range(3)], stamps=stamps)
    told = replay(repository, write_bag(tmp_path / "bag", film), tmp_path / "out")
    assert any(warning in text for text in told["bag"]["warnings"])
    assert [line["stamp"] for line in lines(tmp_path / "out")] == stamps
    assert told["counts"]["detections"] == 6


def test_a_recording_that_breaks_off_is_scored_as_far_as_it_goes(repository: Path, tmp_path: Path) -> None:
    film = Film([scene((640, 480), boxes_at(index)) for index in range(8)])
    bag = write_bag(tmp_path / "bag", film)
    (file,) = bag.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    told = replay(repository, bag, tmp_path / "out")
    assert 0 < told["bag"]["frames"] < 8
    assert any("breaks off" in warning for warning in told["bag"]["warnings"])


def test_mistakes_are_told_in_one_line_and_leave_what_was_there(
    repository: Path, bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    replay(repository, bag, output)
    before = (output / "frames.jsonl").read_bytes()
    nothing = odd_bag(tmp_path / "nothing", [b"", b"x"], [1, 2])
    cases = [
        ((bag,), {"model": ""}, "which model"),
        ((bag,), {"model": "rectangels"}, "did you mean 'rectangles'"),
        ((bag,), {"model": "rectangles:9"}, "has no version 9"),
        ((bag,), {"model": "rectangles:x"}, "'x' is no version"),
        ((bag,), {"model": "rectangles,precison=int8"}, "did you mean 'precision'"),
        ((bag,), {"model": "rectangles,precision=int8"}, "int8"),
        ((bag, "--topic", "/camera/image_rew"), {}, "did you mean '/camera/image_raw'"),
        ((bag, "--truth", "/camera/nothing"), {}, "has no topic '/camera/nothing'"),
        ((bag, "--truth", CAMERA), {}, "it needs vision_msgs/msg/Detection2DArray"),
        ((bag, "--truth", tmp_path / "no.json"), {}, "the truth cannot be read"),
        ((bag, "--classes", "rad"), {}, "did you mean 'red'"),
        ((bag, "--gate", "mapp50>=1"), {}, "did you mean 'map50'"),
        ((bag, "--gate", "drop(map)<=0.1"), {}, "--compare"),
        ((bag, "--compare", "rectangles:1"), {"model": ""}, "two or more"),
        ((nothing,), {}, "no frame of /camera/image_raw could be used"),
        ((tmp_path / "no bag",), {}, "does not exist"),
    ]
    for (where, *arguments), options, message in cases:
        capsys.readouterr()
        replay(repository, Path(str(where)), output, *arguments, status=2, **options)  # type: ignore[arg-type]
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("perception-infer:")]
        assert len(errors) == 1
        assert message in errors[0]
    assert (output / "frames.jsonl").read_bytes() == before
    assert not list(output.glob(".partial*"))


def test_a_gate_sets_the_exit_status(
    repository: Path, bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay(repository, bag, tmp_path, "--gate", "map50>=0.8, recall>=1, frames==10")
    assert capsys.readouterr().out.count("gate holds") == 3
    result = tmp_path / "result.json"
    told = replay(repository, bag, tmp_path, "--gate", "precision<0.5", "--json", result, status=2)
    assert "precision < 0.5" in capsys.readouterr().err
    assert told["figures"]["precision"] == 1.0, "the result is there all the same"
    assert [verdict["passed"] for verdict in json.loads(result.read_text())["gate"]] == [False]


def test_models_are_compared_on_the_same_frames(
    repository: Path, bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second model is as good; with its threshold above its scores it tells nothing."""
    arguments = ["--compare", "rectangles:1", "rectangles:2", "--resamples", 20, "--score-threshold", 0.85]
    replay(repository, bag, tmp_path, *arguments, "--gate", "drop(recall)<=0.5", model="", status=2)
    comparison = json.loads((tmp_path / "comparison.json").read_text())
    folders = sorted(entry.name for entry in tmp_path.iterdir() if entry.is_dir())
    assert folders == ["0-rectangles_1", "1-rectangles_2"]
    assert all((tmp_path / name / "frames.jsonl").exists() for name in folders)
    rows = {row["figure"]: row for row in comparison["pairs"][0]["figures"]}
    assert rows["map"]["difference"] == pytest.approx(0)
    assert rows["recall"]["difference"] == -1.0
    assert "rectangles v2" in capsys.readouterr().out
    page = (tmp_path / "comparison.html").read_text()
    assert "B against A" in page
    assert '<tr class="worse"><th scope="row">recall</th><td>1.0000</td><td>0.0000</td><td>-1.0000</td>' in page
    # There are no reports to link.
    assert "<a " not in page


def test_the_answers_are_those_of_the_predictor(repository: Path, tmp_path: Path) -> None:
    """Frames of other sizes than the network's, raw and as JPEG."""
    rng = np.random.default_rng(1)
    frames: list[Pixels] = []
    for size in ((400, 300), (300, 500), (333, 217)):
        picture = scene(size, {"red": (30, 40, 120, 90), "blue": (150, 100, 190, 160)})
        frames.append(np.asarray(np.clip(picture + rng.integers(-5, 6, picture.shape), 0, 255), np.uint8))
    bag = write_bag(tmp_path / "bag", Film(frames), packed=True)
    with Predictor.load(repository / "rectangles" / "1", threshold=0.0) as predictor:
        for topic in (CAMERA, f"{CAMERA}/compressed"):
            replay(repository, bag, tmp_path / "out", "--topic", topic)
            for line, rgb in zip(lines(tmp_path / "out"), frames, strict=True):
                if topic != CAMERA:
                    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
                    assert done
                    rgb = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
                assert rows_of(predictor, rgb) == line["found"]
                assert line["found"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the sample photographs and recordings are not here")
@pytest.mark.parametrize("name", ["nuts_db3", "nuts_mcap"])
def test_a_recording_of_photographs_gives_what_the_photographs_give(
    repository: Path, tmp_path: Path, name: str
) -> None:
    """The compressed topic holds the very files; the raw one the pictures at half of their size."""
    bag = Path(shutil.copytree(SHARED / "bags" / name, tmp_path / name))
    content = json.loads((SHARED / "nuts" / "trainval.json").read_text())
    by_name = {entry["file_name"]: entry["id"] for entry in content["images"]}
    pictures = sorted((SHARED / "nuts" / "images").iterdir(), key=lambda path: int(path.stem))
    with Predictor.load(repository / "anything" / "1", threshold=0.0) as predictor:
        for topic in (f"{CAMERA}/compressed", CAMERA):
            truth = "--truth", SHARED / "nuts" / "trainval.json"
            told = replay(repository, bag, tmp_path / "out", "--topic", topic, *truth, model="anything")
            assert (told["truth"]["frames"], told["truth"]["objects"]) == (18, 165)
            some = 0
            for line, path in zip(lines(tmp_path / "out"), pictures, strict=True):
                read = cv2.imread(str(path), cv2.IMREAD_COLOR)
                assert read is not None
                if topic == CAMERA:
                    read = cv2.resize(read, (400, 300), interpolation=cv2.INTER_AREA)
                assert rows_of(predictor, cv2.cvtColor(read, cv2.COLOR_BGR2RGB)) == line["found"]
                assert line["name"] == path.name
                scale = 0.5 if topic == CAMERA else 1.0
                boxes = [one["bbox"] for one in content["annotations"] if one["image_id"] == by_name[path.name]]
                assert [row[:2] for row in line["truth"]] == [[box[0] * scale, box[1] * scale] for box in boxes]
                some += len(line["found"])
            assert some > 0


def rows_of(predictor: Predictor, rgb: Any) -> list[list[float]]:
    """What a predictor finds, as frames.jsonl says it."""
    found = predictor.predict(np.asarray(rgb, np.uint8))
    return [
        [*np.round(box.astype(np.float64), 3).tolist(), round(float(score), 6), int(label)]
        for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
    ]
