"""Datasets: scenes made by workers, shards and clusters, and what they leave on disk."""
