"""When ROS would run unsecured though it was asked not to, and what is then said. Without ROS."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from perception_common import security
from perception_common.errors import UserError

FAST, CYCLONE, ZENOH = "rmw_fastrtps_cpp", "rmw_cyclonedds_cpp", "rmw_zenoh_cpp"
ENCLAVE = "/perception/infer_node"
CHOSEN = ["infer_node", "--ros-args", "--enclave", ENCLAVE]
OWN = ("cert.pem", "key.pem", "permissions.p7s")
LINKS = {
    "identity_ca.cert.pem": "public/identity_ca.cert.pem",
    "permissions_ca.cert.pem": "public/permissions_ca.cert.pem",
    "governance.p7s": "enclaves/governance.p7s",
}


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    """The files of a key store with two enclaves, with links as sros2 makes them; their contents are ROS's affair."""
    root = tmp_path / "keystore"
    for target in LINKS.values():
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / target).write_text("-")
    for enclave in (ENCLAVE, "/perception/evaluate_node"):
        folder = root / "enclaves" / enclave[1:]
        folder.mkdir(parents=True)
        for name in OWN:
            (folder / name).write_text("-")
        for name, target in LINKS.items():
            (folder / name).symlink_to(Path("../../..") / target)
    return root


def enabled(keystore: object, strategy: str = "Enforce", **more: str) -> dict[str, str]:
    return {
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": strategy,
        "ROS_SECURITY_KEYSTORE": str(keystore),
    } | more


def refusal(environment: dict[str, str], words: list[str] = CHOSEN, middleware: str = FAST) -> str:
    with pytest.raises(UserError) as caught:
        security.require(words, middleware, environment)
    return str(caught.value)


@pytest.mark.parametrize("value", [None, "", "false", "False", "0", "off"])
def test_without_security_nothing_is_asked(value: str | None) -> None:
    environment = {} if value is None else {"ROS_SECURITY_ENABLE": value}
    environment |= {"ROS_SECURITY_STRATEGY": "Enforce", "ROS_SECURITY_KEYSTORE": "/nowhere"}
    security.require(CHOSEN, FAST, environment)
    assert security.state(environment) == "off"


@pytest.mark.parametrize("value", ["True", "TRUE", "1", "yes", "on", "true "])
def test_a_wish_that_ros_would_not_hear_is_refused(keystore: Path, value: str) -> None:
    told = refusal(enabled(keystore, ROS_SECURITY_ENABLE=value))
    assert f"ROS_SECURITY_ENABLE is '{value}', which ROS takes for no" in told


@pytest.mark.parametrize(
    ("strategy", "middleware", "state"),
    [
        ("Enforce", FAST, "enforced"),
        ("Enforce", CYCLONE, "enforced"),
        ("Enforce", "rmw_connextdds", "enforced"),
        ("Permissive", FAST, "permissive"),
        ("", FAST, "permissive"),
    ],
)
def test_with_all_keys_it_runs(keystore: Path, strategy: str, middleware: str, state: str) -> None:
    environment = enabled(keystore, strategy)
    security.require(CHOSEN, middleware, environment)
    assert security.state(environment) == state
    if not strategy:
        del environment["ROS_SECURITY_STRATEGY"]
        security.require(CHOSEN, middleware, environment)
        assert security.state(environment) == state


@pytest.mark.parametrize("strategy", ["enforce", "ENFORCE", "Strict", "Enforce "])
def test_a_strategy_that_ros_would_take_for_permissive_is_refused(keystore: Path, strategy: str) -> None:
    assert f"ROS_SECURITY_STRATEGY is '{strategy}', which ROS takes for Permissive" in refusal(
        enabled(keystore, strategy)
    )


@pytest.mark.parametrize("strategy", ["Permissive", ""])
def test_what_may_go_on_unsecured_has_to_enforce(keystore: Path, strategy: str) -> None:
    told = refusal(enabled(keystore, strategy), middleware=CYCLONE)
    assert "rmw_cyclonedds_cpp may then run unsecured" in told and "set it to Enforce" in told


def test_a_middleware_that_does_not_look_is_refused(keystore: Path) -> None:
    assert "rmw_zenoh_cpp does not look at it" in refusal(enabled(keystore), middleware=ZENOH)


