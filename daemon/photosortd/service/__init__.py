"""The life of the daemon.

loop     startup, turns, shutdown
flags    what the signals asked for
telling  status.json and systemd's status line
"""

from photosortd.service.flags import Flags
from photosortd.service.loop import Service

__all__ = ["Flags", "Service"]
