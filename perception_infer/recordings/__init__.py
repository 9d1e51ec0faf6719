"""Recordings of ROS topics (rosbag2, ROS 1): read and written without ROS, by `rosbags`."""
