"""The digest of a directory: another one for all that the ledger compares, and for nothing else."""

import os
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosortd.records import Stamp
from photosortd.watch.glance import Glance

Look = tuple[int, int, int]  # size, mtime, ctime

A = {"a.jpg": (5, 10, 20), "b.jpg": (6, 11, 21)}


def facts(size: int, mtime: int, ctime: int, inode: int = 1) -> os.stat_result:
    times = {"st_mtime_ns": mtime, "st_ctime_ns": ctime, "st_blocks": inode}
    return os.stat_result((0o100644, inode, 1, 1, 0, 0, size, 0, 0, 0), times)


def glance(looks: Mapping[str, Look], inode: int = 1) -> Glance:
    return Glance({name: facts(*look, inode) for name, look in looks.items()})


NAMES = st.text("ab.\n é\udcff", min_size=1, max_size=3)
NUMBERS = st.sampled_from([0, 1, 10, 11, 256, -1, (1 << 63) - 1])
LOOKS = st.dictionaries(NAMES, st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=3)


@given(LOOKS, LOOKS)
def test_two_digests_are_the_same_if_all_looks_the_same(
    one: dict[str, Look], other: dict[str, Look]
) -> None:
    assert (glance(one).digest() == glance(other).digest()) == (one == other)


@given(LOOKS, st.data())
def test_each_thing_that_changes_makes_another_digest(
    looks: dict[str, Look], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(looks)))
    look = list(looks[name])
    which = data.draw(st.integers(0, 2))
    look[which] += data.draw(st.sampled_from([-1, 1, 256])) if look[which] < 1 << 62 else -1
    changed = {**looks, name: (look[0], look[1], look[2])}
    assert glance(changed).digest() != glance(looks).digest()
    renamed = {f"{name}x" if each == name else each: at for each, at in looks.items()}
    assert glance(renamed).digest() != glance(looks).digest()
    less = {each: at for each, at in looks.items() if each != name}
    assert glance(less).digest() != glance(looks).digest()


@given(LOOKS, st.randoms())
def test_neither_the_order_nor_the_inode_is_in_it(looks: dict[str, Look], chance: object) -> None:
    names = list(looks)
    chance.shuffle(names)  # type: ignore[attr-defined]
    other = glance({name: looks[name] for name in names}, inode=2)
    assert other.digest() == glance(looks).digest()


def test_what_is_one_files_is_not_taken_for_anothers() -> None:
    swapped = {"a.jpg": A["b.jpg"], "b.jpg": A["a.jpg"]}
    moved = {"a.jpg": (10, 5, 20), "b.jpg": A["b.jpg"]}
    cut = {"a.jpgb": A["a.jpg"], ".jpg": A["b.jpg"]}
    elsewhere = {"a.jp": A["a.jpg"], "gb.jpg": A["b.jpg"]}
    digests = {glance(each).digest() for each in (A, swapped, moved, cut, elsewhere)}
    assert len(digests) == 5
    assert all(digest is not None and len(digest) == 16 for digest in digests)


@pytest.mark.parametrize("look", [(5, 1 << 63, 20), (5, 10, 1 << 70), (5, -(1 << 63) - 1, 20)])
def test_times_that_the_ledger_cannot_hold_have_no_digest(look: Look) -> None:
    assert glance({"a.jpg": look}).digest() is None


def test_nothing_has_no_digest() -> None:
    assert glance({}).digest() is None


def test_a_glance_is_a_mapping_of_stamps() -> None:
    seen = glance(A, inode=7)
    assert seen == {name: Stamp(*look, 7, 7) for name, look in A.items()}
    assert (list(seen), len(seen), "a.jpg" in seen, "c.jpg" in seen) == ([*A], 2, True, False)


@pytest.mark.parametrize(("since", "count"), [(20, 2), (21, 1), (22, 0), (-5, 2)])
def test_how_many_changed_since(since: int, count: int) -> None:
    assert glance(A).changed_since(since) == count
    assert glance({}).changed_since(since) == 0
