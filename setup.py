"""The ROS 2 package (ament_python) and the Python distribution, from one description.

`colcon build` and `pip install` both read this file; package.xml names the same things in rosdep's words.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "perception_suite"
ROOT = Path(__file__).resolve().parent


def version() -> str:
    """The one place that holds the version is perception_common/__init__.py."""
    text = (ROOT / "perception_common" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("perception_common/__init__.py has no line '__version__ = \"…\"'")
    return found.group(1)


def shared(folder: str, pattern: str) -> "tuple[str, list[str]]":
    """Files that go to share/perception_suite/FOLDER; paths relative to this file, as setuptools wants them."""
    return f"share/{NAME}/{folder}", sorted(str(path.relative_to(ROOT)) for path in (ROOT / folder).glob(pattern))


def tree(folder: str) -> "list[tuple[str, list[str]]]":
    """The same for a folder with all that is below it."""
    found = [path.parent for path in (ROOT / folder).rglob("*.*") if path.is_file() and "__pycache__" not in path.parts]
    return [shared(str(path.relative_to(ROOT)), "*.*") for path in sorted(set(found))]


def data(package: str) -> "list[str]":
    """What a package holds besides Python. Listed, because the setuptools of Ubuntu 22.04 knows no `**` patterns."""
    kinds = (".css", ".html", ".js", ".json", ".xml", ".yaml")
    folder = ROOT / package
    found = [path for path in folder.rglob("*") if path.suffix in kinds or path.name == "py.typed"]
    return sorted(str(path.relative_to(folder)) for path in found)


PACKAGES = find_packages(str(ROOT), include=["perception_*"])

# OpenCV: on a robot it comes from apt (python3-opencv, see package.xml). From PyPI we take the headless wheel, because
# opencv-python brings Qt and wants X libraries, and because two OpenCV wheels in one environment overwrite each other.
# Whoever wants windows installs opencv-python in its place. The suite itself opens no window.
OPENCV = "opencv-python-headless"

TEST = ["hypothesis", "pytest", "pytest-timeout"]

setup(
    name=NAME,
    version=version(),
    description="From a synthetic world to live detections on a robot: simulate, train, deploy, score, with ROS 2",
    author="perception_suite maintainers",
    maintainer="perception_suite maintainers",
    maintainer_email="maintainers@perception-suite.invalid",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=PACKAGES,
    package_data={package: data(package) for package in PACKAGES if "." not in package},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        shared("launch", "*.launch.py"),
        *tree("config"),
        # For bags with detections, where no ROS is installed.
        (f"share/{NAME}/vision_msgs", shared("overlay/vision_msgs/msg", "*.msg")[1]),
    ],
    zip_safe=False,
    # What a robot needs, and nothing that apt's Python packages could quarrel with.
    install_requires=["cryptography", "filelock", "msgspec", "numpy", "PyYAML", "setuptools"],
    extras_require={
        # one of robot, robot-cuda (its onnxruntime replaces the CPU one)
        "robot": ["onnxruntime", OPENCV, "psutil", "rosbags", "safetensors"],
        "robot-cuda": ["onnxruntime-gpu", OPENCV, "psutil", "rosbags", "safetensors"],
        # robots with an x86 processor: the backend openvino, faster there than onnxruntime
        "openvino": ["openvino"],
        # workstations; on a Jetson TensorRT comes with JetPack, and only cuda-python is missing
        "tensorrt": ["cuda-python", "tensorrt"],
        "tensorrt-rtx": ["cuda-python", "tensorrt-rtx-cu13"],
        "sim": ["jinja2", "markupsafe", "matplotlib", "mujoco", OPENCV, "pillow", "rich"],
        # generating on a cluster (perception-sim generate --ray)
        "cluster": ["ray"],
        # meshes as classes (perception-sim add-object)
        "objects": ["coacd", "fast-simplification", "scipy", "trimesh"],
        "train": [
            "faster-coco-eval",
            "jinja2",
            "markupsafe",
            "matplotlib",
            "onnx",
            "onnxruntime",
            OPENCV,
            "pillow",
            "psutil",
            "pycocotools",
            "rich",
            "rosbags",
            "safetensors",
            "segmentation-models-pytorch",
            "starlette",
            "tensorboardX",
            "torch",
            "torchvision",
            "uvicorn",
        ],
        # Of that name, since `colcon test` looks there for pytest; without it, it runs none.
        "test": TEST,
        "dev": [
            *TEST,
            "import-linter",
            # config/schemas are tried with it
            "jsonschema",
            # the pinned versions against known vulnerabilities, and their licences (`make audit`, `make licences`)
            "license-expression",
            # the site of the documentation (`make docs`)
            "mkdocs-material",
            "mypy",
            "packaging",
            "pip-audit",
            # Pages are tested in a real browser where there is one (apt: chromium).
            "playwright",
            "pytest-xdist",
            "ruff",
            # NVIDIA's real ONNX parser and builder: it builds engines without a GPU, for the tests of the exports
            'tensorrt-rtx-cu13; platform_machine == "x86_64" and sys_platform == "linux"',
            "types-psutil",
            "types-PyYAML",
        ],
    },
    entry_points={
        "console_scripts": [
            "perception-sim = perception_sim.cli:main",
            "perception-train = perception_train.cli:main",
            "perception-infer = perception_infer.cli:main",
            "train_node = perception_train.nodes:train_node",
            "infer_node = perception_infer.nodes:infer_node",
            "evaluate_node = perception_infer.nodes:evaluate_node",
            "sim_camera_node = perception_sim.nodes:sim_camera_node",
        ],
    },
)
