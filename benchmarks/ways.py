"""One way of training, measured in a process of its own: `ways.py WAY JOB`, the answer on stdout.

The ways share photos, split, network, head, loss, versions and combinations. They differ in what
goes through the network, and how often.
"""

import itertools
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from photosort_trainer import (
    backbones,
    bench,
    candidates,
    dataset,
    fit,
    frozen,
    learners,
    metrics,
    pictures,
    quiet,
    search,
    split,
)
from photosort_trainer.dataset import Photo
from photosort_trainer.diary import Epoch
from photosort_trainer.recipe import Recipe, defaults
from photosort_trainer.split import Part

T = TypeVar("T")
Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """What every way is asked to do."""

    photos: str  # a folder with a folder for each category
    work: str  # an empty folder
    network: str
    weights: str  # a folder; '': random weights
    size: int
    epochs: int
    versions: int
    combinations: int
    repeats: int  # of the forward passes

    @property
    def usual(self) -> Recipe:
        return replace(
            defaults(self.network), size=self.size, epochs=self.epochs, augment=self.versions
        )

    def grid(self) -> list[Recipe]:
        """Evenly spread over the refinement's grid."""
        every = list(itertools.product(*search.GRID.values()))
        step = len(every) / self.combinations
        chosen = [every[int(k * step)] for k in range(self.combinations)]
        return [replace(self.usual, **dict(zip(search.GRID, each, strict=True))) for each in chosen]

    def course(self) -> tuple[candidates.Course, list[Photo]]:
        """What is learned from, and the held-out photos that judge."""
        data = dataset.read(self.photos, few=True)
        parts = split.assign(data.photos, 0).parts
        chosen = {p: [each for each in data.photos if parts.get(each.sha256) is p] for p in Part}
        course = candidates.Course(data.categories, chosen[Part.TRAIN], chosen[Part.VALIDATION])
        return course, chosen[Part.TEST]

    def build(self) -> Any:
        table = backbones.TABLE[self.network]
        weights = backbones.find_weights(table, self.weights, {}) if self.weights else ""
        return backbones.build(table, self.size, weights)


class Silent:
    """Tells nobody how far it is."""

    def say(self, text: str) -> None: ...

    def each(self, title: str, items: Sequence[T]) -> Iterable[T]:
        return items

    def epoch(self, epoch: Epoch, of: int, what: str) -> None: ...

    def far(self, epochs: float, of: int, what: str) -> None: ...


def trainer(job: Job) -> Found:
    """photosort-train's own modules: features once, a head for each combination."""
    course, test = job.course()
    shared = bench.Bench(
        course.names, (*course.training, *course.validation), Path(job.work), job.weights, Silent()
    )
    learner = learners.OnFeatures(job.usual, shared)
    with own_memory() as memory:
        began = time.perf_counter()
        _ = learner._table
        featured = time.perf_counter() - began
        tried = [candidates.attempt(learner.by(each), course, "") for each in job.grid()]
        seconds = time.perf_counter() - began
    best = candidates.best(tried)
    verdicts = best.learned.scores(test, 0)[:, 0] >= candidates.thresholds(
        best.validation, course.truth
    )
    passes = len(shared.photos) * (job.versions + 1)
    return {
        "seconds": seconds,
        "features_s": featured,
        "photos_per_s": passes / featured,
        "macro_f1": _f1(course.names, test, verdicts),
        "own_mb": memory(),
    }


def unfreezing(job: Job) -> Found:
    """The last blocks learn too, for one epoch."""
    course, _ = job.course()
    photos = (*course.training, *course.validation)
    shared = bench.Bench(course.names, photos, Path(job.work), job.weights, Silent())
    learner = learners.OnFeatures(replace(job.usual, epochs=1, augment=0), shared)
    candidates.attempt(learner, course, "")
    began = time.perf_counter()
    candidates.attempt(learner.by(replace(learner.recipe, unfreeze=1)), course, "")
    return {"seconds": time.perf_counter() - began}


