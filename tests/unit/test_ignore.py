"""Which names are none of our business."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosortd.watch.ignore import Rules, built_in, check_patterns


@pytest.mark.parametrize(
    "name",
    [
        *(".syncthing.IMG_1.jpg.tmp", ".IMG_1.jpg.nMRnAV", "._IMG_1.jpg", ".DS_Store"),
        *(".trashed-1700000000-IMG_1.jpg", ".pending-1700000000-IMG_1.jpg", ".hidden.jpg"),
        *("IMG_1.jpg.tmp", "IMG_1.jpg.part", "IMG_1.jpg.partial", "a.CRDOWNLOAD", "a.jpg.!sync"),
        *("a.filepart", "a.jpg.download", "~syncthing~IMG_1.jpg.tmp"),
        "IMG_1.sync-conflict-20240102-030405-ABCDEFG.jpg",
        "IMG_1 (conflicted copy 2024-01-02 030405).jpg",
        "IMG_1 (Ada's conflicted copy 2024-01-02).jpg",
        "IMG_1_conflict-20240102-030405.jpg",
    ],
)
def test_unfinished_hidden_and_conflicting_files_are_ignored(name: str) -> None:
    assert built_in(name, directory=False)


_NAMES = st.text("aAſıiİ.~#_-0\n tmpartcondslyhgbkTMP", max_size=8)
_PIECES = (
    *(".TMP", ".part", ".!sync", "~syncthing~", ".sync-conflict-", "_conflict-20240102-030405"),
    *("conflicted copy 2024-01-02", "ſync-conflict-", ".crdownload", "\n."),
)


@given(st.lists(st.lists(_NAMES | st.sampled_from(_PIECES), min_size=1, max_size=3).map("".join)))
def test_names_that_are_all_above_suspicion_are_all_photos(names: list[str]) -> None:
    ignored = any(built_in(name, directory=False) for name in names)
    assert Rules().may_ignore(names) or not ignored


def test_suspicion_falls_on_few() -> None:
    assert not Rules().may_ignore(["IMG_1.jpg", "a.tmp.jpg", "~a.jpg", "#1.jpg", "part", "a\nb"])


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "#recycle", "#snapshot", ".@__thumb", "lost+found", "$RECYCLE.BIN"),
        *("System Volume Information", ".stversions", ".stfolder", ".rsync-partial", ".~tmp~"),
        *("__MACOSX", "@Recycle", "@Recently-Snapshot", ".thumbnails", ".Trash-1000", "@EADIR"),
    ],
)
def test_junk_directories_are_ignored(name: str) -> None:
    assert built_in(name, directory=True)


@pytest.mark.parametrize(
    "name",
    ["IMG_1.jpg", "tmp.jpg", "part", "a.tmp.jpg", "#1.jpg", "~a.jpg", "$5.jpg", "conflict.jpg"],
)
def test_photos_are_not(name: str) -> None:
    assert built_in(name, directory=False) is None
    assert Rules().ignored(f"DCIM/{name}", directory=False) is None


def test_a_directory_may_be_called_like_a_partial_file() -> None:
    assert built_in("holiday.part", directory=True) is None


def rules(*patterns: str) -> Rules:
    return Rules().with_patterns("", "the configuration", patterns)


@pytest.mark.parametrize(
    ("pattern", "path", "directory", "ignored"),
    [
        ("*.png", "a/b.png", False, True),
        ("*.png", "a/b.jpg", False, False),
        ("Screenshots/", "DCIM/Screenshots", True, True),
        ("Screenshots/", "DCIM/Screenshots", False, False),
        ("/top.jpg", "top.jpg", False, True),
        ("/top.jpg", "sub/top.jpg", False, False),
        ("DCIM/**/raw", "DCIM/2024/05/raw", True, True),
        ("# a comment", "# a comment", False, False),
        ("", "a.jpg", False, False),
        ("*\udcff*", "x\udcff.jpg", False, True),
    ],
)
def test_patterns_are_gitignores(pattern: str, path: str, directory: bool, ignored: bool) -> None:
    assert bool(rules(pattern).ignored(path, directory=directory)) is ignored


def test_the_rule_that_matched_is_named() -> None:
    told = rules("*.jpg", "# not this", "*.png").ignored("a.png", directory=False)
    assert told == "the pattern '*.png' of the configuration"
    assert rules("x").ignored(".a", directory=False) == "its name is hidden"


def test_a_deeper_file_wins_and_counts_from_its_directory() -> None:
    both = rules("*.png").with_patterns("a", "a/.photosortdignore", ["!keep.png", "/x.jpg"])
    assert both.ignored("a/keep.png", directory=False) is None
    assert both.ignored("a/other.png", directory=False)
    assert both.ignored("a/x.jpg", directory=False)
    assert both.ignored("a/b/x.jpg", directory=False) is None


def test_nothing_brings_a_hidden_name_back() -> None:
    assert rules("!.hidden.jpg").ignored(".hidden.jpg", directory=False)


def test_bad_patterns_are_named() -> None:
    assert check_patterns(["*.png", "a/**/b", "!x"]) == []
    assert any("'!'" in problem for problem in check_patterns(["*.png", "!"]))
    with pytest.raises(ValueError, match="!"):
        rules("!")


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=12))
def test_any_name_can_be_judged(name: str) -> None:
    assert built_in(name, directory=False) is None or isinstance(
        rules("*.png").ignored(f"a/{name}", directory=False), str
    )
