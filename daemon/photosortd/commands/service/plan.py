"""As whom the service runs, which groups it needs, and what the drop-in has to say."""

import os
import re
import sys
from dataclasses import dataclass

from photosortd import identity
from photosortd.commands.service.judge import Judge
from photosortd.commands.service.scope import Scope
from photosortd.commands.service.wish import Paths
from photosortd.errors import ConfigError, WorldError
from photosortd.ledger import Ledger
from photosortd.records import printable
from photosortd.units import household, mounts
from photosortd.units.dropin import Directory, Facts, is_hidden
from photosortd.units.household import Account
from photosortd.units.sandbox import Sandbox
from photosortd.units.syntax import assignments, quoted

OPT = "/opt/photosortd/bin/photosortd"
"""What the shipped units run."""

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Runner:
    """Whom the service runs as; `said`: the drop-in has to say so."""

    account: Account
    said: bool


@dataclass(frozen=True, slots=True)
class NewLibrary:
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True, slots=True)
class Plan:
    facts: Facts
    library: NewLibrary | None  # None: nothing to make
    warnings: tuple[str, ...]


def runner(scope: Scope, user_of: str | None, unit: Sandbox | None) -> Runner:
    """The owner of `user_of`, else whom an earlier installation chose, else the unit's own user.

    Raises ConfigError for a directory that names nobody.
    """
    if unit is None:
        return Runner(household.account(str(os.getuid())), said=False)
    if user_of is not None:
        return Runner(_owner(user_of), said=True)
    before = dict(assignments(_text(scope.dropin)))
    if name := before.get("User"):
        return Runner(household.account(name, before.get("Group")), said=True)
    return Runner(household.account(unit.user or "root"), said=False)


def _owner(directory: str) -> Account:
    shown = f"--user-of {printable(directory)}"
    try:
        owner = household.owner(directory)
    except OSError as error:
        raise ConfigError(f"{shown}: {error.strerror}") from None
    if owner.uid == 0:
        raise ConfigError(
            f"{shown}: belongs to root, and a program that reads strangers' photos must not be "
            "root: name a directory of the person, or of the sync client, whose photos these are"
        )
    if owner.gid == 0:
        raise ConfigError(f"{shown}: its owner {owner.name} has root's group as the main one")
    return owner


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def plan(scope: Scope, paths: Paths, runner: Runner) -> Plan:
    """Try out who can read and write what. Raises ConfigError and WorldError."""
    judge = Judge(scope, runner.account)
    judge.roots(paths.roots)
    library = None
    if os.path.isdir(paths.library):
        judge.library(paths.library)
    elif not _filed_before(paths):
        library = _new_library(paths, runner.account)
    facts = _own(scope) if scope.user else _facts(scope, paths, runner, judge.groups)
    return Plan(facts, library, tuple(judge.warnings))


def _filed_before(paths: Paths) -> bool:
    """A library that the ledger knows is away; one made beneath its mount point is no help."""
    if paths.ledger is None or not os.path.exists(paths.ledger):
        return False
    ledger = Ledger.open_readonly(paths.ledger)
    try:
        return ledger.library(paths.library) is not None
    finally:
        ledger.close()


def _new_library(paths: Paths, account: Account) -> NewLibrary:
    above = os.path.dirname(paths.library)
    if not os.path.isdir(above):
        raise WorldError(
            f"{printable(paths.library)}: {printable(above)} does not exist; is its disk mounted?"
        )
    shared = household.shared_group([above, *filter(os.path.isdir, paths.roots)])
    if shared is None:
        return NewLibrary(account.uid, account.gid, 0o755)
    return NewLibrary(account.uid, shared, 0o2775)


def _facts(scope: Scope, paths: Paths, runner: Runner, groups: frozenset[int]) -> Facts:
    reads, writes = directories(paths)
    needed = [path for each in (*reads, *writes) for path in (each.path, each.real)]
    points = [*mounts.fstab(scope.places.fstab), *mounts.now()]
    account = runner.account
    return Facts(
        reads=reads,
        writes=writes,
        mounts=tuple(mounts.on_the_way(needed, points)),
        user=_word(account.name, account.uid) if runner.said else None,
        group=_group(account.gid) if runner.said else None,
        groups=tuple(sorted(map(_group, groups))),
    )


def _group(gid: int) -> str:
    return _word(identity.group_name(gid), gid)


def _word(name: str, number: int) -> str:
    """The name, where a unit file can hold it: a domain's may have spaces and backslashes."""
    return name if _PLAIN.fullmatch(name) else str(number)


def directories(paths: Paths) -> tuple[tuple[Directory, ...], tuple[Directory, ...]]:
    """What the sandbox has to let through: to read, and to write."""
    reads = [_directory(each) for each in paths.roots]
    if paths.model is not None and is_hidden(os.path.realpath(paths.model)):
        reads.append(_directory(paths.model))
    writes = [_directory(paths.library)]
    if paths.own_state:
        writes.append(_directory(paths.state))
    return tuple(reads), tuple(writes)


def _directory(path: str) -> Directory:
    return Directory(path, os.path.realpath(path))


def _own(scope: Scope) -> Facts:
    """For the user's own service, which has no sandbox of mounts: the program and its settings."""
    program = os.path.join(os.path.dirname(sys.executable), "photosortd")
    if not os.access(program, os.X_OK):
        raise WorldError(f"{program}: is not there; install photosortd into this environment")
    quoted(scope.config)
    return Facts(
        program=program if program != OPT else None,
        # Without it a configuration in /etc/photosortd would come first.
        variables=(("PHOTOSORTD_CONFIG", scope.config),),
    )
