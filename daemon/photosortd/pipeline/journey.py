"""One photo after the other out to the workers and back, and what each failure on the way means.

Never blocks on a photo: looking is done by the vision workers, and `answered` goes on from there.
"""

import errno
import logging
from collections.abc import Callable
from contextlib import ExitStack

from photosortd.errors import PhotoError, WorldError
from photosortd.filing import HalfFiled
from photosortd.ledger import Ledger
from photosortd.pipeline.companions import Companions
from photosortd.pipeline.decisions import Decisions
from photosortd.pipeline.dispatch import IN_HAND, Dispatch, Outstanding
from photosortd.pipeline.gate import Gate
from photosortd.pipeline.intake import Intake
from photosortd.pipeline.outcomes import Outcomes, note_of
from photosortd.pipeline.setbacks import Setbacks
from photosortd.pipeline.together import Together
from photosortd.pipeline.values import ATTEMPT_DELAYS, MAX_ATTEMPTS, Done, Rules, Trip
from photosortd.place import Blocked, SourceChanged
from photosortd.records import Outcome, Source, printable
from photosortd.vision.worker import Answer, Workers
from photosortd.watch import Away, Watcher
from photosortd.watch.scan import GONE

log = logging.getLogger(__name__)

OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What keeps a photo from being opened that is no fault of this one."""

_ASIDE = Outcome.SET_ASIDE


class Pipeline:
    """The journeys in hand. `on_done` hears of every outcome."""

    def __init__(
        self,
        ledger: Ledger,
        watcher: Watcher,
        intake: Intake,
        workers: Workers,
        gate: Gate | None,
        on_done: Callable[[Done], None],
        batch_kind: str = "live",
    ) -> None:
        self.ledger = ledger
        self.watcher = watcher
        self.intake = intake
        self.workers = workers
        self.gate = gate  # None: a dry run files nothing
        self._outcomes = Outcomes(ledger, intake, on_done)
        self._companions = Companions(ledger, watcher, intake)
        self._dispatch = Dispatch(watcher, intake, workers, self._companions)
        self._setbacks = Setbacks()
        self._together = Together(gate, intake)
        self._decisions = Decisions(
            ledger,
            intake,
            gate,
            self._companions,
            self._outcomes,
            self._setbacks,
            self._together,
            batch_kind,
        )

    @property
    def rules(self) -> Rules:
        return self.intake.rules

    @property
    def outstanding(self) -> int:
        """How many trips are with the workers, or wait to be filed."""
        return len(self._dispatch) + len(self._together)

    @property
    def trouble(self) -> str | None:
        """Why nothing is filed at present."""
        return self.gate.trouble if self.gate else None

    def keep_alive(self, between: Callable[[], None]) -> None:
        """Have `between` called every few megabytes and every few hundred files; it may raise to
        break off what is under way, which is then done anew after the next start."""
        self.intake.between = between
        self._companions.between = between
        self.watcher.between = between
        if self.gate is not None:
            self.gate.between = between

    @property
    def has_room(self) -> bool:
        """Whether something waits for the workers that they have room for.

        What they have answered and nobody has gone on with yet is in hand, too: a disk that is
        slower than they are must not have ever more open files wait for it.
        """
        trip = self.intake.peek()
        if trip is None or self._dispatch.in_hand(trip.live) >= IN_HAND * self.workers.count:
            return False
        return self.workers.room(behind=not trip.live) > 0

    def is_live(self, answer: Answer) -> bool:
        """Whether it is to be gone on with before others."""
        return self._dispatch.is_live(answer)

    def hurry(self, now: float) -> float:
        """Seconds for which answers that are not live are better not gone on with."""
        return self._dispatch.hurry(now)

    def drop(self) -> None:
        """Let go of everything in hand; a scan finds it again."""
        self._together.put_back()
        self._dispatch.drop()

    # ---- out to the workers

    def feed(self, now: float, wall: float) -> None:
        """Give the workers what they have room for, if the library can take what comes of it."""
        wanted = self.has_room
        if self.gate is not None and (self.gate.is_due(now) or wanted):
            wanted &= self.gate.pass_through(now, wall)
        while wanted and self.has_room and not self._is_probing():
            trip = self.intake.next()
            if trip is None:
                break
            try:
                self._set_out(trip, now, wall)
            except WorldError as error:
                self._setback(trip, error, now, wall)
                break
        if self.gate is not None and not self.outstanding and not len(self.intake):
            self.gate.nothing_waits()

    def _is_probing(self) -> bool:
        """One photo at a time finds out whether a trouble is over."""
        return self.trouble is not None and self.outstanding > 0

    def _set_out(self, trip: Trip, now: float, wall: float) -> None:
        try:
            self._dispatch.send(trip, now, wall)
        except SourceChanged:
            self._settle_again(trip.source, now)
        except PermissionError as error:
            # chmod changes the ctime, so that it is looked at again when it may be read.
            reason = f"{error.strerror}: photosortd's user may not read it"
            self._outcomes.finish(note_of(trip, wall, reason=reason), Outcome.UNREADABLE, trip)
        except OSError as error:
            if error.errno in OURS:
                raise WorldError(f"{printable(trip.source.full)}: {error.strerror}") from error
            if error.errno not in GONE:
                self._failed(trip, f"cannot be opened: {error.strerror or error}", now, wall)
                return
            self.intake.release(trip.source)  # a scan finds it if it comes back
        except (PhotoError, Away):
            # No file any more, or its root is away: a scan finds it if it comes back.
            self.intake.release(trip.source)
        except WorldError as error:
            # Its root failed in this moment; if it goes on, the root is paused.
            self._failed(trip, f"cannot be opened: {error}", now, wall)

    # ---- back from the workers

    def answered(self, answer: Answer, now: float, wall: float) -> None:
        """Go on where the worker stopped. Where the world fails, the trip waits for it."""
        out = self._dispatch.take(answer)
        try:
            if answer.seen is not None and self._together.concerns(answer.seen.sha256):
                self.file_together(now, wall)  # it may be a duplicate of one of these
            try:
                self._go_on(out, answer, now, wall)
            except OSError as error:  # the source, which somebody else may repair or unplug
                self._failed(out.trip, f"cannot be read: {error.strerror or error}", now, wall)
            except PhotoError as error:  # its copy cannot be made in this library, ever
                self._outcomes.finish(note_of(out.trip, wall, reason=str(error)), _ASIDE, out.trip)
        except WorldError as error:
            with ExitStack() as last:
                last.callback(self._not_filed, out.trip, error, now, wall)
                self.file_together(now, wall)  # they may need less of the world than this one
        except SourceChanged:
            self._settle_again(out.trip.source, now)
        finally:
            if not self._together.has(out):
                out.close()
            self._companions.try_again(now + self.rules.quiet)

    def _half_filed(self, trip: Trip, error: HalfFiled, now: float) -> None:
        """`recover` finishes it from its part files, or frees it to be found again."""
        if self.gate is not None and isinstance(error.__cause__, Blocked):
            self._together.put_back()
            self.gate.renew()
        else:
            self.shut(error, now)
        self._settle_again(trip.source, now)

    # ---- filed together

    def next_due(self) -> float | None:
        """When `file_together` has something to do, in monotonic seconds."""
        return self._together.due(len(self._dispatch))

    def file_together(self, now: float, wall: float) -> None:
        """File the photos whose parts are made. Raises WorldError if the ledger fails, too."""
        ready = self._together.take()
        if not ready:
            return
        with ExitStack() as last:  # whatever one of them raises
            for each in ready:
                last.callback(each.out.close)
            try:
                results = ready[0].filing.commit([each.prepared for each in ready], wall)
            except WorldError as error:  # the ledger's, which is the fault of none of several
                if len(ready) == 1:
                    self._setback(ready[0].out.trip, error, now, wall)
                    return
                self.shut(error, now)
                for each in ready:
                    self.intake.put_back(each.out.trip, blocked=False)
                return
            for each, result in zip(ready, results, strict=True):
                if isinstance(result, WorldError):  # after the others: they shut the gate
                    last.callback(self._not_filed, each.out.trip, result, now, wall)
                else:
                    self._decisions.filed(each, result, wall)

    def _not_filed(self, trip: Trip, error: WorldError, now: float, wall: float) -> None:
        if isinstance(error, HalfFiled):
            self._half_filed(trip, error, now)
        else:
            self._setback(trip, error, now, wall)

    def _setback(self, trip: Trip, error: WorldError, now: float, wall: float) -> None:
        """The world failed on a trip, which waits for it — unless the world fails on it alone.

        Where but one directory is blocked, all others are tried before anybody waits.
        """
        blocked = isinstance(error, Blocked)
        if not blocked or self._setbacks.was_its_turn(trip.source):
            self.shut(error, now)
        if not self._setbacks.is_its_fault(trip.source):
            self.intake.put_back(trip, blocked)
            return
        try:
            self._outcomes.finish(note_of(trip, wall, reason=str(error)), _ASIDE, trip)
        except WorldError:  # the ledger's, too: nothing of it was noted
            self.intake.put_back(trip, blocked)
            raise

    def shut(self, error: WorldError, now: float) -> None:
        """The world failed: file nothing for a while. A dry run has nothing to wait for."""
        if self.gate is None:
            raise error
        self._together.put_back()
        self.gate.shut(error, now)

    def _settle_again(self, source: Source, now: float) -> None:
        self.intake.release(source)
        self.intake.again(source, now + self.rules.quiet)

    def _go_on(self, out: Outstanding, answer: Answer, now: float, wall: float) -> None:
        trip = out.trip
        lack = answer.companions[0] if trip.late and answer.companions else answer.incomplete
        if answer.failed is not None:
            self._failed(trip, answer.failed, now, wall)
        elif lack is not None and not (trip.last or self.rules.once):
            self.intake.settler.incomplete(trip.source, trip.stamp, now)
            self.intake.keep_waiting(trip.source, f"the rest of it: {lack}")
        elif answer.seen is not None:
            self._decisions.seen(out, answer.seen, answer.companions, now, wall)
        elif lack is not None:
            self._outcomes.finish(note_of(trip, wall, reason=lack), Outcome.TRUNCATED, trip)
            self._decisions.look_after(trip, (), now)
        elif trip.late:
            self._decisions.late(out, wall)
        else:
            reason = answer.unreadable or "not a photo"
            self._outcomes.finish(note_of(trip, wall, reason=reason), Outcome.UNREADABLE, trip)
            self._decisions.look_after(trip, (), now)

    def _failed(self, trip: Trip, reason: str, now: float, wall: float) -> None:
        """It cannot be read, or the worker died of it: try again, but not for ever."""
        attempts = self.ledger.attempt(note_of(trip, wall, reason=reason))
        if attempts >= MAX_ATTEMPTS:
            reason = f"{reason} ({attempts} attempts)"
            self._outcomes.finish(note_of(trip, wall, reason=reason), Outcome.SET_ASIDE, trip)
            self._decisions.look_after(trip, (), now)
            return
        shown = printable(trip.source.full)
        log.warning("attempt %d at %s failed: %s", attempts, shown, reason)
        delay = 0.0 if self.rules.once else ATTEMPT_DELAYS[attempts - 1]
        self.intake.release(trip.source, now + delay)  # its kin, too: it would set out with them
        self.intake.again(trip.source, now + delay)
