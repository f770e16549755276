"""The names of a shot: one suffix for all its files, on every kind of file system."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosortd.place.names import Rules, names_for, suffix_of, suffixes

FAT = Rules(any_char=False, any_byte=False, case_sensitive=False)


@pytest.mark.parametrize(
    ("name", "photo", "new"),
    [
        ("IMG_1.HEIC", "IMG_1.HEIC", "IMG_1-1.HEIC"),
        ("IMG_1.MOV", "IMG_1.HEIC", "IMG_1-1.MOV"),
        ("IMG_1_HEVC.MOV", "IMG_1.HEIC", "IMG_1-1_HEVC.MOV"),
        ("IMG_1.jpg.xmp", "IMG_1.jpg", "IMG_1-1.jpg.xmp"),
        ("img_1.aae", "IMG_1.HEIC", "img_1-1.aae"),
        ("a.b.c.jpg", "a.b.c.jpg", "a.b.c-1.jpg"),
        ("noextension", "noextension", "noextension-1"),
        ("other.xmp", "IMG_1.HEIC", "other-1.xmp"),
        ("bad\udcff.jpg", "bad\udcff.jpg", "bad\udcff-1.jpg"),
    ],
)
def test_the_suffix_follows_the_photos_stem(name: str, photo: str, new: str) -> None:
    assert names_for([name], photo, "-1") == (new,)
    assert names_for([name], photo, "") == (name,)


def test_what_fat_refuses_is_replaced() -> None:
    names = ["2024-01-01 12:30?.jpg", "2024-01-01 12:30?.jpg.xmp"]
    assert names_for(names, names[0], "", FAT) == (
        "2024-01-01 12_30_.jpg",
        "2024-01-01 12_30_.jpg.xmp",
    )
    assert names_for(["bad\udcff\n.jpg"], "bad\udcff\n.jpg", "-2", FAT) == ("bad__-2.jpg",)
    assert names_for(["ends with."], "ends with.", "", FAT) == ("ends with_",)


def test_names_that_fall_together_are_told_apart() -> None:
    names = ["a.JPG", "a.mov", "a.MOV", "a:.MOV", "a?.MOV"]
    assert names_for(names, "a.JPG", "") == tuple(names)
    given = names_for(names, "a.JPG", "", FAT)
    assert given == ("a.JPG", "a.mov", "a~2.MOV", "a_.MOV", "a~2_.MOV")


def test_a_name_that_is_refused_gets_a_number_of_its_own() -> None:
    names = ["a.HEIC", "a.MOV", "a.xmp"]
    taken = {(1, "a-1.MOV"), (1, "a-1~2.MOV"), (2, "a-1.MOV")}
    given = names_for(names, "a.HEIC", "-1", refused=lambda *name: name in taken)
    assert given == ("a-1.HEIC", "a-1~3.MOV", "a-1.xmp")


def test_a_long_name_is_shortened_the_same_for_the_whole_shot() -> None:
    stem = "ü" * 124
    names = [f"{stem}.HEIC", f"{stem}.MOV", f"{stem}.HEIC.xmp"]
    assert names_for(names[:2], names[0], "") == tuple(names[:2])
    heic, movie, sidecar = names_for(names, names[0], "-12")
    assert heic.endswith("-12.HEIC")
    kept = heic.removesuffix("-12.HEIC")
    assert movie == f"{kept}-12.MOV"
    assert sidecar == f"{kept}-12.HEIC.xmp"
    assert len(os.fsencode(sidecar)) in (254, 255)


def test_the_row_of_suffixes() -> None:
    def first(count: int, start: str | None = None) -> list[str]:
        row = suffixes(start)
        return [next(row) for _ in range(count)]

    assert first(4) == ["", "-1", "-2", "-3"]
    assert first(3, "-7") == ["-7", "-8", "-9"]
    assert first(3, "") == ["", "-1", "-2"]


def test_the_suffix_a_photo_got_is_found_again() -> None:
    assert suffix_of("IMG_1.HEIC", "IMG_1.HEIC") == ""
    assert suffix_of("IMG_1.HEIC", "IMG_1-12.HEIC") == "-12"
    assert suffix_of("IMG-5.HEIC", "IMG-5.HEIC") == ""
    assert suffix_of("IMG-5.HEIC", "IMG-5-1.HEIC") == "-1"
    assert suffix_of("0.", "0-1_") == "-1"  # on FAT no name ends with a dot
    assert suffix_of("IMG_1.HEIC", "renamed.HEIC") is None
    assert suffix_of("IMG_1.HEIC", "IMG_1-0.HEIC") is None


characters = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
    | st.sampled_from(["\udc80", "\udcff", ":", "?", ".", "ß", "İ"]),
    min_size=1,
    max_size=130,
).filter(lambda name: len(os.fsencode(name)) <= 255 and name.strip("."))
numbers = st.integers(0, 20_000).map(lambda number: f"-{number}" if number else "")
kinds = st.builds(
    Rules,
    longest=st.sampled_from([143, 255]),
    any_char=st.booleans(),
    any_byte=st.booleans(),
    case_sensitive=st.booleans(),
)


@settings(max_examples=200)
@given(names=st.lists(characters, min_size=1, max_size=5, unique=True), suffix=numbers, rules=kinds)
def test_every_name_fits_and_none_is_doubled(names: list[str], suffix: str, rules: Rules) -> None:
    new = names_for(names, names[0], suffix, rules)
    assert len(new) == len(names)
    folded = [name if rules.case_sensitive else name.upper() for name in new]
    assert len(set(folded)) == len(new)
    for name in new:
        assert 0 < len(os.fsencode(name)) <= rules.longest
        assert suffix in name
        assert "/" not in name
        if not rules.any_byte:
            name.encode("utf-8")
        if not rules.any_char:
            assert not set(name) & set(':*?"<>|\\\n')


@settings(max_examples=200)
@given(name=characters, suffix=numbers, any_char=st.booleans(), any_byte=st.booleans())
def test_suffix_of_undoes_names_for(name: str, suffix: str, any_char: bool, any_byte: bool) -> None:
    rules = Rules(any_char=any_char, any_byte=any_byte)
    [placed] = names_for([name], name, suffix, rules)
    found = suffix_of(name, placed)
    assert found is not None
    # What it finds gives the same name again, under the rules of that file system or looser ones.
    assert placed in {
        names_for([name], name, found, Rules(any_char=c, any_byte=b))[0]
        for c in (True, False)
        for b in (True, False)
    }
