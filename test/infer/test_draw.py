"""Overlays: legible on any background, at any size, and never changing their input."""

from __future__ import annotations

import numpy as np
import pytest

from perception_infer.draw import class_colour, colour_mask, draw_detections, draw_mask

BOX = np.array([[20.0, 40.0, 80.0, 90.0]], np.float32)
LABEL = np.array([0], np.int32)


@pytest.mark.parametrize("background", [0, 128, 255, class_colour(0)])
def test_an_edge_is_visible_on_any_background(background: int | tuple[int, int, int]) -> None:
    picture = np.full((120, 160, 3), background, np.uint8)
    drawn = draw_detections(picture, BOX, LABEL, ["cone"], np.array([0.5]))
    assert (picture == np.asarray(background, np.uint8)).all(), "the input is not drawn on"
    row = drawn[65, 15:30].astype(int)
    assert np.abs(row - np.asarray(background)).max() > 100, "outline or colour must differ strongly"
    assert (drawn[65, 20] == class_colour(0)).all()


def test_only_the_edges_and_the_caption_are_drawn() -> None:
    picture = np.full((400, 400, 3), 128, np.uint8)
    drawn = draw_detections(picture, np.array([[100.0, 200, 300, 350]]), LABEL, ["cone"])
    changed = (drawn != picture).any(axis=2)
    assert not changed[210:340, 110:290].any(), "the inside stays"
    assert not changed[356:].any()
    assert changed[185:200, 100:140].any(), "the caption is above"


def test_lines_and_text_grow_with_the_picture() -> None:
    def share(scale: int) -> float:
        picture = np.zeros((120 * scale, 160 * scale, 3), np.uint8)
        return float((draw_detections(picture, BOX * scale, LABEL, ["a"], np.array([0.5])) > 0).mean())

    assert share(8) == pytest.approx(share(4), rel=0.5)


@pytest.mark.parametrize(
    "box", [(0, 0, 160, 120), (-50, -50, 500, 500), (150, 110, 160, 120), (0, 0, 1, 1), (5, 5, 5, 5)]
)
def test_boxes_at_and_beyond_the_border(box: tuple[int, ...]) -> None:
    picture = np.full((120, 160, 3), 90, np.uint8)
    drawn = draw_detections(picture, np.array([box], np.float32), LABEL, ["a rather long name"], np.array([0.99]))
    assert drawn.shape == picture.shape
    assert (drawn != picture).any()


def test_nothing_to_draw_and_names_without_an_entry() -> None:
    picture = np.full((1, 1, 3), 9, np.uint8)
    assert np.array_equal(draw_detections(picture, np.zeros((0, 4)), np.zeros(0, int), []), picture)
    assert draw_detections(np.zeros((50, 50, 3), np.uint8), BOX, np.array([7]), ["größe"]).any()
    draw_detections(np.zeros((50, 50, 3), np.uint8), BOX, LABEL, ["größe"])


def test_colours_are_far_apart() -> None:
    colours = np.array([class_colour(label) for label in range(8)], int)
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=2) + 999 * np.eye(8, dtype=int)
    assert apart.min() > 60
    assert len({class_colour(label) for label in range(80)}) == 80


def test_masks_are_coloured_by_class() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:30] = 1
    coloured = colour_mask(mask)
    assert (coloured[20, 20] == class_colour(0)).all()
    assert (coloured[0, 0] == 0).all()
    picture = np.full((40, 60, 3), 100, np.uint8)
    drawn = draw_mask(picture, mask)
    assert (drawn[5, 45] == 100).all()
    assert (drawn[20, 20] != 100).any()
    assert (drawn[10, 20] == class_colour(0)).all(), "the outline has the full colour"
