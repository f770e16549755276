"""From the file and the environment to a `Config`, or to every complaint at once."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from photosortd.config import overlap, overrides
from photosortd.config.complaints import complaints, line
from photosortd.config.find import ETC, VAR, default_state, find, named_file
from photosortd.config.paths import Bearings, home_of
from photosortd.config.schema import Document
from photosortd.config.tree import NotYaml, Path, Tree, parse
from photosortd.config.values import Config
from photosortd.errors import ConfigError
from photosortd.records import printable

LARGEST = 1 << 20
"""Bytes of a configuration file; a larger one is another kind of file."""

ENVIRONMENT = "environment"


def load(
    explicit: str | None, environ: Mapping[str, str], *, etc: str = ETC, var: str = VAR
) -> Config:
    """The configuration to use. Nothing that it names need exist.

    Without a file it may come from PHOTOSORTD__… variables alone. Raises ConfigError with every
    complaint.
    """
    file = _file(explicit, environ, etc)
    shown = printable(file) if file is not None else ENVIRONMENT
    tree = _read(file) if file is not None else Tree({})
    return _check(tree, file, shown, environ, default_state(file, environ, etc, var))


def _file(explicit: str | None, environ: Mapping[str, str], etc: str) -> str | None:
    try:
        return find(explicit, environ, etc)
    except ConfigError:
        if named_file(explicit, environ, etc) is None and overrides.paths(environ):
            return None
        raise


def _check(
    tree: Tree, file: str | None, shown: str, environ: Mapping[str, str], state: str
) -> Config:
    where = {path: f"{shown}:{number}" for path, number in tree.lines.items() if path}
    document: dict[str, Any] = {} if tree.value is None else tree.value
    origins, wrong_overrides = overrides.apply(document, environ)
    for path, name in origins.items():
        where = {there: at for there, at in where.items() if there[: len(path)] != path}
        where |= {path[:end]: name for end in range(1, len(path) + 1) if path[:end] not in where}
    problems = [line(f"{shown}:{n}", {}, path, text) for n, path, text in tree.problems]
    problems += wrong_overrides
    bearings = _bearings(file, environ)
    problems += [line(shown, where, *found) for found in _overlaps(document, bearings, state)]
    try:
        checked = Document.model_validate(document, context=bearings)
    except ValidationError as error:
        problems += complaints(error, where, shown)
    if problems:
        raise ConfigError(*_in_order(problems))
    return Config.of(checked, os.path.abspath(file) if file is not None else None, state)


def _bearings(file: str | None, environ: Mapping[str, str]) -> Bearings:
    base = os.path.dirname(os.path.abspath(file)) if file is not None else os.getcwd()
    return Bearings(base, home_of(environ))


def _overlaps(
    document: Mapping[str, Any], bearings: Bearings, state: str
) -> Iterator[tuple[Path, str]]:
    """Judged on what is usable, so that it is said together with what is wrong elsewhere."""

    def usable(value: object) -> str | None:
        try:
            return bearings.absolute(value) if isinstance(value, str) and value else None
        except ValueError:
            return None

    listed = document.get("watch")
    roots: dict[Path, str] = {}
    for number, root in enumerate(listed if isinstance(listed, list) else ()):
        if path := usable(root.get("path") if isinstance(root, dict) else None):
            roots["watch", number, "path"] = path
    given = document.get("state")
    yield from overlap.problems(
        roots, usable(document.get("library")), state if given is None else usable(given)
    )


def _in_order(problems: list[str]) -> list[str]:
    """By line; what has no line (missing keys, variables) comes last."""

    def key(problem: str) -> tuple[bool, int]:
        start = problem.split(": ", 1)[0].rpartition(":")[2]
        return (not start.isdecimal(), int(start) if start.isdecimal() else 0)

    return sorted(dict.fromkeys(problems), key=key)


def _read(file: str) -> Tree:
    shown = printable(file)
    text = _text(file, shown)
    try:
        tree = parse(text)
    except NotYaml as error:
        place = f"{shown}:{error.line}" if error.line else shown
        raise ConfigError(printable(f"{place}: is not valid YAML: {error}")) from None
    if tree.value is not None and not isinstance(tree.value, dict):
        raise ConfigError(
            f"{shown}:{tree.lines[()]}: must be a mapping of keys, such as `library: ~/Pictures`"
        )
    return tree


def _text(file: str, shown: str) -> str:
    try:
        with open(file, "rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror or error}") from error
    if len(data) > LARGEST:
        raise ConfigError(f"{shown}: larger than 1 MB: this is no configuration file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown}:{number}: is not UTF-8: save it as UTF-8") from None
