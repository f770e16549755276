"""Directories that came a moment ago are asked about in rounds, however they come."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from photosortd.watch.arrivals import CURE, PATIENCE, ROUND, Arrivals


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def rounds(root: int, watched: frozenset[int], seconds: int) -> int:
    """How often watches are read while ten directories appear in each second."""
    arrivals, asked = Arrivals(), 0
    for tenth in range(10 * seconds):
        now = tenth / 10
        arrivals.note(str(tenth), now)
        if now >= arrivals.next_due():
            assert not arrivals.unwatched(root, watched, now)
            asked += 1
    return asked


def test_a_trickle_of_directories_does_not_read_all_watches_at_each_turn(root: int) -> None:
    assert 3 <= rounds(root, frozenset(), 60) <= 60 / ROUND


def test_the_more_watches_there_are_the_seldomer_they_are_read(root: int) -> None:
    assert rounds(root, frozenset(range(190_000)), 600) <= 7


def test_one_without_a_watch_is_found_and_the_cure_is_given_time(root: int, tmp_path: Path) -> None:
    arrivals = Arrivals()
    (tmp_path / "deaf").mkdir()
    arrivals.note("deaf", 0.0)
    assert arrivals.next_due() == PATIENCE
    assert arrivals.unwatched(root, frozenset(), PATIENCE)
    assert arrivals.next_due() == math.inf
    arrivals.note("deaf", PATIENCE + 1)
    assert arrivals.next_due() == PATIENCE + CURE
    assert not arrivals.unwatched(root, None, PATIENCE + CURE)
