"""Paths that may have changed under the watched roots: inotify hints and the periodic scan.

Events are hints; the scan is the truth. Owns watchdog. Reads directories and never changes one,
never opens a photo except to hand out its descriptor, and knows nothing of what was done before.
"""

from photosortd.watch.ignore import IGNORE_FILE, check_patterns
from photosortd.watch.values import Away, Hint, Listing, RootSpec, RootState
from photosortd.watch.watcher import Watcher

__all__ = [
    "IGNORE_FILE",
    "Away",
    "Hint",
    "Listing",
    "RootSpec",
    "RootState",
    "Watcher",
    "check_patterns",
]
