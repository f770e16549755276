"""pydantic's findings → one line each: where, which key, what is wrong, and the nearest name."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from photosortd.config.schema import Document
from photosortd.config.tree import Path
from photosortd.records import printable

_MISSING = {
    "watch": "needed: the directories to watch, such as [{path: ~/DCIM}]",
    "library": "needed: the directory that holds the categories, such as ~/Pictures/sorted",
    "path": "needed: the directory to watch",
}

_WORDS = {
    "string_type": "must be a text (put quotes around it)",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list, such as [{example}]",
    "too_short": "must not be empty",
    "dict_type": "must be a mapping, such as {{default: 0.5}}",
    "model_type": "must be a mapping with the keys {keys}",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "less_than_equal": "must be at most {le}",
    "greater_than_equal": "must be at least {ge}",
}


def complaints(error: ValidationError, where: Mapping[Path, str], file: str) -> list[str]:
    """One line for each finding, in the order of the file."""
    findings = error.errors(include_url=False)
    # A list whose only entries are wrong counts as empty: that would be said twice.
    deeper = {finding["loc"][:end] for finding in findings for end in range(len(finding["loc"]))}
    return [
        line(file, where, _path(finding), _words(finding))
        for finding in findings
        if finding["type"] != "too_short" or finding["loc"] not in deeper
    ]


def line(file: str, where: Mapping[Path, str], path: Path, problem: str) -> str:
    """`where: key path: problem`, on one line; the nearest known place above if need be."""
    places = (where[path[:end]] for end in range(len(path), 0, -1) if path[:end] in where)
    shown = "".join(f"[{word}]" if isinstance(word, int) else f".{word}" for word in path)
    parts = [next(places, file), shown.lstrip("."), problem]
    return printable(": ".join(part for part in parts if part))


def _path(finding: ErrorDetails) -> Path:
    path: Path = finding["loc"]
    # pydantic marks a complaint about a mapping's key in its own way.
    return path[:-1] if path and path[-1] == "[key]" else path


def _words(finding: ErrorDetails) -> str:
    path, kind, context = finding["loc"], finding["type"], finding.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; {_hint(path)}"
    if kind == "missing":
        return _MISSING.get(str(path[-1]), "needed")
    if kind in ("enum", "literal_error"):
        return _choice(path, finding["input"])
    if kind == "value_error":
        return str(context["error"])
    if kind in _WORDS:
        keys = ", ".join(_model(path).model_fields)
        example = "{path: ~/DCIM}" if path == ("watch",) else "'*.gif'"
        return _WORDS[kind].format(**{"keys": keys, "example": example, **context})
    return finding["msg"]


def _hint(path: Path) -> str:
    """The nearest valid name, here or in another section; else all that are valid here."""
    word, names = str(path[-1]).lower(), list(_model(path[:-1]).model_fields)
    elsewhere = [name for name in _all_names() if name.split(".")[-1] == word]
    here = [word] if word in names else []
    for near in (here, elsewhere, difflib.get_close_matches(word, names, 1)):
        if near:
            return f"did you mean {near[0]}?"
    return f"valid here: {', '.join(names)}"


def _choice(path: Path, given: object) -> str:
    choices = _choices(_model(path[:-1]).model_fields[str(path[-1])].annotation)
    near = difflib.get_close_matches(str(given).lower(), choices, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"must be one of {', '.join(choices)}{hint}"


def _choices(annotation: Any) -> Sequence[str]:
    if isinstance(annotation, type):
        return [str(member.value) for member in annotation]  # type: ignore[attr-defined]
    return [str(choice) for choice in get_args(annotation)]


def _model(path: Path) -> type[BaseModel]:
    """The section that a path leads to or, for a path beyond, the last on the way."""
    model: type[BaseModel] = Document
    for word in path:
        if isinstance(word, str) and word in model.model_fields:
            model = _section(model.model_fields[word].annotation) or model
    return model


def _section(annotation: Any) -> type[BaseModel] | None:
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _all_names(model: type[BaseModel] = Document, above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield above + name
        if section := _section(field.annotation):
            listed = "[]" if get_args(field.annotation) else ""
            yield from _all_names(section, f"{above}{name}{listed}.")
