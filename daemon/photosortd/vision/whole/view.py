"""Bytes to be judged: in memory, or a file of which only the needed parts are read."""

import os
from collections.abc import Callable


class ShortError(Exception):
    """The data ends before something that it announced."""


class FileView:
    """An open file as if it were bytes: `len` and slices. A movie is judged by a few reads."""

    def __init__(self, descriptor: int) -> None:
        """OSError if it cannot be looked at; slices may raise it too."""
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, step = part.indices(self._size)
        if step != 1:
            raise ValueError("only plain slices")
        chunks = []
        while start < stop and (chunk := os.pread(self._descriptor, stop - start, start)):
            chunks.append(chunk)
            start += len(chunk)
        return b"".join(chunks)


Data = bytes | FileView
Judge = Callable[[Data], str | None]


def take(data: Data, position: int, count: int) -> bytes:
    """`count` bytes from `position`. Raises ShortError if they are not all there."""
    if position < 0 or position + count > len(data):
        raise ShortError
    part = data[position : position + count]
    if len(part) != count:  # the file shrank meanwhile
        raise ShortError
    return part


def number(data: Data, position: int, count: int, order: str = "big") -> int:
    """An unsigned integer of `count` bytes."""
    return int.from_bytes(take(data, position, count), "little" if order == "little" else "big")
