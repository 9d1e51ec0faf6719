"""Cross products, against numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from perception_sim.shapes.vectors import cross


@pytest.mark.parametrize(("a", "b"), [((5, 3), (5, 3)), ((3,), (7, 3)), ((4, 1, 3), (6, 3)), ((3,), (3,))])
def test_cross_products_are_numpys(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=a), rng.normal(size=b)
    assert np.array_equal(cross(x, y), np.cross(x, y))
