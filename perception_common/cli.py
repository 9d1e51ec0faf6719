"""Commands: sub-commands whose flags come from a parameter dataclass, one-line errors, exit codes.

Exit status 0: success; 2: a usage or input error, told in one line; 1: an internal failure;
130: interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import __version__, durable
from .arguments import Parser
from .errors import CheckFailed, UserError
from .params import build, check, specs
from .shipped import schema_file
from .yaml_files import load_yaml, reference_yaml

Result = dict[str, Any] | None
_FORMATTER = argparse.ArgumentDefaultsHelpFormatter


@dataclasses.dataclass(frozen=True)
class Command:
    """A sub-command: ``run`` receives an instance of ``params`` and returns what ``--json`` writes."""

    name: str
    help: str
    params: type
    run: Callable[[Any], Result]


def main(program: str, description: str, commands: Sequence[Command], argv: Sequence[str] | None = None) -> int:
    """Parse ``argv``, run the command, and return the exit status."""
    parser = Parser(program, description=description)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in commands:
        sub = subparsers.add_parser(
            command.name, help=command.help, description=command.help, formatter_class=_FORMATTER
        )
        _add_flags(sub, command)
    arguments = parser.parse_args(argv)
    command = next(c for c in commands if c.name == arguments.command)
    return _finish(command, arguments, program, file_name(program, command))


def single(program: str, command: Command, argv: Sequence[str] | None = None) -> int:
    """`main` for a program that is one command and has no sub-commands."""
    parser = Parser(program, description=command.help, formatter_class=_FORMATTER)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    _add_flags(parser, command)
    return _finish(command, parser.parse_args(argv), program, command.name)


def file_name(program: str, command: Command) -> str:
    """What the files of a program's command in ``config/`` are called, without their endings."""
    return f"{program}-{command.name}"


def guard(action: Callable[[], int], program: str) -> int:
    """Run ``action``; turn what it raises into one line on stderr and an exit status."""
    try:
        return action()
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away; Python would complain again while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception:
        traceback.print_exc()
        print(f"{program}: internal failure (above); please report it", file=sys.stderr)
        return 1


def start(program: str, module: str) -> int:
    """Import the module of a node and run its ``main``; its exit status.

    A node needs a second to be imported: whoever stops it meanwhile, or has not sourced ROS 2, gets one line.
    """
    return guard(lambda: _run_node(module), program)


def _run_node(module: str) -> int:
    try:
        main: Callable[[], int] = importlib.import_module(module).main
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package != "rclpy" and not package.endswith(("_msgs", "_interfaces")):
            raise
        fix = "source /opt/ros/DISTRIBUTION/setup.bash and 'rosdep install' what package.xml names, or 'make setup'"
        raise UserError(f"ROS 2's package '{package}' is not there", fix=fix) from error
    return main()


def _finish(command: Command, arguments: argparse.Namespace, program: str, file: str) -> int:
    if arguments.print_config:
        return guard(lambda: _print_config(command, arguments, file), program)
    return guard(lambda: _run(command, arguments), program)


def _add_flags(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="YAML of parameters; flags win over it"
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        default=False,
        help="print every parameter as it would be, with --config and flags, as YAML for --config, and exit",
    )
    parser.add_argument(
        "--json", metavar="FILE|-", default=argparse.SUPPRESS, help="write the result as JSON to FILE, or to stdout"
    )
    for spec in specs(command.params).values():
        flag = "--" + spec.name.replace("_", "-")
        shown = spec.default if spec.default not in ("", ()) else "none"
        doc = (spec.doc + (f" ({spec.allowed})" if spec.allowed and spec.choices is None else "")).replace("%", "%%")
        options: dict[str, Any] = dict(
            dest=f"param:{spec.name}", default=argparse.SUPPRESS, help=f"{doc} [default: {shown}]"
        )
        if spec.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options |= dict(type=_converter(spec.type), metavar=spec.type.__name__.upper())
            if spec.choices is not None and not spec.is_list:
                options |= dict(metavar="{" + ",".join(map(str, spec.choices)) + "}")
            if spec.is_list:
                options["nargs"] = "*"
        parser.add_argument(flag, **options)


def _converter(kind: type) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not {'a whole number' if kind is int else 'a number'}"
            ) from None

    return convert


def _values(command: Command, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the file and, over it, the flags say, checked."""
    known = specs(command.params)
    values: dict[str, Any] = {}
    if hasattr(arguments, "config"):
        values |= vars_of(build(command.params, load_yaml(arguments.config), arguments.config))
    for key, value in vars(arguments).items():
        if key.startswith("param:"):
            name = key.removeprefix("param:")
            values[name] = check(known[name], value, "--" + name.replace("_", "-"))
    return values


def _print_config(command: Command, arguments: argparse.Namespace, file: str) -> int:
    values = _values(command, arguments)
    print(reference_yaml(command.params, values=values, schema=schema_file(file)), end="")
    return 0


def _run(command: Command, arguments: argparse.Namespace) -> int:
    values = _values(command, arguments)
    target = getattr(arguments, "json", None)
    # With the result on stdout, what is meant for people goes to stderr: a pipe gets JSON and nothing else.
    with contextlib.redirect_stdout(sys.stderr) if target == "-" else contextlib.nullcontext():
        try:
            result, failure = command.run(command.params(**values)), None
        except CheckFailed as error:
            result, failure = error.result, error
    if target is not None and result is not None:
        text = json.dumps(result, indent=2, sort_keys=True) + "\n"
        print(text, end="") if target == "-" else durable.write_text(Path(target), text)
    if failure is not None:
        raise failure
    return 0


def vars_of(instance: Any) -> dict[str, Any]:
    """Field names and values of a parameter instance, not copied deeply."""
    return {field.name: getattr(instance, field.name) for field in dataclasses.fields(instance)}
