"""When is a file at rest? Time and stat are arguments here, so nothing waits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosortd.records import Source, Stamp
from photosortd.settle import LONGEST_WAIT, Rest, Settler

QUIET, GIVE_UP = 2.0, 86_400.0
WALL = 1_700_000_000.0
A, B = Source("/r", "a.jpg"), Source("/r", "b.jpg")


def stamp(ctime: float = WALL, size: int = 100, **facts: int) -> Stamp:
    defaults = {"mtime_ns": 1, "blocks": 8, "inode": 7}
    return Stamp(size, ctime_ns=int(ctime * 1e9), **{**defaults, **facts})


@pytest.fixture
def settler() -> Settler:
    return Settler(QUIET, GIVE_UP)


def test_a_fresh_file_is_at_rest_after_quiet(settler: Settler) -> None:
    assert settler.look(A, stamp(), 100.0, WALL) is Rest.NOT_YET
    assert settler.next_due() == 102.0
    assert settler.due(101.9) == []
    assert settler.due(102.0) == [A]
    assert settler.look(A, stamp(), 102.0, WALL + 2) is Rest.AT_REST
    assert settler.waiting() == []
    assert settler.next_due() is None


def test_an_old_file_is_at_rest_at_first_sight(settler: Settler) -> None:
    assert settler.look(A, stamp(WALL - 2.0), 0.0, WALL) is Rest.AT_REST
    assert settler.waiting() == []


def test_a_ctime_in_the_future_proves_nothing(settler: Settler) -> None:
    ahead = stamp(WALL + 3600)
    assert settler.look(A, ahead, 0.0, WALL) is Rest.NOT_YET
    assert settler.look(A, ahead, 2.0, WALL + 2) is Rest.AT_REST


def test_renamed_into_place_is_at_rest_at_once(settler: Settler) -> None:
    assert settler.look(A, stamp(), 0.0, WALL, arrived=True) is Rest.AT_REST
    settler.look(B, stamp(), 0.0, WALL)
    assert settler.look(B, stamp(), 0.1, WALL, arrived=True) is Rest.AT_REST


@pytest.mark.parametrize(
    "changed",
    [
        stamp(size=101),
        stamp(mtime_ns=2),
        stamp(WALL + 1),
        stamp(blocks=16),  # preallocated: the final size from the first moment on
        stamp(inode=8),
    ],
)
def test_any_change_begins_anew(settler: Settler, changed: Stamp) -> None:
    settler.look(A, stamp(), 0.0, WALL)
    assert settler.look(A, changed, 1.9, WALL + 1.9) is Rest.NOT_YET
    assert settler.look(A, changed, 2.1, WALL + 2.1) is Rest.NOT_YET
    assert settler.due(3.8) == []
    assert settler.look(A, changed, 3.9, WALL + 3.9) is Rest.AT_REST


def test_an_old_ctime_after_a_change_is_no_proof(settler: Settler) -> None:
    settler.look(A, stamp(), 0.0, WALL)
    assert settler.look(A, stamp(WALL - 60), 1.0, WALL + 1) is Rest.NOT_YET


def test_the_wall_clock_may_jump(settler: Settler) -> None:
    settler.look(A, stamp(), 0.0, WALL)
    assert settler.look(A, stamp(), 1.0, WALL + 7200) is Rest.NOT_YET
    assert settler.look(A, stamp(), 2.0, WALL - 7200) is Rest.AT_REST


def test_a_clock_set_forward_makes_nothing_old(settler: Settler) -> None:
    """What was begun a second before a time server came is neither at rest nor hopeless by it."""
    settler.look(A, stamp(), 0.0, WALL)
    leap = 3 * GIVE_UP
    assert settler.look(B, stamp(), 1.0, WALL + leap) is Rest.NOT_YET
    assert settler.look(B, stamp(), 3.0, WALL + leap + 2) is Rest.AT_REST
    assert settler.look(A, stamp(), 3.0, WALL + leap + 2) is Rest.AT_REST
    settler.incomplete(A, stamp(), 3.0)
    assert settler.look(A, stamp(), 5.0, WALL + leap + 4) is Rest.AT_REST
    settler.incomplete(A, stamp(), 5.0)
    assert settler.look(A, stamp(), 3.0 + GIVE_UP, WALL + leap + GIVE_UP) is Rest.LAST


def test_a_slow_turn_is_no_clock_that_was_set(settler: Settler) -> None:
    settler.look(A, stamp(), 0.0, WALL)
    assert settler.look(B, stamp(WALL - QUIET), 30.0, WALL) is Rest.AT_REST


def test_gone_is_forgotten(settler: Settler) -> None:
    settler.look(A, stamp(), 0.0, WALL)
    assert settler.look(A, None, 1.0, WALL) is Rest.NOT_YET
    assert settler.waiting() == []
    assert settler.due(99.0) == []
    assert settler.next_due() is None


def test_incomplete_is_looked_at_at_growing_intervals(settler: Settler) -> None:
    now, same = 0.0, stamp(WALL - 10)
    intervals = []
    assert settler.look(A, same, now, WALL) is Rest.AT_REST
    for _ in range(12):
        settler.incomplete(A, same, now)
        due = settler.next_due()
        assert due is not None
        assert settler.look(A, same, due - 0.01, WALL + due) is Rest.NOT_YET
        assert settler.due(due) == [A]
        assert settler.look(A, same, due, WALL + due) is Rest.AT_REST
        intervals.append(round(due - now, 3))
        now = due
    assert intervals[:4] == [2, 4, 8, 16]
    assert intervals[-1] == LONGEST_WAIT
    settler.forget(A)
    assert settler.due(now + 10_000) == []


def test_incomplete_and_then_changed_settles_anew(settler: Settler) -> None:
    before, after = stamp(WALL - 10), stamp(WALL + 5, size=200)
    settler.look(A, before, 0.0, WALL)
    settler.incomplete(A, before, 0.0)
    settler.incomplete(A, before, 2.0)
    assert settler.look(A, after, 5.0, WALL + 5) is Rest.NOT_YET
    settler.incomplete(A, before, 5.1)  # a late answer about bytes that are no more
    assert settler.look(A, after, 7.0, WALL + 7) is Rest.AT_REST


def test_give_up_by_age_and_by_waiting(settler: Settler) -> None:
    assert settler.look(A, stamp(WALL - GIVE_UP), 0.0, WALL) is Rest.LAST
    ahead = stamp(WALL + 10 * GIVE_UP)
    settler.look(B, ahead, 0.0, WALL)
    settler.look(B, ahead, QUIET, WALL)
    settler.incomplete(B, ahead, QUIET)
    assert settler.look(B, ahead, QUIET + GIVE_UP, WALL) is Rest.LAST
    assert settler.waiting() == []


def test_a_short_give_up_is_kept_to() -> None:
    settler = Settler(2.0, 3.0)
    settler.look(A, stamp(WALL + 99), 0.0, WALL)
    settler.look(A, stamp(WALL + 99), 2.0, WALL)
    settler.incomplete(A, stamp(WALL + 99), 2.0)
    settler.incomplete(A, stamp(WALL + 99), 4.0)
    assert settler.next_due() == 5.0
    assert settler.look(A, stamp(WALL + 99), 5.0, WALL) is Rest.LAST


def test_handed_out_and_not_looked_at_comes_again(settler: Settler) -> None:
    settler.look(A, stamp(), 0.0, WALL)
    assert settler.due(5.0) == [A]
    assert settler.due(5.1) == []
    assert settler.due(7.0) == [A]
    assert settler.look(A, stamp(), 7.0, WALL) is Rest.AT_REST


def test_an_answer_that_never_comes_is_asked_for_again(settler: Settler) -> None:
    same = stamp(WALL - 10)
    settler.incomplete(A, same, 0.0)
    assert settler.look(A, same, 2.0, WALL) is Rest.AT_REST
    assert settler.due(4.0) == [A]


def test_waiting_tells_who_is_next() -> None:
    settler = Settler(QUIET, GIVE_UP)
    settler.look(A, stamp(), 1.0, WALL)
    settler.incomplete(B, stamp(WALL - 60), 0.0)
    told = [(w.source, w.since, w.due, w.incomplete) for w in settler.waiting()]
    assert told == [(B, 0.0, 2.0, True), (A, 1.0, 3.0, False)]


def test_sixty_thousand_files_wait_cheaply(settler: Settler) -> None:
    sources = [Source("/r", f"{number}.jpg") for number in range(60_000)]
    for turn in range(3):
        for number, source in enumerate(sources):
            settler.look(source, stamp(size=turn), turn + number / 1e6, WALL)
    assert len(settler.due(100.0)) == 60_000
    assert len(settler._queue) < 130_000


LOOKS = st.lists(
    st.tuples(st.sampled_from([A, B]), st.integers(0, 2), st.floats(0.0, 3.0), st.booleans()),
    max_size=30,
)


@given(LOOKS)
@settings(max_examples=200)
def test_at_rest_means_unchanged_for_quiet_or_said_so(
    looks: list[tuple[Source, int, float, bool]],
) -> None:
    settler, now = Settler(QUIET, GIVE_UP), 0.0
    seen: dict[Source, tuple[int, float]] = {}
    for source, size, passed, arrived in looks:
        now += passed
        if source not in seen or seen[source][0] != size:
            seen[source] = (size, now)
        # Its ctime lies ahead of the wall clock: only watching it can tell.
        rest = settler.look(source, stamp(WALL + 999, size=size), now, WALL, arrived)
        still = now - seen[source][1] >= QUIET - 1e-9
        if arrived:
            assert rest is Rest.AT_REST
        elif rest is not Rest.NOT_YET:
            assert still
        if rest is Rest.NOT_YET:
            due = settler.next_due()
            assert due is not None
            assert due <= now + QUIET
        else:
            del seen[source]
