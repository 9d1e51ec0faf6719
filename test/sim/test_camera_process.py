"""How sim_camera_node starts, keeps simulated time and ends."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from cameras import NAMESPACE, check_clock, listen, start


def test_simulated_time_waits_for_frames() -> None:
    # A thousand frames a second cannot be kept; in no time of its own, a frame comes as soon as it can.
    hurry = ("rate:=1000.0", "max_frames:=80", "publish_clock:=true")
    free = (
        "rate:=0.5", "max_frames:=80", "publish_clock:=true", "real_time_factor:=0.0", "scene_seconds:=100.0",
        "clock_rate:=1.0",
    )  # fmt: skip
    hurried, freed = listen((NAMESPACE + "_hurried", [], hurry), (NAMESPACE + "_free", [], free), patient=True)
    for got, end, tick in ((hurried, 80_000_000, 1_000_000), (freed, 160 * 10**9, 10**9)):
        assert got["ending"][0] == 0, got["ending"][1]
        check_clock(got, tick, end)
    told = [s.message for message in hurried["diagnostics"] for s in message.status if "hurried" in s.name]
    assert any(text.startswith("cannot keep its rate: ") and "render" in text for text in told)
    assert not any("cannot" in s.message for m in freed["diagnostics"] for s in m.status if "free" in s.name)


def test_wrong_parameters_end_it_with_one_line(tmp_path: Path) -> None:
    preset = tmp_path / "bad.yaml"
    preset.write_text(f"base: demo\nbackground: {{images: [{tmp_path / 'nowhere'}], stage: 1.0}}\n")
    wrong = {
        "rat:=5.0": "did you mean 'rate'",
        "preset:=dem": "did you mean 'demo'",
        "encoding:=yuv": "'bgr8'",
        "rate:=0.0": "0.1",
        "cameras:=[a, a]": "none twice",
        "mounts:=[0.1, 0.2]": "2 numbers",
        "real_time_factor:=2.0": "publish_clock",
        "depth:=8UC1": "'16UC1'",
        # Found by the process that builds scenes.
        f"preset:={preset}": "nowhere",
    }
    processes = {argument: start(NAMESPACE, argument) for argument in wrong}
    try:
        answers = {argument: process.communicate(timeout=90)[1] for argument, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
    for argument, answer in answers.items():
        assert processes[argument].returncode == 2, answer
        assert wrong[argument] in answer
        assert len([line for line in answer.splitlines() if not line.startswith("[INFO]")]) == 1, answer
        assert "Traceback" not in answer


def test_it_stops_cleanly() -> None:
    # A new scene all the time, so that one is being built.
    numbers = (signal.SIGINT, signal.SIGTERM)
    processes = [start(NAMESPACE, "rate:=5.0", "scene_seconds:=0.5") for _ in numbers]
    try:
        for process in processes:
            assert any("preset demo" in line for line in process.stderr)
        time.sleep(2.0)
        for number, process in zip(numbers, processes, strict=True):
            assert process.poll() is None
            process.send_signal(number)
        for process in processes:
            _, told = process.communicate(timeout=30)
            assert process.returncode == 0, told
            assert not any(word in told for word in ("Traceback", "Warning")), told
    finally:
        for process in processes:
            process.kill()
