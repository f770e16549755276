"""Which photos are nearly the same: copies and bursts are, other scenes are not."""

import hashlib
import io
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from photosort_trainer.likeness import Look, groups, look
from photosortd.vision.decode import decode

skimage = pytest.importorskip("skimage", reason="needs scikit-image's sample photos")

NOON = datetime(2026, 7, 1, 12)


def seen(image: Image.Image, quality: int = 92) -> Look:
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=quality)
    return look(decode(stream.getvalue(), 64, 64))


@pytest.fixture(scope="module")
def photos() -> dict[str, Image.Image]:
    from skimage import data

    names = ("astronaut", "chelsea", "coffee", "rocket")
    return {name: Image.fromarray(getattr(data, name)()) for name in names}


@pytest.mark.parametrize(
    "changed",
    [
        lambda image: image.resize((image.width // 3, image.height // 3)),
        lambda image: ImageEnhance.Brightness(image).enhance(1.15),
        lambda image: image.crop((4, 4, image.width - 4, image.height - 4)),
    ],
    ids=["smaller", "brighter", "trimmed"],
)
def test_a_copy_in_another_shape_is_nearly_the_same(photos, changed: Callable[..., Image.Image]):
    looks = {name: seen(image) for name, image in photos.items()}
    looks |= {f"{name} again": seen(changed(image), 60) for name, image in photos.items()}
    numbers = groups(looks)
    assert len(set(numbers.values())) == len(photos)
    assert all(numbers[name] == numbers[f"{name} again"] for name in photos)


def random_look(number: int, taken: datetime | None = None) -> Look:
    digest = hashlib.sha256(str(number).encode()).digest()
    return Look(int.from_bytes(digest[:8]), int.from_bytes(digest[8:16]), taken)


def test_a_burst_hangs_together_from_its_first_to_its_last():
    first = random_look(1)
    looks = {
        str(step): Look(
            first.waves ^ ((1 << (4 * step)) - 1),  # 4 bits further with each
            random_look(step).slopes,
            NOON + timedelta(seconds=2 * step),
        )
        for step in range(6)
    }
    assert len(set(groups(looks).values())) == 1


def test_the_same_second_alone_links_nothing():
    looks = {str(number): random_look(number, NOON) for number in range(40)}
    assert len(set(groups(looks).values())) == 40


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 30), max_size=12))
def test_groups_do_not_depend_on_the_order(numbers):
    looks = {key: random_look(number) for key, number in numbers.items()}
    found = groups(looks)
    assert groups(dict(reversed(looks.items()))) == found
    for one in numbers:
        for other in numbers:
            assert (found[one] == found[other]) == (numbers[one] == numbers[other])
