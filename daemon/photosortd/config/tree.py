"""YAML text → plain values, and where each of them stands. The only module that knows YAML.

Reads YAML more plainly than its version 1.1: `no`, `on` and `0640` are texts, as they look, and
every key is a text, so that a category may be called `no` or `2024`. Executes no tag.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml

MOST = 50_000
"""Values of a document. Aliases of aliases make billions of a few lines."""

Path = tuple[str | int, ...]
"""The keys and list positions that lead to a value: ('watch', 0, 'path')."""


class NotYaml(Exception):
    """The text cannot be parsed at all. `line` counts from 1; 0 if unknown."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(slots=True)
class Tree:
    """Values as YAML gave them, the line of each, and what is wrong with the text itself."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[tuple[int, Path, str]] = field(default_factory=list)
    values: int = 0  # how many there are, all levels together


class _Loader(yaml.SafeLoader):
    """Composes nodes only; its own table of what a plain word means."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML wants a class attribute


_NO_CHARACTER = "an escape that stands for no character"
_PLAIN = ("str", "seq", "map")
_NULL, _BOOL = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_KNOWN = {_NULL, _BOOL, _INT, _FLOAT, *(f"tag:yaml.org,2002:{kind}" for kind in _PLAIN)}

_Loader.add_implicit_resolver(_NULL, re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|false)\Z", re.I), list("tTfF"))
_Loader.add_implicit_resolver(_INT, re.compile(r"[-+]?(?:0|[1-9]\d*)\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(r"[-+]?(?:\.\d+|\d+\.\d*|\d+(?=[eE]))(?:[eE][-+]?\d+)?\Z"),
    list("-+.0123456789"),
)


def parse(text: str) -> Tree:
    """The one document in `text`; its value is None if there is nothing in it. Raises NotYaml."""
    tree = Tree()
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        except (ValueError, OverflowError):  # PyYAML makes a character of any "\UFFFFFFFF"
            raise NotYaml(loader.line + 1, _NO_CHARACTER) from None
        finally:
            loader.dispose()
        if node is not None:
            tree.value = _build(node, (), tree, ())
    except RecursionError:
        raise NotYaml(0, "is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        raise _marked(error) from None
    except yaml.reader.ReaderError as error:
        raise _unreadable(error, text) from None
    return tree


def _build(node: yaml.Node, path: Path, tree: Tree, above: tuple[yaml.Node, ...]) -> Any:
    tree.lines.setdefault(path, node.start_mark.line + 1)
    if any(node is parent for parent in above):
        raise NotYaml(node.start_mark.line + 1, "an alias that refers to itself")
    tree.values += 1
    if tree.values > MOST:
        raise NotYaml(node.start_mark.line + 1, f"more than {MOST:,} values: aliases of aliases?")
    if node.tag not in _KNOWN:
        line = node.start_mark.line + 1
        tree.problems.append((line, path, f"the tag {node.tag} is not known here"))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, tree, (*above, node))
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(item, (*path, index), tree, (*above, node))
            for index, item in enumerate(node.value)
        ]
    return _scalar(node)


def _mapping(
    node: yaml.MappingNode, path: Path, tree: Tree, above: tuple[yaml.Node, ...]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            tree.problems.append((line, path, "a key must be one word; quote it if it is a text"))
            continue
        _check_text(key_node)
        here = (*path, key_node.value)
        if key_node.value in result:
            tree.problems.append((line, here, f"is there twice, first in line {tree.lines[here]}"))
            continue
        tree.lines[here] = line
        result[key_node.value] = _build(value_node, here, tree, above)
    return result


def _check_text(node: yaml.Node) -> None:
    """Half of a surrogate pair can be escaped, but is no text, and no name of a file."""
    if any("\ud800" <= char <= "\udfff" for char in node.value):
        raise NotYaml(node.start_mark.line + 1, _NO_CHARACTER)


def _scalar(node: yaml.Node) -> Any:
    _check_text(node)
    text: str = node.value
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL:
        return text.lower() == "true"
    with suppress(ValueError):  # a tag may say so of any text: `!!int ten`
        if node.tag == _INT:
            return int(text) if len(text) < 100 else text
        if node.tag == _FLOAT:
            return float(text)
    return text


def _marked(error: yaml.MarkedYAMLError) -> NotYaml:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "is not valid YAML"
    if "\\t" in problem:
        problem = "a tab at the start of a line or value: YAML wants spaces"
    if error.context:
        problem = f"{problem} ({error.context})"
    return NotYaml(mark.line + 1 if mark else 0, problem)


def _unreadable(error: yaml.reader.ReaderError, text: str) -> NotYaml:
    line = text.count("\n", 0, error.position) + 1
    return NotYaml(line, f"a character that YAML does not allow: U+{ord(text[error.position]):04X}")
