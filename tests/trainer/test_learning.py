"""What lies between photos and bundle: resuming, folds, the search, suspects, progress."""

import hashlib
import importlib.util
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from photosort_trainer import commands, folds
from photosort_trainer.dataset import Photo
from photosort_trainer.recipe import Recipe
from photosort_trainer.stages import FILE, Stages

needs_tensorflow = [
    pytest.mark.trainer,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None,
        reason="needs TensorFlow: pip install 'photosortd[trainer]'",
    ),
    # Keras' and TensorFlow's own use of what NumPy and Python are retiring.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def photo(number: int, labels: str = "") -> Photo:
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    return Photo(sha256, f"{number}.jpg", frozenset(labels))


# ---- folds

labelled = st.lists(st.sampled_from(["", "a", "b", "ab", "c"]), min_size=1, max_size=80).map(
    lambda rows: [photo(number, row) for number, row in enumerate(rows)]
)


@given(labelled, st.integers(2, 7), st.lists(st.integers(0, 20), min_size=80, max_size=80))
@settings(max_examples=60)
def test_each_photo_is_in_one_fold_with_those_like_it(photos, count, numbers):
    alike = {p.sha256: number for p, number in zip(photos, numbers, strict=False)}
    dealt = folds.deal(photos, count, alike, seed=1)
    assert len(dealt) == count
    assert Counter(p.sha256 for fold in dealt for p in fold) == Counter(p.sha256 for p in photos)
    where = [{alike[p.sha256] for p in fold} for fold in dealt]
    assert sum(map(len, where)) == len(set().union(*where))
    again = folds.deal(photos[::-1], count, alike, seed=1)
    assert [{p.sha256 for p in fold} for fold in again] == [
        {p.sha256 for p in fold} for fold in dealt
    ]


def test_folds_have_about_the_same_of_each_label():
    photos = [photo(n, "a" if n % 10 == 0 else "b") for n in range(200)]
    for fold in folds.deal(photos, 5, {}, seed=0):
        assert Counter(label for p in fold for label in p.labels) == {"a": 4, "b": 36}


def test_nobody_is_scored_by_what_has_seen_them():
    class Learned:
        def __init__(self, seen):
            self.seen = {p.sha256 for p in seen}

        def scores(self, photos, versions):
            assert not self.seen & {p.sha256 for p in photos}
            return np.array([[[int(p.path.split(".")[0])]] for p in photos], float)

    class Learner:
        def learn(self, training, validation, what):
            assert validation is None
            return Learned(training)

    photos = [photo(n, "a") for n in range(23)]
    dealt = folds.deal(photos, 5, {}, seed=0)
    scores = folds.held_out(Learner(), photos, dealt, 0, str)
    assert scores[:, 0, 0].tolist() == list(range(23))


# ---- learning goes on where it was


class Noise:
    """Pictures of 2×2 pixels: dark ones are in a, bright ones in b."""

    def __call__(self, photo):
        return self.versions(photo, [0])[0]

    def versions(self, photo, numbers):
        bright = 3.0 if "b" in photo.labels else 1.0
        seed = int(photo.sha256[:8], 16)
        return [
            bright + np.random.default_rng((seed, number)).normal(size=(2, 2, 3))
            for number in numbers
        ]


class _Marks:
    pytestmark = needs_tensorflow


class TestLearning(_Marks):
    def learn(self, folder: Path, stop_after: int = 0, validated: bool = True):
        """A small network on coloured pictures; what its last weights and its epochs are."""
        import keras

        from photosort_trainer import batches, fit
        from photosort_trainer.diary import Hearers

        photos = [photo(n, "a" if n % 3 else "b") for n in range(60)]
        recipe = Recipe(epochs=6, batch=16, hidden=8, patience=3)
        keras.utils.set_random_seed(0)
        pixels = keras.Input((2, 2, 3))
        top = fit.head(12, 2, recipe)
        model = keras.Model(pixels, top(keras.layers.Flatten()(pixels)))

        def heard(epoch):
            if epoch.number == stop_after:
                raise KeyboardInterrupt

        truth = np.array([[n % 3 != 0, n % 3 == 0] for n in range(40)])
        epochs = fit.fit(
            model,
            batches.of_pixels(Noise(), photos[:40], ("a", "b"), 16, seed=5),
            batches.of_pixels(Noise(), photos[40:], ("a", "b"), 16) if validated else None,
            truth,
            recipe,
            folder,
            Hearers(epoch=heard),
        )
        return [np.asarray(w) for w in model.get_weights()], epochs

    @pytest.mark.parametrize("validated", [True, False], ids=["best", "last"])
    def test_a_training_that_was_cut_off_comes_to_the_same(self, tmp_path, validated):
        wanted, epochs = self.learn(tmp_path / "whole", validated=validated)
        for stop_after in (2, 4):
            with pytest.raises(KeyboardInterrupt):
                self.learn(tmp_path / "cut", stop_after, validated)
        found, again = self.learn(tmp_path / "cut", validated=validated)
        assert [epoch.number for epoch in again] == [epoch.number for epoch in epochs]
        for one, other in zip(wanted, found, strict=True):
            assert np.allclose(one, other, atol=2e-3)

    @pytest.mark.parametrize("validated", [True, False], ids=["best", "last"])
    def test_best_weights_that_a_power_failure_took_are_learned_again(self, tmp_path, validated):
        wanted, epochs = self.learn(tmp_path, validated=validated)
        (tmp_path / "best.npz").write_bytes(b"")
        found, again = self.learn(tmp_path, validated=validated)
        assert len(again) == len(epochs)
        assert all(np.allclose(a, b, atol=2e-3) for a, b in zip(wanted, found, strict=True))

    def test_what_is_finished_is_only_loaded(self, tmp_path, monkeypatch):
        from photosort_trainer import fit

        wanted, _ = self.learn(tmp_path)
        monkeypatch.setattr(fit, "_compile", None)
        found, epochs = self.learn(tmp_path)
        assert all(np.array_equal(a, b) for a, b in zip(wanted, found, strict=True))
        assert epochs


