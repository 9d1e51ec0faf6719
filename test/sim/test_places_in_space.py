"""What the robot makes of boxes and depth, against the simulator's exact poses."""

from __future__ import annotations

import numpy as np
import pytest

from perception_infer.spatial import Camera, place_by_depth
from perception_sim.live import LiveWorld

WIDTH, HEIGHT = 320, 240


@pytest.mark.slow
def test_against_the_simulators_depth_and_poses() -> None:
    errors, sizes, sure = [], [], 0
    with LiveWorld("demo", 3, WIDTH, HEIGHT, 1.0, ("a",), fixed_optics=True) as world:
        for t in np.arange(0.0, 6.0, 0.5):
            frame = world.frame(float(t), "a", depth=True)
            model = frame.model
            camera = Camera(tuple(model.k), tuple(model.d), model.distortion_model)
            boxes = np.array([instance.box for instance in frame.instances], np.float32).reshape(-1, 4)
            found = place_by_depth(boxes, frame.depth, (WIDTH, HEIGHT), camera, 0.05, 20.0)
            for box, truth in zip(found, frame.boxes_3d(), strict=True):
                assert box is not None
                error = np.abs(box.center - truth.center)
                sure += bool((error < 3 * np.sqrt(np.diag(box.covariance)[:3]) + 0.005).all())
                errors.append(np.linalg.norm(error))
                sizes.append(max(truth.size))
    assert len(errors) > 20
    print(f"{len(errors)} objects, off by {np.median(errors) * 1e3:.1f} mm (median)")
    share = np.array(errors) / np.array(sizes)
    assert np.median(share) < 0.25, "of the object's longest side"
    assert np.percentile(share, 90) < 0.6
    assert sure / len(errors) > 0.8
