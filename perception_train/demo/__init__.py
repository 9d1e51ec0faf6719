"""``make demo``: the whole loop, live, in separate processes on real DDS, with a report at the end."""
