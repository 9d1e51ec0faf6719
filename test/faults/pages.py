"""Every page that the suite writes, of data in which all that has a name is called something hostile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bundles import scene, write_detector
from demo_run import made_up_run
from recorded import Film, write_bag
from shapes import make_dataset
from training_runs import quick, words

from perception_sim import cli as sim
from perception_train.demo.report import write_report

_SAYS = "window.broken = 1"
#: Of folders and files, which hold no slash.
FILE = f"'\"><img src=x onerror='{_SAYS}'>"
#: Of classes. It ends what it may stand in, and there is an end of its own for every kind of quotation marks.
NASTY = f"</script></style></title><script>{_SAYS}</script>{FILE}<svg onload=\"{_SAYS}\">' onmouseover='{_SAYS}' \" onfocus=\"{_SAYS}\" ${{{_SAYS}}}"  # fmt: skip # noqa: E501
Makers = dict[str, Callable[[Path], dict[str, Path]]]


def _command(package: str, *given: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", package, *map(str, given)], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr


def _dataset(root: Path, images: int, seed: int) -> Path:
    """A dataset with a hostile class, and hostile names of pictures."""
    make_dataset(root, images, seed, classes=(NASTY, "disc"))
    listed = root / "annotations.json"
    listed.write_text(listed.read_text().replace('.png"', f'{FILE}.png"'.replace('"', '\\"', 1)))
    for folder in ("images", "masks"):
        for path in (root / folder).iterdir():
            path.rename(path.with_name(f"{path.stem}{FILE}.png"))
    return root


def _preview(folder: Path) -> dict[str, Path]:
    page = folder / "preview.html"
    one, two = (_dataset(folder / FILE / name, 12, seed) for seed, name in enumerate(("a", "b")))
    assert sim.main(["view", "--dataset", str(one), "--compare", str(two), "--output", str(page)]) == 0
    return {"preview": page}


def _demo(folder: Path) -> dict[str, Path]:
    result, files = made_up_run(folder, classes=("ball", NASTY, "cone"))
    return {"demo": write_report(folder, result, files)}


def _recording(folder: Path) -> tuple[Path, Path]:
    """A recording of a red rectangle that moves, and a repository of two models that call it something hostile."""
    places = [(40 + 4 * index, 40, 100 + 4 * index, 80) for index in range(24)]
    film = Film([scene((320, 240), {"red": place}) for place in places], truth=[{NASTY: place} for place in places])
    film.frame_id = NASTY
    for limits in ((200.0, 90.0), (245.0, 90.0)):
        write_detector(folder / "models", classes=(NASTY, "green", "blue"), limits=limits)
    return write_bag(folder / FILE, film), folder / "models"


def _replays(folder: Path) -> dict[str, Path]:
    bag, models = _recording(folder)
    both = ["--compare", "rectangles:1", "rectangles:2"]
    _command(
        "perception_infer", "replay", "--bag", bag, "--model-root", models, *both, "--output", folder / "out",
        "--resamples", 20, "--threads", 1,
    )  # fmt: skip
    pages = sorted((folder / "out").rglob("*.html"))
    return {f"replay {page.relative_to(folder / 'out')}": page for page in pages}


def _harvest(folder: Path) -> dict[str, Path]:
    bag, models = _recording(folder)
    _command(
        "perception_train", "harvest", "--bag", bag, "--model-root", models, "--model", "rectangles:1",
        "--against", "rectangles:2", "--output", folder / "out", "--count", 4, "--apart", 0.1, "--threads", 1,
    )  # fmt: skip
    return {"harvest": folder / "out" / "harvest.html"}


def _gap(folder: Path) -> dict[str, Path]:
    bundle = write_detector(folder / "models", classes=(NASTY, "disc", "blue"))
    synthetic, real = _dataset(folder / FILE / "a", 12, 1), _dataset(folder / FILE / f"b{FILE}", 12, 2)
    _command(
        "perception_train", "gap", "--model", bundle, "--synthetic", synthetic, "--real", real,
        real / "images", "--embedding", "picture", "--pictures", 2, "--threads", 1, "--output", folder / "out",
    )  # fmt: skip
    return {"gap": folder / "out" / "gap.html"}


def _training(folder: Path) -> dict[str, Path]:
    _dataset(folder / FILE / "train", 12, 1)
    _dataset(folder / FILE / "val", 6, 2)
    told = quick(folder / FILE, folder, steps=6) | {"report": True}
    _command("perception_train", "run", *words(told))
    model = ["--model-root", folder / "models", "--model", "shapes", "--threads", 1]
    _command(
        "perception_train", "evaluate", "--dataset", folder / FILE / "val", *model, "--report", folder / "evaluation"
    )
    return {"training": folder / "run" / "report.html", "evaluation": folder / "evaluation" / "report.html"}


FEW: Makers = {"preview": _preview, "demo": _demo}
ALL: Makers = {**FEW, "replays": _replays, "harvest": _harvest, "gap": _gap, "training": _training}


def made(makers: Makers, folder: Path) -> dict[str, Path]:
    """The pages by name."""
    pages: dict[str, Path] = {}
    for name, make in makers.items():
        (folder / name).mkdir(parents=True)
        pages |= make(folder / name)
    return pages
