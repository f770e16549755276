"""Bytes to be judged: in memory, or a file of which only the needed parts are read."""

import os
from collections.abc import Callable, Iterator


class ShortError(Exception):
    """The data ends before something that it announced."""


class Unnoticed(str):
    """A lack that decoders take for a part of the picture: it stands even when waiting ends."""

    __slots__ = ()


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


def blank(data: Data, start: int, stop: int, count: int) -> bool:
    """Whether this part ends with `count` zeros: so does a file that got its full size first."""
    return stop - start >= count and not any(take(data, stop - count, count))


_MOST_BOXES = 100_000


def boxes(data: Data, position: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of content and end of each box of ISO/IEC 14496-12; the end may lie beyond
    the data's."""
    for _ in range(_MOST_BOXES):
        if position + 8 > len(data):
            return  # up to seven bytes are left over: QuickTime ends lists with four zeros
        head = take(data, position, 8)
        size, kind, start = int.from_bytes(head[:4], "big"), head[4:], position + 8
        if size == 1:
            size, start = number(data, position + 8, 8), position + 16
        elif size == 0:
            size = len(data) - position
        if size < start - position:
            raise ShortError
        yield kind, start, position + size
        position += size
