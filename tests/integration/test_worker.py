"""Worker processes: what they answer, and that nothing which happens to them loses a photo."""

import base64
import errno
import hashlib
import io
import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photosortd.commands import cli
from photosortd.commands import run as run_module
from photosortd.errors import BundleError, WorldError
from photosortd.records import Limits, Seen
from photosortd.vision import MAX_THUMBNAIL
from photosortd.vision.bundle import Category, write_bundle
from photosortd.vision.decide import decide
from photosortd.vision.worker import (
    Answer,
    Job,
    Workers,
    crew,
    fingerprint,
    pool,
    process,
    selftest,
)
from photosortd.vision.worker.protocol import (
    ProtocolError,
    answer_of,
    answer_packet,
    categories_of,
    job_of_packet,
    job_packet,
    pack,
    unpack,
)
from running import stand_still, state_of

TINY = str(Path(__file__).resolve().parents[1] / "assets" / "tiny-bundle")
NAMES = ("red", "green", "blue")


@pytest.fixture
def opened(tmp_path) -> Iterator:
    """opened(bytes) → a descriptor of a file with that content, closed at the end."""
    descriptors = []

    def open_(content):
        path = tmp_path / f"file{len(descriptors)}"
        path.write_bytes(content)
        descriptors.append(os.open(path, os.O_RDONLY))
        return descriptors[-1]

    yield open_
    for descriptor in descriptors:
        os.close(descriptor)


@contextmanager
def running(count=1, bundle=TINY, express=False, **limits):
    before = descriptors(), children()
    workers = Workers(bundle, count, 1, Limits(**limits), express)
    try:
        workers.start()
        yield workers
    finally:
        workers.close()
    assert (descriptors(), children()) == before


@pytest.fixture(scope="module")
def shared_worker():
    workers = Workers(TINY, 1, 1, Limits(file_size=1 << 20))
    workers.start()
    yield workers
    workers.close()


def descriptors():
    """Open sockets and pipes; the photos of a test stay open until its end."""
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that listed them
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sorted(link for link in links if not link.startswith("/"))


def children():
    """Processes of ours that are alive or not yet reaped."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return path.read_text().split()


def collected(workers, count, seconds=60.0):
    answers, until = [], time.monotonic() + seconds
    while len(answers) < count:
        assert time.monotonic() < until, f"only {answers}"
        answers += workers.collect(1.0)
    return sorted(answers, key=lambda answer: answer.job)


def one_behind(workers, job):
    workers.submit(job, behind=True)
    return collected(workers, 1)[0]


def one(workers, job):
    workers.submit(job)
    return collected(workers, 1)[0]


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def until_begun(workers, job):
    """Until the child has said that it works on this job, without taking an answer."""
    tasks = [task for slot in workers._slots for task in slot.tasks.values() if task.job.id == job]
    until(lambda: tasks[0].begun is not None or workers._listen(0.01, None))


def slow_png(side=9000):
    """Whole, small on disk, and about a second of work."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = zlib.compressobj(1)
    row = b"\0" + bytes((220, 40, 40)) * side
    body = b"".join(rows.compress(row) for _ in range(side)) + rows.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body) + chunk(b"IEND", b"")


SLOW = slow_png()
HANGS = b"\xff\xd8" + b"\xff\xe1\0\2" * 8_000_000  # segments without end: ten seconds of walking


# What it answers


def test_a_photo_is_hashed_decoded_dated_and_scored(shared_worker, opened, draw_photo):
    exif = Image.Exif()
    exif[306] = "2024:05:17 10:11:12"
    data = draw_photo((220, 40, 40), exif=exif)
    answer = one(shared_worker, Job(7, opened(data)))
    assert answer.job == 7
    assert (answer.incomplete, answer.unreadable, answer.failed) == (None, None, None)
    assert answer.seen.sha256 == hashlib.sha256(data).hexdigest()
    assert (answer.seen.format, answer.seen.width, answer.seen.height) == ("JPEG", 320, 240)
    assert answer.seen.taken == datetime(2024, 5, 17, 10, 11, 12)
    assert 0 < answer.seconds < 30
    assert answer.seen.scores == pytest.approx((0.987, 0.016, 0.016), abs=0.01)


@pytest.mark.parametrize(
    ("color", "labels", "near"),
    [
        ((220, 40, 40), ("red",), ()),
        ((40, 220, 40), ("green",), ()),
        ((40, 40, 220), ("blue",), ()),
        ((220, 40, 220), ("red", "blue"), ()),
        ((60, 60, 60), (), ()),
        ((124, 40, 40), (), ("red",)),
    ],
)
def test_drawn_colours_get_the_labels_that_other_tests_rely_on(
    shared_worker, opened, draw_photo, color, labels, near
):
    answer = one(shared_worker, Job(1, opened(draw_photo(color))))
    scores = dict(zip(NAMES, answer.seen.scores, strict=True))
    verdict = decide(scores, dict.fromkeys(NAMES, 0.5), margin=0.1)
    assert (verdict.categories, verdict.near) == (labels, near)


