"""The same bytes under another name in one directory: asked where the ledger may have forgotten.

A photo that lies in two sources is filed under the name that came first; after the ledger was lost
the other name may come first.
"""

import os
import stat
from contextlib import suppress

from photosortd.place.content import holds
from photosortd.place.folder import Folder, world_errors

_OFTEN = 500  # files between two calls of `between`


class Elsewhere:
    """Remembers the sizes in each directory that it was asked about, as they were then.

    What is placed afterwards needs no remembering: the ledger knows it.
    """

    def __init__(self) -> None:
        self._seen: dict[str, dict[int, list[str]]] = {}

    def find(self, folder: Folder, sha256: str, size: int) -> str | None:
        """The name of a regular file in `folder` with these bytes. Raises WorldError."""
        with world_errors("cannot look into", folder.shown):
            sizes = self._seen.get(folder.path)
            if sizes is None:
                sizes = self._seen[folder.path] = _sizes(folder)
            for name in sizes.get(size, ()):
                if holds(folder, name, sha256, size):
                    return name
        return None


def _sizes(folder: Folder) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    with os.scandir(folder.fd) as entries:
        for number, entry in enumerate(entries):
            if number % _OFTEN == 0:
                folder.between()
            if not entry.name.startswith("."):
                with suppress(FileNotFoundError):
                    status = os.stat(entry.name, dir_fd=folder.fd, follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        found.setdefault(status.st_size, []).append(entry.name)
    return found
