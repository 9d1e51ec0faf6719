"""Images as no camera should send them: none is answered with nonsense, none ends the node, and each is counted."""

from __future__ import annotations

import array
import random
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bundles import scene, write_detector
from matrix import Fault, zero
from written_images import GREY, GREYS, RGB, WRITTEN

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import NODE, RECTANGLES, Client, Stamp, World, boxes
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from perception_common.images import ENCODINGS
from perception_common.ros import qos
from perception_common.ros.images import ImageError, image_from_msg, image_to_msg
from perception_common.ros.vision import boxes_3d_to_msg, pose

IMAGES = "Images"
PICTURE = scene((320, 240), RECTANGLES)
WORST = (1 << 32) - 1
#: Between two images, so that the node answers each.
PAUSE = 0.03
SIDE_OF_BOMB = 30_000
THROTTLE_SECONDS = 5.0
K = (300.0, 0.0, 159.5, 0.0, 300.0, 119.5, 0.0, 0.0, 1.0)
Message = Image | CompressedImage


class Eye:
    """A node under test, and the camera before it."""

    def __init__(self, client: Client, process: subprocess.Popen[bytes], log: Callable[[], str], packed: bool) -> None:
        self.client, self.process, self._log = client, process, log
        self._packed = packed
        self._began = time.monotonic()
        client.answer_to(self.good)
        self._before = client.diagnostics()

    def good(self) -> Stamp:
        """Send a picture that is as it should be."""
        if not self._packed:
            return self.client.send(PICTURE)
        return self.send(CompressedImage(format="png", data=png(PICTURE)))

    def send(self, message: Message) -> Stamp:
        """Send a message with a stamp of its own."""
        message.header = self.client.header()
        (self.client.compressed if self._packed else self.client.image).publish(message)
        return message.header.stamp.sec, message.header.stamp.nanosec

    def harm(self, messages: Iterable[Message], least: int, pause: float = PAUSE) -> int:
        """Frames that were answered or failed in an unforeseen way, of messages that no image can be made of.

        The node has to go on as the same process, to count at least so many, and to say so without flooding the log.
        """
        sent = set()
        for message in messages:
            sent.add(self.send(message))
            time.sleep(pause)
        answered = sum(received.stamp in sent for received in self.client.detections)
        steps = self.steps(lambda steps: steps["frames_invalid"] >= least)
        return answered + steps["frames_failed"]

    def steps(self, wanted: Callable[[dict[str, int]], bool]) -> dict[str, int]:
        """By how much counters went up since the row before, once they are as wanted; the node is alive and well."""
        names = ("frames_received", "frames_invalid", "frames_failed")

        def since(values: dict[str, str]) -> dict[str, int]:
            return {name: int(values[name]) - int(self._before[name]) for name in names}

        assert len(self.client.answer_to(self.good).detections) == len(RECTANGLES)
        values = self.client.diagnostics(lambda values: wanted(since(values)))
        assert self.process.poll() is None, "the node has ended"
        steps, self._before = since(values), values
        lines = self._log().count("image left out")
        assert bool(lines) == (int(values["frames_invalid"]) > 0), "a line says it"
        assert lines <= 1 + (time.monotonic() - self._began) / THROTTLE_SECONDS, "not one line an image"
        return steps


@pytest.fixture(scope="module")
def eyes(world: World, module_processes: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Eye]:
    """Two nodes: one takes raw images and depth, the other compressed images."""
    root = tmp_path_factory.mktemp("models")
    write_detector(root)
    options: dict[str, dict[str, Any]] = {
        "raw": {"detections_3d": "depth"},
        "compressed": {"image_transport": "compressed"},
    }
    processes = {
        name: module_processes.node(
            NODE, namespace=f"/{name}", model_root=root, model="rectangles", require_signature=False, **told
        )
        for name, told in options.items()
    }
    return {
        name: Eye(
            world.client(f"/{name}"), process, lambda process=process: module_processes.log(process), name != "raw"
        )
        for name, process in processes.items()
    }


@pytest.fixture
def eye(eyes: dict[str, Eye]) -> Eye:
    return eyes["raw"]


@pytest.fixture
def packed(eyes: dict[str, Eye]) -> Eye:
    return eyes["compressed"]


