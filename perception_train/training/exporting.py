"""From the averaged weights of a run to a version in the model repository."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec.structs
import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from perception_common.errors import UserError
from perception_infer.contract.manifest import MANIFEST_NAME
from perception_infer.models import ModelRepository
from perception_infer.retention import best_version, prune, serving_here

from ..data.coco import CocoDataset
from ..data.loader import letterboxed
from ..data.mixture import Mixture
from ..export.bundle import Precision
from ..export.candidate import Candidate, Source
from ..export.further import Further
from ..export.variants import Variant
from ..models.network import Detector
from ..models.suppression import DEFAULT
from .config import TrainParams
from .ema import with_precise_statistics
from .records import BEST_WEIGHTS
from .state import State
from .validation import Outcome

_STATISTICS_BATCHES = 24


class Exporter:
    """Makes candidates of a state and publishes them; ``emit`` is told of every export and variant."""

    def __init__(
        self,
        params: TrainParams,
        train: Mixture,
        validation: CocoDataset,
        state: State,
        emit: Callable[..., None],
    ) -> None:
        self._params, self._train, self._state, self._emit = params, train, state, emit
        options = DEFAULT
        if isinstance(state.model, Detector):
            options = msgspec.structs.replace(DEFAULT, iou=state.model.suppression_iou)
        p = params
        self._source = Source(p.model, p.architecture, train, validation, p.width, p.height, options)

    def candidate(self) -> Candidate:
        """The averaged weights with statistics of their own, as a graph on the CPU."""
        precise = with_precise_statistics(self._state.average.model, self._statistics_batches(), self._state.bf16)
        return Candidate(precise.cpu(), self._source, self._params.threads)

    def publish(
        self, candidate: Candidate, result: Outcome, variants: Mapping[Precision, Variant] | None = None
    ) -> int:
        """The candidate's version, once it is in the repository.

        Raises:
            UserError: it is not fit to be published.
        """
        p = self._params
        version = int(candidate.write(Path(p.model_root), result, variants, p.signer()).name)
        self._state.versions.append(version)
        self._emit("export", **self.announcement(version), **result.metrics())
        self._make_room()
        return version

    def _make_room(self) -> None:
        p = self._params
        if not p.keep_versions:
            return
        repository, told = ModelRepository(Path(p.model_root)), list[str]()
        figure = "map" if isinstance(self._state.model, Detector) else "miou"
        best = best_version(repository, p.model, figure)
        spared = serving_here(repository.root, p.model, time.time_ns(), told.append)
        removed = prune(repository, p.model, p.keep_versions, spared | ({best} if best is not None else set()))
        self._emit("pruned", versions=removed, problems=told)

    def chosen(self, best: bool) -> Candidate:
        """The present weights, or those of the run's best validation with the statistics that they had then.

        Raises:
            UserError: the run has kept none, or they are of another network.
        """
        if not best:
            return self.candidate()
        path = Path(self._params.run_directory) / BEST_WEIGHTS
        if not path.is_file():
            raise UserError("the run has kept no best weights", where=path, fix="export the last ones")
        model = copy.deepcopy(self._state.average.model).cpu()
        try:
            model.load_state_dict(safetensors.torch.load(path.read_bytes()))
        except (RuntimeError, SafetensorError) as error:
            raise UserError(
                "the weights do not fit the run's network", where=path, fix="export the last ones"
            ) from error
        return Candidate(model, self._source, self._params.threads)

    def publish_in(self, further: Further, best: bool = False) -> tuple[int, Outcome]:
        """Version and metrics of the present weights, or the run's best, in further precisions too.

        Raises:
            UserError: it is, in any of the precisions, not fit to be published.
        """
        candidate = self.chosen(best)
        result = candidate.validate()
        variants = further.variants(candidate, result)
        for precision, variant in variants.items():
            told = dict(skipped=list(variant.skipped), drop=variant.drop, **variant.graph.metrics)
            self._emit("variant", precision=precision, **told)
        return self.publish(candidate, result, variants), result

    def announcement(self, version: int) -> dict[str, Any]:
        """Where a version of the model is."""
        manifest = Path(self._params.model_root) / self._params.model / str(version) / MANIFEST_NAME
        return {"name": self._params.model, "version": version, "uri": manifest.resolve().as_uri()}

    def _statistics_batches(self) -> Iterator[Tensor]:
        """Training images as the robot will see them, without augmentation."""
        p, network = self._params, (self._params.width, self._params.height)
        device = next(self._state.model.parameters()).device
        rng = np.random.default_rng(p.seed)
        chosen = rng.permutation(self._train.spread(_STATISTICS_BATCHES * p.batch))
        for start in range(0, len(chosen), p.batch):
            images = [letterboxed(self._train, int(i), network)[0] for i in chosen[start : start + p.batch]]
            yield torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2).float().div_(255.0)
