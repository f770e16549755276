"""Which names are safe: of categories, which become directories, and of files in a bundle."""

import unicodedata
from collections.abc import Iterable

from photosortd.errors import BundleError
from photosortd.records import printable

MAX_CATEGORY_BYTES = 100  # room for a suffix within the 255 bytes of a file name
_RESERVED = frozenset({"none", "."})
_REFUSED = '"*:<>?|\\'
"""What FAT, exFAT, NTFS and Windows refuse in a name, besides control characters."""


def check_category(name: str, unsorted: str | None = None) -> None:
    """Refuse a category that is no safe directory name, or one that means something else.

    `unsorted` is the configured directory for photos without a category. Raises BundleError.
    """
    problem = _problem(name) or _reserved(name, unsorted)
    if problem:
        raise BundleError(f"category '{printable(name)}': {problem}")


def check_categories(names: Iterable[str]) -> None:
    """Each by itself, and no two that a case-insensitive file system takes for one."""
    seen: dict[str, str] = {}
    for name in names:
        check_category(name)
        earlier = seen.setdefault(folded(name), name)
        if earlier is not name:
            raise BundleError(f"categories '{earlier}' and '{name}' would share a directory")


def folded(name: str) -> str:
    """Equal for names that one of the usual file systems cannot tell apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _problem(name: str) -> str | None:
    if not name:
        return "is empty"
    if "/" in name:
        return "contains a slash"
    if refused := next((char for char in name if char in _REFUSED), None):
        return f"contains '{refused}', which exFAT, NTFS and Windows refuse in a name"
    if name.startswith("."):
        return "starts with a dot, which hides a directory"
    if name != name.strip() or name.endswith("."):
        return "starts or ends with a space, or ends with a dot, which some file systems drop"
    if not name.isprintable():
        return "contains a control character or bytes that are not UTF-8"
    if len(name.encode("utf-8")) > MAX_CATEGORY_BYTES:
        return f"is longer than {MAX_CATEGORY_BYTES} bytes"
    return None


def _reserved(name: str, unsorted: str | None) -> str | None:
    if folded(name) in _RESERVED:
        return "is reserved for photos of no category"
    if unsorted is not None and folded(name) == folded(unsorted):
        return "is the name of the unsorted directory"
    return None


def file_problem(name: str) -> str | None:
    """Why `name` is no plain relative path, or None. Nothing may lead out of a bundle."""
    parts = name.split("/")
    if not name.isprintable() or "\\" in name:
        return "contains a backslash, a control character or bytes that are not UTF-8"
    if any(part in ("", ".", "..") for part in parts):
        return "is not a plain relative path"
    if any(part.startswith(".") for part in parts):
        return "is hidden"
    if len(parts) > 4 or any(len(part.encode("utf-8")) > 255 for part in parts):
        return "is too deep or too long"
    return None
