"""How values are written in a unit file, and read back from one (see systemd.syntax(7)). Pure."""

import string
from collections.abc import Iterator, Mapping

from photosortd.errors import ConfigError, WorldError
from photosortd.records import printable

_PLAIN = frozenset(string.ascii_letters + string.digits + ":_.")
_SPECIFIERS = frozenset("aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY%")
_LONGEST_NAME = 255  # of a unit

_EMPTY_IS_A_VALUE = frozenset({"CapabilityBoundingSet", "AmbientCapabilities"})
"""Elsewhere an empty assignment takes back what was said before; here it means: none at all."""


def check(path: str) -> str:
    """The path itself. Raises ConfigError for one that no unit file can hold."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigError(
            f"{printable(path)}: is not UTF-8, which systemd cannot be told; rename the directory"
        ) from None
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        raise ConfigError(
            f"{printable(path)}: holds a line break or another control character, which systemd "
            "cannot be told; rename the directory"
        )
    return path


def quoted(text: str) -> str:
    """One word of a list. A colon needs no more than the quotes."""
    # What lists of paths and lists of variables read alike: which escapes they know differs.
    text = check(text).replace("\\", "\\\\").replace("%", "%%")
    if '"' not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace('"', '\\"') + '"'


def words(text: str) -> list[str]:
    """The words of a list, without quotes and escapes; specifiers stand as they are."""
    found: list[str] = []
    word: str | None = None
    quote = ""
    letters = iter(text)
    for char in letters:
        if char == "\\":
            word = (word or "") + next(letters, "")
        elif char == quote:
            quote = ""
        elif not quote and char in "\"'":
            quote, word = char, word or ""
        elif not quote and char in " \t":
            found += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + char
    return found if word is None else [*found, word]


def mount_unit(point: str) -> str | None:
    """The mount unit of a mount point, as `systemd-escape -p --suffix=mount` names it.

    None if the name would be too long for a unit.
    """
    inner = "/".join(part for part in point.split("/") if part)
    if not inner:
        return "-.mount"
    data = inner.encode("utf-8", "surrogateescape")
    escaped = "".join(_escaped(byte, first=number == 0) for number, byte in enumerate(data))
    name = f"{escaped}.mount"
    return name if len(name) <= _LONGEST_NAME else None


def _escaped(byte: int, first: bool) -> str:
    char = chr(byte)
    if char == "/":
        return "-"
    return char if char in _PLAIN and not (first and char == ".") else f"\\x{byte:02x}"


def assignments(text: str, section: str = "Service") -> list[tuple[str, str]]:
    """What holds in the end of a unit and its drop-ins, one after the other, in their order."""
    found: list[tuple[str, str]] = []
    here = ""
    for line in _lines(text):
        if line.startswith("["):
            here = line.strip("[]")
        elif here == section and "=" in line:
            key, _, value = (part.strip() for part in line.partition("="))
            if not value:
                found = [each for each in found if each[0] != key]
            if value or key in _EMPTY_IS_A_VALUE:
                found.append((key, value))
    return found


def _lines(text: str) -> Iterator[str]:
    """Without comments; a line that ends in a backslash goes on in the next."""
    before = ""
    for line in text.split("\n"):
        if line.lstrip().startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            before += line[:-1] + " "
        else:
            yield (before + line).strip()
            before = ""


def resolved(text: str, specifiers: Mapping[str, str]) -> str:
    """The text with its specifiers (%i, %h …) filled in; a `%` that is none of them stays.

    Raises WorldError for one of systemd's that is not known here.
    """
    result, letters = "", iter(text)
    for char in letters:
        if char != "%":
            result += char
            continue
        name = next(letters, "")
        if name in _SPECIFIERS and name not in specifiers:
            raise WorldError(
                f"%{name} in '{printable(text)}' cannot be resolved outside of a unit: "
                "write there what it stands for"
            )
        result += specifiers.get(name, f"%{name}")
    return result


def specifiers(unit: str) -> dict[str, str]:
    """What the specifiers of a system unit stand for, as far as the sandbox may need them."""
    name = unit.rpartition(".")[0]
    prefix, _, instance = name.partition("@")
    names = {"n": unit, "N": name, "p": prefix, "i": instance, "I": instance.replace("-", "/")}
    directories = {"E": "/etc", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "t": "/run"}
    root = {"h": "/root", "u": "root", "U": "0", "T": "/tmp", "V": "/var/tmp"}
    return {"%": "%"} | names | directories | root


def user_specifiers(unit: str, home: str, name: str, uid: int) -> dict[str, str]:
    """The same for a unit of a user's manager."""
    own = {"h": home, "u": name, "U": str(uid), "t": f"/run/user/{uid}"}
    state = {"E": f"{home}/.config", "S": f"{home}/.local/state", "C": f"{home}/.cache"}
    return {**specifiers(unit), **own, **state, "L": f"{home}/.local/state/log"}
