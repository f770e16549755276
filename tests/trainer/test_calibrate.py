"""Calibration and thresholds: sane for every input, and None where nothing can be promised."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosort_trainer.calibrate import (
    NEAR,
    PLENTY,
    categories,
    category,
    lower_bound,
    platt,
    promised,
    threshold,
)
from photosort_trainer.metrics import estimate, macro_f1, qualities, quality

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


@given(pairs)
@settings(max_examples=150)
def test_no_threshold_is_much_better(pair):
    raw, labels = pair
    chosen = threshold(raw, labels)
    everything, *others = (quality(labels, raw >= level) for level in np.unique(raw))
    best = max((q.f1 for q in others), default=0.0)
    if chosen is None:
        assert best <= everything.f1
        return
    found = quality(labels, raw >= chosen)
    assert 0 <= chosen <= 1
    assert best - NEAR - 1e-9 <= found.f1 <= best + 1e-9
    assert found.f1 >= everything.f1


@given(pairs, st.floats(0.05, 0.95))
@settings(max_examples=150)
def test_a_threshold_keeps_its_promise_or_none_can(pair, promise):
    raw, labels = pair

    def kept(level: float) -> bool:
        let_in = raw >= level
        right = float((labels & let_in).sum())
        return right > 0 and lower_bound(np.array([right]), let_in.sum()[None])[0] >= promise

    chosen = threshold(raw, labels, promise)
    if chosen is not None:
        assert kept(chosen)
    else:
        assert not any(kept(level) for level in np.unique(raw)[1:])


@given(pairs)
@settings(max_examples=60)
def test_the_calibrated_threshold_decides_as_the_raw_one(pair):
    raw, labels = pair
    found = category("a", raw[:, np.newaxis], labels)
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
    found = category("a", np.array(raw)[:, np.newaxis], np.array(labels))
    assert found.threshold is None


def test_a_precision_out_of_reach_is_none():
    raw, labels = np.linspace(1, 0, 40), np.arange(40) % 2 == 1
    assert threshold(raw, labels, promise=0.3) is not None
    assert threshold(raw, labels, promise=0.7) is None


def test_the_classic_threshold_is_the_raw_one_with_many_photos_too():
    rng = np.random.default_rng(0)
    labels = np.arange(1200) % 4 == 0
    raw = np.clip(np.where(labels, 0.8, 0.05) + rng.normal(0, 0.1, 1200), 0.001, 0.999)
    assert labels.sum() > PLENTY
    found = category("a", raw[:, np.newaxis], labels, classic=True)
    filed = [found.calibration.apply(float(score)) >= found.threshold for score in raw]
    assert filed == (raw >= 0.1).tolist()


def test_promises_of_many_photos_need_little_memory():
    import tracemalloc

    rng = np.random.default_rng(0)
    labels, raw = rng.random(4000) < 0.3, rng.random((4000, 5))
    chosen = category("a", raw, labels, promise=0.9)
    promised("a", raw[:50], labels[:50], 0.9, chosen)  # what is imported is not counted
    tracemalloc.start()
    found = promised("a", raw, labels, 0.9, chosen)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not found.kept
    assert most < 40 * raw.nbytes


def test_two_groups_that_are_apart_get_the_middle():
    raw, labels = np.array([0.1, 0.3, 0.7, 0.9]), np.array([False, False, True, True])
    assert threshold(raw, labels) == pytest.approx(0.5)
    found = category("a", raw[:, np.newaxis], labels)
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
    found = categories(("b", "a"), raw[:, np.newaxis], labels)
    assert [c.name for c in found] == ["b", "a"]


def test_metrics_count():
    truth = np.array([[1, 0], [1, 0], [0, 0], [0, 0]], bool)
    said = np.array([[1, 0], [0, 0], [1, 0], [0, 1]], bool)
    found = qualities(("a", "b"), truth, said)
    assert (found["a"].precision, found["a"].recall, found["a"].f1) == (0.5, 0.5, 0.5)
    assert (found["b"].f1, found["b"].photos) == (0, 0)
    assert macro_f1(found) == 0.5  # a category that has no photo is not counted


# ---- many photos, promises, intervals


def drawn(count: int, share: float = 0.5, seed: int = 0):
    """Scores that are right as often as they say."""
    rng = np.random.default_rng(seed)
    raw = rng.beta(1.0, (1 - share) / share, count)
    return raw, rng.uniform(size=count) < raw


def test_with_plenty_of_photos_calibration_takes_any_shape():
    raw, labels = drawn(2000)
    bent = np.where(raw < 0.5, raw / 4, 0.6 + raw * 0.4)  # nothing a line in the logits can mend
    found = category("a", bent[:, np.newaxis], labels)
    assert int(labels.sum()) >= PLENTY
    assert found.calibration.kind == "isotonic"
    said = np.array([found.calibration.apply(float(score)) for score in bent])
    assert np.abs(said - raw).mean() < 0.05
    assert all(low < high for low, high in pairwise(found.calibration.xs))
    few = category("a", bent[:300, np.newaxis], labels[:300])
    assert few.calibration.kind == "platt"


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_an_isotonic_threshold_decides_by_calibrated_scores(seed):
    raw, labels = drawn(700, seed=seed)
    found = category("a", raw[:, np.newaxis], labels)
    assert found.calibration.kind == "isotonic"
    assert found.threshold is not None
    said = np.array([found.calibration.apply(float(score)) for score in raw])
    best = max(quality(labels, said >= level).f1 for level in np.unique(said)[1:])
    assert quality(labels, said >= found.threshold).f1 >= best - NEAR - 1e-9


@given(pairs, st.floats(0.05, 0.99))
@settings(max_examples=150)
def test_a_promise_is_kept_with_certainty_or_not_made(pair, promise):
    raw, labels = pair
    chosen = threshold(raw, labels, promise=promise)
    if chosen is None:
        return
    filed = raw >= chosen
    right, said = np.array([np.sum(filed & labels)]), np.array([np.sum(filed)])
    assert lower_bound(right, said)[0] >= promise - 1e-9


def test_versions_of_one_photo_are_not_more_photos():
    labels = np.array([True] * 12 + [False] * 40)
    raw = np.where(labels, 0.9, 0.1)
    one = category("a", raw[:, np.newaxis], labels, promise=0.85)
    five = category("a", np.repeat(raw[:, np.newaxis], 5, axis=1), labels, promise=0.85)
    assert one.threshold is None  # 12 of 12 right: at least 0.825, nine times out of ten
    assert five.threshold is None


def test_the_bound_is_clopper_and_pearsons():
    # By their own definition: with that precision, so many right or more one time in ten.
    bound = lower_bound(np.array([12.0, 9.0, 0.0]), np.array([12.0, 10.0, 0.0]))
    assert bound[0] == pytest.approx(0.1 ** (1 / 12))
    from math import comb

    tail = sum(comb(10, k) * bound[1] ** k * (1 - bound[1]) ** (10 - k) for k in (9, 10))
    assert tail == pytest.approx(0.1)
    assert bound[2] == 0.0


def test_a_promise_that_is_not_kept_says_how_many_more_would():
    labels = np.array([True] * 12 + [False] * 40)
    raw = np.where(labels, 0.9, 0.1)[:, np.newaxis]
    chosen = category("a", raw, labels, promise=0.95)
    found = promised("a", raw, labels, 0.95, chosen)
    assert not found.kept
    assert found.more is not None
    more = 12 + found.more
    assert lower_bound(np.array([more]), np.array([more]))[0] >= 0.95
    assert lower_bound(np.array([more * 0.9]), np.array([more * 0.9]))[0] < 0.95


def test_a_promise_that_no_number_of_photos_keeps_says_so():
    labels = np.array([True, False] * 30)
    raw = np.full((60, 1), 0.5) + np.arange(60)[:, np.newaxis] * 1e-3
    found = promised("a", raw, labels, 0.99, category("a", raw, labels, promise=0.99))
    assert (found.kept, found.more) == (False, None)


def test_classic_is_one_threshold_on_the_raw_score():
    raw, labels = drawn(300)
    found = category("a", raw[:, np.newaxis], labels, classic=True)
    said = np.array([found.calibration.apply(float(score)) for score in raw])
    clear = np.abs(raw - 0.1) > 1e-9
    assert found.threshold is not None
    assert ((said >= found.threshold) == (raw >= 0.1))[clear].all()


def test_the_interval_holds_the_estimate_and_narrows_with_photos():
    raw, labels = drawn(1000)
    truth, said = labels[:, np.newaxis], (raw > 0.5)[:, np.newaxis]
    wide, narrow = estimate(truth[:60], said[:60]), estimate(truth, said)
    assert wide.low <= wide.macro_f1 <= wide.high
    assert narrow.low <= narrow.macro_f1 <= narrow.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2
