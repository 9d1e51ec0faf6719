"""The transport profile is found and chosen, and a user's own choice stays."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from perception_common.ros import dds


def test_the_shipped_profile_has_room_for_large_images() -> None:
    path = dds.profile_path()
    assert path is not None
    sizes = {
        element.tag.rpartition("}")[2]: int(element.text or 0)
        for element in ElementTree.parse(path).iter()
        if element.tag.rpartition("}")[2] in ("segment_size", "maxMessageSize")
    }
    assert sizes["segment_size"] >= 32 << 20
    assert sizes["maxMessageSize"] >= 16 << 20


@pytest.mark.parametrize(
    ("distribution", "variable"),
    [("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"), ("humble", "FASTRTPS_DEFAULT_PROFILES_FILE")],
)
def test_it_is_chosen_in_the_distributions_own_words(distribution: str, variable: str) -> None:
    environment = {"ROS_DISTRO": distribution}
    assert not dds.in_force(environment)
    dds.enable(environment)
    assert environment[variable] == str(dds.profile_path())
    assert dds.in_force(environment)
    assert len(environment) == 2


def test_a_users_own_profile_stays() -> None:
    environment = {dds.VARIABLE: "/home/me/profile.xml"}
    dds.enable(environment)
    assert environment == {dds.VARIABLE: "/home/me/profile.xml"}
