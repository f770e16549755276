"""Calibration and thresholds: sane for every input, and None where nothing can be promised."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosort_trainer.calibrate import NEAR, categories, category, platt, threshold
from photosort_trainer.metrics import as_json, macro_f1, qualities, quality

pairs = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60).map(
    lambda rows: (np.array([r[0] for r in rows]), np.array([r[1] for r in rows], bool))
)


@given(pairs)
@settings(max_examples=150)
def test_a_calibration_is_monotone_and_finite(pair):
    raw, labels = pair
    calibration = platt(raw, labels)
    line = [calibration.apply(score) for score in np.linspace(0, 1, 101)]
    assert all(0 <= score <= 1 for score in line)
    assert all(low <= high for low, high in pairwise(line))


@given(pairs, st.floats(0, 1))
@settings(max_examples=150)
def test_a_threshold_keeps_its_promise_and_none_is_much_better(pair, precision):
    raw, labels = pair
    chosen = threshold(raw, labels, precision)
    everything, *others = (quality(labels, raw >= level) for level in np.unique(raw))
    useful = [q.f1 for q in others if q.precision >= precision]
    best = max(useful, default=0.0)
    if chosen is None:
        assert best <= everything.f1
        return
    found = quality(labels, raw >= chosen)
    assert 0 <= chosen <= 1
    assert found.precision >= precision
    assert best - NEAR - 1e-9 <= found.f1 <= best + 1e-9
    assert found.f1 >= everything.f1


@given(pairs)
@settings(max_examples=60)
def test_the_calibrated_threshold_decides_as_the_raw_one(pair):
    raw, labels = pair
    found = category("a", raw, labels)
    chosen = threshold(raw, labels)
    assert (found.threshold is None) == (chosen is None)
    if found.threshold is not None:
        clear = np.abs(raw - chosen) > 1e-6
        calibrated = np.array([found.calibration.apply(float(score)) for score in raw])
        assert ((calibrated >= found.threshold) == (raw >= chosen))[clear].all()


@pytest.mark.parametrize(
    ("raw", "labels"),
    [
        ([0.2, 0.4, 0.9], [False, False, False]),  # nothing to find
        ([0.5, 0.5, 0.5], [True, False, True]),  # the model says the same of all
        ([0.9, 0.8, 0.1], [False, False, True]),  # the wrong way round
        ([float("nan"), 0.2, 0.7], [True, False, True]),
    ],
)
def test_what_cannot_be_promised_is_none(raw, labels):
    found = category("a", np.array(raw), np.array(labels))
    assert found.threshold is None


def test_a_precision_out_of_reach_is_none():
    raw, labels = np.array([0.9, 0.8, 0.7, 0.1]), np.array([False, True, False, False])
    assert threshold(raw, labels, precision=0.4) is not None
    assert threshold(raw, labels, precision=0.9) is None


def test_two_groups_that_are_apart_get_the_middle():
    raw, labels = np.array([0.1, 0.3, 0.7, 0.9]), np.array([False, False, True, True])
    assert threshold(raw, labels) == pytest.approx(0.5)
    found = category("a", raw, labels)
    assert found.calibration.apply(0.9) > 0.5 > found.calibration.apply(0.1)


def test_calibration_brings_overconfident_scores_back():
    rng = np.random.default_rng(0)
    likely = rng.uniform(0.05, 0.95, 4000)
    labels = rng.uniform(size=4000) < likely
    logits = 3 * np.log(likely / (1 - likely))
    calibration = platt(1 / (1 + np.exp(-logits)), labels)
    assert calibration.a == pytest.approx(1 / 3, rel=0.1)
    assert calibration.b == pytest.approx(0, abs=0.15)


def test_categories_keep_their_order():
    raw, labels = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[True, False], [False, True]])
    found = categories(("b", "a"), raw, labels)
    assert [c.name for c in found] == ["b", "a"]


def test_metrics_count():
    truth = np.array([[1, 0], [1, 0], [0, 0], [0, 0]], bool)
    said = np.array([[1, 0], [0, 0], [1, 0], [0, 1]], bool)
    found = qualities(("a", "b"), truth, said)
    assert (found["a"].precision, found["a"].recall, found["a"].f1) == (0.5, 0.5, 0.5)
    assert (found["b"].f1, found["b"].photos) == (0, 0)
    assert macro_f1(found) == 0.5  # a category that has no photo is not counted
    assert as_json(found)["macro_f1"] == 0.5
