"""The network that a bundle was exported from."""

from __future__ import annotations

import safetensors.torch
from safetensors import SafetensorError

from perception_common.errors import UserError
from perception_infer.contract.manifest import WEIGHTS_NAME
from perception_infer.models import Bundle

from . import build_model
from .network import Network


def restore(bundle: Bundle) -> Network:
    """The network of a bundle, in evaluation mode, with its weights (batch norm not yet folded).

    Raises:
        UserError: its architecture is not known here, or the weights are not of it.
    """
    manifest = bundle.manifest
    network = build_model(manifest.architecture, len(manifest.classes))
    try:
        network.load_state_dict(safetensors.torch.load(bundle.read(WEIGHTS_NAME)))
    except (RuntimeError, SafetensorError) as error:
        raise UserError(
            f"the weights are not those of a {manifest.architecture}: {str(error).splitlines()[0]}",
            where=bundle.directory / WEIGHTS_NAME,
            fix="export the model again with this version of the suite",
        ) from error
    return network.eval()
