"""Setting the watches before we call ourselves ready; the first scan runs after that."""

import logging
import select
import time

from photosortd.sdnotify import Notifier
from photosortd.service.flags import Flags
from photosortd.watch import Watcher

log = logging.getLogger(__name__)

GLANCE = 1.0
"""Seconds between two looks at how far the watches are."""

AHEAD = 30.0
"""Seconds by which each look puts off the service manager's patience."""

LONGEST = 600.0
"""Seconds after which we are ready all the same: scans find everything, only later."""


def set_watches(watcher: Watcher, flags: Flags, notifier: Notifier) -> None:
    """Until they are set or cannot be set. Raises Stopped as soon as a signal says stop.

    A root that is not there, or whose watches the kernel refuses, is not waited for.
    """
    began = time.monotonic()
    watcher.start(began)
    while watcher.setting_watches:
        now = time.monotonic()
        if now - began > LONGEST:
            log.warning(
                "after %.0f minutes the watches are still not set: until they are, "
                "scans find what is new",
                LONGEST / 60,
            )
            return
        notifier.extend_timeout(round(AHEAD * 1e6))
        notifier.watchdog()
        select.select([flags.wake], [], [], GLANCE)
        flags.silence()
        flags.obey()
        watcher.tick(time.monotonic(), time.time())
