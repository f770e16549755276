"""Installed bundles: import, switch, roll back. Owns `<state>/models`, and `<state>/incoming-…`.

A bundle is copied to `models/<id>` before it is used: what was tested stays in use, whatever
becomes of the directory that it came from. Callers hold the state directory's lock; nothing that
was installed is ever removed.
"""

from photosortd.models.choose import Chosen, Models
from photosortd.models.copies import Check
from photosortd.models.incoming import incoming_directory

__all__ = ["Check", "Chosen", "Models", "incoming_directory"]