# ---- the search


def test_every_combination_once_and_a_study_that_was_cut_off_goes_on(tmp_path):
    pytest.importorskip("optuna", reason="needs Optuna: pip install 'photosortd[trainer]'")
    from photosort_trainer import search

    asked: list[Recipe] = []

    def judge(recipe: Recipe) -> float:
        if len(asked) == 30:
            asked.append(recipe)
            raise KeyboardInterrupt
        asked.append(recipe)
        return recipe.dropout - recipe.layers + recipe.hidden / 1000

    with pytest.raises(KeyboardInterrupt):
        search.study(Recipe(), judge, tmp_path / "log", "key")
    trials = search.study(Recipe(), judge, tmp_path / "log", "key")
    total = search.combinations(Recipe())
    assert total == 72
    assert len(trials) == total
    assert total <= len(asked) <= total + 2
    assert trials[0].settings["dropout"] == 0.6
    assert trials[0].settings["layers"] == 1
    assert trials[0].settings["hidden"] == 512
    assert [t.macro_f1 for t in trials] == sorted((t.macro_f1 for t in trials), reverse=True)
    before = len(asked)
    assert search.study(Recipe(), judge, tmp_path / "log", "key") == trials
    assert len(asked) == before
    search.study(replace(Recipe(), backbone="scratch"), judge, tmp_path / "log", "key")
    assert len(asked) == before + 8


def test_a_study_that_a_full_disk_cut_off_goes_on(tmp_path):
    pytest.importorskip("optuna", reason="needs Optuna: pip install 'photosortd[trainer]'")
    from photosort_trainer import search

    asked: list[Recipe] = []

    def judge(recipe: Recipe) -> float:
        asked.append(recipe)
        return recipe.dropout

    log = tmp_path / "log"
    recipe = replace(Recipe(), backbone="scratch")
    wanted = search.study(recipe, judge, log, "key")
    log.write_bytes(log.read_bytes()[:-30])
    Path(f"{log}.lock").symlink_to(log)  # as a killed run leaves it
    asked.clear()
    assert search.study(recipe, judge, log, "key") == wanted
    assert len(asked) == 1
    assert not os.path.lexists(f"{log}.lock")


# ---- probable label errors


def test_wrong_labels_are_suspected():
    pytest.importorskip("cleanlab", reason="needs cleanlab: pip install 'photosortd[trainer]'")
    from photosort_trainer import mislabelled

    rng = np.random.default_rng(0)
    truth = np.arange(200)[:, np.newaxis] % 2 == np.array([[0, 1]])
    scores = np.clip(np.where(truth, 0.93, 0.07) + rng.normal(0, 0.05, truth.shape), 0.01, 0.99)
    scores[10, 0], scores[21, 0] = 0.99, 0.01
    said = truth.copy()
    said[[10, 21], 0] = ~said[[10, 21], 0]
    photos = [photo(n) for n in range(200)]
    found = mislabelled.find(photos, ("a", "b"), said, scores)
    assert {(each["path"], each["category"]) for each in found} == {
        ("10.jpg", "a"), ("21.jpg", "a"),
    }  # fmt: skip
    assert {each["path"]: each["labelled"] for each in found} == {"10.jpg": False, "21.jpg": True}


# ---- progress for others to see


def status(run: Path) -> str:
    done = CliRunner().invoke(commands.group, ["status", str(run)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_status_says_what_is_done_and_what_is_under_way(tmp_path):
    stages = Stages(tmp_path)
    with stages.doing("features"):
        assert "running  features" in status(tmp_path)
    with pytest.raises(KeyboardInterrupt), stages.doing("search"):
        raise KeyboardInterrupt
    assert "done     features" in status(tmp_path)
    assert "stopped  search" in status(tmp_path)
    assert "goes on where it was" in status(tmp_path)
    with pytest.raises(OSError, match="full"), stages.doing("search"):
        raise OSError("the disk is full")
    assert "the disk is full" in status(tmp_path)
    with stages.doing("search"):
        stages.finish()
    assert "finished" in status(tmp_path)


def test_status_knows_a_run_that_was_killed(tmp_path):
    with Stages(tmp_path).doing("features"):
        said = json.loads((tmp_path / FILE).read_bytes())
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        (tmp_path / FILE).write_text(json.dumps({**said, "pid": child}))
        assert "cut off" in status(tmp_path)


def test_status_of_nothing(tmp_path):
    done = CliRunner().invoke(commands.group, ["status", str(tmp_path)])
    assert "no training has begun here" in str(done.exception)