def test_the_descriptor_is_read_from_its_start_and_left_alone(shared_worker, opened, draw_photo):
    data = draw_photo()
    descriptor = opened(data)
    os.lseek(descriptor, 100, os.SEEK_SET)
    assert one(shared_worker, Job(1, descriptor)).seen.sha256 == hashlib.sha256(data).hexdigest()
    assert os.lseek(descriptor, 0, os.SEEK_CUR) == 100


def upper_left_red(size=(1200, 800)):
    """Green, and red in the upper left quarter: what is not upright shows it."""
    image = Image.new("RGB", size, (30, 200, 30))
    image.paste((200, 30, 30), (0, 0, size[0] // 2, size[1] // 2))
    return image


LAID = (None, *(Image.Transpose(turn) for turn in (0, 3, 1, 5, 2, 6, 4)))
"""How a camera stores what is to be shown by EXIF orientations 1 to 8."""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_thumbnail_is_a_small_upright_jpeg_without_what_the_camera_wrote(
    shared_worker, opened, orientation
):
    turn, exif, stream = LAID[orientation - 1], Image.Exif(), io.BytesIO()
    exif[274], exif[271] = orientation, "A camera that tells"
    shown = upper_left_red()
    (shown if turn is None else shown.transpose(turn)).save(stream, "JPEG", exif=exif)
    plain = one(shared_worker, Job(1, opened(stream.getvalue())))
    answer = one(shared_worker, Job(2, opened(stream.getvalue()), thumbnail=True))
    assert plain.thumbnail is None
    assert answer.seen == plain.seen
    assert len(answer.thumbnail) < 10_000
    assert b"A camera" not in answer.thumbnail
    small = Image.open(io.BytesIO(answer.thumbnail))
    assert (small.format, small.size, dict(small.getexif())) == ("JPEG", (288, 192), {})
    corners = [small.getpixel(at) for at in ((20, 20), (260, 20), (20, 170), (260, 170))]
    assert [red > green for red, green, _ in corners] == [True, False, False, False]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((1, 1), (24, 24)), ((9, 7), (24, 24)), ((60, 40), (60, 40)), ((4000, 30), (288, 24))],
)
def test_a_thumbnail_of_a_tiny_or_a_slim_photo(shared_worker, opened, draw_photo, size, shown):
    photo = opened(draw_photo(size=size, format="PNG"))
    answer = one(shared_worker, Job(1, photo, thumbnail=True))
    assert Image.open(io.BytesIO(answer.thumbnail)).size == shown


def test_a_thumbnail_of_noise_is_small_as_well(shared_worker, opened):
    stream = io.BytesIO()
    Image.frombytes("RGB", (288, 288), os.urandom(3 * 288 * 288)).save(stream, "PNG")
    answer = one(shared_worker, Job(1, opened(stream.getvalue()), thumbnail=True))
    assert len(answer.thumbnail) <= MAX_THUMBNAIL


def test_there_is_no_thumbnail_of_what_is_no_photo(shared_worker, opened, draw_photo):
    for content in (b"a text", draw_photo()[:900]):
        answer = one(shared_worker, Job(1, opened(content), final=True, thumbnail=True))
        assert answer.unreadable
        assert answer.thumbnail is None


def test_an_incomplete_photo_is_not_decoded_unless_it_is_its_last_chance(
    shared_worker, opened, draw_photo
):
    data = draw_photo()
    half = opened(data[: len(data) // 2])
    answer = one(shared_worker, Job(1, half))
    assert answer.incomplete == "JPEG without its end marker"
    assert (answer.seen, answer.unreadable) == (None, None)
    answer = one(shared_worker, Job(2, half, final=True))
    assert answer.incomplete == "JPEG without its end marker"
    assert "truncated" in answer.unreadable
    assert answer.seen is None


def test_one_that_lacks_only_its_movie_is_taken_at_the_last_chance(
    shared_worker, opened, draw_photo
):
    xmp = b"http://ns.adobe.com/xap/1.0/\0<a GCamera:MicroVideoOffset='5000'/>"
    data = draw_photo()
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + data[2:]
    descriptor = opened(data)
    assert "XMP announces" in one(shared_worker, Job(1, descriptor)).incomplete
    answer = one(shared_worker, Job(2, descriptor, final=True))
    assert answer.incomplete is None
    assert answer.seen.format == "JPEG"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Dear diary", "not a photo: a text"),
        (b"\x01\x02\xff" * 100, "not a photo"),
        (b"\0\0\0\x14ftypisom\0\0\0\0isom\0\0\0\x08moov\0\0\0\x08mdat", "not a photo: a movie"),
        (bytes([255]) * ((1 << 20) + 1), "1 MB, the limit is 1 MB"),
    ],
)
def test_what_is_no_photo(shared_worker, opened, content, reason):
    answer = one(shared_worker, Job(1, opened(content)))
    assert reason in answer.unreadable
    assert (answer.seen, answer.incomplete, answer.failed) == (None, None, None)


