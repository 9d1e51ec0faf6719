"""What a package says of its licence, in SPDX's words, and how much that asks of whoever uses it."""

from __future__ import annotations

import importlib.metadata as metadata
import re
from functools import cache
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, LicenseWithExceptionSymbol, get_license_index, get_spdx_licensing

# What people write instead of an SPDX identifier. Whoever says no more than BSD is taken at that word.
_WORDS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "LicenseRef-BSD",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd license": "LicenseRef-BSD",
    "freebsd": "BSD-2-Clause",
    "gnu general public license (gpl)": "GPL-1.0-or-later",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "nvidia proprietary software": "LicenseRef-NVIDIA-Proprietary",
    "other/proprietary license": "LicenseRef-Proprietary",
    "proprietary": "LicenseRef-Proprietary",
    "python software foundation license": "PSF-2.0",
    "the mit license (mit)": "MIT",
    "zlib license": "Zlib",
}
_OWN = {
    "licenseref-bsd": "Permissive",
    "licenseref-nvidia-proprietary": "Proprietary Free",
    "licenseref-proprietary": "Proprietary Free",
}
# ScanCode's categories from harmless to refused, in our words. Whatever it calls otherwise counts as not known.
REMARKS = {
    "Permissive": "",
    "Public Domain": "",
    "Copyleft Limited": "weak copyleft: changes to its own code stay under its licence",
    "Proprietary Free": "proprietary, free of charge",
    "Copyleft": "GPL or AGPL",
    "": "not known",
}
_RANKS = {category: rank for rank, category in enumerate(REMARKS)}
#: From here on nothing may run on a robot or workstation.
REFUSED, UNKNOWN = _RANKS["Copyleft"], _RANKS[""]


@cache
def rank(licence: str) -> int:
    """How much an SPDX expression asks: an index of `REMARKS`. Of alternatives the easiest counts, else the hardest."""
    licensing = _licensing()

    def of(node: Any) -> int:
        if isinstance(node, licensing.OR):
            return min(map(of, node.args))
        if isinstance(node, licensing.AND):
            return max(map(of, node.args))
        key = node.exception_symbol.key if isinstance(node, LicenseWithExceptionSymbol) else node.key
        return _RANKS.get(_categories().get(key.lower(), ""), UNKNOWN)

    try:
        parsed = licensing.parse(licence)
    except ExpressionError:
        return UNKNOWN
    return UNKNOWN if parsed is None else of(parsed)


def as_spdx(words: str) -> str:
    """A licence in SPDX's words, or "" where it cannot be said so."""
    first = words.strip().partition("\n")[0].strip()
    known = _WORDS.get(first.lower(), first)
    return known if rank(known) != UNKNOWN else ""


def licence_of(package: metadata.Distribution) -> str:
    """The licence of an installed package, from the first of its statements that can be understood; "" if none can."""
    told = package.metadata
    classifiers = [
        line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or [] if line.startswith("License")
    ]
    # ROS's packages say it in their manifests.
    manifests = [Path(str(path.locate())) for path in package.files or [] if path.name == "package.xml"]
    texts = [path.read_text(encoding="utf-8") for path in manifests if path.is_file()]
    ros = [said for text in texts for said in re.findall(r"<license[^>]*>([^<]+)</license>", text)]
    for statement in [told.get("License-Expression")], [told.get("License")], classifiers, sorted(set(ros)):
        licences = [as_spdx(words or "") for words in statement]
        if licences and all(licences):
            return " AND ".join(dict.fromkeys(licences))
    return ""


# It takes a tenth of a second to make.
_licensing = cache(get_spdx_licensing)


@cache
def _categories() -> dict[str, str]:
    found = dict(_OWN)
    for entry in get_license_index():
        for key in (entry.get("spdx_license_key"), *(entry.get("other_spdx_license_keys") or ())):
            if key:
                found[key.lower()] = entry["category"]
    return found
