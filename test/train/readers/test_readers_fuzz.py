"""Damaged datasets give one clear error or a counted skip, and what is written opens: never a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from foreign import WRITERS, params
from mutations import copied, damage

from perception_common.errors import UserError
from perception_train.data.coco import CocoDataset
from perception_train.data.importing.command import import_datasets

CASES = 10


def survive(name: str, fresh: Path, work: Path, seed: int) -> bool:
    """Import a damaged copy; whether anything was left of it. Raises what no import may raise."""
    rng = np.random.default_rng(seed)
    source, output = copied(fresh, work / "in"), work / "out"
    told = damage(source, rng)
    options = {"format": name if rng.random() < 0.8 else "auto", "verify": bool(rng.random() < 0.5)}
    if rng.random() < 0.3:
        options["classes"] = ("cone", "pallet=cone")
    if rng.random() < 0.3:
        options["boxes"] = "mask"
    try:
        import_datasets(params(source, output, **options))
    except UserError:
        assert sorted(path.name for path in work.iterdir()) == ["in"], told
        return False
    except Exception as error:
        raise AssertionError(f"{name}, seed {seed}: {told}") from error
    else:
        dataset = CocoDataset.open(output)
        for sample in dataset.samples:
            assert np.isfinite(sample.boxes).all()
            assert (sample.boxes >= 0).all()
            assert (sample.boxes[:, 2:] <= (sample.width, sample.height)).all()
            if options["verify"]:
                sample.read()
        return True
    finally:
        shutil.rmtree(work)
        work.mkdir()


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_datasets(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / "fresh")
    (tmp_path / "work").mkdir()
    outcomes = [survive(name, tmp_path / "fresh", tmp_path / "work", seed) for seed in range(CASES)]
    # The damage is neither so small that nothing happens nor so large that nothing is left.
    assert any(outcomes)
