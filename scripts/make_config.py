"""Write config/*.yaml, JSON Schemas and security policies from the declarations in the code (`make config`).

One file per node (a ROS parameter file) and per command (for `--config`), and one for presets: every parameter with
its default, its type, its limits and what it does, and beside each a schema by which editors check and complete it.
`manifest.schema.json` and `replay.schema.json` are those of what the suite writes. `security` holds what each node may
do under SROS2. Edit copies, not these files.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import perception_infer.cli
import perception_sim.cli
import perception_train.cli
from perception_common.cli import Command, file_name
from perception_common.ros.policy import Interface, default_enclave, policy_text
from perception_common.schemas import command_schema, node_schema
from perception_common.yaml_files import reference_yaml
from perception_infer.contract.manifest import json_schema as manifest_schema
from perception_infer.replay.schema import json_schema as replay_schema
from perception_infer.ros.ends import EVALUATE, INFER
from perception_infer.ros.evaluate_params import EvaluateParams
from perception_infer.ros.infer_params import InferParams
from perception_sim.params import SimCameraParams
from perception_sim.preset_schema import preset_schema
from perception_sim.presets import reference_preset
from perception_sim.ros.ends import SIM_CAMERA
from perception_train.demo.settings import DemoParams
from perception_train.ros.ends import TRAIN
from perception_train.ros.params import TrainNodeParams

sys.path.insert(0, str(Path(__file__).resolve().parent))
from topic_tables import in_short

ROOT = Path(__file__).resolve().parent.parent
CONFIG, NODES_PAGE = ROOT / "config", ROOT / "docs" / "nodes.md"
NODES: dict[str, type] = {
    "evaluate_node": EvaluateParams,
    "infer_node": InferParams,
    "sim_camera_node": SimCameraParams,
    "train_node": TrainNodeParams,
}
INTERFACES: dict[str, Interface] = {
    "evaluate_node": EVALUATE,
    "infer_node": INFER,
    "sim_camera_node": SIM_CAMERA,
    "train_node": TRAIN,
}
PROGRAMS: dict[str, tuple[Command, ...]] = {
    "perception-sim": perception_sim.cli.COMMANDS,
    "perception-train": perception_train.cli.COMMANDS,
    "perception-infer": perception_infer.cli.COMMANDS,
}
COMMANDS: dict[str, type] = {
    "demo": DemoParams,
    **{file_name(program, one): one.params for program, commands in PROGRAMS.items() for one in commands},
}


def contents() -> dict[Path, str]:
    """What each file has to hold."""
    texts: dict[str, str] = {}
    schemas: dict[str, Any] = {"preset": preset_schema()}
    for name, params in NODES.items():
        texts[name], schemas[name] = reference_yaml(params, name, schema=_schema(name)), node_schema(params, name)
    for name, params in COMMANDS.items():
        texts[name], schemas[name] = reference_yaml(params, schema=_schema(name)), command_schema(params)
    texts["preset"] = reference_preset(_schema("preset"))
    results = {"manifest.schema.json": manifest_schema(), "replay.schema.json": replay_schema()}
    policies = {
        f"security/{name}.policy.xml": policy_text(one, name, default_enclave(name)) for name, one in INTERFACES.items()
    }
    return {
        **{CONFIG / name: text for name, text in policies.items()},
        **{CONFIG / f"{name}.yaml": text for name, text in texts.items()},
        **{CONFIG / _schema(name): _json(schema) for name, schema in schemas.items()},
        **{CONFIG / name: _json(schema) for name, schema in results.items()},
        NODES_PAGE: _with_topics(NODES_PAGE.read_text(encoding="utf-8")),
    }


def _with_topics(page: str) -> str:
    """The page with the table of topics as it is now."""
    begin, end = "<!-- topics:begin (make config) -->\n", "<!-- topics:end -->"
    before, _, rest = page.partition(begin)
    return before + begin + in_short() + end + rest.partition(end)[2]


def _schema(name: str) -> str:
    return f"schemas/{name}.schema.json"


def _json(schema: Any) -> str:
    return json.dumps(schema, indent=2) + "\n"


def stale() -> list[str]:
    """The names of files that differ from the code, are missing, or describe something that is gone."""
    wanted = contents()
    differ = {path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text}
    gone = {
        path for pattern in ("*.yaml", "*.schema.json", "schemas/*", "security/*") for path in CONFIG.glob(pattern)
    } - set(wanted)
    return sorted(str(path.relative_to(ROOT)) for path in differ | gone)


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
        path = ROOT / name
        if path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
        print(f"config: {'wrote' if path in wanted else 'removed'} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
