"""What robot.launch.py and isaac.launch.py start, as data: nothing of ROS is needed to read or test it."""
