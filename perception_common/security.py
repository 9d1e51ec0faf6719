"""Whether ROS secures this process (SROS2), and the refusal to run where it was asked to and would not. No rclpy here.

ROS takes ``ROS_SECURITY_ENABLE`` for no unless it is ``true`` to the letter, and under any ``ROS_SECURITY_STRATEGY``
but ``Enforce`` it goes on unsecured, without a word, where keys are missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import UserError, did_you_mean

OFF, ENFORCED, PERMISSIVE = "off", "enforced", "permissive"
ENABLE, STRATEGY = "ROS_SECURITY_ENABLE", "ROS_SECURITY_STRATEGY"
KEYSTORE, OVERRIDE = "ROS_SECURITY_KEYSTORE", "ROS_SECURITY_ENCLAVE_OVERRIDE"

_NO = ("", "false", "0", "no", "off")
_STRATEGIES = {"Enforce": ENFORCED, "Permissive": PERMISSIVE, "": PERMISSIVE}
_UNSECURED = f"or set {ENABLE}=false to run unsecured"
#: Key and certificate may be on a token instead, to which a .p11 file leads.
_IDENTITY = (("cert.pem", "cert.p11"), ("key.pem", "key.p11"))
_FILES = (
    *_IDENTITY,
    ("identity_ca.cert.pem", "identity_ca.cert.p11"),
    ("permissions_ca.cert.pem", "permissions_ca.cert.p11"),
    ("governance.p7s",),
    ("permissions.p7s",),
)
#: Zenoh is secured by files of its own.
_WITHOUT_SROS2 = ("rmw_zenoh_cpp",)
#: These refuse by themselves what they cannot secure, where others go on unless they are told to enforce.
_REFUSING = ("rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp")


def state(environment: Mapping[str, str] = os.environ) -> str:
    """``off``, ``enforced`` or ``permissive``, as ROS reads the environment; for processes that passed `require`."""
    if environment.get(ENABLE) != "true":
        return OFF
    return _STRATEGIES.get(environment.get(STRATEGY, ""), PERMISSIVE)


def enclave_of(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """The enclave whose keys ROS uses: of the environment, or the last one after ``--ros-args``, or ``/``."""
    enclave, for_ros, rest = "/", False, iter(words)
    for word in rest:
        if word in ("--ros-args", "--"):
            for_ros = word == "--ros-args"
        elif for_ros and word in ("-e", "--enclave"):
            enclave = next(rest, enclave)
    return environment.get(OVERRIDE) or enclave


def require(words: Sequence[str], middleware: str, environment: Mapping[str, str] = os.environ) -> None:
    """Pass where security is off, or on with all that it needs.

    Args:
        words: the command line, with ROS's own arguments.
        middleware: identifier of ROS's middleware, such as ``rmw_fastrtps_cpp``.
        environment: the variables that ROS reads.

    Raises:
        UserError: security is asked for, and ROS would run unsecured, or not at all.
    """
    enabled, strategy = environment.get(ENABLE, ""), environment.get(STRATEGY, "")
    if enabled.casefold() in _NO:
        return
    if enabled != "true":
        raise UserError(f"{ENABLE} is '{enabled}', which ROS takes for no", fix=f"set it to true, {_UNSECURED}")
    if strategy not in _STRATEGIES:
        raise UserError(f"{STRATEGY} is '{strategy}', which ROS takes for Permissive", fix="set it to Enforce")
    if middleware in _WITHOUT_SROS2:
        fix = f"secure it by Zenoh's own configuration and set {ENABLE}=false, or choose another RMW_IMPLEMENTATION"
        raise UserError(f"{ENABLE} is true, and {middleware} does not look at it", fix=fix)
    if _STRATEGIES[strategy] == PERMISSIVE and middleware not in _REFUSING:
        told = f"{STRATEGY} is {strategy or 'not set'}, and {middleware} may then run unsecured without a word"
        raise UserError(told, fix="set it to Enforce")
    _require_keys(environment.get(KEYSTORE, ""), enclave_of(words, environment))


def _require_keys(keystore: str, enclave: str) -> None:
    if not keystore:
        fix = f"set it to the folder of the key store, {_UNSECURED}"
        raise UserError(f"{ENABLE} is true, and {KEYSTORE} is not set", fix=fix)
    enclaves = Path(keystore) / "enclaves"
    if not enclaves.is_dir():
        fix = f"set {KEYSTORE} to the folder of the key store, {_UNSECURED}"
        raise UserError("there is no key store, for it has no folder 'enclaves'", where=keystore, fix=fix)
    folder = enclaves / enclave.strip("/")
    if not any(_present(folder, names) for names in _IDENTITY):
        known = _enclaves(enclaves)
        others = did_you_mean(enclave, known) if known else "there is none yet"
        fix = f"{others}; choose with --ros-args --enclave NAME, make with 'ros2 security generate_artifacts'"
        raise UserError(f"the key store has no enclave '{enclave}'", where=keystore, fix=fix)
    missing = [names[0] for names in _FILES if not _present(folder, names)]
    if missing:
        fix = "make the enclave anew, or copy all of it and the key store's folder 'public', to which its links lead"
        raise UserError(
            f"enclave '{enclave}' has no {', '.join(missing)} that this user can read", where=folder, fix=fix
        )


def _present(folder: Path, names: Sequence[str]) -> bool:
    return any((folder / name).is_file() and os.access(folder / name, os.R_OK) for name in names)


def _enclaves(folder: Path) -> list[str]:
    """The names of all enclaves below a key store's folder."""
    keys = (path for names in _IDENTITY for name in names for path in folder.rglob(name))
    return sorted({f"/{path.parent.relative_to(folder).as_posix()}".replace("/.", "/") for path in keys})