def test_an_empty_file_is_incomplete(shared_worker, opened):
    assert one(shared_worker, Job(1, opened(b""))).incomplete == "empty file"


def test_a_file_that_cannot_be_read_costs_an_attempt(shared_worker, tmp_path):
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        answer = one(shared_worker, Job(1, directory, (directory,)))
    finally:
        os.close(directory)
    assert answer.failed == "cannot be read: Is a directory"


def test_companions_are_judged_each_with_and_without_a_photo(shared_worker, opened, draw_photo):
    movie = b"\0\0\0\x14ftypqt  \0\0\0\0qt  \0\0\0\x08moov\0\0\0\x10mdat12345678"
    companions = tuple(opened(content) for content in (movie, movie[:-1], b"", b'{"a": 1}'))
    expected = (None, "movie without 1 bytes of its last box", "empty file", None)
    answer = one(shared_worker, Job(1, opened(draw_photo()), companions))
    assert answer.seen is not None
    assert answer.companions == expected
    answer = one(shared_worker, Job(2, None, companions))
    assert answer.companions == expected
    assert (answer.seen, answer.incomplete, answer.unreadable, answer.failed) == (None,) * 4


def test_what_may_not_be_submitted(shared_worker, opened, draw_photo):
    photo = opened(draw_photo())
    assert shared_worker.room() == 2
    shared_worker.submit(Job(1, photo))
    with pytest.raises(ValueError, match="there already"):
        shared_worker.submit(Job(1, photo))
    with pytest.raises(ValueError, match="companions"):
        shared_worker.submit(Job(2, photo, (photo,) * 201))
    shared_worker.submit(Job(2, photo, (photo,) * 200))
    assert shared_worker.room() == 0
    with pytest.raises(ValueError, match="no room"):
        shared_worker.submit(Job(3, photo))
    first, second = collected(shared_worker, 2)
    assert first.seen == second.seen
    assert second.companions == (None,) * 200
    assert shared_worker.room() == 2


def test_many_photos_through_two_workers(opened, draw_photo):
    photos = [opened(draw_photo((200, 30, 30), seed=seed)) for seed in range(30)]
    with running(count=2) as workers:
        assert len(set(workers.pids())) == 2
        answers, todo = [], list(enumerate(photos))
        while len(answers) < len(photos):
            while workers.room() and todo:
                workers.submit(Job(*todo.pop(0)))
            answers += workers.collect(30.0)
        assert sorted(answer.job for answer in answers) == list(range(30))
        assert all(answer.seen for answer in answers)


def test_one_worker_that_has_loaded_the_bundle_is_enough_to_begin(opened, draw_photo):
    workers = Workers(TINY, 2, 1, Limits())
    try:
        workers.begin()
        (first,) = workers.pids()
        workers.start()
        assert len(workers.pids()) == 2
        stand_still(workers.pids()[1])
        assert workers.pids()[0] == first
        assert one(workers, Job(1, opened(draw_photo()))).seen
    finally:
        workers.close()


def test_a_bundle_whose_path_is_not_utf8(tmp_path, opened, draw_photo):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/b\xff\n")
    shutil.copytree(TINY, odd)
    with running(bundle=odd) as workers:
        assert one(workers, Job(1, opened(draw_photo()))).seen


# Live photos before an archive


def all_ready(workers):
    """All that were begun: the one that stands in may not be wanted."""
    begun = [slot for slot in workers._slots if slot.process is not None]
    until(lambda: workers._listen(0.01, None) or all(slot.ready for slot in begun))


def test_what_is_behind_leaves_the_first_worker_free(opened, draw_photo):
    with running(count=2, express=True, seconds=6.0) as workers:
        assert one_behind(workers, Job(1, opened(draw_photo()))).seen
        all_ready(workers)
        assert len(workers.pids()) == 3
        for number in (2, 3):
            workers.submit(Job(number, opened(HANGS)), behind=True)
        assert (workers.room(behind=True), workers.room()) == (2, 3)
        for number in (2, 3):
            until_begun(workers, number)
        workers.submit(Job(4, opened(draw_photo())))
        (answer,) = workers.collect(60.0)
        assert answer.job == 4
        assert answer.seen
        assert [each.failed for each in collected(workers, 2)] == ["took longer than 6 s"] * 2


def test_one_worker_alone_takes_everything_in_its_order(opened, draw_photo):
    with running(express=True) as workers:
        workers.submit(Job(1, opened(SLOW)), behind=True)
        workers.submit(Job(2, opened(draw_photo())))
        assert workers.room() == workers.room(behind=True) == 0
        assert len(workers.pids()) == 1
        first, second = collected(workers, 2)
        assert first.seen
        assert second.seen


def test_all_that_is_behind_is_nicer(opened, draw_photo):
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    with running(count=2, express=True) as workers:
        one_behind(workers, Job(1, opened(draw_photo())))
        all_ready(workers)
        nice = [os.getpriority(os.PRIO_PROCESS, pid) for pid in workers.pids()]
        assert nice == [ours, ours + 10, ours + 10]


