"""Several datasets as one: classes by name, shares, the order of samples."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from shapes import make_dataset, small_run

from perception_common.errors import UserError
from perception_common.params import build
from perception_train.data.augment import AugmentParams
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import TrainLoader
from perception_train.data.mixture import Mixture
from perception_train.data.sampling import Order, SamplingParams, repeat_factors
from perception_train.export.command import export
from perception_train.export.params import ExportParams
from perception_train.training import checkpoint
from perception_train.training.config import TrainParams
from perception_train.training.loop import Trainer


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """40 images of square and disc, 10 with the classes in the other order, 7 of squares alone."""
    root = tmp_path_factory.mktemp("mixture")
    make_dataset(root / "many", 40, seed=1)
    turned = make_dataset(root / "turned", 10, seed=2)
    content = json.loads((turned / "annotations.json").read_text())
    content["categories"] = [{"id": 1, "name": "disc"}, {"id": 2, "name": "square"}]
    (turned / "annotations.json").write_text(json.dumps(content))
    few = make_dataset(root / "few", 7, seed=3)
    content = json.loads((few / "annotations.json").read_text())
    content["categories"] = content["categories"][:1]
    content["annotations"] = [entry for entry in content["annotations"] if entry["category_id"] == 1]
    (few / "annotations.json").write_text(json.dumps(content))
    for path in (few / "masks").iterdir():
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.where(mask == 2, 0, mask))
    return str(root / "many"), str(root / "turned"), str(root / "few")


def part_of(mixture: Mixture, indices: list[int]) -> np.ndarray:
    return np.searchsorted(mixture.starts, indices, side="right") - 1


def test_classes_go_by_name(roots: tuple[str, str, str]) -> None:
    mixture = Mixture.open(roots)
    assert mixture.classes == ("square", "disc")
    assert len(mixture.samples) == 57
    for part, start in zip(mixture.parts, mixture.starts[:-1], strict=True):
        for number, sample in enumerate(part.samples):
            joined = mixture.samples[start + number]
            assert joined.path == sample.path
            assert [mixture.classes[i] for i in joined.labels] == [part.classes[i] for i in sample.labels]
    # Class 1 of the turned dataset is a disc: 2 here.
    turned = CocoDataset.open(Path(roots[1])).mask(0)
    assert set(np.unique(turned)) - {0}
    assert (mixture.mask(40) == np.array([0, 2, 1], np.uint8)[turned]).all()
    assert (mixture.mask(3) == CocoDataset.open(Path(roots[0])).mask(3)).all()
    # The order of the directories decides neither whether they fit nor which names there are.
    assert set(Mixture.open(roots[::-1]).classes) == {"square", "disc"}


def test_what_does_not_fit_is_refused(roots: tuple[str, str, str], tmp_path: Path) -> None:
    other = str(make_dataset(tmp_path / "other", 4, seed=5, classes=("square", "triangle")))
    with pytest.raises(UserError, match=r"many has no triangle .*other\]"):
        Mixture.open((roots[0], other))
    with pytest.raises(UserError, match="1 shares for 2 datasets"):
        Mixture.open(roots[:2], (1.0,))
    with pytest.raises(UserError, match="above 0, not 0"):
        Mixture.open(roots[:2], (1.0, 0.0))
    with pytest.raises(UserError, match="named twice"):
        Mixture.open((roots[0], roots[0]))


@pytest.mark.parametrize(
    ("shares", "wanted"),
    [((), (40, 10, 7)), ((0.5, 0.3, 0.2), (5, 3, 2)), ((2, 1, 4), (2, 1, 4)), ((1.0, 1.0, 3.141592), None)],
)
def test_shares_are_exact_and_even(roots: tuple[str, str, str], shares: tuple[float, ...], wanted) -> None:
    mixture = Mixture.open(roots, shares)
    order = Order(mixture, 7)
    parts = part_of(mixture, [order.index(i) for i in range(20_000)])
    share = np.asarray(wanted or shares) / sum(wanted or shares)
    counts = np.cumsum(parts[:, None] == np.arange(3), 0)
    # At any time as near to the shares as whole images allow, but for one more.
    assert np.abs(counts - share * np.arange(1, 20_001)[:, None]).max() < 2
    drawn = part_of(mixture, [order.draw(np.random.default_rng(i)) for i in range(3000)])
    assert np.abs(np.bincount(drawn, minlength=3) / 3000 - share).max() < 0.04


def test_each_dataset_has_epochs_without_repetition(roots: tuple[str, str, str]) -> None:
    mixture = Mixture.open(roots, (0.2, 0.5, 0.3))
    order = Order(mixture, 7)
    indices = np.array([order.index(i) for i in range(1000)])
    parts = part_of(mixture, indices.tolist())
    for number, size in enumerate((40, 10, 7)):
        mine = indices[parts == number]
        epochs = mine[: len(mine) // size * size].reshape(-1, size)
        assert (np.sort(epochs, 1) == np.arange(size) + mixture.starts[number]).all()
        assert (epochs[0] != epochs[1]).any()


def test_the_order_depends_on_seed_and_position_only(roots: tuple[str, str, str]) -> None:
    mixture = Mixture.open(roots, (0.2, 0.5, 0.3))
    params = SamplingParams(balance=1.0, negatives=0.3)
    order = Order(mixture, 7, params)
    forward = [order.index(i) for i in range(400)]
    fresh = Order(mixture, 7, params)
    assert [fresh.index(i) for i in reversed(range(400))] == forward[::-1]
    assert [Order(mixture, 8, params).index(i) for i in range(400)] != forward


def test_one_dataset_is_as_it_was(roots: tuple[str, str, str]) -> None:
    """The same order as before there were mixtures, so that older runs can be resumed."""
    order = Order(Mixture.open(roots[:1]), 7)
    rng = np.random.default_rng(np.random.SeedSequence([7, 1, 2]))
    assert [order.index(i) for i in range(80, 120)] == rng.permutation(40).tolist()


def test_spread_follows_the_shares(roots: tuple[str, str, str]) -> None:
    mixture = Mixture.open(roots, (1.0, 1.0, 2.0))
    assert Counter(part_of(mixture, mixture.spread(12).tolist())) == {0: 3, 1: 3, 2: 6}
    assert len(mixture.spread(0)) == 0
    assert Mixture.open(roots).spread(1000).tolist() == list(range(57))


def test_balance_repeats_what_is_rare(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", 60, seed=1)
    content = json.loads((root / "annotations.json").read_text())
    # Discs in three images only.
    content["annotations"] = [e for e in content["annotations"] if e["category_id"] == 1 or e["image_id"] <= 4]
    (root / "annotations.json").write_text(json.dumps(content))
    mixture = Mixture.open([str(root)])
    shown = np.array([[label in sample.labels for label in (0, 1)] for sample in mixture.samples])
    frequency = shown.mean(0)
    assert frequency[1] < 0.2 * frequency[0]
    factors = repeat_factors(mixture, 1.0)
    assert np.allclose(factors[shown[:, 1]], np.sqrt(frequency[0] / frequency[1]))
    assert (factors[~shown[:, 1]] == 1).all()
    order = Order(mixture, 3, SamplingParams(balance=1.0))
    length = round(factors.sum())
    counts = np.bincount([order.index(i) for i in range(50 * length)], minlength=60) / 50
    assert np.abs(counts - factors * length / factors.sum()).max() < 0.2
    # Within an epoch none is seen more often than its factor rounded up.
    once = np.bincount([order.index(i) for i in range(length)], minlength=60)
    assert (once <= np.ceil(factors * length / factors.sum())).all()


@pytest.mark.parametrize("shares", [(), (1.0, 3.0)])
def test_negatives(roots: tuple[str, str, str], shares: tuple[float, ...]) -> None:
    mixture = Mixture.open(roots[:2], shares)
    empty = np.array([len(sample.labels) == 0 for sample in mixture.samples])

    def seen(negatives: float) -> np.ndarray:
        order = Order(mixture, 3, SamplingParams(negatives=negatives))
        return np.array([order.index(i) for i in range(2000)])

    assert abs(empty[seen(0.25)].mean() - 0.25) < 0.002
    assert not empty[seen(0.0)].any()
    assert set(seen(0.25)) == set(range(50))
    if shares:
        assert abs((part_of(mixture, seen(0.25).tolist()) == 1).mean() - 0.75) < 0.002


def test_negatives_that_do_not_exist(tmp_path: Path) -> None:
    mixture = Mixture.open([str(make_dataset(tmp_path / "data", 5, seed=1))])
    with pytest.raises(UserError, match="no image is without objects"):
        Order(mixture, 3, SamplingParams(negatives=0.1))


def test_batches_of_a_mixture_resume_exactly(roots: tuple[str, str, str]) -> None:
    mixture = Mixture.open(roots, (0.5, 0.25, 0.25))

    def loader() -> TrainLoader:
        return TrainLoader(
            mixture, (96, 64), 4, 7, AugmentParams(), 1 << 20, True, sampling=SamplingParams(balance=0.5)
        )

    stream = loader().stream(0, lambda _: True)
    first = [next(stream) for _ in range(6)]
    stream.close()
    resumed = loader().stream(4, lambda _: True)
    for batch in first[4:]:
        again = next(resumed)
        assert torch.equal(batch.images, again.images)
        assert torch.equal(batch.targets.labels, again.targets.labels)
        assert batch.targets.pixels is not None
        assert torch.equal(batch.targets.pixels, again.targets.pixels)
    resumed.close()


def test_a_single_path_is_a_list_of_one() -> None:
    assert build(TrainParams, {"dataset": "datasets/a"}).dataset == ("datasets/a",)
    assert build(TrainParams, {"dataset": ""}).dataset == ()
    assert build(TrainParams, {"dataset": ["a", "b"], "shares": [1, 2]}).shares == (1.0, 2.0)


@pytest.mark.slow
def test_training_on_two_and_export_of_an_old_checkpoint(
    roots: tuple[str, str, str], shapes: Path, tmp_path: Path
) -> None:
    told = small_run(shapes, tmp_path, dataset=roots[:2], shares=(0.5, 0.5), exports=1)
    events = []
    summary = Trainer(TrainParams(**told), events.append).fit()
    assert summary["versions"] == [1]
    assert next(e for e in events if e["event"] == "start")["images"] == 50
    manifest = json.loads((tmp_path / "models/shapes/1/manifest.json").read_text())
    assert manifest["dataset"]["train"] == "many+turned"
    assert manifest["dataset"]["train_images"] == 50
    # What a checkpoint said before there were several datasets.
    state = checkpoint.load(tmp_path / "run")
    assert state is not None
    state["params"]["dataset"] = roots[0]
    for name in ("shares", "balance", "negatives"):
        del state["params"][name]
    checkpoint.save(tmp_path / "run", state)
    assert export(ExportParams(run_directory=str(tmp_path / "run")))["version"] == 2
