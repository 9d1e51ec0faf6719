"""What a single frame says about its worth: doubts of the model, contradiction, and how good the picture is.

Every score is from 0 to 1 and comes with its reason in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from perception_infer.contract.detections import Detections, Result, Segmentation
from perception_infer.contract.geometry import Pixels
from perception_infer.evaluation.agreement import agreement

#: What makes a frame worth labelling, in the order in which it is told.
REASONS = ("uncertainty", "disagreement", "inconsistency", "novelty")
#: Detections are asked for from this share of their threshold on: below, the model is sure that there is nothing.
DOUBT_FROM = 0.5
_MOST_DOUBTS, _LEAST_DOUBT = 3, 0.01
_UNSURE_SHARE = 0.1
# The perceptual blur of a picture above which it counts less, and at which nothing can be labelled in it any more.
_BLURRED, _USELESS_BLUR = 0.5, 0.8
_BLUR_TAPS = 9
# So small that a camera's noise, which looks sharp, is averaged out.
_BLUR_PX = 320
_BLACK, _WHITE = 6, 249
# The share of pixels without any detail above which a picture counts less, and at which it is worth nothing.
_CLIPPED, _USELESS_CLIPPED = 0.3, 0.9


class Opinion(NamedTuple):
    """Another answer to the same frame: who says so, what, and with which classes."""

    who: str
    found: Result
    classes: Sequence[str]


class Score(NamedTuple):
    """A score from 0 to 1, and why it is so; without a reason there is nothing to tell."""

    value: float
    reason: str = ""


NOTHING = Score(0.0)


def uncertainty(found: Result, thresholds: npt.NDArray[np.floating], classes: Sequence[str]) -> Score:
    """How much the model doubts.

    Detections: those near their class's threshold. One on it counts 1, one at half of it or halfway to 1 nothing; of
    the three most doubtful each counts half of the one before. Masks: the entropy of the least sure tenth of the
    pixels, in bits, by the probability of their class.

    Args:
        found: detections from `DOUBT_FROM` of their thresholds on, or a mask.
        thresholds: float [classes].
        classes: names.
    """
    if isinstance(found, Segmentation):
        return _unsure_pixels(found)
    limits = np.asarray(thresholds, np.float64)[found.labels]
    scores = found.scores.astype(np.float64)
    width = np.where(scores < limits, limits, 1.0 - limits) * (1.0 - DOUBT_FROM)
    doubts = np.clip(1.0 - np.abs(scores - limits) / np.maximum(width, 1e-9), 0.0, 1.0)
    order = np.argsort(-doubts, kind="stable")[:_MOST_DOUBTS]
    order = order[doubts[order] >= _LEAST_DOUBT]
    if not len(order):
        return NOTHING
    shares = 0.5 ** np.arange(_MOST_DOUBTS)
    value = float((doubts[order] * shares[: len(order)]).sum() / shares.sum())
    told = ", ".join(f"{classes[found.labels[i]]} {scores[i]:.2f} ({limits[i]:.2f})" for i in order)
    return Score(value, f"close to the threshold: {told}")


def disagreement(found: Result, classes: Sequence[str], others: Sequence[Opinion]) -> Score:
    """How far other answers to a frame differ from the model's above its thresholds, by the farthest."""
    worst = NOTHING
    for other in others:
        agreed = agreement(found, other.found, classes, other.classes)
        if agreed is None or 1.0 - agreed <= worst.value:
            continue
        if isinstance(found, Detections) and isinstance(other.found, Detections):
            told = f"{other.who}: {_listed(other.found, other.classes)}, against {_listed(found, classes)}"
            told += f", {agreed:.0%} agree"
        else:
            told = f"{other.who}: {1.0 - agreed:.0%} of the pixels are of another class"
        worst = Score(1.0 - agreed, told)
    return worst


def quality(rgb: Pixels) -> Score:
    """How well a picture can be labelled: 1, less where it is blurred, blown out or black; 0 is useless."""
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _BLUR_PX / max(grey.shape))
    if scale < 1.0:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    blur = perceptual_blur(np.asarray(grey, np.float32))
    white, black = float((grey >= _WHITE).mean()), float((grey <= _BLACK).mean())
    sharp = _falling(blur, _BLURRED, _USELESS_BLUR)
    exposed = _falling(white + black, _CLIPPED, _USELESS_CLIPPED)
    told = ["blurred"] if sharp < 1.0 else []
    if exposed < 1.0:
        told.append(f"{white:.0%} blown out" if white > black else f"{black:.0%} black")
    return Score(sharp * exposed, ", ".join(told))


def perceptual_blur(grey: npt.NDArray[np.float32]) -> float:
    """0, sharp, to 1, of float32 [H, W]: how little a picture changes when it is blurred once more.

    After F. Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual blur metric"
    (SPIE 2007): it hardly depends on what is in the picture. Of one colour, a picture is sharp.
    """
    worst = 0.0
    for axis in (0, 1):
        blurred = cv2.blur(grey, (1, _BLUR_TAPS) if axis == 0 else (_BLUR_TAPS, 1))
        before, after = np.abs(np.diff(grey, axis=axis)), np.abs(np.diff(blurred, axis=axis))
        total = float(before.sum(dtype=np.float64))
        if total > 0:
            kept = float(np.maximum(before - after, 0).sum(dtype=np.float64))
            worst = max(worst, (total - kept) / total)
    return worst


def _unsure_pixels(found: Segmentation) -> Score:
    counts = np.bincount(found.confidence.ravel(), minlength=256)
    wanted = max(1.0, _UNSURE_SHARE * found.confidence.size)
    # From the least sure on, until there are enough.
    taken = np.clip(wanted - (np.cumsum(counts) - counts), 0, counts)
    value = float((taken * _ENTROPY).sum() / taken.sum())
    return Score(value, f"unsure about {float(counts[:_SURE].sum() / found.confidence.size):.0%} of the pixels")


def _entropy() -> npt.NDArray[np.float64]:
    """Of each confidence, 0 to 255: that of the class against all others; below one half it is greatest."""
    share = np.clip(np.arange(256) / 255, 0.5, 1.0 - 1e-9)
    bits: npt.NDArray[np.float64] = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
    return bits


_ENTROPY = _entropy()
# Confidence below which a pixel is told of as unsure.
_SURE = round(0.8 * 255)


def _falling(value: float, start: float, end: float) -> float:
    return float(np.clip((end - value) / (end - start), 0.0, 1.0))


def _listed(found: Detections, classes: Sequence[str]) -> str:
    """As in ``2 cups and 1 mug``."""
    counts = Counter(classes[label] for label in found.labels.tolist())
    return " and ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