def test_nobody_stands_in_for_the_first_worker_when_nothing_is_behind(
    opened, draw_photo, monkeypatch
):
    monkeypatch.setattr(crew, "_LINGER", 0.5)
    with running(count=2, express=True) as workers:
        assert one(workers, Job(1, opened(draw_photo()))).seen
        assert len(workers.pids()) == 2
        one_behind(workers, Job(2, opened(draw_photo())))
        assert len(workers.pids()) == 3
        until(lambda: workers.collect(0.05) or len(workers.pids()) == 2)
        one_behind(workers, Job(3, opened(draw_photo())))
        assert len(workers.pids()) == 3


def test_a_job_that_is_repeated_alone_holds_up_none_of_the_other_kind(opened, draw_photo):
    with running(count=2, express=True) as workers:
        one_behind(workers, Job(1, opened(draw_photo())))
        all_ready(workers)
        for number in (2, 3, 4, 5):
            workers.submit(Job(number, opened(SLOW)), behind=True)
        until_begun(workers, 2)
        for pid in workers.pids()[1:]:
            os.kill(pid, signal.SIGKILL)
        assert one(workers, Job(6, opened(draw_photo()))).job == 6
        assert all(answer.seen for answer in collected(workers, 4))


# Waiting


def test_collect_waits_no_longer_than_told(shared_worker):
    started = time.monotonic()
    assert shared_worker.collect(0.0) == []
    assert shared_worker.collect(0.05) == []
    assert 0.05 <= time.monotonic() - started < 5


def test_wake_ends_the_waiting_and_is_not_read(shared_worker):
    reader, writer = os.pipe()
    try:
        os.write(writer, b"!")
        started = time.monotonic()
        assert shared_worker.collect(60.0, wake=reader) == []
        assert time.monotonic() - started < 10
        assert os.read(reader, 1) == b"!"
    finally:
        os.close(reader)
        os.close(writer)


# What happens to them


def test_an_idle_worker_that_is_killed_is_replaced(opened, draw_photo):
    with running() as workers:
        for round_ in range(3):
            (pid,) = workers.pids()
            os.kill(pid, signal.SIGKILL)
            answer = one(workers, Job(round_, opened(draw_photo())))
            assert answer.seen
            assert workers.pids() != (pid,)


def test_a_busy_worker_that_is_killed_costs_its_photo_one_attempt(opened, draw_photo):
    with running() as workers:
        workers.submit(Job(1, opened(SLOW), (opened(b""),)))
        until_begun(workers, 1)
        os.kill(workers.pids()[0], signal.SIGKILL)
        (answer,) = collected(workers, 1)
        assert answer.failed == "the worker was ended by SIGKILL"
        assert answer.companions == ("not looked at",)
        assert one(workers, Job(2, opened(draw_photo()))).seen


def test_a_death_with_two_in_hand_costs_neither(opened, draw_photo):
    with running() as workers:
        workers.submit(Job(1, opened(SLOW)))
        workers.submit(Job(2, opened(draw_photo())))
        until_begun(workers, 1)
        os.kill(workers.pids()[0], signal.SIGKILL)
        assert workers.room() == 0
        first, second = collected(workers, 2)
        assert first.seen.width == 9000
        assert second.seen.width == 320


def test_of_two_in_hand_only_the_one_that_hangs_fails(opened, draw_photo):
    with running(seconds=2.0) as workers:
        workers.submit(Job(1, opened(HANGS)))
        workers.submit(Job(2, opened(draw_photo())))
        first, second = collected(workers, 2)
        assert first.failed == "took longer than 2 s"
        assert second.seen


def test_a_stopped_worker_is_killed_at_its_deadline(opened, draw_photo):
    with running(seconds=3.0) as workers:
        workers.submit(Job(1, opened(SLOW)))
        until_begun(workers, 1)
        (pid,) = workers.pids()
        stand_still(pid)
        started = time.monotonic()
        (answer,) = collected(workers, 1)
        assert answer.failed == "took longer than 3 s"
        assert time.monotonic() - started < 20
        assert one(workers, Job(2, opened(draw_photo()))).seen
        assert workers.pids() != (pid,)


def test_a_worker_that_never_begins_costs_the_photo_nothing(opened, draw_photo):
    with running(seconds=2.0) as workers:
        stand_still(workers.pids()[0])
        assert one(workers, Job(1, opened(draw_photo()))).seen


def test_a_photo_that_no_worker_ever_begins_fails_in_the_end(monkeypatch, opened, draw_photo):
    with scripted(monkeypatch), running(seconds=0.1) as workers:
        answer = one(workers, Job(1, opened(draw_photo())))
    assert answer.failed == "took longer than 0.1 s"


