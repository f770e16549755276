"""Where in the library a shot of a category goes: the template `place.layout`. Pure.

A template is a relative path such as `{category}/{taken:%Y/%m}/{name}`. It is checked whole when
it is parsed, so that no date and no category can later lead out of the library, to a hidden
directory, or to a name that some file system refuses.
"""

import difflib
import re
import string
from dataclasses import dataclass
from datetime import datetime

DEFAULT = "{category}/{name}"

_FIELDS = ("category", "taken", "name")
_END = "/{name}"

# Numbers only: names of months depend on the locale, and %c, %x and %D bring slashes of their own.
_DIRECTIVES = "YymdHMSjGVu%"
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)

_REFUSED = frozenset('"*:<>?\\|')
"""What FAT, exFAT and Windows shares refuse in a name, besides control characters."""

_LONGEST = 255  # bytes of one name
_LONG_CATEGORY = "c" * 100  # the longest that a bundle may have
_SOME_DAY = datetime(2024, 12, 31, 23, 59, 58)  # noqa: DTZ001 - EXIF times have no zone


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a template: text (`field` is ''), or a field with its format."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A checked template; `parse` makes one."""

    template: str
    parts: tuple[Part, ...]  # without the final '/{name}'

    def directory(self, category: str, taken: datetime) -> str:
        """The directory below the library, always relative and inside it.

        Raises ValueError for a category that is no plain directory name.
        """
        # Text and formats were checked when they were parsed, and a date gives digits only.
        if not category or category.startswith(".") or "/" in category or "\0" in category:
            raise ValueError(f"no directory name: {category!r}")
        return "".join(_rendered(part, category, taken) for part in self.parts)


def parse(template: str) -> Layout:
    """Check a template. Raises ValueError, which says what is wrong with it and what to write."""
    if not template.endswith(_END):
        raise ValueError(f"must end with '{_END}', as in '{DEFAULT}'")
    layout = Layout(template, _parts(template.removesuffix(_END)))
    if not any(part.field == "category" for part in layout.parts):
        raise ValueError("must contain {category}, or all categories share one directory")
    for category in ("category", _LONG_CATEGORY):
        _check_components(layout.directory(category, _SOME_DAY))
    return layout


def _parts(template: str) -> tuple[Part, ...]:
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"the braces do not match: {error}") from None
    parts: list[Part] = []
    for text, field, spec, conversion in pieces:
        if text:
            parts.append(Part("", text))
        if field is not None:
            parts.append(_field(field, spec or "", conversion))
    return tuple(parts)


def _field(name: str, spec: str, conversion: str | None) -> Part:
    if name not in _FIELDS:
        near = difflib.get_close_matches(name, _FIELDS, 1)
        hint = f"did you mean {{{near[0]}}}?" if near else "there are {category}, {taken}, {name}"
        raise ValueError(f"unknown field {{{name}}}; {hint}")
    if name == "name":
        raise ValueError("{name} may stand only once, at the end")
    if conversion is not None or (name == "category" and spec):
        raise ValueError(f"{{{name}}} takes no such format")
    if name == "taken":
        _check_date_format(spec)
    return Part(name, spec)


def _check_date_format(spec: str) -> None:
    directives = _DIRECTIVE.findall(spec)
    if not directives:
        raise ValueError("{taken} needs a date format, as in {taken:%Y/%m}")
    for letter in directives:
        if letter not in _DIRECTIVES or not letter:
            known = " ".join(f"%{known}" for known in _DIRECTIVES if known != "%")
            raise ValueError(f"%{letter} cannot be used in {{taken:…}}; there are {known}")


def _rendered(part: Part, category: str, taken: datetime) -> str:
    if part.field == "category":
        return category
    if part.field == "taken":
        return taken.strftime(part.text)
    return part.text


def _check_components(directory: str) -> None:
    if directory.startswith("/"):
        raise ValueError("must be relative: it is a place in the library")
    for component in directory.split("/"):
        problem = _problem(component)
        if problem:
            raise ValueError(f"the directory '{component}' {problem}")


def _problem(component: str) -> str | None:
    if not component:
        return "is empty: there is a slash too many"
    if component.startswith("."):
        return "starts with a dot: it would be hidden, or lead elsewhere"
    if component != component.strip() or component.endswith("."):
        return "starts or ends with a space or a dot, which some file systems drop"
    if not component.isprintable():
        return "contains a control character"
    if refused := _REFUSED & set(component):
        return f"contains {' '.join(sorted(refused))}, which some file systems refuse"
    if len(component.encode("utf-8", "surrogateescape")) > _LONGEST:
        return f"is longer than {_LONGEST} bytes"
    return None
