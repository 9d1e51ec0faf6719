"""Distributions: small frozen objects that draw a value from the generator they are given.

Nothing here keeps state or a hidden source of randomness: the same generator in the same state gives
the same value. `number` and `shares` read them from what YAML can say:

    0.3                                  always 0.3
    [0.1, 0.5]                           uniform between the two (whole numbers: both included)
    {uniform: [0.1, 0.5]}                the same
    {log_uniform: [0.1, 10]}             uniform in the logarithm
    {normal: [0.0, 2.0]}                 mean and standard deviation, at most 3 of them away
    {choice: [1, 2, 5]}                  one of these
    {mixture: {0.8: 0, 0.2: [1, 4]}}     with these shares, one of these distributions
    [wood, tiles]                        names, each as likely as any other
    {wood: 3, tiles: 1}                  names with their weights
"""

from __future__ import annotations

from .numbers import Constant, LogUniform, Mixture, Normal, Number, Uniform, Whole
from .reading import number, shares
from .things import Chance, Choice, Color, Orientation, Shares

__all__ = [
    "Chance",
    "Choice",
    "Color",
    "Constant",
    "LogUniform",
    "Mixture",
    "Normal",
    "Number",
    "Orientation",
    "Shares",
    "Uniform",
    "Whole",
    "number",
    "shares",
]
