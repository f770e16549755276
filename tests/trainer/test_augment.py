"""Versions of a photo: repeatable, gentle, and of the same shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosort_trainer import augment

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


def test_no_version_shows_a_black_border():
    white = np.full((64, 64, 3), 255, np.uint8)
    darkest = min(augment.version(white, SHA, number).min() for number in range(1, 60))
    assert darkest > 255 * 0.55  # brightness and tint alone
