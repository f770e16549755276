"""The names of a shot's files in a category: one suffix for all of them. Pure.

`IMG_1.HEIC`, `IMG_1.MOV` and `IMG_1.HEIC.xmp` become `IMG_1-1.HEIC`, `IMG_1-1.MOV` and
`IMG_1-1.HEIC.xmp`, so that what belongs together still sorts and reads together.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_REFUSED = frozenset('"*:<>?\\|')
"""What FAT, exFAT and Windows refuse in a name, besides control characters."""


_NUMBER = re.compile(r"-[1-9][0-9]*\Z")


@dataclass(frozen=True, slots=True)
class Rules:
    """Which names a file system takes."""

    longest: int = 255  # bytes
    any_char: bool = True  # False: not `: ? *` and their like
    any_byte: bool = True  # False: only valid UTF-8
    case_sensitive: bool = True


_KINDS = tuple(
    Rules(any_char=any_char, any_byte=any_byte)
    for any_char in (True, False)
    for any_byte in (True, False)
)


def names_for(
    names: Sequence[str],
    photo: str,
    suffix: str,
    rules: Rules = Rules(),
    refused: Callable[[int, str], bool] = lambda index, name: False,
) -> tuple[str, ...]:
    """The name of each file of the shot whose photo is (or was) called `photo`, with `suffix`.

    The result is free of doubles: two names that fall together there (by case, by a replaced
    character, by being shortened) are told apart by a number of their own. So is a name that
    `refused` will not have for the file of that index.
    """
    stem = os.path.splitext(photo)[0]
    keep = min((_room(name, stem, suffix, rules) for name in names), default=0)
    given: list[str] = []
    taken: set[str] = set()
    for index, name in enumerate(names):
        for extra in _extras():
            new = _one(name, stem, suffix + extra, keep, rules)
            if _folded(new, rules) not in taken and not refused(index, new):
                break
        taken.add(_folded(new, rules))
        given.append(new)
    return tuple(given)


def suffixes(first: str | None = None) -> Iterator[str]:
    """'', '-1', '-2', …; or `first` and then what follows it in that row."""
    number = 0
    if first is not None:
        yield first
        tail = first.removeprefix("-")
        number = int(tail) + 1 if tail.isascii() and tail.isdecimal() else 1
    if number == 0:
        yield ""
        number = 1
    while True:
        yield f"-{number}"
        number += 1


def suffix_of(original: str, placed: str) -> str | None:
    """The suffix that made `placed` of a photo called `original`; None if none did."""
    stem = os.path.splitext(placed)[0]
    tails = [_NUMBER.search(each) for each in (stem, stem.removesuffix("_"))]  # as `_ended` puts it
    for suffix in ("", *(tail.group() for tail in tails if tail)):
        for rules in _KINDS:
            if names_for([original], original, suffix, rules) == (placed,):
                return suffix
    return None


def _extras() -> Iterator[str]:
    yield ""
    number = 2
    while True:
        yield f"~{number}"
        number += 1


def _one(name: str, stem: str, suffix: str, keep: int, rules: Rules) -> str:
    own, rest = _divided(name, stem)
    shortened = _allowed(own, rules)[:keep]
    rest = _allowed(rest, rules)
    shortened = shortened[: _fitting(shortened, suffix + rest, rules)]
    while len(os.fsencode(shortened + suffix + rest)) > rules.longest:
        rest = rest[1:]  # an extension of 250 bytes is none
    return _ended(shortened + suffix + rest, rules)


def _room(name: str, stem: str, suffix: str, rules: Rules) -> int:
    """How many characters of the shot's stem this name can keep: all names keep as many."""
    own, rest = _divided(name, stem)
    if own.lower() != stem.lower():
        return max(len(stem), len(own))
    fitting = _fitting(_allowed(own, rules), suffix + _allowed(rest, rules), rules)
    return max(len(stem), len(own)) if fitting == len(own) else fitting


def _fitting(own: str, rest: str, rules: Rules) -> int:
    length = len(own)
    while length > 1 and len(os.fsencode(own[:length] + rest)) > rules.longest:
        length -= 1
    return length


def _divided(name: str, stem: str) -> tuple[str, str]:
    """Where the suffix goes: after the photo's stem, else before the extension."""
    if stem and name[: len(stem)].lower() == stem.lower():
        return name[: len(stem)], name[len(stem) :]
    return os.path.splitext(name)


def _allowed(part: str, rules: Rules) -> str:
    return "".join("_" if _refused(char, rules) else char for char in part)


def _refused(char: str, rules: Rules) -> bool:
    if not rules.any_byte and "\ud800" <= char <= "\udfff":
        return True
    return not rules.any_char and (char in _REFUSED or char < " " or char == "\x7f")


def _ended(name: str, rules: Rules) -> str:
    """Windows' file systems drop a dot or a space at the end of a name."""
    if rules.any_char or name[-1:] not in (".", " "):
        return name
    return name[:-1] + "_"


def _folded(name: str, rules: Rules) -> str:
    return name if rules.case_sensitive else name.upper()