def plain(job: Job) -> Found:
    """Keras alone: frozen network and head in one model, fed with pixels in every epoch."""
    import keras

    course, test = job.course()
    drawn = pictures.Pictures(Path(job.work), job.size)

    def feed(photos: Sequence[Photo], versions: int, seed: int | None) -> Any:
        truth = dataset.labels(photos, course.names).astype(np.float32)
        count, batch = len(photos) * (versions + 1), 32

        class Fed(keras.utils.PyDataset):  # type: ignore[misc, unused-ignore]
            epoch = 0

            def __len__(self) -> int:
                return -(-count // batch)

            def __getitem__(self, number: int) -> tuple[Any, Any]:
                order = np.arange(count)
                if seed is not None:
                    order = np.random.default_rng((seed, self.epoch)).permutation(count)
                chosen = order[number * batch : (number + 1) * batch]
                places = [divmod(int(k), versions + 1) for k in chosen]
                rows = [drawn.versions(photos[photo], [number])[0] for photo, number in places]
                return np.stack(rows).astype(np.float32), truth[chosen // (versions + 1)]

            def on_epoch_end(self) -> None:
                self.epoch += 1

        return Fed(workers=2, max_queue_size=4)  # the next batches are drawn meanwhile

    def attempt(combination: Recipe) -> tuple[float, Any, Any]:
        keras.utils.set_random_seed(combination.seed)
        network = job.build()
        top = fit.head(network.output_shape[-1], len(course.names), combination)
        inputs = keras.Input((job.size, job.size, 3))
        model = keras.Model(inputs, top(network(inputs, training=False)))
        truth = dataset.labels(course.training, course.names)
        loss = fit.balanced_loss(truth, combination.balance, combination.smoothing)
        model.compile(
            optimizer=keras.optimizers.Adam(combination.learning_rate),
            loss=loss,
            metrics=[keras.metrics.MeanMetricWrapper(loss, name="plain")],
        )
        kept = str(Path(job.work, "plain.weights.h5"))
        best = keras.callbacks.ModelCheckpoint(
            kept, monitor="val_plain", mode="min", save_best_only=True, save_weights_only=True
        )
        model.fit(
            feed(course.training, job.versions, combination.seed),
            validation_data=feed(course.validation, 0, None),
            epochs=job.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[best],
        )
        model.load_weights(kept)
        seen = model.predict(feed(course.validation, 0, None), verbose=0).astype(np.float64)
        limits = candidates.thresholds(seen, course.truth)
        found = metrics.qualities(course.names, course.truth, seen >= limits)
        return metrics.macro_f1(found), model, limits

    with own_memory() as memory:
        began = time.perf_counter()
        best = max((attempt(each) for each in job.grid()), key=lambda each: round(each[0], 4))
        seconds = time.perf_counter() - began
    verdicts = best[1].predict(feed(test, 0, None), verbose=0) >= best[2]
    once = len(course.training) * (job.versions + 1) + len(course.validation)
    return {
        "seconds": seconds,
        "photos_per_s": once * job.epochs * job.combinations / seconds,
        "macro_f1": _f1(course.names, test, verdicts),
        "own_mb": memory(),
    }


def forward(job: Job) -> Found:
    """Each photo and version once through the frozen network: drawn before, learned from never.

    By the trainer's own engine, and by one `tf.function` with batches of 16.
    """
    import tensorflow as tf

    course, _ = job.course()
    drawn = pictures.Pictures(Path(job.work), job.size)
    photos = (*course.training, *course.validation)
    numbers = range(job.versions + 1)
    versions = [pixels for each in photos for pixels in drawn.versions(each, numbers)]
    network = job.build()
    lanes = frozen.lanes(network, job.size)
    infer = tf.function(lambda batch: network(batch, training=False))

    def own() -> None:
        each = [threading.Thread(target=lane, args=(versions[k :: len(lanes)],))
                for k, lane in enumerate(lanes)]  # fmt: skip
        for thread in each:
            thread.start()
        for thread in each:
            thread.join()

    def keras_own() -> None:
        for k in range(0, len(versions), 16):
            infer(np.stack(versions[k : k + 16]).astype(np.float32)).numpy()

    infer(np.stack(versions[:16]).astype(np.float32))  # traced
    took = [(_seconds(own), _seconds(keras_own)) for _ in range(job.repeats)]
    return {
        "passes": len(versions),
        "seconds": [each for each, _ in took],
        "tensorflow_s": [each for _, each in took],
        "learned_from": [len(course.training), len(course.validation)],
    }


def _f1(names: Sequence[str], photos: Sequence[Photo], verdicts: Any) -> float:
    truth = dataset.labels(photos, names)
    return metrics.macro_f1(metrics.qualities(names, truth, verdicts))


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def own_memory() -> Iterator[Callable[[], float]]:
    """The most that the process itself held, in MB: without files that are mapped, whose pages the
    system takes back when it likes."""
    over, most = threading.Event(), [0]

    def watch() -> None:
        while not over.wait(0.05):
            lines = Path("/proc/self/status").read_text().splitlines()
            held = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            most[0] = max(most[0], held)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lambda: most[0] / 1024
    finally:
        over.set()
        watching.join()


WAYS: Mapping[str, Callable[[Job], Found]] = {
    "trainer": trainer,
    "plain": plain,
    "forward": forward,
    "unfreezing": unfreezing,
}


def main() -> None:
    job = Job(**json.loads(sys.argv[2]))
    quiet.load_tensorflow(0)
    if not job.weights:
        weights = Path(job.work, "weights")
        weights.mkdir()
        table = backbones.TABLE[job.network]
        with quiet.hushed():
            network = backbones.build(table, job.size, "")
        inner = next(layer for layer in network.layers if hasattr(layer, "layers"))
        inner.save_weights(str(weights / (table.files[0].removesuffix(".h5") + ".h5")))
        job = replace(job, weights=str(weights))
    found = WAYS[sys.argv[1]](job)
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # TensorFlow is slow to end


if __name__ == "__main__":
    main()