@pytest.mark.parametrize(
    ("strategy", "middleware"), [("Enforce", FAST), ("Enforce", CYCLONE), ("Permissive", FAST), ("", FAST)]
)
def test_without_a_key_store_it_is_refused(tmp_path: Path, strategy: str, middleware: str) -> None:
    environment = enabled("", strategy)
    told = refusal(environment, middleware=middleware)
    assert "ROS_SECURITY_KEYSTORE is not set" in told and "ROS_SECURITY_ENABLE=false" in told
    del environment["ROS_SECURITY_KEYSTORE"]
    assert refusal(environment, middleware=middleware) == told
    for wrong in (tmp_path / "nowhere", tmp_path):
        told = refusal(enabled(wrong, strategy), middleware=middleware)
        assert "no key store" in told and f"[{wrong}]" in told


@pytest.mark.parametrize("strategy", ["Enforce", "Permissive"])
def test_an_enclave_that_is_not_there_is_named_with_the_nearest(keystore: Path, strategy: str) -> None:
    told = refusal(enabled(keystore, strategy), ["n", "--ros-args", "-e", "/perception/infer_nod"])
    assert "no enclave '/perception/infer_nod'" in told and f"did you mean '{ENCLAVE}'?" in told


def test_without_a_choice_the_enclaves_are_listed(keystore: Path) -> None:
    told = refusal(enabled(keystore), ["infer_node"])
    assert "no enclave '/'" in told and f"known are: /perception/evaluate_node, {ENCLAVE}" in told
    for folder in (keystore / "enclaves").iterdir():
        if folder.is_dir():
            folder.rename(keystore / "elsewhere")
    assert "there is none yet" in refusal(enabled(keystore), ["infer_node"])


@pytest.mark.parametrize("name", [*OWN, *LINKS])
@pytest.mark.parametrize("strategy", ["Enforce", "Permissive"])
def test_every_file_of_an_enclave_is_needed(keystore: Path, name: str, strategy: str) -> None:
    (keystore / "enclaves" / ENCLAVE[1:] / name).unlink()
    told = refusal(enabled(keystore, strategy))
    assert f"enclave '{ENCLAVE}' has no {name}" in told


def test_links_that_lead_nowhere_are_no_files(keystore: Path) -> None:
    # As after copying only the enclaves.
    (keystore / "public").rename(keystore / "not_copied")
    told = refusal(enabled(keystore))
    assert "has no identity_ca.cert.pem, permissions_ca.cert.pem" in told and "'public'" in told


def test_a_key_that_cannot_be_read_is_none(keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The administrator can read all: what the system would answer somebody else is put in its place.
    monkeypatch.setattr(security.os, "access", lambda path, _: Path(path).name != "key.pem")
    assert "has no key.pem that this user can read" in refusal(enabled(keystore))


def test_keys_may_be_on_a_token(keystore: Path) -> None:
    folder = keystore / "enclaves" / ENCLAVE[1:]
    for name in ("cert", "key", "identity_ca.cert", "permissions_ca.cert"):
        (folder / f"{name}.pem").unlink()
        (folder / f"{name}.p11").write_text("pkcs11:token=robot")
    security.require(CHOSEN, FAST, enabled(keystore))


@pytest.mark.parametrize(
    ("words", "enclave"),
    [
        ([], "/"),
        (["n"], "/"),
        (["n", "--enclave", "/a"], "/"),
        (["n", "--ros-args", "-e", "/a"], "/a"),
        (["n", "--ros-args", "-r", "__ns:=/x", "--enclave", "/a/b", "-p", "x:=1"], "/a/b"),
        (["n", "--ros-args", "-e", "/a", "-e", "/b"], "/b"),
        (["n", "--ros-args", "-e", "/a", "--", "-e", "/b"], "/a"),
        (["n", "--ros-args", "-e", "/a", "--", "x", "--ros-args", "-e", "/b"], "/b"),
        (["n", "--ros-args", "-e"], "/"),
    ],
)
def test_the_enclave_is_read_as_ros_reads_it(words: list[str], enclave: str) -> None:
    assert security.enclave_of(words, {}) == enclave
    assert security.enclave_of(words, {"ROS_SECURITY_ENCLAVE_OVERRIDE": ""}) == enclave
    assert security.enclave_of(words, {"ROS_SECURITY_ENCLAVE_OVERRIDE": "/over"}) == "/over"


def test_the_override_decides_whose_keys_are_needed(keystore: Path) -> None:
    security.require(["n"], FAST, enabled(keystore, ROS_SECURITY_ENCLAVE_OVERRIDE=ENCLAVE))
    assert "no enclave '/over'" in refusal(enabled(keystore, ROS_SECURITY_ENCLAVE_OVERRIDE="/over"))


def test_it_needs_no_ros() -> None:
    code = "import sys, perception_common.security; sys.exit(any(name.startswith('rcl') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
