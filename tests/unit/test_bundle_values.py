"""Calibration, names of categories and files: what a bundle says, without a disk."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosortd.errors import BundleError
from photosortd.vision.bundle import Calibration, check_category
from photosortd.vision.bundle.names import check_categories, file_problem

probability = st.floats(0, 1)


def test_no_calibration_gives_the_raw_score():
    assert Calibration("none").apply(0.3) == 0.3


def test_platt_is_a_sigmoid_of_the_logit():
    assert Calibration("platt", 1.0, 0.0).apply(0.3) == pytest.approx(0.3)
    assert Calibration("platt", 2.0, -1.0).apply(0.8) == pytest.approx(
        1 / (1 + math.exp(-(2 * math.log(4) - 1)))
    )


def test_platt_stands_saturated_scores_and_steep_slopes():
    steep = Calibration("platt", 1e6, 0.0)
    assert steep.apply(0.0) == 0.0
    assert steep.apply(1.0) == 1.0


def test_isotonic_interpolates_and_is_constant_outside():
    table = Calibration("isotonic", xs=(0.2, 0.4, 0.8), ys=(0.1, 0.5, 0.9))
    assert [table.apply(x) for x in (0.0, 0.2, 0.3, 0.4, 0.6, 1.0)] == pytest.approx(
        [0.1, 0.1, 0.3, 0.5, 0.7, 0.9]
    )


calibrations = st.one_of(
    st.just(Calibration()),
    st.builds(Calibration, st.just("platt"), st.floats(0, 100), st.floats(-100, 100)),
    st.lists(
        st.tuples(probability, probability), min_size=1, max_size=9, unique_by=lambda p: p[0]
    ).map(
        lambda points: Calibration(
            "isotonic",
            xs=tuple(sorted(x for x, _ in points)),
            ys=tuple(sorted(y for _, y in points)),
        )
    ),
)


@given(calibrations, probability, probability)
def test_calibration_is_monotone_and_stays_a_probability(calibration, one, other):
    low, high = sorted((one, other))
    assert 0 <= calibration.apply(low) <= calibration.apply(high) <= 1


@pytest.mark.parametrize("name", ["food", "me", "city_scape", "Été 2024", "写真", "a.b", "x" * 100])
def test_names_that_are_directories_everywhere(name):
    check_category(name, unsorted="Unsorted")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "/x", ".hidden", "a\\b", "a\nb", "a\0b", "a\x7fb", "a ", " a",
     "a.", "none", "NONE", "Unsorted", "unsorted", "x" * 101, "ж" * 51, "a\udcffb", "a\u2028b"],
)  # fmt: skip
def test_names_that_are_refused(name):
    with pytest.raises(BundleError, match="category"):
        check_category(name, unsorted="Unsorted")


@pytest.mark.parametrize("char", '"*:<>?|\\')
def test_a_character_that_some_file_systems_refuse_is_named(char):
    with pytest.raises(BundleError, match=re.escape(f"contains '{char}', which exFAT, NTFS")):
        check_category(f"a{char}b")


@pytest.mark.parametrize("pair", [("Food", "food"), ("straße", "STRASSE"), ("é", "e\u0301")])
def test_two_names_for_one_directory_are_refused(pair):
    with pytest.raises(BundleError, match="share a directory"):
        check_categories(pair)


@pytest.mark.parametrize("name", ["golden/a.png", "model.tflite", "golden/sub/a b.png"])
def test_plain_relative_file_names(name):
    assert file_problem(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "golden/../../x", "golden//x", "golden/", "./x", "a\\b", "a\0",
     ".x", "golden/.x", "a/b/c/d/e", "x" * 256, "\udcff"],
)  # fmt: skip
def test_file_names_that_could_lead_out(name):
    assert file_problem(name) is not None
