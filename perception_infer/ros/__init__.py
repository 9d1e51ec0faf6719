"""Nodes of the robot. Logic (numpy in, numpy out), conversions and wiring are kept in separate modules."""
