"""Which files belong together."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosortd.records import Kind, Shot
from photosortd.shots import group, kind
from photosortd.watch.kin import kin

STEMS = [
    "IMG_1",
    "IMG_1(1)",
    "IMG_1_HEVC",
    "IMG_E1",
    "IMG_1.MP",
    "a b",
    "x\udcff",
    "n\nl",
    "x" * 50,
]
ENDINGS = [
    *("HEIC", "jpg", "JPG", "jpeg", "png", "mov", "MOV", "mp4", "MP", "AAE", "xmp", "jpg.xmp"),
    *("HEIC.xmp", "json", "jpg.json", "jpg(1).json", "DNG", "cr2", "CR2.xmp", "txt"),
    *("jpg.supplemental-metadata.json", "jpg.suppl.json", "HEIC.supplemental-metadata(1).json"),
]
NAMES = st.builds(
    lambda stem, end: f"{stem}.{end}", st.sampled_from(STEMS), st.sampled_from(ENDINGS)
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG_1.HEIC", Kind.PHOTO),
        ("a.JpEg", Kind.PHOTO),
        ("a.avif", Kind.PHOTO),
        ("a.jxl", Kind.PHOTO),
        ("a.DNG", Kind.RAW),
        ("a.cr3", Kind.RAW),
        ("a.MOV", Kind.MOVIE),
        ("a.MP", Kind.MOVIE),
        ("a.aae", Kind.SIDECAR),
        ("a.jpg.xmp", Kind.SIDECAR),
        ("a.json", Kind.SIDECAR),
        ("a.txt", Kind.OTHER),
        ("jpg", Kind.OTHER),
        (".jpg", Kind.OTHER),
        ("a.", Kind.OTHER),
        ("", Kind.OTHER),
    ],
)
def test_kind_goes_by_the_extension_in_any_case(name: str, expected: Kind) -> None:
    assert kind(name) is expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["IMG_1.HEIC", "IMG_1.MOV", "IMG_1.AAE", "notes.txt"],
            [Shot("IMG_1.HEIC", ("IMG_1.AAE", "IMG_1.MOV"))],
        ),
        (
            ["IMG_1.HEIC", "IMG_1_HEVC.MOV", "IMG_1_hevc.mov"],
            [Shot("IMG_1.HEIC", ("IMG_1_HEVC.MOV", "IMG_1_hevc.mov"))],
        ),
        (["a.jpg", "a.CR2"], [Shot("a.jpg", ("a.CR2",))]),
        (["a.jpg", "a.CR2", "a.CR2.xmp"], [Shot("a.jpg", ("a.CR2", "a.CR2.xmp"))]),
        (["a.jpg", "a.jpg.xmp", "a.xmp"], [Shot("a.jpg", ("a.jpg.xmp", "a.xmp"))]),
        (["a.jpg", "a.JPG.xmp"], [Shot("a.jpg", ("a.JPG.xmp",))]),
        (
            ["a.jpg", "a.json", "a.jpg.json", "a.jpg.supplemental-metadata.json", "a.jpg.s.json"],
            [
                Shot(
                    "a.jpg",
                    ("a.jpg.json", "a.jpg.s.json", "a.jpg.supplemental-metadata.json", "a.json"),
                )
            ],
        ),
        (["PXL_1.MP.jpg", "PXL_1.MP"], [Shot("PXL_1.MP.jpg", ("PXL_1.MP",))]),
        (["PXL_1.jpg", "PXL_1.MP"], [Shot("PXL_1.jpg", ("PXL_1.MP",))]),
        (["a.jpg", "b.jpg"], [Shot("a.jpg"), Shot("b.jpg")]),
        (["IMG_4120.AAE", "IMG_E4120.JPG"], [Shot(None, ("IMG_4120.AAE",)), Shot("IMG_E4120.JPG")]),
        (["a (1).JPG", "a.AAE"], [Shot("a (1).JPG"), Shot(None, ("a.AAE",))]),
        (["notes.txt", "Thumbs.db"], []),
    ],
)
def test_what_shares_a_stem_is_one_shot(names: list[str], expected: list[Shot]) -> None:
    assert list(group(names)) == expected


def test_each_photo_is_a_shot_and_companions_prefer_the_name_they_carry() -> None:
    names = ["i.png", "i.jpg", "i.heic", "i.mov", "i.png.xmp", "i.jpg.json", "i.xmp"]
    assert group(names) == (
        Shot("i.heic", ("i.mov", "i.xmp")),
        Shot("i.jpg", ("i.jpg.json",)),
        Shot("i.png", ("i.png.xmp",)),
    )


def test_without_heic_the_jpeg_then_the_first_name_takes_companions() -> None:
    assert group(["i.png", "i.jpg", "i.mov"]) == (Shot("i.jpg", ("i.mov",)), Shot("i.png"))
    assert group(["i.webp", "i.png", "i.mov"]) == (Shot("i.png", ("i.mov",)), Shot("i.webp"))


def test_google_counts_a_second_file_at_the_very_end() -> None:
    names = [
        "x.jpg",
        "x(1).jpg",
        "x.jpg(1).json",
        "x.jpg.supplemental-metadata(1).json",
        "x.jpg.json",
    ]
    assert group(names) == (
        Shot("x(1).jpg", ("x.jpg(1).json", "x.jpg.supplemental-metadata(1).json")),
        Shot("x.jpg", ("x.jpg.json",)),
    )


def test_google_cuts_long_names() -> None:
    photo = "A" * 44 + "BCDE.jpg"
    sidecar = photo[:46] + ".json"
    assert group([photo, sidecar]) == (Shot(photo, (sidecar,)),)
    assert Shot(photo) in group([photo, photo[:45] + ".json"])


def test_companions_alone_stay_together_by_stem() -> None:
    names = ["b.mov", "b.xmp", "b_HEVC.MOV", "c.CR2", "c.CR2.xmp", "metadata.json"]
    assert group(names) == (
        Shot(None, ("b.mov", "b.xmp", "b_HEVC.MOV")),
        Shot(None, ("c.CR2", "c.CR2.xmp")),
        Shot(None, ("metadata.json",)),
    )


def _members(shots: tuple[Shot, ...]) -> list[str]:
    return [name for shot in shots for name in (*filter(None, [shot.photo]), *shot.companions)]


@given(st.lists(NAMES, max_size=14))
@settings(max_examples=200)
def test_every_name_is_in_exactly_one_shot(names: list[str]) -> None:
    members = _members(group(names))
    assert sorted(members) == sorted({name for name in names if kind(name) is not Kind.OTHER})
    assert [shot.photo for shot in group(names) if shot.photo] == sorted(
        {name for name in names if kind(name) is Kind.PHOTO}
    )


@given(st.lists(NAMES, max_size=12), st.randoms())
@settings(max_examples=100)
def test_order_does_not_matter(names: list[str], random: object) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert group(shuffled) == group(names)


@given(st.lists(NAMES, max_size=12))
@settings(max_examples=200)
def test_names_of_one_shot_have_the_same_kin(names: list[str]) -> None:
    """The watcher stats by that key alone, and must never miss a part of a shot."""
    for shot in group(names):
        assert len({kin(name) for name in _members((shot,))}) == 1, shot
