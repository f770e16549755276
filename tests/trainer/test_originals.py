"""Folders and labels.csv: what is said of each file, and every line that cannot be meant."""

from collections.abc import Callable
from pathlib import Path

import pytest

from photosort_trainer.errors import DatasetError
from photosort_trainer.originals import Entry, Part, find, make, root

FILES = {"food/a.jpg": "a", "food/b.jpg": "b", "me/c.jpg": "c", "none/d.jpg": "d", "loose.jpg": "e"}


@pytest.fixture
def folder(make_tree: Callable[..., Path], tmp_path: Path) -> Callable[[str], Path]:
    """folder(table) makes the files above, with a labels.csv."""

    def made(table: str = "") -> Path:
        files = FILES | ({"labels.csv": table} if table else {})
        return make_tree(files, below=tmp_path / "originals")

    return made


def said(folder: Path) -> dict[str, tuple[set[str], Part | None]]:
    found = find(folder)
    return {Path(e.path).name: (set(e.labels), e.part) for e in found.entries}


def test_a_folder_is_a_category(folder):
    found = find(folder(""))
    assert found.categories == ("food", "me")
    assert [Path(path).name for path in found.loose] == ["loose.jpg"]
    assert found.entries[0] == Entry(str(root(folder("")) / "food/a.jpg"), frozenset({"food"}))
    assert said(folder(""))["d.jpg"] == (set(), None)


def test_labels_csv_goes_before_the_folder(folder):
    table = (
        "file,labels,part\n"
        "food/a.jpg,food; me,test\n"
        "food/b.jpg,,train\n"
        "me/c.jpg,None,\n"
        "./loose.jpg,sea,validation\n"
    )
    assert said(folder(table)) == {
        "a.jpg": ({"food", "me"}, Part.TEST),
        "b.jpg": ({"food"}, Part.TRAIN),
        "c.jpg": (set(), None),
        "d.jpg": (set(), None),
        "loose.jpg": ({"sea"}, Part.VALIDATION),
    }
    assert find(folder(table)).categories == ("food", "me", "sea")


def test_a_folder_of_which_the_table_says_all_is_no_category(folder):
    table = "\ufefffile,labels\nfood/a.jpg,dinner\nfood/b.jpg,dinner\n"
    assert find(folder(table)).categories == ("dinner", "me")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("a,b\n1,2\n", r"labels\.csv:1: the columns are to be file,labels"),
        ("file,labels,colour\n", r"labels\.csv:1: the columns"),
        ("file,labels\nfood/x.jpg,me\n", r"labels\.csv:2: food/x\.jpg: no such file"),
        ("file,labels\n../secret.jpg,me\n", r":2: .*below this folder"),
        ("file,labels\n/etc/passwd,me\n", r":2: .*below this folder"),
        ("file,labels\n,me\n", r":2: .*below this folder"),
        ("file,labels,part\nfood/a.jpg,me,exam\n", r":2: part 'exam': say train, validation, test"),
        ("file,labels\nfood/a.jpg,none;me\n", r":2: 'none' beside other labels"),
        ("file,labels\nfood/a.jpg,a/b\n", r":2: category 'a/b'"),
        ("file,labels\nfood/a.jpg,me\nfood/a.jpg,food\n", r":3: food/a\.jpg has a line already"),
        ("file,labels\nfood/a.jpg,me,train\n", r":2: has more or fewer columns"),
        ("file,labels\nfood/a.jpg\n", r":2: has more or fewer columns"),
        ("file,labels\nfood/a.jpg,Sea\nfood/b.jpg,sea\n", "would share a directory"),
    ],
)
def test_each_line_that_cannot_be_meant_is_named(folder, table, complaint):
    with pytest.raises(DatasetError, match=complaint):
        find(folder(table))


def test_every_complaint_at_once(folder):
    with pytest.raises(DatasetError) as refused:
        find(folder("file,labels\nfood/x.jpg,me\nfood/a.jpg,a/b\nfood/y.jpg,me\n"))
    assert len(refused.value.problems) == 3


def test_a_table_in_another_encoding_is_named(folder):
    top = folder("x")
    (top / "labels.csv").write_bytes("file,labels\ncafé,me\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"labels\.csv: not a table in UTF-8"):
        find(top)


def test_init_makes_what_find_reads(tmp_path: Path, make_tree):
    make(tmp_path, ["food", "me"])
    make_tree({"food/a.jpg": "a"}, below=tmp_path / "images" / "original")
    make(tmp_path, ["food", "sea"])  # again: nothing is harmed
    assert find(tmp_path).categories == ("food", "me", "sea")
    assert len(find(tmp_path).entries) == 1


def test_init_refuses_names_that_are_no_directories(tmp_path: Path):
    with pytest.raises(DatasetError, match="rename it"):
        make(tmp_path, ["food", "a/b"])
    assert not (tmp_path / "images").exists()
