"""The letterbox and its inverse, on any sizes, and how boxes overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception_infer.contract.geometry import PAD_VALUE, Letterbox, iou_matrix

SIDES = st.integers(1, 2000)
SIZES = st.tuples(SIDES, SIDES)
UNIT = st.floats(0, 1, width=32)


@given(SIZES, SIZES)
def test_content_fits_centred_and_touches_two_sides(source: tuple[int, int], network: tuple[int, int]) -> None:
    box = Letterbox.fit(source, network)
    for side, content, before in zip(network, box.content, (box.left, box.top), strict=True):
        assert 1 <= content <= side
        assert before == (side - content) // 2
    assert box.content[0] == network[0] or box.content[1] == network[1]


@given(SIZES, SIZES)
def test_content_is_the_rounded_scaled_source(source: tuple[int, int], network: tuple[int, int]) -> None:
    scale = min(network[0] / source[0], network[1] / source[1])
    content = Letterbox.fit(source, network).content
    assert all(abs(have - max(1, side * scale)) <= 0.5 + 1e-9 for have, side in zip(content, source, strict=True))


@given(SIZES, SIZES, st.lists(st.tuples(UNIT, UNIT, UNIT, UNIT), max_size=20))
def test_boxes_come_back(source: tuple[int, int], network: tuple[int, int], corners: list[tuple[float, ...]]) -> None:
    box = Letterbox.fit(source, network)
    boxes = np.asarray(corners, np.float32).reshape(-1, 4) * np.array([*source, *source], np.float32)
    there = box.boxes_to_network(boxes)
    back = box.boxes_to_source(there)
    assert there.dtype == back.dtype == np.float32
    assert back.shape == boxes.shape
    # One unit in the last place of the largest network coordinate, scaled back, is what float32 can lose.
    scale = min(box.scale)
    assert np.allclose(back, boxes, atol=4 * np.spacing(np.float32(max(network))) / scale + 1e-3, rtol=1e-5)


@given(SIZES, SIZES)
def test_the_whole_image_maps_to_the_content(source: tuple[int, int], network: tuple[int, int]) -> None:
    box = Letterbox.fit(source, network)
    whole = box.boxes_to_network(np.array([[0, 0, *source]], np.float32))[0]
    right, bottom = box.left + box.content[0], box.top + box.content[1]
    assert np.allclose(whole, [box.left, box.top, right, bottom], atol=1e-3)


@given(SIZES, SIZES, st.lists(st.tuples(*[st.floats(-5000, 5000, width=32)] * 4), min_size=1, max_size=10))
def test_boxes_are_clipped_to_the_image(
    source: tuple[int, int], network: tuple[int, int], raw: list[tuple[float, ...]]
) -> None:
    back = Letterbox.fit(source, network).boxes_to_source(np.asarray(raw, np.float32))
    assert (back >= 0).all()
    assert (back <= np.array([*source, *source])).all()


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(1, 90), st.integers(1, 90)), st.tuples(st.integers(1, 90), st.integers(1, 90)))
def test_image_is_padded_with_grey_and_reuses_the_buffer(source: tuple[int, int], network: tuple[int, int]) -> None:
    box = Letterbox.fit(source, network)
    pixels = np.full((source[1], source[0], 3), 7, np.uint8)
    buffer = np.full((network[1], network[0], 3), 255, np.uint8)
    assert box.image(pixels, buffer) is buffer
    inside = np.zeros(buffer.shape[:2], bool)
    inside[box.top : box.top + box.content[1], box.left : box.left + box.content[0]] = True
    assert (buffer[inside] == 7).all()
    assert (buffer[~inside] == PAD_VALUE).all()
    assert np.array_equal(box.image(pixels), buffer)


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(1, 60), st.integers(1, 60)), st.integers(1, 4))
def test_mask_comes_back_exactly_from_a_whole_scale(source: tuple[int, int], scale: int) -> None:
    mask = np.random.default_rng(0).integers(0, 5, (source[1], source[0]), np.uint8)
    network = (source[0] * scale, source[1] * scale + 10)
    box = Letterbox.fit(source, network)
    in_network = np.full((network[1], network[0]), 9, np.uint8)
    in_network[box.top : box.top + box.content[1], box.left : box.left + box.content[0]] = mask.repeat(scale, 0).repeat(
        scale, 1
    )
    assert np.array_equal(box.mask_to_source(in_network), mask)


@pytest.mark.parametrize(("source", "network"), [((0, 5), (5, 5)), ((5, 5), (5, 0))])
def test_empty_sizes_are_refused(source: tuple[int, int], network: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Letterbox.fit(source, network)


@pytest.mark.parametrize("source", [(640, 480), (320, 240), (333, 217), (1920, 1080), (200, 100)])
def test_masks_come_back_to_where_boxes_do(source: tuple[int, int]) -> None:
    """OpenCV's plain nearest neighbour moves them by half of a network's pixel."""
    letterbox = Letterbox.fit(source, (256, 192))
    rng = np.random.default_rng(3)
    left, top = np.array([letterbox.left, letterbox.top])
    for _ in range(20):
        low = rng.integers(0, np.array(letterbox.content) // 2)
        high = low + rng.integers(4, np.array(letterbox.content) // 2)
        mask = np.zeros((192, 256), np.uint8)
        mask[top + low[1] : top + high[1], left + low[0] : left + high[0]] = 1
        rows, columns = np.nonzero(letterbox.mask_to_source(mask))
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        box = np.array([[left + low[0], top + low[1], left + high[0], top + high[1]]], np.float32)
        assert np.abs(letterbox.boxes_to_source(box)[0] - edges).max() <= 0.501


def test_iou_matrix_against_a_plain_formula() -> None:
    rng = np.random.default_rng(0)
    a, b = (np.sort(rng.random((n, 2, 2)) * 50, axis=1).reshape(n, 4) for n in (7, 5))
    for i, j in np.ndindex(7, 5):
        width = max(0.0, min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0]))
        height = max(0.0, min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1]))
        areas = sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a[i], b[j]))
        assert iou_matrix(a, b)[i, j] == pytest.approx(width * height / (areas - width * height))
    assert iou_matrix(np.zeros((1, 4)), np.zeros((1, 4)))[0, 0] == 0
