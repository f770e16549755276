"""What the command line asks for, held against the configuration that is there."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from photosortd.commands.service.scope import Scope
from photosortd.config import overlap
from photosortd.config.find import default_state
from photosortd.config.tree import Path
from photosortd.errors import ConfigError
from photosortd.records import printable
from photosortd.units.syntax import check


@dataclass(frozen=True, slots=True)
class Wish:
    sources: tuple[str, ...] = ()
    library: str | None = None
    model: str | None = None
    user_of: str | None = None
    start: bool = True


@dataclass(frozen=True, slots=True)
class Paths:
    """Every path that the service needs. `new`: the configuration is to be written."""

    roots: tuple[str, ...]
    library: str
    state: str
    model: str | None  # a configured one
    new: bool
    ledger: str | None  # of an earlier installation
    own_state: bool = False  # not the state directory that systemd makes


def paths(scope: Scope, wish: Wish, environment: Mapping[str, str], user: str) -> Paths:
    """Raises ConfigError with every complaint; nothing was written so far."""
    if os.path.exists(scope.config):
        found = _configured(scope, wish, environment, user)
    else:
        found = _asked_for(scope, wish, environment)
    for path in (*found.roots, found.library, found.state, *filter(None, [found.model])):
        check(path)
    return found


def _configured(scope: Scope, wish: Wish, environment: Mapping[str, str], user: str) -> Paths:
    settings = scope.load(environment, user)
    roots = tuple(root.path for root in settings.watch)
    asked = tuple(_absolute(each) for each in wish.sources)
    other = [each for each in asked if each not in roots]
    other += [each for each in roots if asked and each not in asked]
    if wish.library is not None and _absolute(wish.library) != settings.library:
        other.append(settings.library)
    if other:
        raise ConfigError(
            f"{printable(scope.config)} is there already and names other paths "
            f"({', '.join(map(printable, other))}): edit it, then run `{scope.command('install')}` "
            "without --source and --library"
        )
    default = default_state(settings.file, environment, scope.places.etc, scope.places.var)
    return Paths(
        roots,
        settings.library,
        settings.state,
        settings.model,
        new=False,
        ledger=settings.ledger_path,
        own_state=settings.state != default,
    )


def _asked_for(scope: Scope, wish: Wish, environment: Mapping[str, str]) -> Paths:
    if not wish.sources or wish.library is None:
        raise ConfigError(
            f"{printable(scope.config)}: there is no configuration yet: say "
            "--source DIR (what your phone syncs into) and --library DIR (where photos are filed)"
        )
    roots = tuple(dict.fromkeys(_absolute(each) for each in wish.sources))
    library = _absolute(wish.library)
    state = default_state(scope.config, environment, scope.places.etc, scope.places.var)
    if problems := list(_problems(roots, library, state)):
        raise ConfigError(*problems)
    return Paths(roots, library, state, None, new=True, ledger=None)


def _absolute(path: str) -> str:
    """POSIX keeps two slashes at the beginning, which mean nothing here."""
    return "/" + os.path.abspath(path).lstrip("/")


def _problems(roots: tuple[str, ...], library: str, state: str) -> Iterator[str]:
    for root in roots:
        if not os.path.exists(root):
            yield f"--source {printable(root)}: does not exist"
        elif not os.path.isdir(root):
            yield f"--source {printable(root)}: is no directory"
    shown = printable(library)
    if os.path.exists(library) and not os.path.isdir(library):
        yield f"--library {shown}: is no directory"
    elif not os.path.isdir(os.path.dirname(library)):
        above = printable(os.path.dirname(library))
        yield f"--library {shown}: {above} does not exist; make it, or is its disk not mounted?"
    named: dict[Path, str] = {("--source", number): root for number, root in enumerate(roots)}
    for key, problem in overlap.problems(named, library, state):
        option = {"library": "--library", "state": "the state directory"}.get(str(key[0]), key[0])
        yield printable(f"{option}: {problem}")
