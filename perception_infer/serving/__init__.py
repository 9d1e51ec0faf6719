"""Which model answers: the rules of announcements, loading in the background, and swaps between two frames.

No ROS here. Three threads meet in `server.ModelServer`: the node's (announcements), its loader's (`errands`), and the
one worker that answers frames.
"""

from .patience import PatientLoad
from .record import Record
from .rules import Announcement, Answer, Hung, Load, Rules, ServerStatus
from .server import ModelServer
from .watchdog import Watchdog

__all__ = [
    "Announcement",
    "Answer",
    "Hung",
    "Load",
    "ModelServer",
    "PatientLoad",
    "Record",
    "Rules",
    "ServerStatus",
    "Watchdog",
]
