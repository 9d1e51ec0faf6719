#!/usr/bin/env python3
"""Make this checkout ready to run: `make setup`, called by demo, test, lint, bench and config.

What it makes, and nothing else: `.venv` (Python packages at the versions and with the hashes of
requirements/*.pins.txt, this project in editable form, and vision_msgs built from overlay/ where ROS 2 does not provide
it), `.cache`, and, as root, the system packages that MuJoCo's headless rendering and the build of vision_msgs need (as
an ordinary user it says which).

Where ROS 2 is sourced the environment is laid over it (--system-site-packages); elsewhere rclpy and the message
packages come from PyPI. A stamp of everything that the result depends on makes a second run do nothing. An
interrupted run is mended by the next one, and of two runs at a time one waits.

The sourced branch was tried with a prefix of ROS 2 packages that is sourced by hand, not with ROS 2 from apt.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(
        "setup: Python 3.10 or newer is needed, and %s is %d.%d: name another one, as in `make setup PYTHON=python3.11`"
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
OVERLAY = ROOT / "overlay" / "vision_msgs"
STAMP = VENV / ".perception_suite.json"
# There while packages are being installed: whoever finds it finds an environment that may be half made.
UNFINISHED = VENV / ".perception_suite_unfinished"
# In an environment where vision_msgs is ours: the fingerprint of what it was built from.
OVERLAY_MARK = VENV / "share" / "vision_msgs" / ".overlay"
UV_PINS = ROOT / "requirements" / "uv.pins.txt"
EXTRAS = "robot,openvino,sim,train,cluster,objects,dev"
RENDER_PACKAGES = ["libegl1", "libgl1", "libgl1-mesa-dri"]
RENDER_CHECK = "import mujoco.egl as egl; context = egl.GLContext(16, 16); context.make_current(); context.free()"
ROS_CHECK = "import rclpy; from vision_msgs.msg import Detection2DArray; rclpy.init(); rclpy.shutdown()"


class Failure(Exception):
    """What went wrong and how to mend it, in one line."""


def say(text: str) -> None:
    """One line for the user, at once."""
    print(f"setup: {text}", flush=True)


def main() -> int:
    """Do what is missing; exit status 0 when everything is ready."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fresh", action="store_true", help="make the environment anew, whatever is there")
    arguments = parser.parse_args()
    start = time.monotonic()
    try:
        with locked():
            if arguments.fresh:
                shutil.rmtree(VENV, ignore_errors=True)
            done = Setup().run()
    except Failure as failure:
        print(f"setup: {failure}", file=sys.stderr)
        return 2
    except OSError as error:
        what = f"{error.strerror}: {error.filename or ROOT}"
        print(f"setup: {what}: make the place writable or free some space, and run it again", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("setup: interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    if done:
        say(f"ready in {time.monotonic() - start:.1f} s")
    return 0


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let one set-up of this checkout run at a time."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "setup.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is under way; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Setup:
    """The steps, in order, and what they share."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        for name in ("VIRTUAL_ENV", "PYTHONHOME"):
            self.environment.pop(name, None)
        self.sourced = self._find_sourced_ros()
        if self.sourced is None:
            # What a parent process of another environment may have left.
            for name in ("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "PYTHONPATH"):
                self.environment.pop(name, None)
        # The real file, so that `python3` and `python3.11` are not taken for two interpreters.
        self.python = str(Path(self.sourced or sys._base_executable).resolve())  # type: ignore[attr-defined]
        self.venv_python = VENV / "bin" / "python"
        self.requirements = "ros"
        if self.sourced is not None:
            numpy_1 = self._succeeds([self.python, "-c", "import numpy; assert numpy.__version__ < '2'"])
            self.requirements = "sourced-numpy1" if numpy_1 else "sourced"

    def run(self) -> bool:
        """Bring everything up to date; say whether anything had to be done."""
        fingerprint = self.fingerprint()
        stamp = read_json(STAMP)
        ready = stamp.get("fingerprint") == fingerprint and self.venv_python.exists() and not UNFINISHED.exists()
        if ready and stamp.get("rendering"):
            return False
        if not ready:
            if self.sourced is None and platform.machine() != "x86_64":
                raise Failure(f"PyPI has no ROS 2 for {platform.machine()}: source ROS 2 first, then run it again")
            STAMP.unlink(missing_ok=True)
            uv = self.find_uv()
            self.make_venv(uv)
            self.install_packages(uv)
            self.provide_vision_msgs()
        rendering = self.provide_rendering(install=not ready)
        content = {"fingerprint": fingerprint, "rendering": rendering, "python": self.python, "sourced": self.sourced}
        temporary = STAMP.with_suffix(".tmp")
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(STAMP)
        return not ready

    def fingerprint(self) -> str:
        """A hash of all that the environment is made from."""
        files = [ROOT / name for name in ("setup.py", "setup.cfg", "scripts/setup.py")]
        files += [ROOT / "perception_common" / "__init__.py", *sorted((ROOT / "requirements").glob("*.txt"))]
        parts = [str(ROOT), self.python, sys.version, platform.machine(), self.requirements, self.overlay_fingerprint()]
        return digest([*parts, *(file.read_text(encoding="utf-8") for file in files)])

    def overlay_fingerprint(self) -> str:
        """A hash of all that vision_msgs is built from."""
        sources = [path for path in sorted(OVERLAY.rglob("*")) if path.is_file()]
        texts = [f"{path.relative_to(OVERLAY)}\n{path.read_text(encoding='utf-8')}" for path in sources]
        ros = f"sourced {os.environ.get('ROS_DISTRO')}"
        if self.sourced is None:
            pins = (ROOT / "requirements" / "ros.pins.txt").read_text(encoding="utf-8").splitlines()
            ros = "\n".join(pin.removesuffix(" \\") for pin in pins if pin.startswith("ros-"))
        return digest([self.python, sysconfig.get_platform(), sys.version, ros, *texts])

    def find_uv(self) -> list[str]:
        """The command of uv: the one on the PATH, or one of our own under .cache."""
        found = shutil.which("uv")
        if found is not None and self._succeeds([found, "--version"]):
            return [found]
        folder = CACHE / "uv"
        own = [str(folder / "bin" / "uv")]
        if self._succeeds([*own, "--version"]):
            return own
        say("installing uv under .cache")
        shutil.rmtree(folder, ignore_errors=True)
        if importlib.util.find_spec("pip") is not None:
            pip = [sys.executable, "-m", "pip"]
        else:
            # Debian and Ubuntu ship Python without pip, and often without ensurepip.
            maker = CACHE / "uv-maker"
            if not self._succeeds([sys.executable, "-m", "venv", str(maker)]):
                raise Failure("neither uv nor pip is there: `sudo apt-get install python3-pip`, and run it again")
            pip = [str(maker / "bin" / "python"), "-m", "pip"]
        command = [*pip, "install", "--quiet", "--disable-pip-version-check", "--target", str(folder)]
        command += ["--require-hashes", "--requirement", str(UV_PINS)]
        self._run(command, "uv could not be installed")
        return own

    def make_venv(self, uv: list[str]) -> None:
        """An environment of the right Python; the present one stays when it is sound."""
        sound = self._succeeds([str(self.venv_python), "-c", f"import sys; assert sys.version == {sys.version!r}"])
        text = (VENV / "pyvenv.cfg").read_text(encoding="utf-8") if sound else ""
        layered = "include-system-site-packages = true" in text
        if sound and layered == (self.sourced is not None) and not UNFINISHED.exists():
            return
        command = [*uv, "venv", "--quiet", "--clear", "--python", self.python]
        if self.sourced is not None:
            command.append("--system-site-packages")
        self._run([*command, str(VENV)], "the environment .venv could not be made")

    def install_packages(self, uv: list[str]) -> None:
        """The pinned packages and this project."""
        where = "beside the sourced ROS 2" if self.sourced else "with ROS 2 from PyPI"
        say(f"installing the Python packages {where} (the first time some gigabytes are fetched)")
        UNFINISHED.touch()
        names = ROOT / "requirements" / f"{self.requirements}.txt"
        pins = ROOT / "requirements" / f"{self.requirements}.pins.txt"
        # The constraints name every package with its hashes, and uv refuses a file that has none of them. It has no
        # `--require-hashes` for this: the project itself, which is installed from here, could have none.
        command = [*uv, "pip", "install", "--python", str(self.venv_python), "--constraint", str(pins)]
        command += ["--build-constraint", str(pins), "--requirement", str(names), "--editable", f"{ROOT}[{EXTRAS}]"]
        # What uv has in its cache is enough for most runs, and then no network is needed.
        if not self._succeeds([*command, "--offline", "--quiet"]):
            self._run(command, "the Python packages could not be installed")
        UNFINISHED.unlink()

    def provide_vision_msgs(self) -> None:
        """Build vision_msgs where it cannot be imported, or where ours is older than its sources."""
        wanted = self.overlay_fingerprint()
        if OVERLAY_MARK.exists():
            if OVERLAY_MARK.read_text(encoding="utf-8") == wanted and self._venv_succeeds(ROS_CHECK):
                return
        elif self._venv_succeeds("from vision_msgs.msg import Detection2DArray"):
            return
        built = CACHE / "overlay" / wanted
        if not built.is_dir():
            self._provide_compiler()
            say("building vision_msgs (half a minute)")
            self._build_vision_msgs(built)
        OVERLAY_MARK.parent.mkdir(parents=True, exist_ok=True)
        OVERLAY_MARK.write_text("being copied", encoding="utf-8")
        shutil.copytree(built, VENV, dirs_exist_ok=True)
        if self.sourced is not None:
            self._write_library_path_hook()
        OVERLAY_MARK.write_text(wanted, encoding="utf-8")
        if not self._venv_succeeds(ROS_CHECK):
            raise Failure(f"vision_msgs was built but does not work: try `{self.venv_python} -c '{ROS_CHECK}'`")

    def _build_vision_msgs(self, target: Path) -> None:
        environment = dict(self.environment)
        prefixes = [str(VENV)]
        if self.sourced is not None:
            prefixes += environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
        environment["AMENT_PREFIX_PATH"] = environment["CMAKE_PREFIX_PATH"] = os.pathsep.join(prefixes)
        environment["PATH"] = os.pathsep.join([str(VENV / "bin"), environment.get("PATH", os.defpath)])
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=target.parent) as folder:
            build, log = Path(folder) / "build", CACHE / "overlay.log"
            prefix = Path(folder) / "prefix"
            steps = [
                ["cmake", "-S", str(OVERLAY), "-B", str(build), f"-DPython3_EXECUTABLE={self.venv_python}"],
                ["cmake", "--build", str(build), "--parallel", str(min(4, os.cpu_count() or 1))],
                ["cmake", "--install", str(build)],
            ]
            steps[0] += [f"-DCMAKE_INSTALL_PREFIX={prefix}", "-DBUILD_TESTING=OFF"]
            with log.open("w", encoding="utf-8") as output:
                for step in steps:
                    done = subprocess.run(step, env=environment, stdout=output, stderr=subprocess.STDOUT)
                    if done.returncode != 0:
                        raise Failure(f"vision_msgs could not be built: see {log}")
            # The only files that name the place of the build; the environment is a prefix without them.
            for path in prefix.glob("share/vision_msgs/local_setup.*"):
                path.unlink()
            shutil.rmtree(prefix / "share/ament_index/resource_index/parent_prefix_path", ignore_errors=True)
            prefix.rename(target)

    def _write_library_path_hook(self) -> None:
        # The wheels of PyPI bring a hook that starts Python anew with the environment's libraries on LD_LIBRARY_PATH
        # (the loader reads it only at the start). Beside a sourced ROS 2 our own libraries need the same.
        packages = next((VENV / "lib").glob("python*/site-packages"))
        (packages / "perception_suite_overlay.py").write_text(HOOK, encoding="utf-8")
        (packages / "perception_suite_overlay.pth").write_text("import perception_suite_overlay\n", encoding="utf-8")

    def _provide_compiler(self) -> None:
        missing = self._missing_for_building()
        if missing and not self._apt_install(missing, lambda: not self._missing_for_building()):
            install = f"sudo apt-get install {' '.join(missing)}"
            raise Failure(f"building vision_msgs needs {' and '.join(missing)}: `{install}`, and run it again")

    def _missing_for_building(self) -> list[str]:
        missing = [name for name in ("g++", "make") if shutil.which(name, path=self.environment.get("PATH")) is None]
        header = "import pathlib, sysconfig; assert (pathlib.Path(sysconfig.get_path('include')) / 'Python.h').exists()"
        if not self._succeeds([self.python, "-c", header]):
            missing.append(f"python{sys.version_info[0]}.{sys.version_info[1]}-dev")
        return missing

    def provide_rendering(self, install: bool) -> bool:
        """Whether MuJoCo can render without a screen, if need be after installing the system's libraries."""
        if self._can_render() or (install and self._apt_install(RENDER_PACKAGES, self._can_render)):
            return True
        say(f"MuJoCo cannot render without a screen here: `sudo apt-get install {' '.join(RENDER_PACKAGES)}` mends it")
        return False

    def _can_render(self) -> bool:
        return self._venv_succeeds(RENDER_CHECK, MUJOCO_GL="egl")

    def _apt_install(self, packages: list[str], there: Callable[[], bool]) -> bool:
        """Install system packages where we may; apt-get's exit status proves little, so look whether it is there."""
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            return False
        log = CACHE / "apt.log"
        say(f"installing {' '.join(packages)} with apt-get (its words go to {log})")
        environment = self.environment | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
        with log.open("w", encoding="utf-8") as output:
            # The package lists may be missing or old: try as it is, then with new ones.
            for command in (install, ["apt-get", "update"], install):
                subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
                if command is install and there():
                    return True
        return False

    def _find_sourced_ros(self) -> str | None:
        """The Python for which the sourced ROS 2 is made, or None where none is sourced."""
        if not os.environ.get("ROS_DISTRO") or not os.environ.get("AMENT_PREFIX_PATH"):
            return None
        for python in dict.fromkeys([sys._base_executable, shutil.which("python3"), "/usr/bin/python3"]):  # type: ignore[attr-defined]
            if python is not None and self._succeeds([python, "-c", "import rclpy"]):
                same = self._succeeds([python, "-c", f"import sys; assert sys.version == {sys.version!r}"])
                if not same:
                    raise Failure(f"the sourced ROS 2 belongs to {python}: run `make setup PYTHON={python}`")
                return python
        say(f"ROS 2 {os.environ['ROS_DISTRO']} is sourced, but no Python here imports rclpy: taking ROS 2 from PyPI")
        return None

    def _venv_succeeds(self, code: str, **extra: str) -> bool:
        return self._succeeds([str(self.venv_python), "-c", code], **extra)

    def _succeeds(self, command: list[str], **extra: str) -> bool:
        try:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
            return subprocess.run(command, env=self.environment | extra, cwd="/", **quiet).returncode == 0
        except OSError:
            return False

    def _run(self, command: list[str], trouble: str) -> None:
        """Run a long command: with its own progress display on a terminal, and silent in a log."""
        if sys.stderr.isatty():
            if subprocess.run(command, env=self.environment).returncode != 0:
                raise Failure(f"{trouble} (the reason is above): {self._likely_reason()}")
            return
        log = CACHE / "packages.log"
        with log.open("w", encoding="utf-8") as output:
            done = subprocess.run(command, env=self.environment, stdout=output, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Failure(f"{trouble} (the reason is in {log}): {self._likely_reason()}")

    def _likely_reason(self) -> str:
        free = shutil.disk_usage(ROOT).free / 1e9
        if free < 1:
            return f"only {free:.1f} GB are free at {ROOT}, about 8 are needed; free some and run it again"
        return "check the network, and run it again"


HOOK = '''\
"""Start Python anew, once, with the libraries of this environment where the loader looks for them."""

import os
import sys

_folder = os.path.join(sys.prefix, "lib")
_paths = [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if path]
if _folder not in _paths:
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join([_folder, *_paths])
    os.execv(sys.executable, sys.orig_argv)
'''


def read_json(path: Path) -> dict[str, object]:
    """The object in a JSON file, or an empty one where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def digest(parts: list[str]) -> str:
    """One hash of several texts, each in its place."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
