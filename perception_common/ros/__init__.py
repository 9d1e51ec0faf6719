"""The thin layer over rclpy that every node of the suite stands on."""
