"""The life of the daemon.

loop     startup, turns, shutdown
startup  the watches are set before we are ready
flags    what the signals asked for
sandbox  is a fresh one needed, because something was mounted?
telling  status.json, and when to tell
line     systemd's status line
diary    the journal: one line a batch, fields for each photo
tally    a batch in numbers and in words
"""

from photosortd.service.diary import Diary
from photosortd.service.flags import Flags, Stopped
from photosortd.service.loop import Service
from photosortd.service.sandbox import Sandbox

__all__ = ["Diary", "Flags", "Sandbox", "Service", "Stopped"]
