"""What a worker does with one job before inference: read, hash, judge, decode."""

import hashlib
import os
import time
from dataclasses import dataclass, replace

from photosortd.errors import PhotoError
from photosortd.records import Limits, Seen
from photosortd.vision.decode import Picture, Pixels, decode, thumbnail
from photosortd.vision.whole import FileView, Unnoticed, missing, unwritten
from photosortd.vision.worker.protocol import Answer, Job

_CHUNK = 4 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """One job as far as it is known; `pixels` and `answer.seen` are set where it must be scored."""

    answer: Answer
    started: float
    pixels: Pixels | None = None

    def answered(self, scores: tuple[float, ...] = ()) -> Answer:
        """The final answer, with its time."""
        seen = self.answer.seen
        return replace(
            self.answer,
            seen=None if seen is None else replace(seen, scores=scores),
            seconds=round(time.monotonic() - self.started, 6),
        )


def look(job: Job, size: tuple[int, int], limits: Limits) -> Look:
    """Everything but the scores. `size` is the height and width of the model's input."""
    started = time.monotonic()
    lacks = tuple(_companion(descriptor, job.final) for descriptor in job.companions)
    answer = Answer(job.id, companions=lacks)
    if job.photo is None:
        return Look(answer, started)
    try:
        data = _read(job.photo, limits.file_size)
    except OSError as error:
        return Look(replace(answer, failed=f"cannot be read: {error.strerror}"), started)
    except PhotoError as error:
        return Look(replace(answer, unreadable=str(error)), started)
    except MemoryError:
        return Look(replace(answer, failed="not enough memory to read it"), started)
    incomplete = missing(data) or _hole(job.photo, job.final)
    if incomplete and (not job.final or isinstance(incomplete, Unnoticed)):
        return Look(replace(answer, incomplete=incomplete), started)
    try:
        picture = decode(data, *size, limits)
    except PhotoError as error:
        return Look(_undecoded(answer, incomplete, error), started)
    small = _thumbnail(data, picture, limits) if job.thumbnail else None
    seen = replace(answer, seen=_seen(data, picture), thumbnail=small)
    return Look(seen, started, picture.pixels)


def _undecoded(answer: Answer, incomplete: str | None, error: PhotoError) -> Answer:
    if isinstance(error.__cause__, MemoryError):
        # Not of the photo alone: another was in memory at the same time.
        return replace(answer, failed=str(error))
    return replace(answer, incomplete=incomplete, unreadable=str(error))


def _seen(data: bytes, picture: Picture) -> Seen:
    """Not yet scored."""
    digest = hashlib.sha256(data).hexdigest()
    return Seen(digest, picture.format, picture.width, picture.height, picture.taken, ())


def _thumbnail(data: bytes, picture: Picture, limits: Limits) -> bytes | None:
    """What is only shown may fail: the photo was seen all the same."""
    try:
        return thumbnail(data, picture, limits)
    except (PhotoError, MemoryError):
        return None


def _hole(descriptor: int, final: bool) -> str | None:
    """Room without content; in the end, zeros may have been made a hole of."""
    return None if final else unwritten(descriptor)


def _companion(descriptor: int, final: bool) -> str | None:
    try:
        return missing(FileView(descriptor)) or _hole(descriptor, final)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except MemoryError:
        return None  # too large to be judged


def _read(descriptor: int, most: int) -> bytes:
    """The whole file, once, so that what is hashed is what is decoded."""
    size = os.fstat(descriptor).st_size
    chunks: list[bytes] = []
    offset = 0
    while size <= most and (chunk := os.pread(descriptor, _CHUNK, offset)):
        chunks.append(chunk)
        offset += len(chunk)
        size = max(size, offset)
    if size > most:
        raise PhotoError(f"{size / 1e6:.0f} MB, the limit is {most / 1e6:.0f} MB")
    return b"".join(chunks)
