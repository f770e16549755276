"""Writing files so that a run that is cut off never leaves half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def write_whole(path: str | Path, data: bytes) -> None:
    """As `writing`, all at once."""
    with writing(path) as stream:
        stream.write(data)


@contextmanager
def writing(path: str | Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when all of it is written; its directory is made if
    need be. Raises OSError, which names `path` if it names none: a full disk says nothing else."""
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as stream:
            yield stream
        beside.replace(target)
    except BaseException as error:
        with suppress(FileNotFoundError, NotADirectoryError):
            beside.unlink()
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(target)
        raise
