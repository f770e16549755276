"""Who learns, who sets thresholds, who judges: shares, memory and independence of order."""

import hashlib
from collections import Counter
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
    parts = assign(photos, seed)
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
    parts = assign(photos, seed)
    assert set(parts) == {p.sha256 for p in photos}
    assert assign(photos[::-1], seed) == parts


@given(labelled, labelled.map(lambda more: more[:40]), seeds, seeds)
@settings(max_examples=60)
def test_an_old_photo_never_moves(photos, fewer, first, second):
    kept = assign(photos[: len(fewer)], first)
    parts = assign(photos, second, kept)
    assert {sha: parts[sha] for sha in kept} == kept


def test_seeds_differ():
    photos = [photo(number, frozenset({"a"})) for number in range(60)]
    assert assign(photos, 0) != assign(photos, 1)


def test_a_new_photo_goes_where_its_label_is_short():
    photos = [photo(number, frozenset({"a"})) for number in range(10)]
    kept = {p.sha256: Part.TRAIN for p in photos[:6]}
    new = Counter(part for sha, part in assign(photos, 0, kept).items() if sha not in kept)
    assert new == {Part.VALIDATION: 2, Part.TEST: 2}


def test_the_file_remembers(tmp_path: Path):
    path = str(tmp_path / "run" / "split.csv")
    photos = [photo(number, frozenset({"a"})) for number in range(20)]
    parts = assign(photos, 3)
    assert load(path) == {}
    save(path, parts, photos[:10])  # the others are gone just now, and keep their part
    assert load(path) == parts


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"sha256,part\nff,elsewhere\n", b"\xff\xfe"])
def test_a_foreign_file_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "split.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=r"split\.csv.*remove it"):
        load(str(tmp_path / "split.csv"))
