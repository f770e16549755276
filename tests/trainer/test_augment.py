"""Versions of a photo: repeatable, gentle, and of the same shape."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosort_trainer import augment
from photosort_trainer.recipe import Changes

SHA = "5f" * 32


@pytest.fixture(scope="module")
def pixels():
    ramp = np.linspace(0, 255, 48)
    picture = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], np.float64(90)), axis=-1)
    return np.ascontiguousarray(picture.astype(np.uint8))


def test_version_0_is_the_photo(pixels):
    assert augment.version(pixels, SHA, 0) is pixels


@given(number=st.integers(1, 10_000), sha=st.integers(0, (1 << 256) - 1))
@settings(max_examples=40)
def test_a_version_is_repeatable_and_keeps_the_shape(number, sha):
    pixels = np.arange(40 * 56 * 3, dtype=np.uint32).astype(np.uint8).reshape(40, 56, 3)
    text = f"{sha:064x}"
    once = augment.version(pixels, text, number)
    assert once.shape == pixels.shape
    assert once.dtype == np.uint8
    assert np.array_equal(once, augment.version(pixels, text, number))


def test_versions_differ_from_each_other_and_from_photo_to_photo(pixels):
    versions = [augment.version(pixels, SHA, number) for number in range(5)]
    versions.append(augment.version(pixels, "a0" * 32, 1))
    for place, one in enumerate(versions):
        assert not any(np.array_equal(one, other) for other in versions[:place])


def test_half_of_the_versions_are_mirrored(pixels):
    def mirrored(version):
        columns = version.astype(float).mean(axis=(0, 2))
        return columns[:12].mean() > columns[-12:].mean()

    count = sum(mirrored(augment.version(pixels, SHA, number)) for number in range(1, 201))
    assert 70 < count < 130


@pytest.mark.parametrize("name", ["turn", "crop", "light", "colour"])
def test_what_may_not_change_does_not(pixels, name):
    nothing = Changes(turn=0, crop=0, light=0, colour=0)
    mirrors = [pixels, pixels[:, ::-1]]
    for number in range(1, 9):
        still = augment.version(pixels, SHA, number, nothing)
        assert any(np.array_equal(still, each) for each in mirrors)
    much = replace(nothing, **{name: getattr(Changes(), name)})
    moved = [augment.version(pixels, SHA, number, much) for number in range(1, 9)]
    assert not any(np.array_equal(one, each) for one in moved for each in mirrors)


def test_light_and_colour_are_what_they_say():
    """Against the same done step by step, in the order that the words say."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 180, (24, 24, 3), dtype=np.uint8)
    within = Changes(turn=0, crop=0, light=0.4, colour=0.4)
    for number in range(1, 6):
        seed = (number, int(SHA[:16], 16))
        change = augment.draw(np.random.default_rng(seed), within)
        light = pixels[:, :: -1 if change.mirror else 1] * np.array(change.tint)
        light *= change.brightness
        light = light.mean() + (light - light.mean()) * change.contrast
        grey = (light @ (0.299, 0.587, 0.114))[..., None]
        wanted = np.clip(grey + (light - grey) * change.saturation, 0, 255)
        found = augment.version(pixels, SHA, number, within)
        assert np.abs(found - wanted).max() <= 0.51


def test_no_version_shows_a_black_border():
    white = np.full((64, 64, 3), 255, np.uint8)
    darkest = min(augment.version(white, SHA, number).min() for number in range(1, 60))
    assert darkest > 255 * 0.55  # brightness and tint alone
