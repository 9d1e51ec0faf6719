"""Parameters that say whose bundles are taken, and where what was taken is remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perception_common.errors import UserError
from perception_common.params import param

from .history import History, history_file
from .trust import Trust


@dataclass(frozen=True)
class TrustParams:
    """Whose bundles are taken."""

    trust: str = param(
        "", "folder of public keys (*.pub, `perception-train keygen`): bundles signed with one of them are taken"
    )
    require_signature: bool = param(
        True, "refuse bundles that no trusted key signed; false where nobody else can write to model_root"
    )

    def trusted(self) -> Trust:
        """The trusted keys.

        Raises:
            UserError: they cannot be read, or there are none and signatures are required.
        """
        return Trust.folder(self.trust, self.require_signature)


@dataclass(frozen=True)
class StateParams:
    """Where a robot remembers."""

    state: str = param(
        "",
        "folder of the history: which versions were accepted and what served when (empty:"
        " $XDG_STATE_HOME/perception_suite, or the same in ~/.local/state)",
    )

    def history(self, repository: Path, tell: Callable[[str], object]) -> History:
        """The history of a model repository; ``tell`` is called when it is damaged or cannot be written.

        Where it cannot be opened, that is told, and what happens is remembered until the process ends: a robot that
        sees is better than one that waits for its disk.
        """
        try:
            return History(history_file(self.state), repository, tell)
        except UserError as error:
            tell(f"{error}; until then nothing is remembered after the node ends")
            return History(None, repository, tell)
