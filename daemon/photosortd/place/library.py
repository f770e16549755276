"""The library: the one directory that photosortd writes photos into, open and locked.

Owns every write below it. Files are made hidden, proven, and only then named; nothing that has
a name is ever opened for writing. When the directory turns out to be another one (unmounted,
mounted over, replaced), `check` says so; close it then and open it anew.
"""

import os
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress

from photosortd import files
from photosortd.errors import WorldError
from photosortd.place import marker, parts, publish, remove, root
from photosortd.place.choose import Names, Wanted, choose
from photosortd.place.content import Found, look_at
from photosortd.place.elsewhere import Elsewhere
from photosortd.place.folder import Folder, nothing, open_folder, world_errors
from photosortd.place.make import describe, make_part
from photosortd.place.parts import OpenSource, Part
from photosortd.place.probe import Abilities, probe
from photosortd.records import Method, PlaceMode, printable


def _token() -> str:
    return secrets.token_hex(8)


class Library:
    """An open library. Not for several threads at once.

    `between`, nothing unless it is set, is called about every 8 MB while bytes are hashed, copied
    or read back, by whatever method, and for each directory of a sweep. It may raise what it
    likes, but no OSError, which would be taken for the disk's: a part that is being made is
    removed then, and the exception passes on.
    """

    def __init__(
        self, path: str, uuid: str, directory: int, lock: int, token: Callable[[], str] = _token
    ) -> None:
        self.path = path
        self.uuid = uuid
        self._root = directory
        self._lock = lock
        self._token = token
        self.between: Callable[[], None] = nothing
        self._elsewhere = Elsewhere()
        self._abilities: dict[int, Abilities] = {}  # by st_dev, which holds while we are open

    @classmethod
    def open(
        cls,
        path: str,
        known: str | None,
        *,
        accept: bool = False,
        token: Callable[[], str] = _token,
    ) -> "Library":
        """Open the library at `path` and lock it for writing.

        `known`: the UUID that the ledger keeps for this path; None if it has never seen it:
        then the directory (not its parent) and its marker are made where missing. `accept`: adopt
        whatever is there, as if never seen. Raises WorldError (missing, another library, no
        marker), BusyError (another process holds it).
        """
        known = None if accept else known
        if known is None:
            root.make(path)
        with ExitStack() as stack:
            with world_errors("cannot open the library", path):
                directory = files.open_directory(path)
                stack.callback(os.close, directory)
                folder = Folder(directory, "", path, os.fstat(directory).st_dev)
            lock, uuid = marker.claim(folder, known)
            stack.callback(os.close, lock)
            library = cls(path, uuid, directory, lock, token)
            library.check()  # somebody may have replaced the marker before we had its lock
            stack.pop_all()
        return library

    def close(self) -> None:
        """Give up the lock and the directory."""
        files.close(self._lock)
        files.close(self._root)

    def __enter__(self) -> "Library":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- is it still the library?

    def check(self) -> None:
        """Raise WorldError unless the path still leads to this very directory and its marker."""
        with world_errors("cannot reach the library", self.path):
            now = files.open_directory(self.path)
            try:
                same = root.same_directory(now, self._root)
                found = marker.read(now)
            finally:
                files.close(now)
        if not same:
            raise WorldError(
                f"{printable(self.path)} is another directory than a moment ago: "
                "was it unmounted or mounted over?"
            )
        if found != self.uuid:
            raise WorldError(
                f"the marker {marker.NAME} in {printable(self.path)} is gone or another one: "
                "put it back, or run `photosortd check --accept-library`"
            )

    def stands(self) -> bool:
        """Whether it is there as far as a glance tells; `check` says what is the matter."""
        return root.is_at(self.path, self._root) and root.is_at(
            os.path.join(self.path, marker.NAME), self._lock
        )

    def room(self, need: int, keep_free: int) -> None:
        """Raise WorldError if `need` more bytes would leave less than `keep_free` bytes free."""
        root.check_room(self._root, self.path, need, keep_free)

    def methods(self, directory: str = "") -> Abilities:
        """What the file system of that directory can do, tried out once. Raises WorldError."""
        with self._folder(directory, create=True) as folder:
            return self._able(folder)

    # ---- placing

    def make_part(
        self, source: OpenSource, directory: str, name: str, mode: PlaceMode, mode_add: int = 0
    ) -> Part:
        """Put the whole content of `source` into a hidden file in `directory`.

        Its bytes are durable then; its entry in the directory is after `sync`. `name` is what it
        shall be called later. Missing directories are made. Raises SourceChanged, PhotoError (this
        file is too large for that file system, or has too many links), WorldError, and what
        `between` raises; no part is left then (but by a crash).
        """
        hidden = parts.part_name(self._token())
        with self._folder(directory, create=True) as folder:
            clone = mode is not PlaceMode.AUTO or self._able(folder).reflink
            method, sha256 = make_part(folder, source, hidden, mode, mode_add, clone)
            made = describe(folder, hidden)
        size = source.stamp.size
        return Part(directory, hidden, name, sha256, size, method, made.st_dev, made.st_ino)

    def choose_names(
        self,
        directory: str,
        wanted: Sequence[Wanted],
        suffix: str | None = None,
        photo: str | None = None,
    ) -> Names:
        """Names for a shot's files, all with one suffix: '' if it is free, else '-1', '-2', …

        `photo`: what the shot's photo is called in the source (default: the first wanted name);
        the suffix follows its stem. A photo that is there already keeps its name, and companions
        whose names are taken get names of their own beside it. `suffix`: the one that the photo
        got, for companions that come late: tried first, then the numbers after it. Raises
        WorldError.
        """
        with self._folder(directory, create=True) as folder:
            rules = self._able(folder).rules
            return choose(folder, wanted, photo or wanted[0].name, suffix, rules)

    def same_bytes(self, directory: str, sha256: str, size: int) -> str | None:
        """The name of any file in that directory with these bytes. Raises WorldError."""
        with self._folder(directory, create=True) as folder:
            return self._elsewhere.find(folder, sha256, size)

    def publish(self, part: Part, name: str) -> None:
        """Give the part its name, never over another file; durably once `sync` was called.

        Raises FileExistsError if the name was taken meanwhile, PhotoError if the file system
        refuses the name, WorldError; the part is then still there.
        """
        try:
            with self._folder(part.directory) as folder:
                publish.publish(folder, part.part, name, self._able(folder))
        except FileNotFoundError as error:
            shown = printable(os.path.join(self.path, part.directory))
            raise WorldError(f"{shown} was removed meanwhile") from error

    def sync(self, directory: str) -> None:
        """Make durable what has a name in that directory now. Raises WorldError."""
        shown = os.path.join(self.path, directory)
        with world_errors("cannot write into", shown), self._folder(directory) as folder:
            folder.sync()

    def discard(self, part: Part) -> None:
        """Remove a part that is not wanted any more. Raises WorldError."""
        with (
            suppress(FileNotFoundError),
            self._folder(part.directory) as folder,
            world_errors("cannot remove", folder.shown_name(part.part), FileNotFoundError),
        ):
            os.unlink(part.part, dir_fd=folder.fd)

    # ---- after a crash

    def find_part(
        self, directory: str, part: str, device: int, inode: int, size: int, sha256: str
    ) -> Part | None:
        """The part file of an intent, if it still holds those bytes.

        The bytes decide: its name is random and ours, and numbers of inodes and devices may
        change with a remount. Those in the result are the present ones.
        """
        if not part or not parts.is_part(part):
            return None
        found = self.look(directory, part, follow=True)
        if found is None or (found.size, found.sha256) != (size, sha256):
            return None
        method = Method.SYMLINK if found.link is not None else Method.COPY
        return Part(directory, part, "", sha256, size, method, found.device, found.inode)

    def look(self, directory: str, name: str, follow: bool = False) -> Found | None:
        """What has this name; None if nothing. `follow`: a symbolic link there is ours."""
        try:
            with self._folder(directory) as folder:
                return look_at(folder, name, follow)
        except FileNotFoundError:
            return None

    def remove_reserved(self, directory: str, name: str) -> bool:
        """Remove an empty file that a crash left under a reserved name, and nothing else."""
        with (
            suppress(FileNotFoundError),
            self._folder(directory) as folder,
            world_errors("cannot remove", folder.shown_name(name)),
        ):
            return publish.remove_reserved(folder, name)
        return False

    def sweep(self, directories: Iterable[str], keep: Collection[tuple[str, str]]) -> int:
        """Unlink part files in these directories, except (directory, part) in `keep`."""
        swept = 0
        for directory in directories:
            self.between()
            kept = {name for where, name in keep if where == directory}
            with (
                suppress(FileNotFoundError),
                self._folder(directory) as folder,
                world_errors("cannot remove old part files in", folder.shown),
            ):
                swept += remove.sweep(folder, kept)
        return swept

    # ---- undo

    def remove(
        self, directory: str, name: str, sha256: str, method: Method = Method.COPY
    ) -> str | None:
        """Unlink a file that still is what was placed; otherwise the reason why it stays.

        Directories below the category's that are empty then are removed too. Raises WorldError.
        """
        try:
            with (
                self._folder(directory) as folder,
                world_errors("cannot remove", folder.shown_name(name)),
            ):
                reason = remove.remove(folder, name, sha256, method)
        except FileNotFoundError:
            return remove.GONE
        if reason is None:
            self._remove_empty(directory)
        return reason

    def _remove_empty(self, directory: str) -> None:
        """Remove emptied directories that a layout made; the topmost component always stays."""
        while "/" in directory:
            directory, _, last = directory.rpartition("/")
            try:
                with self._folder(directory) as parent:
                    os.rmdir(last, dir_fd=parent.fd)
            except OSError:
                return  # not empty, or somebody is in it: then it simply stays

    # ---- below

    def _folder(self, directory: str, create: bool = False) -> AbstractContextManager[Folder]:
        return open_folder(self._root, self.path, directory, create, self.between)

    def _able(self, folder: Folder) -> Abilities:
        known = self._abilities.get(folder.device)
        if known is None:
            known = self._abilities[folder.device] = probe(folder, self._token)
        return known
