"""Metrics and the scoring of live detections; numpy only, no ROS."""
