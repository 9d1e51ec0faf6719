"""Old versions make room; what serves, was good last, or is best stays."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from bundles import write_detector
from servers import Bench, ask, at_rest
from waiting import until

from perception_common.errors import UserError
from perception_infer.history import FILE_NAME, Event, History
from perception_infer.models import ModelRepository
from perception_infer.retention import best_version, prune, serving_here

NAME = "rectangles"


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    """Five versions of a model."""
    for _ in range(5):
        write_detector(tmp_path / "models")
    return ModelRepository(tmp_path / "models")


def test_the_newest_stay_and_those_that_are_spared(repository: ModelRepository) -> None:
    assert prune(repository, NAME, 0) == []
    assert prune(repository, NAME, 2, {1}) == [2, 3]
    assert repository.versions(NAME) == [1, 4, 5]
    assert prune(repository, NAME, 9) == []
    assert sorted(path.name for path in (repository.root / NAME).iterdir()) == ["1", "4", "5", "config.pbtxt"]


def test_a_removal_that_was_interrupted_is_finished(repository: ModelRepository) -> None:
    (repository.root / NAME / ".removed-1").mkdir()
    (repository.root / NAME / ".removed-1" / "left").touch()
    assert prune(repository, NAME, 4) == [1]
    assert not (repository.root / NAME / ".removed-1").exists()


def test_what_cannot_be_removed_is_told(repository: ModelRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(UserError, match="Permission denied"):
        prune(repository, NAME, 1)
    assert repository.versions(NAME) == [1, 2, 3, 4, 5]


def test_the_best_is_known_by_its_own_figures(repository: ModelRepository) -> None:
    for version, figure in ((1, 0.2), (2, 0.9), (3, 0.9), (4, 0.4)):
        path = repository.root / NAME / str(version) / "manifest.json"
        told = json.loads(path.read_text())
        told["variants"]["fp32"]["metrics"] = {"map": figure}
        path.write_text(json.dumps(told))
    (repository.root / NAME / "5" / "manifest.json").write_text("broken")
    assert best_version(repository, NAME, "map") == 3
    assert best_version(repository, NAME, "miou") is None


def test_what_serves_here_is_known_from_the_history(
    repository: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    now, told = time.time_ns(), list[str]()
    assert serving_here(repository.root, NAME, now, told.append) == set()
    history = History(tmp_path / "state" / "perception_suite" / FILE_NAME, repository.root, told.append)
    history.add(Event(now - 2, "/a", NAME, 2, "serves", ""))
    history.add(Event(now - 2, "/b", NAME, 3, "serves", ""))
    history.add(Event(now - 1, "/b", NAME, 0, "ended", ""))
    history.close()
    assert serving_here(repository.root, NAME, now, told.append) == {2}
    assert not told


def test_a_robot_keeps_what_it_may_have_to_go_back_to(bench: Bench) -> None:
    bench.write(2)
    server = bench.server(keep_versions=1, watch_frames=2)
    server.load_first(1)
    ask(server)
    for number in (2, 3, 4):
        if number > 2:
            bench.write()
        server.announce(bench.announcement(number))
        at_rest(server, loads=number)
        for _ in range(3):
            ask(server)
    # The newest, and the last good one before it.
    until(lambda: ModelRepository(bench.root).versions(NAME) == [3, 4])
    assert server.status().version == 4
    until(lambda: any("removed old versions of rectangles: 2" in line for line in bench.told))
