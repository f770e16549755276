"""Who learns, who sets thresholds, who judges: shares, memory and independence of order."""

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosort_trainer.dataset import Photo
from photosort_trainer.errors import DatasetError
from photosort_trainer.split import SHARES, Part, assign, load, save


def photo(number: int, labels: frozenset[str] = frozenset()) -> Photo:
    return Photo(hashlib.sha256(str(number).encode()).hexdigest(), f"{number}.jpg", labels)


labelled = st.lists(st.frozensets(st.sampled_from("abcd"), max_size=3), max_size=80).map(
    lambda rows: [photo(number, labels) for number, labels in enumerate(rows)]
)
one_label = st.lists(st.sampled_from("abcde"), min_size=1, max_size=150).map(
    lambda rows: [photo(number, frozenset({label})) for number, label in enumerate(rows)]
)
seeds = st.integers(0, 1 << 30)


@given(one_label, seeds)
@settings(max_examples=60)
def test_each_label_is_shared_out_as_asked(photos, seed):
    parts = assign(photos, seed).parts
    for label in {label for p in photos for label in p.labels}:
        members = [p for p in photos if label in p.labels]
        found = Counter(parts[p.sha256] for p in members)
        for part, share in SHARES.items():
            assert abs(found[part] - share * len(members)) < 1.0
        if len(members) >= 5:
            assert set(found) == set(Part)


@given(labelled, seeds)
@settings(max_examples=60)
def test_every_photo_has_one_part_whatever_the_order(photos, seed):
    parts = assign(photos, seed).parts
    assert set(parts) == {p.sha256 for p in photos}
    assert assign(photos[::-1], seed).parts == parts


@given(labelled, labelled.map(lambda more: more[:40]), seeds, seeds)
@settings(max_examples=60)
def test_an_old_photo_never_moves(photos, fewer, first, second):
    kept = assign(photos[: len(fewer)], first).parts
    parts = assign(photos, second, kept).parts
    assert {sha: parts[sha] for sha in kept} == kept


def test_seeds_differ():
    photos = [photo(number, frozenset({"a"})) for number in range(60)]
    assert assign(photos, 0) != assign(photos, 1)


def test_a_new_photo_goes_where_its_label_is_short():
    photos = [photo(number, frozenset({"a"})) for number in range(10)]
    kept = {p.sha256: Part.TRAIN for p in photos[:6]}
    new = Counter(part for sha, part in assign(photos, 0, kept).parts.items() if sha not in kept)
    assert new == {Part.VALIDATION: 2, Part.TEST: 2}


def test_the_file_remembers(tmp_path: Path):
    path = str(tmp_path / "run" / "split.csv")
    photos = [photo(number, frozenset({"a"})) for number in range(20)]
    parts = assign(photos, 3).parts
    assert load(path) == {}
    save(path, parts, photos[:10])  # the others are gone just now, and keep their part
    assert load(path) == parts


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"sha256,part\nff,elsewhere\n", b"\xff\xfe"])
def test_a_foreign_file_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "split.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"split\.csv.*remove it"):
        load(str(tmp_path / "split.csv"))


# ---- photos that are nearly the same


scenes = st.lists(st.integers(0, 15), min_size=80, max_size=80)


@given(labelled, scenes, seeds)
@settings(max_examples=60)
def test_nearly_the_same_photos_stay_on_one_side(photos, numbers, seed):
    alike = {p.sha256: number for p, number in zip(photos, numbers, strict=False)}
    made = assign(photos, seed, alike=alike)
    assert set(made.parts) == {p.sha256 for p in photos}
    sides = {(alike[sha], part) for sha, part in made.parts.items()}
    assert len(sides) == len({number for number, _ in sides})
    assert assign(photos[::-1], seed, alike=alike) == made


@given(labelled, scenes, scenes, seeds, seeds)
@settings(max_examples=60)
def test_an_old_photo_never_moves_whatever_hangs_together_now(photos, then, now, first, second):
    before = {p.sha256: number for p, number in zip(photos, then, strict=False)}
    kept = assign(photos[: len(photos) // 2], first, alike=before).parts
    after = {p.sha256: number for p, number in zip(photos, now, strict=False)}
    made = assign(photos, second, kept, alike=after)
    assert {sha: made.parts[sha] for sha in kept} == kept
    new = [p for p in photos if p.sha256 not in kept]
    assert {item.path for item in made.left_out} == {
        p.path for p in new if p.sha256 not in made.parts
    }
    for p in new:
        sides = {kept[sha] for sha in kept if after[sha] == after[p.sha256]}
        assert (p.sha256 in made.parts) == (len(sides) < 2)
        if len(sides) == 1:
            assert made.parts[p.sha256] in sides


def test_one_that_links_two_sides_says_which(tmp_path: Path):
    old, other, new = photo(1), photo(2), photo(3)
    kept = {old.sha256: Part.TRAIN, other.sha256: Part.TEST}
    alike = dict.fromkeys((old.sha256, other.sha256, new.sha256), 0)
    made = assign([old, other, new], 0, kept, alike=alike)
    (left,) = made.left_out
    assert made.torn == ("1.jpg", "2.jpg")
    assert left.path == "3.jpg"
    assert "2.jpg (test) and 1.jpg (train)" in left.reason


def test_the_user_may_give_the_parts():
    photos = [
        replace(photo(n, frozenset("a")), part=Part.TEST if n < 7 else None) for n in range(20)
    ]
    parts = assign(photos, 0).parts
    assert {parts[p.sha256] for p in photos[:7]} == {Part.TEST}
    found = Counter(parts.values())
    assert found[Part.TEST] == 7  # more than its share: it gets no others
    assert found[Part.TRAIN] > found[Part.VALIDATION] > 0


def test_of_what_the_user_leaves_nobody_goes_short():
    """Nearly all of a category is kept for the test: the rest still serves for both."""
    photos = [
        replace(photo(n, frozenset("a")), part=Part.TEST if n < 28 else None) for n in range(35)
    ]
    found = Counter(assign(photos, 0).parts.values())
    assert found == {Part.TEST: 28, Part.TRAIN: 5, Part.VALIDATION: 2}


def test_shares_as_the_user_likes():
    photos = [photo(number, frozenset("a")) for number in range(50)]
    shares = {Part.TRAIN: 0.8, Part.VALIDATION: 0.1, Part.TEST: 0.1}
    found = Counter(assign(photos, 0, shares=shares).parts.values())
    assert found == {Part.TRAIN: 40, Part.VALIDATION: 5, Part.TEST: 5}
