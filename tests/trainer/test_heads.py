"""A head learns as Keras would teach it, goes on where it was, and finds what there is to find."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photosort_trainer import fit_head, heads
from photosort_trainer.diary import Epoch
from photosort_trainer.heads import Head
from photosort_trainer.recipe import Recipe

RECIPE = Recipe(epochs=6, batch=16, hidden=8, augment=2, patience=3, dropout=0.4)


class Rows:
    """Features of which the first one tells the two categories apart, more or less."""

    width = 8

    def __init__(self, count: int, seed: int, apart: float = 3.0) -> None:
        rng = np.random.default_rng(seed)
        rare = np.arange(count) % 3 == 0
        self.truth = np.column_stack([~rare, rare])
        self.features = rng.normal(size=(count, self.width)).astype(np.float32)
        self.features[:, 0] += np.where(rare, -apart, apart)

    def batches(self, size, rng):
        count = len(self.truth)
        order = np.arange(count) if rng is None else rng.permutation(count)
        for start in range(0, count, size):
            chosen = order[start : start + size]
            yield self.features[chosen], self.truth[chosen]


def learn(folder: Path, stop_after: int = 0, validated: bool = True, recipe: Recipe = RECIPE):
    def heard(epoch: Epoch) -> None:
        if epoch.number == stop_after:
            raise KeyboardInterrupt

    held_out = Rows(20, 2, apart=0.5) if validated else None
    return fit_head.fit(Rows(60, 1), held_out, recipe, folder, heard)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_slopes_are_those_of_the_loss(activation, layers):
    rng = np.random.default_rng(0)
    recipe = replace(RECIPE, activation=activation, layers=layers)
    head = heads.fresh(8, 2, recipe, rng)
    # In double precision, or the differences drown.
    head = replace(head, weights=tuple(each.astype(np.float64) for each in head.weights))
    features = rng.normal(size=(10, 8))
    targets = rng.uniform(size=(10, 2))
    emphasis = np.array([1.0, 2.5])
    masks = [(rng.random((10, 8)) > 0.3) / 0.7 for _ in range(layers)]
    _, slopes = head.gradients(features, targets, emphasis, masks)
    for place, weight in enumerate(head.weights):
        spot = tuple(size // 2 for size in weight.shape)
        losses = []
        for step in (-1e-5, 1e-5):
            moved = [each.copy() for each in head.weights]
            moved[place][spot] += step
            found, _ = Head(tuple(moved), activation).gradients(features, targets, emphasis, masks)
            losses.append(found)
        assert slopes[place][spot] == pytest.approx((losses[1] - losses[0]) / 2e-5, abs=1e-7)


@pytest.mark.trainer
@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason="needs TensorFlow: pip install 'photosortd[trainer]'",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_it_learns_as_keras_would_teach_it(activation, tmp_path):
    import keras

    from photosort_trainer import fit

    class InOrder(Rows):
        def batches(self, size, rng):
            return super().batches(size, None)

    rows = InOrder(60, 1)
    recipe = replace(RECIPE, activation=activation, layers=2, dropout=0.0, patience=99)
    begun = heads.fresh(8, 2, recipe, np.random.default_rng((recipe.seed, 0)))
    model = fit.as_keras(begun, recipe)
    loss = fit.balanced_loss(rows.truth, recipe.balance, recipe.smoothing)
    model.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss=loss,
        metrics=[keras.metrics.MeanMetricWrapper(loss, name="bare")],
    )
    history = model.fit(
        rows.features,
        rows.truth.astype(np.float32),
        batch_size=recipe.batch,
        epochs=recipe.epochs,
        shuffle=False,
        verbose=0,
    ).history
    head, epochs = fit_head.fit(rows, None, recipe, tmp_path)
    assert [each.loss for each in epochs] == pytest.approx(history["bare"], abs=1e-5)
    for ours, theirs in zip(head.weights, model.get_weights(), strict=True):
        assert np.allclose(ours, theirs, atol=1e-5)
    ours, theirs = head.scores(rows.features), model.predict(rows.features, verbose=0)
    assert np.allclose(ours, theirs, atol=1e-6)
    assert np.allclose(
        fit.as_keras(head, recipe).predict(rows.features, verbose=0), ours, atol=1e-6
    )


@pytest.mark.parametrize("validated", [True, False], ids=["best", "last"])
def test_a_training_that_was_cut_off_comes_to_the_same(tmp_path, validated):
    wanted, epochs = learn(tmp_path / "whole", validated=validated)
    for stop_after in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            learn(tmp_path / "cut", stop_after, validated)
    found, again = learn(tmp_path / "cut", validated=validated)
    assert again == epochs
    for one, other in zip(wanted.weights, found.weights, strict=True):
        assert np.array_equal(one, other)


def test_what_is_finished_is_only_loaded(tmp_path, monkeypatch):
    wanted, epochs = learn(tmp_path)
    monkeypatch.setattr(fit_head, "_epoch", None)
    found, again = learn(tmp_path)
    assert again == epochs
    assert all(np.array_equal(a, b) for a, b in zip(wanted.weights, found.weights, strict=True))


@pytest.mark.parametrize("left", [0, 100, -10])
def test_a_file_that_a_power_failure_cut_is_made_again(tmp_path, left):
    wanted, _ = learn(tmp_path)
    [kept] = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:left])
    found, _ = learn(tmp_path)
    assert all(np.array_equal(a, b) for a, b in zip(wanted.weights, found.weights, strict=True))


def test_the_best_epoch_counts_and_patience_ends_it(tmp_path):
    # So little to learn from that it soon knows them by heart, and others the worse.
    recipe = replace(RECIPE, epochs=200, learning_rate=0.05, penalty=0.0, dropout=0.0)
    few, held_out = Rows(12, 1, apart=0.0), Rows(60, 2, apart=0.0)
    head, epochs = fit_head.fit(few, held_out, recipe, tmp_path)
    losses = [each.validation_loss for each in epochs]
    best = int(np.argmin(losses))
    assert len(epochs) == best + 1 + recipe.patience < recipe.epochs
    targets = heads.smoothed(held_out.truth, recipe.smoothing)
    emphasis = heads.class_weights(few.truth, recipe.balance)
    said = heads.cross_entropy(head.scores(held_out.features), targets, emphasis)
    assert said == pytest.approx(losses[best], abs=1e-5)


def test_it_tells_apart_what_can_be_told_apart(tmp_path):
    head, _ = learn(tmp_path, recipe=replace(RECIPE, epochs=40, learning_rate=0.01))
    other = Rows(300, 3)
    assert ((head.scores(other.features) > 0.5) == other.truth).mean() > 0.97


def test_a_rare_category_weighs_more():
    truth = np.array([[True, True]] * 1 + [[False, True]] * 9)
    assert heads.class_weights(truth, 0.5).tolist() == pytest.approx([3.0, (1 / 10) ** 0.5])
    assert heads.class_weights(truth, 0.0).tolist() == [1.0, 1.0]
