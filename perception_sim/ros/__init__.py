"""The simulated camera as a ROS 2 node."""
