"""Offer a model repository to robots over http and https, read-only."""
