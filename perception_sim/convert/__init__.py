"""Meshes of users turned into what the world is made of: clean surfaces with materials, and convex colliders."""
