"""Nothing leads out: no link, no name, no special file, and nobody who swaps them meanwhile."""

import os
import socket
import stat
import unicodedata
from contextlib import suppress
from pathlib import Path

import pytest

from auditing import Audit
from drawing import GREEN, draw_photo
from outside import guarded
from running import House, eventually
from torture.conftest import Effort, Figures

NAMES = [
    "two\nlines.jpg",
    "\x1b[2J\x1b]0;owned\x07.jpg",
    "tab\tand\rreturn.jpg",
    "right\u202eto\u2066left.jpg",
    "\udcff\udcfe.jpg",
    "-rf.jpg",
    "--help.jpg",
    "dots...jpg",
    "space .jpg",
    " space.jpg",
    "back\\slash.jpg",
    "$(touch pwned)`id`.jpg",
    "%s%n{category}{name}.jpg",
    "'; DROP TABLE version; --.jpg",
    "*?[a].jpg",
    "con.jpg",
    unicodedata.normalize("NFC", "é.jpg"),
    unicodedata.normalize("NFD", "é.jpg"),
    "A.jpg",
    "a.jpg",
    "\U0001f600" * 62 + "abc.jpg",
]  # fmt: skip


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Somebody's private photos, which are nobody's business."""
    directory = tmp_path / "outside"
    (directory / "deeper").mkdir(parents=True)
    for number in range(4):
        (directory / f"{number}.jpg").write_bytes(draw_photo(GREEN, seed=1000 + number))
    (directory / "deeper" / "own.jpg").write_bytes(draw_photo(GREEN, seed=2000))
    (directory / "patterns").write_text("*.jpg\n")
    return directory


def test_links_and_special_files(house: House, outside: Path, figures: Figures) -> None:
    source = house.dcim
    expected = {"red/real.jpg": house.photo("real.jpg", seed=1)}
    links = {
        "file.jpg": outside / "0.jpg",
        "relative.jpg": Path("../outside/1.jpg"),
        "album": outside,
        "deep": outside / "deeper",
        "up": Path(".."),
        "loop": Path("."),
        "itself.jpg": Path("itself.jpg"),
        "dangling.jpg": Path("nowhere.jpg"),
        "passwd.jpg": Path("/etc/passwd"),
        "library": house.library,
        "state": house.state,
        "inside.jpg": Path("real.jpg"),
        "proc": Path("/proc/self/root"),
    }
    for name, target in links.items():
        (source / name).symlink_to(target)
    os.mkfifo(source / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "socket.jpg"))
    if os.geteuid() == 0:
        os.mknod(source / "device.jpg", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    os.link(source / "real.jpg", source / "second.jpg")
    for number, what in enumerate(("fifo", "link", "directory")):
        name = f"{what}.jpg"
        expected[f"red/{name}"] = house.photo(f"ignoring-{what}/{name}", seed=9 + number)
        path = source / f"ignoring-{what}" / ".photosortdignore"
        if what == "fifo":
            os.mkfifo(path)
        elif what == "link":
            path.symlink_to(outside / "patterns")
        else:
            path.mkdir()
    (outside / "2.jpg").chmod(0)
    audit = Audit(house, expected)
    with guarded(outside), house.daemon() as running:
        eventually(lambda: len(house.names()) >= len(expected) and house.is_idle())
        assert [fd for fd in opened_by(running.pid) if fd.startswith(str(source))] == []
        audit.settled()
        assert house.outcomes() == {"placed": len(expected), "duplicate": 1}
    figures.add(
        "escape",
        "a source full of links out of it, FIFOs, sockets and devices: none opened, none followed",
        len(links) + 6,
        len(expected),
    )


def opened_by(pid: int) -> list[str]:
    """What every descriptor of a process leads to."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(os.readlink(each))
    return found


def test_names_that_attack_terminals_shells_and_databases(
    house: House, effort: Effort, figures: Figures
) -> None:
    expected = {f"red/{name}": house.photo(name, seed=n) for n, name in enumerate(NAMES)}
    audit = Audit(house, expected)
    bad = house.dcim / "bad\x1b[31m\n.jpg"
    bad.write_bytes(b"no photo at all")
    audit.look_again()
    with house.daemon() as running:
        eventually(lambda: len(house.names()) >= len(expected) and house.is_idle())
        said = running.said()
    said += house.run("status").stdout + house.run("status", "--json").stdout
    asked = [bad, *(house.dcim / name for name in NAMES[: effort.of(1, len(NAMES))])]
    for path in asked:
        done = house.run("why", str(path))
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    said += house.run("undo", "--last", "--dry-run").stdout
    for arguments in (
        ["retry", "--failed", str(bad)],
        ["why", f"{bad}x"],
        ["retry", f"/x{bad}"],
        ["classify", str(bad)],
    ):
        done = house.run(*arguments)
        said += done.stdout + done.stderr
    odd = [line for line in said.splitlines() if not line.isprintable()]
    assert odd == [], odd
    assert "\\x1b[31m\\n.jpg" in said
    house.once()
    audit.settled()
    audit.undone()
    figures.add("escape", "names with line ends, terminal escapes, shell and SQL", 1, len(expected))
