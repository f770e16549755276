"""The workers as one: jobs in, answers out, whatever happens to the processes.

Every job that was submitted gets exactly one answer. A worker that dies or hangs with one photo
in hand costs that photo an attempt; with two in hand it costs neither, and each is repeated in a
worker of its own. Uses the monotonic clock; never opens or closes a job's descriptors.
"""

import logging
import select
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from photosortd.errors import BundleError, PhotosortdError, WorldError
from photosortd.records import Limits, printable
from photosortd.vision.worker import protocol
from photosortd.vision.worker.crew import Crew
from photosortd.vision.worker.process import Process
from photosortd.vision.worker.protocol import Answer, Hello, Job, ProtocolError
from photosortd.vision.worker.slot import GLANCE, START_SECONDS, Slot, Task, nothing

_RESTART_TRIES = 5
_BACKOFF = 0.25  # seconds, doubled with each failed start in a row
_PACE = 1.0  # seconds between two starts of one worker, so that dying at rest is no busy loop
_REPEATS = 3
_LONGEST = 86_400.0  # seconds; poll counts milliseconds in 32 bits

log = logging.getLogger(__name__)


class Workers:
    """`count` processes that look at photos. To be used from one thread, which outlives them."""

    def __init__(
        self, bundle_dir: str, count: int, threads: int, limits: Limits, express: bool = False
    ) -> None:
        """`express`: jobs that are not behind find the first of several workers free."""
        self._crew = Crew(count, express)
        self._slots = self._crew.slots
        self._hello = Hello(bundle_dir, threads, limits)
        self._limits = limits
        self._waiting: deque[Task] = deque()
        self._answers: list[Answer] = []
        self._dying: list[Process] = []
        self._categories = 0  # of the bundle, as the first worker that was ready told; 0: none was

    @property
    def count(self) -> int:
        return self._crew.count

    def room(self, behind: bool = False) -> int:
        """How many more jobs may be submitted now."""
        behind &= self._crew.express
        waiting = sum(task.behind == behind for task in self._waiting)
        return max(0, self._crew.free(behind) - waiting - len(self._answers))

    def pids(self) -> tuple[int, ...]:
        return tuple(slot.process.pid for slot in self._slots if slot.process is not None)

    def begin(self) -> None:
        """Start the first process, and wait for nothing; `start` does."""
        self._tend()

    def start(self, between: Callable[[], None] = nothing) -> None:
        """Start the processes where they are not, and wait until one has loaded the bundle.

        The others begin then: one alone is sooner ready, and what it has loaded they can load.
        `between` is called every second meanwhile; what it raises ends them and passes on.
        Raises BundleError if the first refuses it or dies on it again and again, WorldError if
        processes or their threads cannot be had, or are killed from outside.
        """
        try:
            self._listen(0.0, None)  # first: since it began, any deadline may have gone by
            while not any(slot.ready for slot in self._slots):
                self._tend()
                for slot in self._slots:
                    if slot.blame is not None and slot.hopeless:
                        raise slot.blame
                between()
                self._listen(GLANCE, None)
            self._tend()
        except BaseException:
            self.close()
            raise

    def submit(self, job: Job, behind: bool = False) -> None:
        """Hand over one job; if it is `behind`, others go before it. Raises ValueError without
        `room`, for an id that is in use, and for more than 200 companions.
        """
        if not self.room(behind):
            raise ValueError("no room for another job")
        if len(job.companions) > protocol.MAX_COMPANIONS:
            raise ValueError(f"more than {protocol.MAX_COMPANIONS} companions")
        tasks = [*self._waiting, *(task for slot in self._slots for task in slot.tasks.values())]
        if any(task.job.id == job.id for task in tasks):
            raise ValueError(f"job {job.id} is there already")
        task = Task(job, behind and self._crew.express)
        self._crew.note(task, time.monotonic())
        self._waiting.append(task)
        self._dispatch()

    def collect(self, timeout: float, wake: int | None = None) -> list[Answer]:
        """Answers, as soon as there are any; after `timeout` seconds, or when the descriptor
        `wake` is readable, those there are. Replaces workers meanwhile.

        Raises WorldError if there is none and none can be had after several tries; jobs are kept,
        and the next call tries again.
        """
        until = time.monotonic() + min(timeout, _LONGEST)
        # Heard first: the caller may have been away for longer than any deadline.
        self._listen(0.0, None)
        self._tend()
        while True:
            left = 0.0 if self._answers else max(0.0, until - time.monotonic())
            woken = self._listen(left, wake)
            self._tend()
            if self._answers or woken or time.monotonic() >= until:
                if not self._answers:
                    self._complain()
                answers, self._answers = self._answers, []
                return answers

    def close(self) -> None:
        """End the processes at once. Jobs without an answer get none."""
        for slot in self._slots:
            if slot.process is not None:
                self._bury(slot)
            slot.tasks.clear()
        self._waiting.clear()
        self._dying = [process for process in self._dying if not process.ended(timeout=2.0)]

    def _listen(self, timeout: float, wake: int | None) -> bool:
        """Wait for a sign of anybody's; True if it was `wake`'s."""
        poll = select.poll()
        slots = {slot.process.fileno(): slot for slot in self._slots if slot.process is not None}
        for descriptor in slots:
            poll.register(descriptor, select.POLLIN)
        if wake is not None:
            poll.register(wake, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(1000 * self._patience(timeout))}
        for descriptor in ready & slots.keys():
            self._hear(slots[descriptor])
        return wake in ready

    def _patience(self, timeout: float) -> float:
        """Seconds until the caller's, a worker's or a restart's time has come."""
        now = time.monotonic()
        times = [now + timeout]
        for slot in self._slots:
            if slot.process is None:
                times += [slot.not_before] if self._wants(slot, now) else []
            elif (deadline := slot.deadline(self._limits.seconds)) is not None:
                times.append(deadline)
        return max(0.0, min(times) - now)

    def _hear(self, slot: Slot) -> None:
        assert slot.process is not None
        said, alive = slot.process.messages()
        try:
            for message in said:
                self._understand(slot, message)
        except ProtocolError as error:
            self._died(slot, f"the worker talks nonsense: {error}")
            return
        if not alive:
            self._died(slot, slot.process.epitaph(timeout=0.5))

    def _understand(self, slot: Slot, message: dict[str, object]) -> None:
        slot.since = time.monotonic()
        match message.get("say"):
            case "ready":
                self._agree(protocol.categories_of(message))
                slot.ready, slot.failures, slot.blame = True, 0, None
            case "refused":
                slot.blame, slot.refused = BundleError(protocol.reason_of(message)), True
            case "dying":
                slot.said = protocol.reason_of(message)
            case "starved":
                slot.said, slot.starved = protocol.reason_of(message), True
            case "begin":
                self._task(slot, message).begun = slot.since
            case "answer":
                answer = protocol.answer_of(message, self._categories)
                task = self._task(slot, message)
                if len(answer.companions) != len(task.job.companions):
                    raise ProtocolError("an answer for other companions")
                if answer.thumbnail is not None and not task.job.thumbnail:
                    raise ProtocolError("a thumbnail that nobody asked for")
                del slot.tasks[answer.job]
                self._answers.append(answer)
            case _:
                raise ProtocolError("an unknown word")

    def _agree(self, categories: int) -> None:
        if self._categories not in (0, categories):
            raise ProtocolError(f"{categories} categories instead of {self._categories}")
        self._categories = categories

    def _task(self, slot: Slot, message: dict[str, object]) -> Task:
        task = slot.tasks.get(protocol.job_of(message))
        if task is None:
            raise ProtocolError("about a job that it has not got")
        return task

    def _tend(self) -> None:
        """Everything that time brings: ends of patience, restarts, jobs that find a place."""
        now = time.monotonic()
        self._dying = [process for process in self._dying if not process.ended()]
        for slot in self._slots:
            deadline = slot.deadline(self._limits.seconds)
            if deadline is not None and now >= deadline:
                limit = self._limits.seconds if slot.ready else START_SECONDS
                self._died(slot, f"took longer than {limit:g} s")
            wanted = self._wants(slot, now)
            if slot.process is None and now >= slot.not_before and wanted:
                self._start(slot, now)
            elif slot.process is not None and not slot.tasks and not wanted:
                self._bury(slot)
                slot.ready = False
        self._dispatch()

    def _wants(self, slot: Slot, now: float) -> bool:
        return self._crew.wants(slot, now, proven=self._categories > 0)

    def _start(self, slot: Slot, now: float) -> None:
        slot.ready, slot.said, slot.refused, slot.starved = False, "", False, False
        slot.started = slot.since = now
        try:
            slot.process = Process.start(replace(self._hello, nice=self._crew.nice(slot)))
        except OSError as error:
            blame = WorldError(f"a worker cannot be started: {error.strerror}")
            log.warning("%s; it is tried again", blame)
            self._not_started(slot, blame)

    def _not_started(self, slot: Slot, blame: PhotosortdError) -> None:
        if not slot.refused:
            slot.blame = blame
        slot.not_before = time.monotonic() + _BACKOFF * 2 ** min(slot.failures, 8)
        slot.failures += 1

    def _died(self, slot: Slot, how: str) -> None:
        """Bury its process; settle what becomes of the jobs that it had in hand."""
        assert slot.process is not None
        reason = slot.said or how
        log.warning("worker %d: %s", slot.process.pid, slot.blame if slot.refused else reason)
        # The kernel ends whom it finds when memory runs out: no fault of the bundle's.
        starved = slot.starved or slot.process.was_killed
        fault = WorldError if starved else BundleError
        self._bury(slot)
        if not slot.ready:
            shown = printable(self._hello.bundle)
            self._not_started(slot, fault(f"{shown}: while loading it {reason}"))
            return
        slot.ready = False
        slot.not_before = slot.started + _PACE
        tasks = list(slot.tasks.values())
        slot.tasks.clear()
        for task in reversed(tasks):
            if len(tasks) == 1 and (task.begun is not None or task.repeats >= _REPEATS):
                self._answers.append(_failed(task, reason))
                continue
            task.alone = task.alone or len(tasks) > 1
            task.repeats += task.begun is None
            task.begun = None
            self._waiting.appendleft(task)

    def _bury(self, slot: Slot) -> None:
        assert slot.process is not None
        slot.process.kill()
        if not slot.process.ended(timeout=0.1):
            self._dying.append(slot.process)
        slot.process = None

    def _dispatch(self) -> None:
        """Give waiting jobs to workers, in order."""
        awaited: list[Slot] = []
        for task in tuple(self._waiting):
            slot = self._crew.taker(task, awaited)
            if slot is None:
                # Nobody overtakes it there: one that must be alone would wait for ever.
                awaited += self._crew.takers(task.behind)
                continue
            self._waiting.remove(task)
            self._hand(slot, task)

    def _hand(self, slot: Slot, task: Task) -> None:
        assert slot.process is not None
        job = task.job
        if not slot.tasks:
            slot.since = time.monotonic()
        slot.tasks[job.id] = task
        photos = [] if job.photo is None else [job.photo]
        # If it cannot be reached, its end is heard of next, and the task goes to another.
        slot.process.send(protocol.job_packet(job), [*photos, *job.companions])

    def _complain(self) -> None:
        """Where one of them is there the photos go on, if slowly, and the journal has the rest."""
        slots = self._slots[: self.count]  # not the one that stands in: it has no live photos
        if any(slot.ready for slot in slots):
            return
        for slot in slots:
            if slot.blame is not None and slot.failures >= _RESTART_TRIES:
                slot.failures = 0
                raise WorldError(str(slot.blame))


def _failed(task: Task, reason: str) -> Answer:
    # What a worker left unsaid of the companions is unknown, and so is not called whole.
    unknown = ("not looked at",) * len(task.job.companions)
    return Answer(task.job.id, failed=reason, companions=unknown)
