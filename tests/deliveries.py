"""Photos of many kinds on their way into a source, with what goes wrong on such ways.

A Delivery is one writer's: where its photos lie whole, and where it is to bring them. A Lookout is
kept meanwhile: nothing may be seen in the library that is not whole.
"""

import hashlib
import io
import os
import random
import signal
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from auditing import Audit
from drawing import RED
from running import House, eventually

pillow_heif.register_heif_opener()

STALL = 0.6  # seconds; more than the settle.quiet of a House
FAULTS = (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)
XMP = b"http://ns.adobe.com/xap/1.0/\0"
MOTION = b'<rdf:Description GCamera:MicroVideo="1" GCamera:MicroVideoOffset="%d"/>'


def _saved(seed: int, format: str, **options: object) -> bytes:
    noise = np.random.default_rng(seed).normal(0, 14, (300, 400, 3)) + np.array(RED)
    image = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
    if options.get("save_all"):
        options["append_images"] = [image.rotate(180)]
    stream = io.BytesIO()
    image.save(stream, format=format, **options)
    return stream.getvalue()


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def _large(seed: int) -> bytes:
    """0.3 to 3 MB, most of it in comments before the picture."""
    dice, plain = random.Random(seed), _saved(seed, "JPEG")
    comments = (_segment(0xFE, dice.randbytes(60_000)) for _ in range(dice.randint(5, 48)))
    return plain[:2] + b"".join(comments) + plain[2:]


def _thumbnailed(seed: int) -> bytes:
    """With a whole JPEG inside its EXIF block, end marker and all."""
    plain = _saved(seed, "JPEG", quality=90)
    small = Image.open(io.BytesIO(plain)).resize((160, 120))
    stream = io.BytesIO()
    small.save(stream, "JPEG")
    return plain[:2] + _segment(0xE1, b"Exif\0\0" + stream.getvalue()) + plain[2:]


def _motion(seed: int) -> bytes:
    """With a movie behind it, as phones take them."""
    plain, movie = _saved(seed, "JPEG"), random.Random(seed).randbytes(80_000)
    return plain[:2] + _segment(0xE1, XMP + MOTION % len(movie)) + plain[2:] + movie


def _chunky(seed: int) -> bytes:
    """A PNG with a private chunk of half a megabyte."""
    plain = _saved(seed, "PNG")
    chunk = b"raNd" + random.Random(seed).randbytes(500_000)
    length, check = len(chunk) - 4, zlib.crc32(chunk)
    return plain[:33] + length.to_bytes(4, "big") + chunk + check.to_bytes(4, "big") + plain[33:]


KINDS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "JPEG": ("jpg", lambda seed: _saved(seed, "JPEG", quality=92)),
    "HEIC": ("heic", lambda seed: _saved(seed, "HEIF")),
    "large JPEG": ("jpg", _large),
    "PNG": ("png", lambda seed: _saved(seed, "PNG")),
    "JPEG with a thumbnail": ("jpg", _thumbnailed),
    "WebP": ("webp", lambda seed: _saved(seed, "WEBP", quality=92)),
    "progressive JPEG": ("jpg", lambda seed: _saved(seed, "JPEG", progressive=True)),
    "JPEG with a second image (MPF)": ("jpg", lambda seed: _saved(seed, "MPO", save_all=True)),
    "TIFF": ("tif", lambda seed: _saved(seed, "TIFF")),
    "motion photo": ("jpg", _motion),
    "large PNG": ("png", _chunky),
    "GIF": ("gif", lambda seed: _saved(seed, "GIF")),
    "compressed TIFF": ("tif", lambda seed: _saved(seed, "TIFF", compression="tiff_lzw")),
}  # fmt: skip
"""Every kind whose structure tells its end: {words: (extension, drawing from a seed)}."""


def draw_all(name: str, count: int, seed: int) -> dict[str, bytes]:
    """{name: bytes} of `count` photos, the kinds in turn, none like another."""
    kinds = list(KINDS.values())
    found = {}
    for number in range(count):
        extension, draw = kinds[(seed + number) % len(kinds)]
        found[f"{name}-{number:03}.{extension}"] = draw(1000 * seed + number)
    return found


