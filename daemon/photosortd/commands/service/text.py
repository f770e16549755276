"""The configuration that `service install` writes where there is none. Pure."""

from collections.abc import Sequence

from photosortd.units.syntax import check

_TEXT = """\
# Written by `photosortd service install`. config.example.yaml explains the other keys.
# After a change of paths:     {install}
# After any other change:      {reload}

# The directories into which your phone syncs its photos. They are only ever read.
watch:
{roots}
# The directory that holds a directory for each category.
library: {library}
"""


def configuration(roots: Sequence[str], library: str, install: str, reload: str) -> str:
    """The whole file. Raises ConfigError for a path that the service could not be told."""
    listed = "".join(f"  - path: {_quoted(root)}\n" for root in roots)
    return _TEXT.format(install=install, reload=reload, roots=listed, library=_quoted(library))


def _quoted(path: str) -> str:
    """In YAML's double quotes; what YAML does not print, by its number."""
    return '"' + "".join(_character(char) for char in check(path)) + '"'


def _character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08x}"
