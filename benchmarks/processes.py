"""What a process and its children have used, as /proc tells it; see proc(5)."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process with all of its threads, or of several together."""

    cpu: float = 0.0  # seconds, user and system
    rss: int = 0  # bytes; what processes share counts in each
    pss: int = 0  # bytes; what processes share is divided among them; 0 where not asked for
    read: int = 0  # bytes that had to be fetched from the disk
    written: int = 0  # bytes that are meant for the disk
    waits: int = 0  # voluntary context switches: each was followed by a wake-up

    def __add__(self, other: "Usage") -> "Usage":
        return self._with(other, 1)

    def since(self, earlier: "Usage") -> "Usage":
        """What was used meanwhile; of memory, how much more there is."""
        return self._with(earlier, -1)

    def _with(self, other: "Usage", sign: int) -> "Usage":
        return Usage(
            self.cpu + sign * other.cpu,
            self.rss + sign * other.rss,
            self.pss + sign * other.pss,
            self.read + sign * other.read,
            self.written + sign * other.written,
            self.waits + sign * other.waits,
        )


def usage(pid: int, pss: bool = True) -> Usage | None:
    """None if it is gone. `pss` walks its page tables: not for every tenth of a second."""
    process = Path(f"/proc/{pid}")
    try:
        times = (process / "stat").read_text().rpartition(")")[2].split()
        moved = dict(_pairs(process / "io"))
        return Usage(
            cpu=(int(times[11]) + int(times[12])) / _TICK,
            rss=int((process / "statm").read_text().split()[1]) * _PAGE,
            pss=_kilobytes(process / "smaps_rollup", "Pss") if pss else 0,
            read=int(moved["read_bytes"]),
            written=int(moved["write_bytes"]),
            waits=_waits(process),
        )
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(pid: int, pss: bool = True) -> dict[int, Usage]:
    """Of the process and all below it, by process id."""
    found = {}
    for each in (pid, *below(pid)):
        if (used := usage(each, pss)) is not None:
            found[each] = used
    return found


def together(used: Mapping[int, Usage]) -> Usage:
    return sum(used.values(), Usage())


def below(pid: int) -> Iterator[int]:
    """The children of a process, theirs, and so on."""
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread may have ended
            for child in map(int, tasks.read_text().split()):
                yield child
                yield from below(child)


def running_time(pid: int) -> float:
    """Seconds for which the threads that there are now have run, to the nanosecond."""
    lines = [each.read_text() for each in Path(f"/proc/{pid}").glob("task/*/schedstat")]
    return sum(int(line.split()[0]) for line in lines) / 1e9


def peak(pid: int) -> int:
    """The most bytes of memory that the process ever held, with pages of mapped files."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM")


def _waits(process: Path) -> int:
    """Of all threads that there are now; `status` itself tells of the first alone."""
    count = 0
    for status in process.glob("task/*/status"):
        with suppress(OSError):
            count += int(dict(_pairs(status))["voluntary_ctxt_switches"])
    return count


def _kilobytes(path: Path, name: str) -> int:
    return int(dict(_pairs(path)).get(name, "0 kB").split()[0]) << 10


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(errors="replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            yield name, value.strip()
