"""What one user can do with the directories of this household."""

import os
import shlex
from collections.abc import Iterator, Sequence

from photosortd import identity
from photosortd.commands.service.scope import Scope
from photosortd.errors import ConfigError, WorldError
from photosortd.place import marker
from photosortd.records import printable
from photosortd.units import household
from photosortd.units.dropin import is_hidden
from photosortd.units.household import Access, Account


class Judge:
    """Gathers the groups that the user needs, and what is worth a warning."""

    def __init__(self, scope: Scope, account: Account) -> None:
        self._scope = scope
        self._account = account
        self.groups: frozenset[int] = frozenset()
        self.warnings: list[str] = []

    def roots(self, roots: Sequence[str]) -> None:
        problems: list[str] = []
        for root in roots:
            if os.path.isdir(root):  # else its disk is away
                found = self._access(root, write=False)
                problems += self._unreadable(root, found)
        if problems:
            raise ConfigError(*problems)

    def _unreadable(self, root: str, found: Access) -> Iterator[str]:
        user, shown = self._account.name, printable(root)
        if not found.able:
            advice = _let_pass(found) or self._advice(root)
            yield f"{shown}: user {user} cannot read it ({_whose(root, found)}){advice}"
        elif found.blind:
            example = printable(os.path.normpath(os.path.join(root, found.locked[0].path)))
            yield f"{shown}: user {user} can read none of the photos, such as {example}" + (
                self._advice(root)
            )
        elif found.locked:
            example = printable(os.path.normpath(os.path.join(root, found.locked[0].path)))
            self.warnings.append(f"user {user} cannot read everything there, such as {example}")

    def _advice(self, directory: str) -> str:
        if self._scope.user:
            return ""
        if os.stat(directory).st_uid == 0:
            group = identity.group_name(self._account.gid)
            shown = shlex.quote(printable(directory))
            return f"; let it: sudo chgrp -R {group} {shown} && sudo chmod -R g+rX {shown}"
        shown = shlex.quote(printable(directory))
        command = f"{self._scope.command('install')} … --user-of {shown}"
        return f"; run the service as its owner: {command}"

    def library(self, library: str) -> None:
        found = self._access(library, write=True)
        if found.able:
            return
        shown = printable(library)
        said = f"{shown}: user {self._account.name} cannot write there ({_whose(library, found)})"
        if advice := _let_pass(found):
            raise WorldError(f"{said}{advice}")
        said += f". Let it:\n  {self._let_write(library)}"
        if not self._scope.user and os.stat(library).st_uid != 0:
            said += "\nor run the service as the owner of that directory:"
            said += f"\n  {self._scope.command('install')} … --user-of {shlex.quote(shown)}"
        raise WorldError(said)

    def _let_write(self, library: str) -> str:
        shown = shlex.quote(printable(library))
        if os.path.lexists(os.path.join(library, marker.NAME)):
            # Another user filled it: the marker and the categories in it are theirs, too. A group
            # that the household shares it by keeps it.
            shared = household.shared_group([library]) is not None
            owner = self._account.name + ("" if shared else ":")
            return f"sudo chown -R {shlex.quote(owner)} {shown}"
        group = os.stat(library).st_gid
        chosen = identity.group_name(group if group != 0 else self._account.gid)
        return f"sudo chgrp {chosen} {shown} && sudo chmod g+rwX,g+s {shown}"

    def _access(self, directory: str, *, write: bool) -> Access:
        real = os.path.realpath(directory)
        whole_way = self._scope.user or not is_hidden(real)
        try:
            found = household.access(real, self._account, write=write, whole_way=whole_way)
        except OSError as error:
            raise ConfigError(f"{printable(directory)}: cannot be read: {error.strerror}") from None
        self.groups |= found.groups
        return found


def _whose(directory: str, found: Access) -> str:
    """Whose it is that is in the way: the directory, or one above it."""
    path = os.path.join(os.path.realpath(directory), found.locked[0].path if found.locked else ".")
    about = os.stat(path)
    owner, group = identity.user_name(about.st_uid), identity.group_name(about.st_gid)
    mode = f"{about.st_mode & 0o7777:04o}"
    return f"{printable(os.path.normpath(path))} belongs to {owner}, group {group}, mode {mode}"


def _let_pass(found: Access) -> str:
    """What to do about a directory on the way that is closed; nothing if none is."""
    path = found.locked[0].path if found.locked else "."
    return f"; let it pass: sudo chmod o+x {shlex.quote(printable(path))}" if path[0] == "/" else ""
