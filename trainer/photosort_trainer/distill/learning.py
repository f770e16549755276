"""A student learns in Keras: its optimizer, its averaged weights, and what they come to.

The last epoch counts. Along a cosine the averaged weights go on getting better, and a few dozen
validation photos cannot tell one epoch from the next; thresholds, which are by the same photos,
would look better than they are after a choice among sixty.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import candidates, export, fit, learners, metrics
from photosort_trainer.bench import Bench, Learned
from photosort_trainer.dataset import Photo, labels
from photosort_trainer.diary import F1, LOSS, Diary
from photosort_trainer.distill import lessons, students
from photosort_trainer.distill.before import Before
from photosort_trainer.distill.lessons import Lessons
from photosort_trainer.distill.settings import Settings
from photosort_trainer.distill.students import Pupil
from photosort_trainer.shipping import batched

Model = Any  # keras.Model, which has no types
Weights = list[NDArray[np.float32]]

_LONG = 1000  # steps
_AT_FIRST = 10  # steps: the average forgets the random weights that it began with


class Student:
    """A network that answers what its lessons say."""

    can_unfreeze = False

    def __init__(
        self, settings: Settings, bench: Bench, taught: Lessons, first: Before | None = None
    ) -> None:
        """`first`: another student, to begin with what it has learned."""
        self.recipe = settings.recipe()
        self._settings, self._bench, self._lessons = settings, bench, taught
        self._first = first

    @property
    def cost(self) -> float:
        return students.COSTS[self._settings.student]

    def by(self, recipe: object) -> "Student":
        """There is no other recipe for it."""
        return self

    def learn(
        self, training: Sequence[Photo], validation: Sequence[Photo] | None, what: str
    ) -> Learned:
        """From the lessons; `validation` shows how far it is."""
        settings, bench = self._settings, self._bench
        learners.fresh(self.recipe)
        taught, names = self._lessons, len(bench.names)
        pupil = students.pupil(settings, names, taught.features, bench.weights_dir)
        if self._first is not None:
            pupil.scoring.set_weights(self._first.weights(pupil.scoring))
        pictures = bench.pictures(self.recipe)
        origin = taught.key if self._first is None else f"{taught.key} {self._first.key}"
        folder = bench.folder(self.recipe, training, validation, origin)
        average = Average(pupil.asked, settings.average)
        hearers = bench.hearers(settings.epochs, what)
        diary = Diary(folder, hearers, False, average)
        if diary.finished:
            diary.load(pupil.asked)
        else:
            judge = None if validation is None else self._judge(pupil, average, validation)
            self._fit(pupil.asked, diary, average, judge)
        model = students.network(settings, names, bench.weights_dir)
        model.set_weights(pupil.scoring.get_weights())
        scores = partial(learners.pixel_scores, model, pictures, bench.scoring(what))
        return Learned(tuple(diary.epochs), scores, partial(fit.bare, model), folder, last=True)

    def _judge(self, pupil: Pupil, average: "Average", photos: Sequence[Photo]) -> "Judge":
        pixels = partial(batched, photos, self._bench.pictures(self.recipe))
        return Judge(pupil, average, pixels, labels(photos, self._bench.names))

    def _fit(self, model: Model, diary: Diary, average: "Average", judge: "Judge | None") -> None:
        settings, taught = self._settings, self._lessons
        _compile(model, settings, taught)
        diary.restore(model)
        while len(diary.epochs) < settings.epochs:  # else it was cut off between that and its end
            size, until = settings.stretch(len(diary.epochs))
            shown = lessons.of(taught, settings, size)
            model.fit(
                shown,
                initial_epoch=len(diary.epochs),
                epochs=until,
                shuffle=False,
                verbose=0,
                callbacks=[
                    _callbacks(average, judge),
                    *diary.callbacks(model, settings.epochs + 1, shown),
                ],
            )
        diary.finish(model)


class Average:
    """Of a model's weights over its steps, those of batch normalisation included: steadier than
    the last ones, and as good as a smaller learning rate (Polyak and Juditsky, 1992)."""

    def __init__(self, model: Model, keep: float) -> None:
        self._model, self._keep = model, keep
        self._weights = [np.array(each) for each in model.get_weights()]

    def step(self) -> None:
        """After each of the optimizer's."""
        count = int(self._model.optimizer.iterations)
        keep = min(self._keep, (1 + count) / (_AT_FIRST + count))
        for mine, now in zip(self._weights, self._model.get_weights(), strict=True):
            mine *= keep
            mine += (1 - keep) * now

    def weights(self) -> Weights:
        return self._weights

    def take(self, weights: Weights) -> None:
        self._weights = [np.array(each) for each in weights]


class Judge:
    """What the averaged weights say of photos that they have not learned from."""

    def __init__(
        self, pupil: Pupil, average: Average, pixels: Any, truth: NDArray[np.bool_]
    ) -> None:
        """`pixels()` gives [n, size, size, 3] in batches; `truth` [photos, categories]."""
        self._pupil, self._average, self._pixels, self._truth = pupil, average, pixels, truth

    def look(self) -> tuple[float, float]:
        """Cross-entropy, and macro-F1 with thresholds from the same photos."""
        asked = self._pupil.asked
        own = asked.get_weights()
        asked.set_weights(self._average.weights())
        try:
            seen = export.keras_scores(self._pupil.scoring, self._pixels())
        finally:
            asked.set_weights(own)
        likely = np.clip(np.where(self._truth, seen, 1 - seen), 1e-7, 1.0)
        said = seen >= candidates.thresholds(seen, self._truth)
        names = [str(place) for place in range(seen.shape[1])]
        f1 = metrics.macro_f1(metrics.qualities(names, self._truth, said))
        return float(-np.log(likely).mean()), f1


def _callbacks(average: Average, judge: Judge | None) -> Any:
    """The diary comes after them, and finds in the logs what was seen."""
    import keras

    def end(_: int, logs: dict[str, float]) -> None:
        if judge is not None:
            logs[f"val_{LOSS}"], logs[f"val_{F1}"] = judge.look()

    return keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: average.step(), on_epoch_end=end
    )


def _compile(model: Model, settings: Settings, taught: Lessons) -> None:
    import keras

    every = settings.epochs * lessons.length(taught, settings) // settings.batch
    warm = max(1, round(settings.warm_up * every))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, every - warm), 0.01, warmup_target=settings.learning_rate, warmup_steps=warm
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = _loss(taught.categories, settings.features)
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=[keras.metrics.MeanMetricWrapper(loss, name=LOSS)],
        # A quarter faster, once half a minute has gone into compiling.
        jit_compile=every > _LONG,
    )


def _loss(categories: int, features: float) -> Any:
    """Cross-entropy of the scores, and beside it how far the features are from the teacher's:
    a few scores say little of a photo, over a thousand features a great deal (Romero and others,
    "FitNets: Hints for Thin Deep Nets", 2015)."""
    from keras import ops

    # All categories and photos weigh the same: how often each is shown does the balancing.
    entropy = fit.balanced_loss(np.ones((1, categories), bool), 0.0, 0.0)

    def apart(wanted: Any, said: Any) -> Any:
        distance = ops.square(wanted[:, categories:] - said[:, categories:])
        return features * ops.mean(distance, axis=-1)

    def loss(wanted: Any, said: Any) -> Any:
        right = entropy(wanted[:, :categories], said[:, :categories])
        return right + apart(wanted, said)

    return loss if categories else apart
