"""Settings from the environment: PHOTOSORTD__place__mode=copy is `place: {mode: copy}`."""

from collections.abc import Mapping
from typing import Any

from photosortd.config.tree import NotYaml, Path, parse
from photosortd.records import printable

PREFIX = "PHOTOSORTD__"

_AS_WRITTEN = "thresholds"
"""Below this key stand the user's own names, whose case counts."""


def paths(environ: Mapping[str, str]) -> dict[str, Path]:
    """Each variable that is a setting, with the key path it names; the shorter paths first."""
    found = {
        name: _path(name[len(PREFIX) :].split("__"))
        for name in environ
        if name.upper().startswith(PREFIX)
    }
    return dict(sorted(found.items(), key=lambda item: (len(item[1]), item[0])))


def _path(words: list[str]) -> Path:
    head = words[0].lower()
    rest = words[1:] if head == _AS_WRITTEN else [word.lower() for word in words[1:]]
    return (head, *(int(word) if word.isdecimal() and head == "watch" else word for word in rest))


def apply(
    document: dict[str, Any], environ: Mapping[str, str]
) -> tuple[dict[Path, str], list[str]]:
    """Change `document` in place. Returns who set which path, and complaints."""
    origins: dict[Path, str] = {}
    problems: list[str] = []
    for name, path in paths(environ).items():
        problem = _apply(document, name, path, environ[name], origins)
        if problem:
            problems.append(f"{printable(name)}: {printable(problem)}")
    return origins, problems


def _apply(
    document: dict[str, Any], name: str, path: Path, text: str, origins: dict[Path, str]
) -> str | None:
    """Set one value; what is wrong, if it cannot be set."""
    if path in origins:
        return f"says the same as {origins[path]}: remove one of them"
    if "" in path:
        return f"names no key: write {PREFIX}place__mode, for example"
    try:
        value = parse(text)
    except NotYaml as error:
        return f"cannot be read: {error}"
    if value.problems:
        return f"cannot be read: {value.problems[0][2]}"
    if not _set(document, path, value.value):
        return "names a place that is not there: give the whole list or mapping"
    origins[path] = name
    return None


def _set(document: Any, path: Path, value: object) -> bool:
    for word in path[:-1]:
        if not _can_hold(document, word):
            return False
        if isinstance(document, dict) and document.get(word) is None:
            document[word] = {}
        document = document[word]
    if not _can_hold(document, path[-1]):
        return False
    document[path[-1]] = value
    return True


def _can_hold(container: object, word: str | int) -> bool:
    if isinstance(word, int):
        return isinstance(container, list) and word < len(container)
    return isinstance(container, dict)
