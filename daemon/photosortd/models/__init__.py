"""Installed bundles: import, switch, roll back. Owns `<state>/models`, and nothing else.

A bundle is copied to `models/<id>` before it is used: a directory that is replaced under a memory
map kills the workers. Callers hold the state directory's lock; nothing that was installed is ever
removed.
"""

from photosortd.models.choose import Chosen, Models
from photosortd.models.copies import Check

__all__ = ["Check", "Chosen", "Models"]