def test_an_answer_that_waited_for_us_is_not_taken_for_a_hang(opened, draw_photo):
    with running(seconds=0.5) as workers:
        workers.submit(Job(1, opened(draw_photo())))
        until_begun(workers, 1)
        slot = workers._slots[0]
        while 1 in slot.tasks and slot.tasks[1].begun > time.monotonic() - 1.0:
            time.sleep(0.05)  # we are busy elsewhere, for longer than the limit
        assert workers.collect(1.0)[0].seen


def test_a_memory_bomb_costs_an_attempt_and_not_the_pool(opened, draw_photo):
    with running(memory=420 << 20) as workers:
        answer = one(workers, Job(1, opened(SLOW)))  # 324 MB of pixels
        assert answer.failed
        assert "memory" in answer.failed
        assert one(workers, Job(2, opened(draw_photo()))).seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_to_the_whole_unit_leave_workers_to_the_parent(opened, draw_photo, number):
    with running() as workers:
        before = workers.pids()
        os.kill(before[0], number)
        assert one(workers, Job(1, opened(draw_photo()))).seen
        assert workers.pids() == before


def test_workers_die_with_their_parent(tmp_path):
    script = (
        "import sys, time\n"
        "from photosortd.records import Limits\n"
        "from photosortd.vision.worker import Workers\n"
        "workers = Workers(sys.argv[1], 2, 1, Limits())\n"
        "workers.start()\n"
        "print(*workers.pids(), flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", script, TINY], stdout=subprocess.PIPE, env=environment
    ) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        stand_still(pids[0])
        parent.kill()
    assert len(pids) == 2
    until(lambda: not any(_alive(pid) for pid in pids))


def _alive(pid):
    try:
        return state_of(f"/proc/{pid}") != "Z"
    except OSError:
        return False


@pytest.fixture
def prepared() -> Iterator[int]:
    before = descriptors(), children()
    process.Process.prepare()
    _, spare = process.Process._spare
    yield spare.pid
    process.Process.discard()
    assert (descriptors(), children()) == before


def test_a_prepared_worker_is_the_first_to_be_asked(prepared, opened, draw_photo):
    process.Process.prepare()  # there is one
    workers = Workers(TINY, 2, 1, Limits())
    try:
        workers.start()
        assert workers.pids()[0] == prepared
        assert one(workers, Job(1, opened(draw_photo()))).seen
    finally:
        workers.close()


def test_a_prepared_worker_that_nobody_needs_goes(prepared):
    process.Process.discard()
    assert not _alive(prepared)


def test_a_prepared_worker_that_died_is_replaced(prepared, opened, draw_photo):
    os.kill(prepared, signal.SIGKILL)
    until(lambda: not _alive(prepared))
    with_another = Workers(TINY, 1, 1, Limits())
    try:
        with_another.start()
        assert with_another.pids() != (prepared,)
        assert one(with_another, Job(1, opened(draw_photo()))).seen
    finally:
        with_another.close()


@pytest.mark.parametrize("fault", [None, BundleError("no such bundle")])
def test_the_command_prepares_a_worker_and_leaves_none(monkeypatch, fault):
    seen = []

    def run(*_, **__):
        seen.append(process.Process._spare[1].pid)
        if fault:
            raise fault
        return 0

    monkeypatch.setattr(run_module, "run", run)
    with suppress(BundleError):
        cli(["--once"], standalone_mode=False)
    assert not _alive(seen[0])


