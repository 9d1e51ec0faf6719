"""Which model answers: the rules of announcements, loading in the background, and swaps between two frames.

No ROS here. Three threads meet in `server.ModelServer`: the node's (announcements), its own loader, and the one worker
that answers frames.
"""

from .rules import Announcement, Answer, Load, Rules, ServerStatus
from .server import ModelServer

__all__ = ["Announcement", "Answer", "Load", "ModelServer", "Rules", "ServerStatus"]
