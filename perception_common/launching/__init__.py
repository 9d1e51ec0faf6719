"""What the launch files share. `launch` comes with ROS and is not on PyPI: it is imported where it is used."""
