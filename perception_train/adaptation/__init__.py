"""Adapt a trained model to a real camera without a single label: batch-norm statistics of its own pictures."""
