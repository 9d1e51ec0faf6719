"""What runs on the robot: the bundle contract, backends, predictor, evaluation and ROS nodes. Never imports torch."""