@dataclass(slots=True)
class Delivery:
    """One writer's photos: whole in `stage`, to be brought to `goal` under the same names."""

    photos: dict[str, bytes]
    stage: Path
    goal: Path
    faults: int  # how often it is stalled or killed on its way
    dice: random.Random
    partial: int = 0  # how many incomplete photos lay there for longer than settle.quiet
    _whole: dict[str, tuple[int, ...]] = field(default_factory=dict)  # those known to be there

    def paths(self) -> list[str]:
        return [str(self.stage / name) for name in self.photos]

    def pace(self) -> int:
        """Bytes in a second at which there is time for every fault."""
        return int(sum(map(len, self.photos.values())) / (1 + self.faults))

    def run(self, *command: str, **more: object) -> None:
        """A program that is left alone."""
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=300, check=False, **more
        )  # type: ignore[call-overload]
        assert done.returncode == 0, (command, done.stdout[-500:], done.stderr[-500:])

    def disturbed(self, *command: str) -> None:
        """A program that is stopped for a while, or ended, and run again until it is through."""
        for number in range(self.faults):
            if self.attempt(command, FAULTS[number % len(FAULTS)]) is not None:
                return
        assert self.attempt(command) == 0, (command, self.told())

    def attempt(self, command: Sequence[str], number: int | None = None) -> int | None:
        """Run it once; its exit code, or None if it was ended by this signal."""
        with self.stage.with_suffix(".log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            if number is not None and self._meets(process, number):
                return None
            return process.wait(300)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _meets(self, process: "subprocess.Popen[bytes]", number: int) -> bool:
        """Let the fault happen; whether it ended the program."""
        moment = time.monotonic() + self.dice.uniform(0.1, 0.6)
        before = self.unfinished()
        while process.poll() is None:
            if time.monotonic() > moment and self.unfinished() - before:
                break  # in the middle of a photo
            if time.monotonic() > moment + 2.0:
                break
            time.sleep(0.005)
        if process.poll() is not None:
            return False
        os.killpg(process.pid, number)
        if number != signal.SIGSTOP:
            process.wait(30)
        self.lie()
        if number == signal.SIGSTOP:
            os.killpg(process.pid, signal.SIGCONT)
        return number != signal.SIGSTOP

    def told(self) -> str:
        """The last that its program said."""
        return self.stage.with_suffix(".log").read_text(errors="replace")[-500:]

    def unfinished(self) -> set[str]:
        """The photos that stand under their own names and are not whole."""
        return {name for name in self.photos if self._state_of(name) is False}

    def _state_of(self, name: str) -> bool | None:
        """Whether it is whole; None: it is not there."""
        path, data = self.goal / name, self.photos[name]
        try:
            stat = path.stat()
            seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
            if self._whole.get(name) == seen:
                return True
            if stat.st_size != len(data) or path.read_bytes() != data:
                return False
        except FileNotFoundError:
            return None
        self._whole[name] = seen
        return True

    def lie(self) -> None:
        """What is there stays as it is for longer than settle.quiet."""
        self.partial += len(self.unfinished())
        time.sleep(STALL)

    def is_there(self) -> bool:
        """Every photo, whole; read anew."""
        self._whole.clear()
        return all(self._state_of(name) for name in self.photos)


class Lookout:
    """Looks at the library again and again; each file in it is to be whole from its first sight."""

    def __init__(self, house: House, audit: Audit) -> None:
        self.house = house
        self.audit = audit
        self.glances = 0
        self._known: dict[str, tuple[int, ...]] = {}

    def glance(self) -> None:
        for name, path in self._files():
            with suppress(FileNotFoundError):
                stat = os.stat(path)
                seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
                if self._known.get(name) != seen:
                    assert path.read_bytes() == self.audit.expected.get(name), f"not whole: {name}"
                    self._known[name] = seen
        self.glances += 1

    def _files(self) -> Iterator[tuple[str, Path]]:
        for where, _, names in os.walk(self.house.library):
            for name in names:
                path = Path(where, name)
                if not name.startswith("."):
                    yield str(path.relative_to(self.house.library)), path

    def of_the_ledger(self) -> None:
        """No part of a photo was ever meant to be placed."""
        whole = {hashlib.sha256(data).hexdigest() for data in self.audit.expected.values()}
        rows = self.house.query("SELECT DISTINCT sha256, name FROM placement")
        partial = [name for sha256, name in rows if sha256 not in whole]
        assert not partial, f"was taken before it was whole: {partial[:5]}"


Deliver = Callable[[Delivery], None]


def deliver_all(
    house: House,
    audit: Audit,
    writers: dict[str, Deliver],
    count: int,
    faults: int,
    at_once: int = 6,
    seed: int = 0,
) -> dict[str, Delivery]:
    """Let every writer bring its photos beside a running daemon, and wait until all are filed."""
    under_way = {}
    for number, name in enumerate(writers, seed):
        stage, goal = house.base / "stage" / name, house.dcim / name
        stage.mkdir(parents=True)
        goal.mkdir(parents=True)
        photos = draw_all(name, count, number)
        for each, data in photos.items():
            (stage / each).write_bytes(data)
            audit.expected[f"red/{each}"] = data
        under_way[name] = Delivery(photos, stage, goal, faults, random.Random(number))
    lookout = Lookout(house, audit)
    with house.daemon(), ThreadPoolExecutor(at_once) as pool:
        jobs = [pool.submit(deliver, under_way[name]) for name, deliver in writers.items()]
        while not all(job.done() for job in jobs):
            lookout.glance()
            time.sleep(0.02)
        for job in jobs:
            job.result()
        for each in under_way.values():
            assert each.is_there(), each.goal
        audit.look_again()

        def all_there() -> bool:
            lookout.glance()
            return len(house.names()) == len(audit.expected)

        eventually(all_there, 60 + 0.5 * len(audit.expected), "everything is filed")
        eventually(house.is_idle, 60, "nothing is left to do")
    lookout.glance()
    lookout.of_the_ledger()
    audit.settled()
    return under_way
