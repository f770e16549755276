"""Writing files so that a run that is cut off never leaves half of one."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def write_whole(path: str | Path, data: bytes) -> None:
    """As `writing`, all at once."""
    with writing(path) as stream:
        stream.write(data)


@contextmanager
def writing(path: str | Path, sync: bool = False) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when all of it is written; its directory is made if
    need be. With `sync` it is on the disk before it has its name: what hours went into is not lost
    to a power failure. Raises OSError, which names `path` if it names none: a full disk says
    nothing else."""
    target = Path(path)
    own = f"{os.getpid()}-{threading.get_native_id()}"  # two threads may write the same file
    beside = target.with_name(f".{target.name}.{own}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as stream:
            yield stream
            if sync:
                stream.flush()
                os.fsync(stream.fileno())
        beside.replace(target)
    except BaseException as error:
        with suppress(FileNotFoundError, NotADirectoryError):
            beside.unlink()
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(target)
        raise
