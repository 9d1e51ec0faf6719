"""Write config/*.yaml, and replay.schema.json, from the declarations in the code (`make config`).

One file per node (a ROS parameter file) and per command (for `--config`), and one for presets: every parameter with
its default, its type, its limits and what it does. Edit copies, not these files.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from perception_common.params import reference_yaml
from perception_infer.commands.bench import BenchParams
from perception_infer.commands.build_engine import BuildEngineParams
from perception_infer.commands.doctor import DoctorParams
from perception_infer.commands.run import RunParams
from perception_infer.commands.verify import VerifyParams
from perception_infer.replay.params import ReplayParams
from perception_infer.replay.schema import json_schema
from perception_infer.ros.evaluate_node import EvaluateParams as EvaluateNodeParams
from perception_infer.ros.infer_params import InferParams
from perception_sim.params import AddObjectParams, GenerateParams, MergeParams, SimCameraParams, ViewParams
from perception_sim.presets import reference_preset
from perception_train.adaptation.params import AdaptParams
from perception_train.cli import EvaluateParams, ExportParams
from perception_train.data.importing.params import ImportParams
from perception_train.demo.settings import DemoParams
from perception_train.finetuning.params import FinetuneParams
from perception_train.gap.params import GapParams
from perception_train.harvest.params import HarvestParams
from perception_train.repository_server.params import ServeParams
from perception_train.ros.params import TrainNodeParams
from perception_train.training.config import TrainParams

CONFIG = Path(__file__).resolve().parent.parent / "config"
NODES: dict[str, type] = {
    "evaluate_node": EvaluateNodeParams,
    "infer_node": InferParams,
    "sim_camera_node": SimCameraParams,
    "train_node": TrainNodeParams,
}
COMMANDS: dict[str, type] = {
    "demo": DemoParams,
    "perception-infer-doctor": DoctorParams,
    "perception-infer-replay": ReplayParams,
    "perception-infer-run": RunParams,
    "perception-infer-bench": BenchParams,
    "perception-infer-build-engine": BuildEngineParams,
    "perception-infer-verify": VerifyParams,
    "perception-sim-generate": GenerateParams,
    "perception-sim-add-object": AddObjectParams,
    "perception-sim-merge": MergeParams,
    "perception-sim-view": ViewParams,
    "perception-train-adapt": AdaptParams,
    "perception-train-evaluate": EvaluateParams,
    "perception-train-export": ExportParams,
    "perception-train-finetune": FinetuneParams,
    "perception-train-harvest": HarvestParams,
    "perception-train-gap": GapParams,
    "perception-train-import": ImportParams,
    "perception-train-run": TrainParams,
    "perception-train-serve": ServeParams,
}


def contents() -> dict[Path, str]:
    """What each file has to hold."""
    files = {CONFIG / f"{node}.yaml": reference_yaml(params, node) for node, params in NODES.items()}
    files[CONFIG / "preset.yaml"] = reference_preset()
    files[CONFIG / "replay.schema.json"] = json.dumps(json_schema(), indent=2) + "\n"
    return files | {CONFIG / f"{command}.yaml": reference_yaml(params) for command, params in COMMANDS.items()}


def stale() -> list[str]:
    """The names of files that differ from the code, are missing, or describe something that is gone."""
    wanted = contents()
    differ = {path.name for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text}
    return sorted(differ | {path.name for path in CONFIG.glob("*.yaml") if path not in wanted})


def main() -> int:
    """Write the files, or with ``--check`` only say which are out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when a file is out of date")
    old = stale()
    if parser.parse_args().check:
        if old:
            print(f"out of date: {', '.join(old)}: run `make config`", file=sys.stderr)
        return 1 if old else 0
    wanted = contents()
    for name in old:
        path = CONFIG / name
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
        print(f"config: {'wrote' if path in wanted else 'removed'} {path.relative_to(CONFIG.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