def padded(encoding: str, told: bool) -> Image:
    """A picture with 5 bytes behind each row and the most significant byte first, which may not be told."""
    values = np.ascontiguousarray(WRITTEN[encoding]())
    rows = values.astype(values.dtype.newbyteorder(">")).reshape(len(values), -1).view(np.uint8)
    data = np.pad(rows, ((0, 0), (0, 5)), constant_values=99).tobytes()
    height, width = GREY.shape
    return Image(
        height=height, width=width, encoding=encoding, step=rows.shape[1] + 5, is_bigendian=int(told), data=data
    )


def png(rgb: np.ndarray) -> bytes:
    return cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))[1].tobytes()


def careless(message: Image) -> np.ndarray:
    """An image as many programs read it."""
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)


def unforeseen(read: Callable[[Any], np.ndarray], messages: Sequence[Message]) -> int:
    """How many messages make ``read`` answer with no RGB image, or raise anything but `ImageError`."""
    count = 0
    for message in messages:
        try:
            found = read(message)
            count += found.dtype != np.uint8 or found.ndim != 3 or found.shape[2] != 3 or not found.size
        except ImageError:
            pass
        except Exception:
            count += 1
    return count


@pytest.mark.fault(
    IMAGES,
    "rows that are padded, bytes in the other order",
    f"all {len(ENCODINGS)} encodings, 5 bytes behind each row, the most significant byte first",
    "0 pictures on overlay that are not what was sent",
)
def test_every_encoding(fault: Fault, eye: Eye) -> None:
    client = eye.client
    client.watch_overlay()

    def shown(message: Image) -> np.ndarray:
        sent: set[Stamp] = set()
        limit = time.monotonic() + 20
        while time.monotonic() < limit:
            sent.add(eye.send(message))
            for _ in range(20):
                time.sleep(0.01)
                for received in client.overlays:
                    if received.stamp in sent:
                        return careless(received.message).astype(int)
        raise AssertionError(f"no overlay of {message.encoding}")

    def wrong(encoding: str, told: bool = True) -> bool:
        wanted = np.repeat(GREY[..., None], 3, -1) if encoding in GREYS else RGB
        error = np.abs(shown(padded(encoding, told)) - wanted)
        # The border of a mosaic has neighbours on one side only; YUV shares colours and has 219 levels.
        limit = 3 if encoding.startswith("bayer") else 6 if encoding.startswith(("yu", "uy", "nv")) else 0
        return bool(error[2:-2, 2:-2].max() > limit)

    # Nothing is drawn into the pictures.
    assert client.set_parameter("score_threshold", 1.0) == (True, "")
    count = sum(map(wrong, ENCODINGS))
    planted = sum(wrong(name, told=False) for name in ("rgb16", "mono16", "bayer_rggb16", "32FC1"))
    assert client.set_parameter("score_threshold", -1.0) == (True, "")
    fault.observe(f"wrong of {len(ENCODINGS)}", count, zero)
    fault.plant("the order of bytes not told", planted)
    eye.steps(lambda steps: True)


