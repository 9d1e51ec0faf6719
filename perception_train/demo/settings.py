"""Every number of the demo, in one place: the two presets and the flags."""

from __future__ import annotations

from dataclasses import dataclass, replace

from perception_common.params import param


@dataclass(frozen=True)
class Limit:
    """A figure of the summary that is judged: ``value <relation> limit``."""

    name: str
    relation: str  # ">=" or "<="
    limit: float

    def holds(self, value: float | None) -> bool:
        """Whether the figure is there and within the limit."""
        if value is None:
            return False
        return value >= self.limit if self.relation == ">=" else value <= self.limit


@dataclass(frozen=True)
class Settings:
    """A preset of the demo. Sizes are pixels, times seconds unless the name says otherwise."""

    name: str
    note: str
    # The world: one difficulty for training, validation and the live camera, never the same seed.
    world: str = "demo"
    train_images: int = 2000
    val_images: int = 240
    image_width: int = 320
    image_height: int = 240
    train_seed: int = 101
    val_seed: int = 202
    live_seed: int = 303
    workers: int = 2
    # Training.
    train_minutes: float = 8.5
    network_width: int = 256
    network_height: int = 192
    batch: int = 16
    # One more than needed for the swaps: a version that finds nothing yet is not published.
    exports: int = 6
    validations: int = 12
    trainer_nice: int = 10
    # The live pipeline.
    model: str = "detector"
    camera_hz: float = 6.0
    # Detections are published from this score on: mAP needs the weak ones too.
    score_threshold: float = 0.05
    frames_last_version: int = 250
    frames_idle: int = 120
    bare_seconds: float = 6.0
    evaluation_window: int = 40
    write_period: float = 3.0
    # Longer than the camera stays with a scene (6 s), so that pictures differ.
    sample_period: float = 7.0
    samples_per_version: int = 6
    # How long something may take before the demo gives up.
    start_timeout: float = 90.0
    swap_timeout: float = 60.0
    settle_timeout: float = 150.0
    train_slack: float = 240.0
    limits: tuple[Limit, ...] = ()


FULL = Settings(
    name="full",
    note="the whole demonstration, judged by the limits below",
    limits=(
        Limit("val_map50", ">=", 0.80),
        Limit("live_map50", ">=", 0.75),
        Limit("live_frames_scored", ">=", 200),
        Limit("swaps", ">=", 3),
        Limit("frames_lost_in_swaps", "<=", 0),
        Limit("camera_hz", ">=", 5.0),
        Limit("max_gap_around_swaps_periods", "<=", 3.0),
    ),
)

QUICK = Settings(
    name="quick",
    note="a taste in four minutes: too short to learn well, so its limits are low",
    train_images=800,
    val_images=60,
    train_minutes=2.4,
    exports=5,
    validations=5,
    frames_last_version=60,
    frames_idle=50,
    bare_seconds=3.0,
    evaluation_window=25,
    sample_period=4.0,
    start_timeout=60.0,
    settle_timeout=60.0,
    train_slack=120.0,
    limits=(
        Limit("live_frames_scored", ">=", 50),
        # The first exports of a slow machine find nothing yet, and are not published.
        Limit("swaps", ">=", 2),
        Limit("frames_lost_in_swaps", "<=", 0),
        Limit("camera_hz", ">=", 5.0),
        Limit("max_gap_around_swaps_periods", "<=", 3.0),
    ),
)

PRESETS = {preset.name: preset for preset in (FULL, QUICK)}


@dataclass(frozen=True)
class DemoParams:
    """Run the whole loop: generate, train, swap checkpoints into a live pipeline, score, report."""

    preset: str = param(
        "full", "full takes about 11 minutes on two cores, quick 4 with lower numbers", choices=tuple(PRESETS)
    )
    output: str = param("runs/demo", "directory of everything the demo writes; an earlier run in it moves to previous/")
    train_minutes: float = param(0.0, "minutes of training (0: the preset's)", minimum=0.0, maximum=600.0)
    camera_hz: float = param(0.0, "frames per second of the camera (0: the preset's)", minimum=0.0, maximum=60.0)

    def settings(self) -> Settings:
        """The preset with what the flags change."""
        chosen = PRESETS[self.preset]
        return replace(
            chosen,
            train_minutes=self.train_minutes or chosen.train_minutes,
            camera_hz=self.camera_hz or chosen.camera_hz,
        )
