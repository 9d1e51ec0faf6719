"""The whole loop, live: what `make demo` runs, as nodes that go on until they are interrupted.

Images are generated where they are missing. Then camera, inference and evaluation run as in sim.launch.py, and the
trainer beside them; every model that it exports is signed, announced, checked and swapped in. Started again, training
goes on where it was, and a finished run serves its last model.
"""

import json
from dataclasses import replace
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource

from perception_common.launching import actions, arguments
from perception_infer.trust import PUBLIC_SUFFIX
from perception_train.demo import wiring
from perception_train.demo.settings import PRESETS, Settings

SIM = PythonLaunchDescriptionSource(str(Path(__file__).resolve().parent / "sim.launch.py"))
NODES = {"camera": "sim_camera_node", "infer": "infer_node", "evaluate": "evaluate_node", "train": "train_node"}
OPTIONS = {
    "preset": "how many images, how long: those of `make demo`; full when empty",
    "output": "directory of everything that is written; runs/loop when empty",
    "minutes": "minutes of training; the preset's when empty",
    "world": "preset of the synthetic world; the demo's when empty",
}


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite loop.launch.py` runs."""
    described = OPTIONS | arguments.SHARED | arguments.OF_SEVERAL | arguments.of_each(NODES)
    choices = arguments.CHOICES | {"preset": ("", *PRESETS)}
    return LaunchDescription([*arguments.declare(described, choices), OpaqueFunction(function=_begin)])


def _begin(context: LaunchContext) -> list:
    given = dict(context.launch_configurations)
    settings, output = _settings(given), Path(given["output"] or "runs/loop").expanduser().resolve()
    given["train_prefix"] = given["train_prefix"] or f"nice -n {settings.trainer_nice}"
    # What is not valid is told before anything is made; and what a scope around this file set is gone when it is done.
    train = actions.node(given, NODES["train"], "train", wiring.train(settings, output))
    sim = IncludeLaunchDescription(SIM, launch_arguments=_of_sim(given, settings, output).items())
    steps = [actions.program("perception-sim", *wiring.generate(settings, output, split)) for split in ("train", "val")]
    keys = wiring.key(output)
    if not Path(f"{keys}{PUBLIC_SUFFIX}").exists():
        steps.append(actions.program("perception-train", "keygen", "--output", keys))
    return actions.in_turn(steps, [sim, *train])


def _settings(given: dict) -> Settings:
    chosen = PRESETS[given["preset"] or "full"]
    minutes = arguments.number("minutes", given, "minutes") or chosen.train_minutes
    return replace(chosen, train_minutes=minutes, world=given["world"] or chosen.world)


def _of_sim(given: dict, settings: Settings, output: Path) -> dict:
    """The arguments of sim.launch.py: the user's, over those of the loop."""
    infer = wiring.infer(settings, output) | {"require_signature": True}
    own = {"camera": wiring.camera(settings), "infer": infer, "evaluate": wiring.evaluate(settings, output)}
    for role, values in own.items():
        name = f"{role}_parameters"
        given = given | {name: json.dumps(values | arguments.mapping(name, given[name]))}
    return {name: text for name, text in given.items() if name not in OPTIONS and not name.startswith("train_")}