@pytest.mark.fault(
    IMAGES,
    "encodings that are unknown",
    "12 names: of other kinds, in capitals, with blanks, empty, 10,000 letters, a path, HTML, Unicode",
    "0 answered or failed; counted, one line in 5 s",
)
def test_unknown_encodings(fault: Fault, eye: Eye) -> None:
    names = (
        "hsv8",
        "32FC3",
        "64FC1",
        "RGB8",
        " rgb8",
        "rgb8 ",
        "",
        "x" * 10_000,
        "../rgb8",
        "<b>rgb8</b>",
        "rgbé",
        "8UC99",
    )

    def named(name: str) -> Image:
        message = image_to_msg(PICTURE, "rgb8", Header())
        message.encoding = name
        return message

    fault.observe(f"answered or failed of {len(names)}", eye.harm(map(named, names), len(names) // 2), zero)
    fault.plant("the right name", eye.harm([named("rgb8")], 0))


def impossible() -> list[Image]:
    """Images whose size, step and data do not fit together."""
    good = image_to_msg(PICTURE, "rgb8", Header())

    def changed(**fields: Any) -> Image:
        message = image_to_msg(PICTURE, "rgb8", Header())
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    return [
        changed(width=0, height=0, step=0, data=[]),
        changed(width=0),
        changed(height=0),
        changed(width=WORST, height=WORST, step=WORST),
        changed(width=WORST, height=WORST, step=0, data=[]),
        changed(height=WORST),
        changed(step=WORST),
        changed(step=10),
        changed(step=0),
        changed(data=good.data[:-1]),
        changed(data=good.data[:1000]),
        changed(data=[]),
        changed(encoding="rgba16"),
        changed(encoding="nv12", width=319),
        changed(encoding="bayer_rggb8", height=239),
    ]


@pytest.mark.fault(
    IMAGES,
    "sizes that cannot be",
    "0x0, 4294967295 squared, steps shorter than a row and longer than all data, data too short or none",
    "0 answered or failed; counted, one line in 5 s",
)
def test_sizes_that_cannot_be(fault: Fault, eye: Eye) -> None:
    messages = impossible()
    figure = f"answered or failed of {len(messages)}"
    fault.observe(figure, eye.harm(messages, len(messages) // 2), zero)
    fault.plant("read by numpy alone", unforeseen(careless, messages))


def garbage(count: int, seed: int) -> Iterator[Image]:
    """Images of random fields, some of which happen to fit."""
    random_of = random.Random(seed)
    sides = (0, 1, 2, 3, 16, 64, 16384, 16385, WORST)
    for _ in range(count):
        size = random_of.choice((0, 1, 100, 4096))
        height, width = random_of.choice(sides), random_of.choice(sides)
        yield Image(
            height=height,
            width=width,
            encoding=random_of.choice((*ENCODINGS, "", "rgb", "16SC3", "\u202e8bgr")),
            step=random_of.choice(
                (0, 1, width, min(WORST, 3 * width), min(WORST, 8 * width), random_of.getrandbits(32))
            ),
            is_bigendian=random_of.getrandbits(8),
            data=array.array("B", random_of.randbytes(size)),
        )


@pytest.mark.long
@pytest.mark.fault(
    IMAGES,
    "garbage",
    "2,000 images of random fields and bytes, as fast as they come",
    "0 crashes, 0 unforeseen errors",
)
def test_garbage(fault: Fault, eye: Eye) -> None:
    messages = list(garbage(2000, seed=7))
    assert unforeseen(image_from_msg, messages) == 0
    for message in messages:
        eye.send(message)
        time.sleep(0.0005)
    failed = eye.steps(lambda steps: steps["frames_invalid"] > 30)["frames_failed"]
    fault.observe("crashes and unforeseen errors", failed + int(eye.process.poll() is not None), zero)
    fault.plant("read by numpy alone", unforeseen(careless, messages))


@pytest.mark.fault(
    IMAGES,
    "compressed images that are broken",
    "PNG and JPEG cut at 10, 50 and 90 %, empty data, text, a PNG with wrong checksums and with 200 changed bytes",
    "0 answered or failed; counted, one line in 5 s",
)
def test_broken_files(fault: Fault, packed: Eye) -> None:
    whole = {"png": png(PICTURE), "jpeg": cv2.imencode(".jpg", PICTURE)[1].tobytes()}
    broken = [(kind, data[: len(data) * share // 100]) for kind, data in whole.items() for share in (10, 50, 90)]
    head = whole["png"][:33]
    broken += [("png", b""), ("jpeg", b""), ("", b"no image"), ("png", head), ("png", head + whole["png"][60:])]
    changed = bytearray(whole["png"])
    for at in random.Random(3).sample(range(40, len(changed) - 12), 200):
        changed[at] ^= 0xFF
    broken.append(("png", bytes(changed)))
    messages = [CompressedImage(format=kind, data=data) for kind, data in broken]
    figure = f"answered or failed of {len(messages)}"
    fault.observe(figure, packed.harm(messages, len(messages) // 2), zero)

    def trusting(message: CompressedImage) -> np.ndarray:
        return cv2.cvtColor(cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    fault.plant("decoded without a look at the answer", unforeseen(trusting, messages))


def bomb(side: int) -> bytes:
    """A black PNG of that many pixels squared, one bit each."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(1), bytes(1 + (side + 7) // 8)
    packed = b"".join([packer.compress(row * 100) for _ in range(side // 100)]) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def swollen(side: int) -> bytes:
    """A small JPEG that says it is of that many pixels squared."""
    data = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", side, side) + data[at + 4 :]


def peak_mib(pid: int) -> float:
    """The most memory that a process occupied so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


_DECODE = """
import cv2, numpy, sys
def peak():
    # Not ru_maxrss, which a program inherits from the one that started it.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
cv2.imdecode(numpy.fromfile(sys.argv[1], numpy.uint8), cv2.IMREAD_COLOR)
print((peak() - before) / 1024)
"""


@pytest.mark.fault(
    IMAGES,
    "a bomb on image/compressed",
    "a PNG of 30,000 x 30,000 pixels in half a MiB, and a JPEG that says it is as large",
    "not answered, counted; the node's memory grows by less than 300 MiB",
)
def test_bombs(fault: Fault, packed: Eye, tmp_path: Path) -> None:
    before = peak_mib(packed.process.pid)
    messages = [CompressedImage(format="png", data=bomb(SIDE_OF_BOMB)), CompressedImage(data=swollen(SIDE_OF_BOMB))]
    assert packed.harm(messages * 3, 2, pause=0.1) == 0
    fault.observe("MiB more at its peak", peak_mib(packed.process.pid) - before, lambda grown: grown < 300)
    # A ninth of the pixels will do.
    (tmp_path / "bomb").write_bytes(bomb(10_000))
    done = subprocess.run([sys.executable, "-c", _DECODE, tmp_path / "bomb"], capture_output=True, check=True)
    fault.plant("10,000 x 10,000 decoded before its size is known", float(done.stdout))


@pytest.mark.fault(
    IMAGES,
    "a size that changes with every frame",
    "60 frames of 16x16 to 1600x1200 pixels in turn, portrait and landscape",
    "0 boxes that are not those of their own frame",
)
def test_changing_sizes(fault: Fault, eye: Eye) -> None:
    random_of, sent = random.Random(5), []
    for _ in range(60):
        width, height = random_of.randint(16, 1600), random_of.randint(16, 1200)
        box = (width // 4, height // 4, width // 2, height // 2)
        sent.append((eye.client.send(scene((width, height), {"red": box})), (width, height), box))
        time.sleep(PAUSE)
    eye.steps(lambda steps: steps["frames_received"] > 0)
    answers = {received.stamp: boxes(received.message) for received in eye.client.detections}
    answered = [(answers[stamp], size, box) for stamp, size, box in sent if stamp in answers]
    assert len(answered) > 30

    def wrong(rows: Iterable[tuple[list[list[float]], tuple[int, int], tuple[int, ...]]]) -> int:
        count = 0
        for found, (width, height), box in rows:
            # A pixel of the network, and one of the image.
            near = 1 + max(width / 320, height / 256)
            count += len(found) != 1 or bool(np.abs(np.subtract(found[0], box)).max() > near)
        return count

    fault.observe("wrong answers", wrong(answered), zero)
    late = [(found, *after[1:]) for (found, *_), after in pairwise(answered)]
    fault.plant("the size of the frame before", wrong(late))


@pytest.mark.fault(
    IMAGES,
    "numbers that are none in 32FC1 images",
    "NaN, both infinities, 1e38 and -1e38 in a picture that the overlay shows",
    "0 wrong pixels: black where nothing is known, white where it is too bright",
)
def test_images_of_nan(fault: Fault, eye: Eye) -> None:
    strange = np.array([np.nan, -np.inf, np.inf, 1e38, -1e38, 0.25], np.float32)
    picture = np.tile(strange, (48, 10))
    wanted = np.tile(np.array([0, 0, 255, 255, 0, 64]), (48, 10))
    message = image_to_msg(picture, "32FC1", Header())
    eye.client.watch_overlay()

    def shown() -> np.ndarray | None:
        stamp = eye.send(message)
        for _ in range(20):
            time.sleep(0.01)
            for received in eye.client.overlays:
                if received.stamp == stamp:
                    return careless(received.message)[..., 0]
        return None

    found = next(found for found in (shown() for _ in range(100)) if found is not None)

    def wrong(pixels: np.ndarray) -> int:
        return int((pixels.astype(int) != wanted).sum())

    assert eye.steps(lambda steps: True)["frames_failed"] == 0
    fault.observe("wrong pixels", wrong(found), zero)
    with np.errstate(invalid="ignore", over="ignore"):
        fault.plant("multiplied by 255 and converted", wrong((picture * 255).astype(np.uint8)))


def numbers(value: Any) -> Iterator[float]:
    """Every floating-point number in a message."""
    if isinstance(value, PointCloud2):
        yield from np.frombuffer(value.data, np.float32).tolist()
    elif hasattr(value, "get_fields_and_field_types"):
        for name in value.get_fields_and_field_types():
            yield from numbers(getattr(value, name))
    elif isinstance(value, float):
        yield value
    elif isinstance(value, (list, tuple, np.ndarray)):
        for part in value:
            yield from numbers(part)


def not_finite(messages: Iterable[Any]) -> int:
    return sum(not np.isfinite(number) for message in messages for number in numbers(message))


def strange_depths() -> list[np.ndarray]:
    """Depth images, float32 [240, 320], with less and less that is a distance in them."""
    random_of = np.random.default_rng(11)
    depths = [np.full((240, 320), value, np.float32) for value in (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e38)]
    for share in (0.1, 0.5, 0.9, 0.99):
        depth = random_of.uniform(1.9, 2.1, (240, 320)).astype(np.float32)
        holes = random_of.random(depth.shape) < share
        depth[holes] = random_of.choice(
            np.array([np.nan, np.inf, -np.inf, -1e38, 1e38, 1e-40], np.float32), holes.sum()
        )
        depths.append(depth)
    return depths


@pytest.mark.fault(
    IMAGES,
    "numbers that are none in depth and calibration",
    "depth of NaN, infinities, negative and huge numbers alone and among good ones; camera_info with NaN in k and d",
    "0 numbers published that are not finite",
)
def test_depth_of_nan(fault: Fault, eye: Eye) -> None:
    client, node = eye.client, eye.client.node
    depth_out = node.create_publisher(Image, "depth/image", qos.SENSOR)
    info_out = node.create_publisher(CameraInfo, "camera_info", qos.SENSOR)
    places: list[Detection3DArray] = []
    clouds: list[PointCloud2] = []
    node.create_subscription(Detection3DArray, "detections_3d", places.append, qos.RESULTS)
    node.create_subscription(PointCloud2, "obstacles", clouds.append, qos.RESULTS)

    def calibrate(k: Sequence[float], d: Sequence[float]) -> None:
        info_out.publish(CameraInfo(width=320, height=240, k=k, d=list(d), distortion_model="plumb_bob"))

    def look(depth: np.ndarray) -> Stamp:
        header = client.header()
        depth_out.publish(image_to_msg(depth, "32FC1", header))
        time.sleep(PAUSE)
        client.image.publish(image_to_msg(PICTURE, "rgb8", header))
        time.sleep(PAUSE)
        return header.stamp.sec, header.stamp.nanosec

    depths = strange_depths()
    good = np.full((240, 320), 2.0, np.float32)
    limit = time.monotonic() + 20
    while not any(place.detections for place in places):
        assert time.monotonic() < limit
        calibrate(K, ())
        look(good)
    for depth in depths:
        client.answer_to(lambda depth=depth: look(depth))
    for k, d in (((np.nan,) * 9, ()), ((np.inf, *K[1:]), ()), (K, (np.nan,) * 5), (K, (0.1, np.inf, 0.0, 0.0, 0.0))):
        calibrate(k, d)
        time.sleep(PAUSE)
        client.answer_to(lambda: look(good))
    assert eye.steps(lambda steps: True)["frames_failed"] == 0
    assert len(places) >= len(depths) and clouds
    fault.observe(f"of {sum(1 for _ in numbers(places))} numbers", not_finite([*places, *clouds]), zero)
    left, top, right, bottom = RECTANGLES["red"]
    with np.errstate(all="ignore"):
        means = [float(depth[top:bottom, left:right].mean()) for depth in depths]
    still = (0.0, 0.0, 0.0, 1.0)
    middles = [pose((mean, mean, mean), still) for mean in means]
    sizes, scores = np.ones((len(means), 3)), np.ones(len(means))
    fault.plant(
        "the mean depth of a box", not_finite([boxes_3d_to_msg(Header(), middles, sizes, scores, [""] * len(means))])
    )
