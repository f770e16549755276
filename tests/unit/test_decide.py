"""From scores to categories, and whose threshold wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosortd.records import Outcome, Verdict
from photosortd.vision.decide import decide, thresholds

BUNDLE = {"food": 0.6, "me": None, "animal": 0.4}


def test_a_named_category_wins_over_default_which_wins_over_the_bundle():
    assert thresholds(BUNDLE, {}) == BUNDLE
    assert thresholds(BUNDLE, {"default": 0.5}) == {"food": 0.5, "me": None, "animal": 0.5}
    assert thresholds(BUNDLE, {"default": 0.5, "food": 0.7})["food"] == 0.7
    assert thresholds(BUNDLE, {"me": 0.9}) == {"food": 0.6, "me": 0.9, "animal": 0.4}


def test_a_named_null_takes_a_category_out_and_a_null_default_changes_nothing():
    assert thresholds(BUNDLE, {"food": None})["food"] is None
    assert thresholds(BUNDLE, {"default": None}) == BUNDLE


def test_the_bundles_order_is_kept_and_unknown_names_are_left_out():
    assert list(thresholds(BUNDLE, {"zebra": 0.1, "animal": 0.2})) == ["food", "me", "animal"]


@pytest.mark.parametrize(
    ("scores", "verdict", "outcome"),
    [
        ((0.9, 0.9, 0.9), Verdict(("a", "b"), ()), Outcome.PLACED),
        ((0.5, 0.0, 0.0), Verdict(("a",), ()), Outcome.PLACED),
        ((0.45, 0.7, 0.0), Verdict(("b",), ("a",)), Outcome.PLACED),
        ((0.45, 0.0, 0.99), Verdict((), ("a",)), Outcome.UNSURE),
        ((0.375, 0.0, 0.99), Verdict((), ()), Outcome.NONE),
    ],
)
def test_decide(scores, verdict, outcome):
    by_name = dict(zip("abc", scores, strict=True))
    got = decide(by_name, {"a": 0.5, "b": 0.5, "c": None}, margin=0.1)
    assert got == verdict
    assert got.outcome is outcome


def test_the_margin_is_inclusive_and_may_be_nothing():
    assert decide({"a": 0.25}, {"a": 0.5}, margin=0.25).near == ("a",)
    assert decide({"a": 0.49}, {"a": 0.5}, margin=0.0).near == ()


probability = st.floats(0, 1)
names = st.text("abcdef", min_size=1, max_size=3)


@given(st.dictionaries(names, st.tuples(probability, st.none() | probability)), probability)
def test_every_category_is_in_one_list_at_most_and_a_higher_score_never_loses_it(table, margin):
    scores = {name: score for name, (score, _) in table.items()}
    limits = {name: limit for name, (_, limit) in table.items()}
    verdict = decide(scores, limits, margin)
    assert not set(verdict.categories) & set(verdict.near)
    assert [n for n in scores if n in verdict.categories] == list(verdict.categories)
    for name in verdict.categories:
        assert limits[name] is not None
        assert name in decide({**scores, name: 1.0}, limits, margin).categories
