"""Photos named by their paths, scored in workers, and what a contact sheet shows of each."""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from photosortd import build
from photosortd.records import Limits, Seen
from photosortd.vision.bundle import Bundle
from photosortd.vision.decide import decide
from photosortd.vision.sheet import Frame
from photosortd.vision.worker import Answer, Job, Workers

MOST_PICTURES = 2000
"""Photos with a picture on one sheet: some 20 MB. Those beyond stand there without one."""


@contextmanager
def workers_for(bundle: Bundle, files: int, limits: Limits) -> Iterator[Workers]:
    """Workers that have loaded the bundle, no more than there are files."""
    workers = Workers(str(bundle.path), min(files, build.automatic_workers()), 1, limits)
    try:
        workers.start()
        yield workers
    finally:
        workers.close()


def answers(
    workers: Workers, files: Sequence[str], pictures: int = 0
) -> Iterator[tuple[str, Answer]]:
    """Each file with its answer, in the order given; the first `pictures` with a thumbnail."""
    waiting = deque(enumerate(files))
    held: dict[int, int] = {}
    found: dict[int, Answer] = {}
    for number, file in enumerate(files):
        while number not in found:
            while waiting and workers.room():
                index, name = waiting.popleft()
                try:
                    held[index] = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                except OSError as error:
                    found[index] = Answer(index, unreadable=error.strerror or str(error))
                    continue
                workers.submit(Job(index, held[index], final=True, thumbnail=index < pictures))
            for answer in workers.collect(60.0) if held else ():
                os.close(held.pop(answer.job))
                found[answer.job] = answer
        yield file, found.pop(number)


def reason(answer: Answer) -> str:
    """Why a photo was not scored."""
    return answer.failed or answer.unreadable or answer.incomplete or "no answer"


def frame(
    name: str,
    answer: Answer,
    bundle: Bundle,
    thresholds: Mapping[str, float | None],
    margin: float,
) -> Frame:
    """What the sheet shows of one file."""
    if answer.seen is None:
        return Frame(name, reason=reason(answer))
    scores = dict(zip(bundle.names, answer.seen.scores, strict=True))
    verdict = decide(scores, thresholds, margin)
    return Frame(name, verdict, scores, picture=answer.thumbnail, about=about(answer.seen))


def about(seen: Seen) -> str:
    """'JPEG, 4032 × 3024, 2024-05-17 10:11'"""
    taken = f", {seen.taken:%Y-%m-%d %H:%M}" if seen.taken else ""
    return f"{seen.format}, {seen.width} × {seen.height}{taken}"


def below(files: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all files are in, and their names below it; '' if there is none."""
    absolute = [os.path.abspath(file) for file in files]
    folder = os.path.commonpath([os.path.dirname(file) for file in absolute])
    if folder == "/":
        return "", list(files)
    return folder, [os.path.relpath(file, folder) for file in absolute]
