"""Everything by which sources are compared, declared once: what it is, what its two directions are called."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perception_sim.view.features import FEATURES, IMAGES, OBJECTS, Feature

Values = npt.NDArray[np.float64]
LOOK, CONTENT, MODEL = "look", "content", "model"
_OF_DATASETS = {feature.key: feature for feature in FEATURES}


@dataclass(frozen=True)
class Measure:
    """A number that every object or picture has.

    Attributes:
        feature: how `perception_sim.view` names and draws it.
        group: `LOOK` of the pictures, their `CONTENT`, or what the `MODEL` makes of them.
        less: what a source is whose values are lower.
        more: what a source is whose values are higher.
        least: the spread (in octaves where the feature is logarithmic) below which nobody would tell values apart:
            distances are measured in spreads of the synthetic values, or in this where they hardly vary.
    """

    feature: Feature
    group: str
    less: str
    more: str
    least: float

    @property
    def key(self) -> str:
        """Its name in gap.json."""
        return self.feature.key

    def scaled(self, values: Values) -> Values:
        """Values on the scale on which they are compared: octaves where the feature is logarithmic."""
        return np.asarray(np.log2(values) if self.feature.log else values, np.float64)


MEASURES = (
    Measure(_OF_DATASETS["brightness"], LOOK, "darker", "brighter", 8.0),
    # Over the mean, lest a darker picture be one of less contrast as well.
    Measure(Feature("contrast", "Contrast", "std. dev. of luma ÷ its mean, %", IMAGES, low=0), LOOK,
            "flatter", "richer in contrast", 5.0),
    Measure(Feature("saturation", "Saturation", "mean chroma ÷ mean of the strongest channel, %", IMAGES, 0, 100), LOOK,
            "greyer", "more colourful", 4.0),
    Measure(Feature("warmth", "Colour cast, blue to red", "(R − B) ÷ (R + B), %", IMAGES), LOOK,
            "bluer", "redder", 2.0),
    Measure(Feature("tint", "Colour cast, magenta to green", "(G − M) ÷ (G + M), M = (R + B) ÷ 2, %", IMAGES), LOOK,
            "more magenta", "greener", 2.0),
    Measure(Feature("edge_blur", "Blur of edges", "width of the strongest, network px", IMAGES, low=0), LOOK,
            "sharper", "blurrier", 0.15),
    # Over the contrast, lest a darker picture be one of less detail as well.
    Measure(Feature("detail", "Fine detail", "deviation of the Laplacian ÷ that of luma", IMAGES, log=True), LOOK,
            "plainer", "richer in detail", 0.25),
    Measure(Feature("noise", "Noise", "standard deviation in the flattest tenth, of 255", IMAGES, low=0), LOOK,
            "less noisy", "noisier", 0.5),
    Measure(Feature("blockiness", "JPEG blocks", "steps across 8 px borders over others, %", IMAGES), LOOK,
            "less blocky", "blockier", 3.0),
    Measure(_OF_DATASETS["objects_per_image"], CONTENT, "fewer objects", "more objects", 0.5),
    Measure(_OF_DATASETS["size_relative"], CONTENT, "smaller", "larger", 0.25),
    Measure(_OF_DATASETS["center_x"], CONTENT, "more to the left", "more to the right", 5.0),
    Measure(_OF_DATASETS["center_y"], CONTENT, "higher up", "lower down", 5.0),
    Measure(Feature("confidence", "Confidence", "score of what is found, 0 to 1", OBJECTS, 0, 1), MODEL,
            "less sure", "surer", 0.05),
    Measure(Feature("best", "Confidence in a picture", "best score, of segmenters the mean, 0 to 1", IMAGES, 0, 1),
            MODEL, "less sure", "surer", 0.05),
)  # fmt: skip
BY_KEY = {measure.key: measure for measure in MEASURES}
