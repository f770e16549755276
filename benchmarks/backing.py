"""Memory as it is on a machine that has run for a while: full of files that may go.

A virtual machine gives memory that is free back to its host, and asks for each page anew when it is
touched: a copy of 2 MB has taken ten times as long. Memory that holds something is there.
"""

import itertools
from pathlib import Path

_LEFT = 256 << 20  # bytes that stay free: no write shall have to wait until something went
_CHUNK = 4 << 20
_NUMBERS = itertools.count()


def fill(directory: Path) -> None:
    """Read files of nothing but holes, as large as what is free. They stay in `directory`."""
    size = _free() - _LEFT
    if size <= 0:
        return
    path = directory / f"hole-{next(_NUMBERS)}"
    with path.open("wb") as stream:
        stream.truncate(size)
    buffer = bytearray(_CHUNK)
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass


def _free() -> int:
    """Bytes of memory that hold nothing."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(":", 1) for line in lines)["MemFree"].split()[0]) << 10
