"""Folders of originals: labels, what is left out, and every refusal before long work."""

import os
from pathlib import Path

import pytest

from photosort_trainer.dataset import read
from photosort_trainer.errors import DatasetError


@pytest.fixture
def collection(make_tree, draw_photo, tmp_path: Path):
    """collection(food=6, me=5) draws that many different photos into each folder."""

    def make(**counts: int) -> Path:
        files = {}
        for place, (name, count) in enumerate(counts.items()):
            for number in range(count):
                color = (40 + 50 * place, 200 - 40 * place, number)
                files[f"{name}/{number}.jpg"] = draw_photo(color, (64, 48), seed=number)
        return make_tree(files, below=tmp_path / "originals")

    return make


def test_the_same_bytes_in_two_folders_are_one_photo_with_two_labels(collection, make_tree):
    originals = collection(food=6, me=6)
    make_tree({"both.jpg": (originals / "food/0.jpg").read_bytes()}, below=originals / "me")
    data = read(originals, few=True)
    assert data.categories == ("food", "me")
    assert len(data.photos) == 12
    assert (data.count("food"), data.count("me")) == (6, 7)
    assert sum(photo.labels == {"food", "me"} for photo in data.photos) == 1
    assert [p.sha256 for p in data.photos] == sorted(p.sha256 for p in data.photos)


def test_none_holds_negatives_inside_and_elsewhere(collection, make_tree, draw_photo, tmp_path):
    originals = collection(food=6, me=6, none=3)
    make_tree({"x.png": draw_photo((9, 9, 9), format="PNG")}, below=tmp_path / "more")
    data = read(originals, tmp_path / "more", few=True)
    assert data.categories == ("food", "me")
    assert data.negatives == 4


def test_what_is_no_photo_is_left_out_and_named(collection, make_tree, draw_photo):
    originals = collection(food=6, me=6)
    make_tree(
        {
            "food/notes.txt": "not a photo",
            "food/empty.jpg": b"",
            "food/cut.jpg": draw_photo((1, 2, 3))[:900],
            "food/.hidden.jpg": b"x",
            "me/@eaDir/thumb.jpg": b"x",
            "loose.jpg": draw_photo((5, 5, 5)),
        },
        below=originals,
    )
    os.symlink(originals / "nowhere", originals / "me/gone.jpg")
    data = read(originals, few=True)
    left = {Path(item.path).name: item.reason for item in data.left_out}
    assert set(left) == {"notes.txt", "empty.jpg", "cut.jpg", "loose.jpg", "gone.jpg"}
    assert "text" in left["notes.txt"]
    assert "no category" in left["loose.jpg"]
    assert len(data.photos) == 12


def test_a_pipe_and_a_film_are_left_out_unopened(collection):
    originals = collection(food=6, me=6)
    os.mkfifo(originals / "food/pipe.jpg")
    with open(originals / "me/film.jpg", "wb") as film:
        film.truncate(5 << 30)
    data = read(originals, few=True)
    left = {Path(item.path).name: item.reason for item in data.left_out}
    assert left == {"pipe.jpg": "is no regular file", "film.jpg": "has 5120 MB, which no photo has"}
    assert len(data.photos) == 12


def test_a_photo_of_none_and_of_a_category_is_left_out(collection, make_tree):
    originals = collection(food=6, me=6)
    make_tree({"none/x.jpg": (originals / "food/0.jpg").read_bytes()}, below=originals)
    data = read(originals, few=True)
    assert data.count("food") == 5
    assert [item.reason for item in data.left_out] == ["stands both in none/ and in food/"]


def test_one_category_is_enough_if_there_is_something_else(collection):
    assert read(collection(food=6, none=6), few=True).categories == ("food",)


def test_too_few_are_refused_unless_told_otherwise(collection):
    originals = collection(food=25, me=6)
    with pytest.raises(DatasetError, match=r"'me' has 6 photos, 20 are needed.*--few"):
        read(originals)
    assert read(originals, few=True).count("me") == 6


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"food": 6, "me": 4}, "'me' has 4 photos, 5 are needed"),
        ({"food": 6}, "nothing to tell it from"),
        ({"none": 6}, "one for each category"),
    ],
)
def test_each_refusal_says_what_to_do(collection, counts, message):
    originals = collection(**counts)
    with pytest.raises(DatasetError, match=message):
        read(originals, few=True)


def test_an_empty_category_is_named(collection):
    originals = collection(food=6, me=6)
    (originals / "sea").mkdir()
    with pytest.raises(DatasetError, match="'sea' has no photo"):
        read(originals, few=True)


def test_all_photos_in_both_categories_are_refused(collection, make_tree):
    originals = collection(food=6)
    make_tree({p.name: p.read_bytes() for p in (originals / "food").iterdir()}, originals / "me")
    with pytest.raises(DatasetError, match="nothing to tell it from"):
        read(originals, few=True)


@pytest.mark.parametrize("name", ["a\\b", "x ", "two\nlines", "x" * 120, os.fsdecode(b"\xff")])
def test_unsafe_names_are_refused(collection, name):
    originals = collection(food=6, me=6)
    (originals / name).mkdir()
    with pytest.raises(DatasetError, match="rename its folder"):
        read(originals, few=True)


def test_names_that_differ_in_case_only_are_refused(collection):
    originals = collection(food=6, Food=6)
    with pytest.raises(DatasetError, match="share a directory"):
        read(originals, few=True)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        read(tmp_path / "nowhere")


def test_a_missing_folder_of_negatives_is_named(collection, tmp_path):
    with pytest.raises(DatasetError, match="missing: no such folder"):
        read(collection(food=6, me=6), tmp_path / "missing", few=True)


def test_progress_sees_every_file(collection):
    seen: list[str] = []

    def progress(files):
        for file in files:
            seen.append(file)
            yield file

    read(collection(food=6, me=6), few=True, progress=progress)
    assert len(seen) == 12
