"""For launch_testing, `launch_test FILE`: the simulated robot starts and ends. test_launch.py runs it."""

import os
import unittest

import launch
import launch_testing
import launch_testing.actions
import launch_testing.asserts
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

NODES = ("sim_camera_node", "infer_node", "evaluate_node")


def generate_test_description() -> launch.LaunchDescription:
    """The launch file and the model repository come from the environment: launch_test passes no arguments of ours."""
    parameters = f"{{model_root: {os.environ['MODEL_ROOT']}, model: any}}"
    given = [("namespace", "robot"), ("infer_parameters", parameters), ("infer_prefix", "nice -n 1")]
    file = PythonLaunchDescriptionSource(os.environ["LAUNCH_FILE"])
    robot = IncludeLaunchDescription(file, launch_arguments=given)
    return launch.LaunchDescription([robot, launch_testing.actions.ReadyToTest()])


class TestLive(unittest.TestCase):
    """While the nodes run."""

    def test_all_are_up(self, proc_output) -> None:
        proc_output.assertWaitFor("robot.sim_camera_node]: preset", timeout=60)
        proc_output.assertWaitFor("robot.infer_node]: no model 'any'", timeout=60)
        proc_output.assertWaitFor("robot.evaluate_node]: nothing came", timeout=60)


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After launch has ended them."""

    def test_all_have_ended_well(self, proc_info) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
        assert {name.rpartition("-")[0] for name in proc_info.process_names()} == set(NODES)
