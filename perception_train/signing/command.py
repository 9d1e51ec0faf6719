"""`perception-train keygen` and `perception-train sign`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.contract.manifest import MANIFEST_NAME, SIGNATURE_NAME
from perception_infer.models import Bundle, ModelRepository, read_signature

from .params import KeygenParams, SignParams
from .signer import Signer, generate


def keygen(params: KeygenParams) -> dict[str, Any]:
    """Make a key pair.

    Raises:
        UserError: no name is given, or the files cannot be written.
    """
    if not params.output:
        raise UserError("no name for the key is given", fix="--output keys/NAME")
    name, private, public = generate(params.output)
    print(f"key {name}: {private} stays here; copy {public} into the folder of trusted keys of each robot")
    return {"key_id": name, "private": str(private), "public": str(public)}


def sign(params: SignParams) -> dict[str, Any]:
    """Sign one version of a model, or all.

    Raises:
        UserError: no key is given, it cannot be used, or a bundle does not verify or is signed already.
    """
    if not params.key:
        raise UserError("no key is given", fix="--key keys/NAME.key")
    if params.all_versions and params.version:
        raise UserError("both version and all_versions are given", fix="leave one of them out")
    signer, repository = Signer.load(params.key), ModelRepository(Path(params.model_root))
    if params.all_versions:
        bundles = [repository.open(params.model, version) for version in repository.versions(params.model)]
        if not params.again:
            bundles = [bundle for bundle in bundles if read_signature(bundle.directory) is None]
    else:
        bundles = [repository.open(params.model, params.version or None)]
    for bundle in bundles:
        sign_bundle(bundle, signer, params.again)
        print(f"signed {bundle.title} with {signer.key_id}", file=sys.stderr)
    if not bundles:
        print(f"every version of {params.model} is signed already", file=sys.stderr)
    return {
        "model": params.model,
        "key_id": signer.key_id,
        "versions": [bundle.manifest.version for bundle in bundles],
    }


def sign_bundle(bundle: Bundle, signer: Signer, again: bool = False) -> None:
    """Add ``manifest.sig`` to a verified bundle.

    Raises:
        UserError: it is signed already, or the folder cannot be written.
    """
    path = bundle.directory / SIGNATURE_NAME
    if not again and read_signature(bundle.directory) is not None:
        raise UserError(f"{bundle.title} is signed already", where=path, fix="--again replaces the signature")
    durable.write_bytes(path, signer.sign((bundle.directory / MANIFEST_NAME).read_bytes()))