def test_a_worker_that_was_prepared_by_root_is_not_ours(prepared, monkeypatch):
    """A command of root's that goes on as the state's owner must not keep a worker of root's."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert process.Process._take_spare() is None
    assert not _alive(prepared)


def test_close_ends_busy_and_stopped_workers_at_once(opened):
    with running(count=2) as workers:
        workers.submit(Job(1, opened(SLOW)))
        until_begun(workers, 1)
        stand_still(workers.pids()[1])
        started = time.monotonic()
        workers.close()
        assert time.monotonic() - started < 3
        assert workers.pids() == ()


def test_a_worker_is_confined(opened, draw_photo, tmp_path):
    opened(draw_photo())  # open in the parent, and no business of the child's
    with running(memory=700 << 20) as workers:
        (pid,) = workers.pids()
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert f"Max address space         {700 << 20}" in limits
        assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "500\n"
        assert os.getpgid(pid) != os.getpgid(0)
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, own + 5)
        assert not _open_below(pid, tmp_path)


def test_workers_hold_no_photo_after_their_answer(opened, draw_photo, tmp_path):
    with running() as workers:
        (pid,) = workers.pids()
        workers.submit(Job(0, opened(SLOW)))
        until(lambda: _open_below(pid, tmp_path))
        collected(workers, 1)
        one(workers, Job(1, opened(draw_photo()), (opened(b"{}"),)))
        until(lambda: not _open_below(pid, tmp_path))


def _open_below(pid, directory):
    links = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(os.readlink(descriptor))
    return [link for link in links if link.startswith(str(directory))]


def test_noisy_files_are_silent(opened, capfd):
    image = Image.new("RGB", (64, 64), (200, 20, 20))
    stream = io.BytesIO()
    image.save(stream, format="TIFF", compression="tiff_lzw")
    data = bytearray(stream.getvalue())
    data[20:40] = os.urandom(20)
    with running() as workers:
        one(workers, Job(1, opened(bytes(data)), final=True))
    assert capfd.readouterr() == ("", "")


# Starting


@contextmanager
def children_that(monkeypatch, code):
    with monkeypatch.context() as patch:
        patch.setattr(process, "_command", lambda descriptor: [sys.executable, "-c", code])
        patch.setattr(pool, "_BACKOFF", 0.01)
        patch.setattr(pool, "_PACE", 0.01)
        yield


@contextmanager
def scripted(monkeypatch, *messages):
    """Children that say `ready`, and to the first job what is given; then they wait."""
    code = (
        "import json, socket, sys\n"
        "channel = socket.socket(fileno=int(sys.argv[1]))\n"
        "channel.recv(99999)\n"
        "channel.send(json.dumps({'say': 'ready', 'categories': 3}).encode())\n"
        "channel.recv(99999)\n"
        "for message in json.loads(sys.argv[2]): channel.send(json.dumps(message).encode())\n"
        "channel.recv(99999)\n"
    )

    def command(descriptor):
        return [sys.executable, "-c", code, str(descriptor), json.dumps(messages)]

    with monkeypatch.context() as patch:
        patch.setattr(process, "_command", command)
        patch.setattr(pool, "_PACE", 0.01)
        yield


def refused(bundle, **limits):
    with pytest.raises(BundleError) as caught, running(bundle=bundle, **limits):
        pass
    return str(caught.value)


def test_a_bundle_that_is_no_bundle(tmp_path):
    assert "no bundle" in refused(str(tmp_path / "nowhere"))
    shutil.copytree(TINY, tmp_path / "b")
    os.truncate(tmp_path / "b" / "model.tflite", 100)
    assert "model.tflite: has 100 bytes" in refused(str(tmp_path / "b"))


def test_a_model_that_the_memory_limit_does_not_allow():
    assert "memory" in refused(TINY, memory=64 << 20)


def test_children_that_die_at_start(monkeypatch):
    with children_that(monkeypatch, "raise SystemExit(3)"):
        assert "while loading it the worker ended with exit code 3" in refused(TINY)


def test_processes_that_cannot_be_made(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(process, "_command", lambda descriptor: ["/nonexistent/python"])
        patch.setattr(pool, "_BACKOFF", 0.01)
        with pytest.raises(WorldError, match="cannot be started: No such file"), running():
            pass


def test_a_worker_without_a_second_thread_is_not_ready_and_the_worlds_fault(monkeypatch):
    """A limit of tasks: told in its words, and no bundle is blamed."""
    code = (
        "import runpy, sys, threading\n"
        'def start(self): raise RuntimeError("can\'t start new thread")\n'
        "threading.Thread.start = start\n"
        "runpy.run_module('photosortd.vision.worker.child', run_name='__main__')\n"
    )

    def command(descriptor):
        return [sys.executable, "-P", "-c", code, str(descriptor), str(os.getpid())]

    with monkeypatch.context() as patch:
        patch.setattr(process, "_command", command)
        patch.setattr(pool, "_BACKOFF", 0.01)
        with pytest.raises(WorldError, match="can't start new thread"), running():
            pass


def test_replacements_that_do_not_start_are_the_worlds_fault_and_lose_no_job(
    monkeypatch, opened, draw_photo
):
    with running() as workers:
        workers.submit(Job(1, opened(SLOW)))
        workers.submit(Job(2, opened(draw_photo())))
        until_begun(workers, 1)
        with children_that(monkeypatch, "raise SystemExit(3)"):
            os.kill(workers.pids()[0], signal.SIGKILL)
            with pytest.raises(WorldError, match="exit code 3"):
                collected(workers, 1)
        first, second = collected(workers, 2)
        assert first.seen
        assert second.seen


def test_a_second_worker_that_does_not_start_holds_nothing_up(monkeypatch, opened, draw_photo):
    workers = Workers(TINY, 2, 1, Limits())
    try:
        workers.begin()
        with children_that(monkeypatch, "raise SystemExit(3)"):
            workers.start()
            # It is tried again and again, and is no trouble of those who can be looked after.
            until(lambda: workers.collect(0.05) or workers._slots[1].failures > 5)
            assert one(workers, Job(1, opened(draw_photo()))).seen
        workers._slots[1].not_before = 0.0
        until(lambda: workers.collect(0.05) or all(slot.ready for slot in workers._slots))
    finally:
        workers.close()


def test_live_jobs_that_must_be_alone_are_not_overtaken_while_there_is_one_worker(
    monkeypatch, opened, draw_photo
):
    """The others cannot be had, so the archive is for the first one, too."""
    with running(count=2, express=True) as workers:
        all_ready(workers)
        first, second = workers.pids()
        stand_still(first)
        stand_still(second)
        for number in (1, 2, 3, 4):
            workers.submit(Job(number, opened(SLOW)))
        with children_that(monkeypatch, "raise SystemExit(3)"):
            os.kill(second, signal.SIGKILL)
            os.kill(first, signal.SIGCONT)
            found = []
            for number in range(100, 130):
                if workers.room(behind=True):
                    workers.submit(Job(number, opened(draw_photo())), behind=True)
                found += [answer.job for answer in workers.collect(1.0)]
                if {1, 2, 3, 4} <= set(found):
                    break
            assert {1, 2, 3, 4} <= set(found)
            assert len(found) < 12  # of the archive were none before them but those in hand


def test_nonsense_from_a_child_is_its_end(monkeypatch, opened, draw_photo):
    begin = {"say": "begin", "job": 1}
    nonsense = {"say": "answer", "job": 1, "seen": 5, "companions": [], "seconds": 0.0}
    with scripted(monkeypatch, begin, nonsense), running() as workers:
        answer = one(workers, Job(1, opened(draw_photo())))
    assert answer.failed == "the worker talks nonsense: a photo without its fields"


def test_a_thumbnail_that_nobody_asked_for_ends_the_worker(monkeypatch, opened, draw_photo):
    begin = {"say": "begin", "job": 1}
    message = answered((0.5,) * 3) | {"thumbnail": "/9j/"}
    with scripted(monkeypatch, begin, message), running() as workers:
        answer = one(workers, Job(1, opened(draw_photo())))
    assert answer.failed == "the worker talks nonsense: a thumbnail that nobody asked for"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (5, "no text"),
        ("/9j/ é", "no base64"),
        ("/9j", "no base64"),
        ("", "no small JPEG"),
        (base64.b64encode(b"GIF89a").decode(), "no small JPEG"),
        (base64.b64encode(b"\xff\xd8\xff" + bytes(MAX_THUMBNAIL)).decode(), "no small JPEG"),
    ],
)
def test_a_thumbnail_that_is_none_is_nonsense(text, complaint):
    message = answered((0.5,)) | {"thumbnail": text}
    with pytest.raises(ProtocolError, match=complaint):
        answer_of(message, 1)


def answered(scores):
    seen = Seen("0" * 64, "JPEG", 1, 1, None, tuple(scores))
    return unpack(answer_packet(Answer(1, seen)))


@pytest.mark.parametrize(
    ("scores", "complaint"),
    [
        ((0.5, 0.5), "not one score for each of 3 categories"),
        ((0.5,) * 4, "not one score for each of 3 categories"),
        ((0.5, math.nan, 0.5), "a score that is none from 0 to 1"),
        ((0.5, 1.01, 0.5), "a score that is none from 0 to 1"),
        ((-0.01, 0.5, 0.5), "a score that is none from 0 to 1"),
        ((0.5, math.inf, 0.5), "a score that is none from 0 to 1"),
    ],
)
def test_scores_that_cannot_be_meant_end_the_worker(
    monkeypatch, opened, draw_photo, scores, complaint
):
    begin = {"say": "begin", "job": 1}
    with scripted(monkeypatch, begin, answered(scores)), running() as workers:
        broken = workers.pids()
        answer = one(workers, Job(1, opened(draw_photo())))
        assert (answer.seen, answer.failed) == (None, f"the worker talks nonsense: {complaint}")
        until(lambda: workers.collect(0.01) or workers.pids() not in ((), broken))


def test_a_replacement_with_another_bundle_is_not_taken(monkeypatch, opened, draw_photo):
    with running() as workers:
        ready = "import socket, sys; channel = socket.socket(fileno=int(sys.argv[1]));" + (
            """channel.send(b'{"say":"ready","categories":4}'); channel.recv(9); channel.recv(9)"""
        )

        def command(descriptor):
            return [sys.executable, "-c", ready, str(descriptor)]

        with children_that(monkeypatch, ready), monkeypatch.context() as patch:
            patch.setattr(process, "_command", command)
            os.kill(workers.pids()[0], signal.SIGKILL)
            with pytest.raises(WorldError, match="4 categories instead of 3"):
                until(lambda: workers.collect(0.05))
        assert one(workers, Job(1, opened(draw_photo()))).seen


@pytest.mark.parametrize("said", [{}, {"categories": 0}, {"categories": True}, {"categories": "3"}])
def test_ready_without_a_number_of_categories(said):
    with pytest.raises(ProtocolError):
        categories_of(said)


# Golden images


def variant(directory, scores, image=None):
    return write_bundle(
        directory,
        model=Path(TINY, "model.tflite").read_bytes(),
        categories=[Category(name, 0.5) for name in NAMES],
        height=32,
        width=32,
        backbone="test",
        recipe={},
        metrics={},
        golden={"red.png": (image or Path(TINY, "golden", "red.png").read_bytes(), scores)},
        model_card="",
    )


def test_the_tiny_bundle_passes_and_the_fingerprint_is_stable():
    before = descriptors(), children()
    assert selftest(TINY, Limits()) == fingerprint()
    assert len(fingerprint()) == 64
    assert (descriptors(), children()) == before


def test_the_selftest_leaves_the_cores_to_others(monkeypatch):
    asked = []

    def none(hello):
        asked.append(hello)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(process.Process, "start", none)
    with pytest.raises(WorldError, match="cannot be started"):
        selftest(TINY, Limits())
    assert [each.nice for each in asked] == [5]


@pytest.mark.parametrize(
    ("scores", "image", "complaint"),
    [
        ((0.95, 0.016, 0.016), None, r"red.png: scores 0.987 for red here, 0.950 when trained"),
        ((0.987, 0.5, 0.016), None, "0.500 when trained"),
        ((0.987, 0.016, 0.016), b"not an image", "red.png: not a photo: a text"),
    ],
)
def test_golden_images_that_look_different_here(tmp_path, scores, image, complaint):
    variant(tmp_path / "b", scores, image)
    before = children()
    with pytest.raises(BundleError, match=complaint):
        selftest(str(tmp_path / "b"), Limits())
    assert children() == before


def test_a_golden_image_that_changes_its_label(tmp_path):
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), (128, 0, 0)).save(stream, "PNG")
    variant(tmp_path / "b", (0.499, 0.00247, 0.00247), stream.getvalue())
    with pytest.raises(BundleError, match=r"red.png: gets other labels here"):
        selftest(str(tmp_path / "b"), Limits())


def test_selftest_finds_a_flipped_byte(tmp_path):
    shutil.copytree(TINY, tmp_path / "b")
    model = tmp_path / "b" / "model.tflite"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    with pytest.raises(BundleError, match=r"model.tflite: damaged"):
        selftest(str(tmp_path / "b"), Limits())


def test_selftest_of_a_child_that_dies(monkeypatch):
    before = children()
    with (
        children_that(monkeypatch, "raise SystemExit(3)"),
        pytest.raises(BundleError, match="cannot be tested: the worker ended with exit code 3"),
    ):
        selftest(TINY, Limits())
    assert children() == before


# What they say to each other


reasons = st.none() | st.text(max_size=9)
seens = st.builds(
    Seen,
    st.binary(min_size=32, max_size=32).map(bytes.hex),
    st.text(max_size=5),
    st.integers(0, 1 << 20),
    st.integers(0, 1 << 20),
    st.none() | st.datetimes(),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
answers = st.builds(
    Answer,
    st.integers(0, 1 << 40),
    st.none() | seens,
    reasons,
    reasons,
    reasons,
    st.lists(reasons, max_size=3).map(tuple),
    st.floats(0, 1e6),
    st.none() | st.binary(max_size=40).map(lambda rest: b"\xff\xd8\xff" + rest),
)


@given(
    st.builds(
        Job,
        st.integers(0, 1 << 40),
        st.none() | st.integers(3, 9),
        st.lists(st.integers(10, 99), max_size=3).map(tuple),
        st.booleans(),
        st.booleans(),
    )
)
def test_jobs_survive_the_journey(job):
    descriptors = [*([] if job.photo is None else [job.photo]), *job.companions]
    assert job_of_packet(job_packet(job), descriptors) == job


@given(answers)
def test_answers_survive_the_journey(answer):
    assert answer_of(unpack(answer_packet(answer)), 2) == answer


@given(answers, st.data())
def test_an_answer_with_a_wrong_field_is_nonsense(answer, data):
    message = unpack(answer_packet(answer))
    key = data.draw(
        st.sampled_from(
            ["job", "seen", "incomplete", "failed", "companions", "seconds", "thumbnail"]
        )
    )
    message[key] = data.draw(st.sampled_from([{}, [[]], {"a": 1}]))
    with pytest.raises(ProtocolError):
        answer_of(message, 2)


def test_numbers_that_no_float_can_hold_are_nonsense():
    huge = 10**400
    with pytest.raises(ProtocolError):
        answer_of(answered((0.5,)) | {"seconds": huge}, 1)
    message = unpack(json.dumps(answered((0.5,))).replace("[0.5]", f"[{huge}]").encode())
    with pytest.raises(ProtocolError):
        answer_of(message, 1)


@pytest.mark.parametrize("packet", [b"", b"[]", b"{", b"\xff", b"7", b"[" * 100_000])
def test_packets_that_are_no_messages(packet):
    with pytest.raises(ProtocolError):
        unpack(packet)


def test_every_message_is_one_small_packet():
    seen = Seen("0" * 64, "JPEG", 1, 1, None, (0.123456789012345678,) * 200)
    longest = Answer(1 << 60, seen, "x" * 4000, companions=("x" * 200,) * 200)
    assert len(answer_packet(longest)) < 128 << 10
    with_thumbnail = replace(longest, companions=(), thumbnail=b"\xff" * MAX_THUMBNAIL)
    assert len(answer_packet(with_thumbnail)) < 64 << 10
    assert pack({"a": "é"}).isascii()
