"""A run teaches a small network: from a command to a bundle that the daemon takes."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from drawing import draw_photo
from photosort_trainer import commands, results, scratch, states
from photosortd.vision.bundle import read_bundle
from photosortd.vision.classify import Classifier
from running import eventually

pytestmark = [
    pytest.mark.trainer,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None,
        reason="needs TensorFlow: pip install 'photosortd[trainer]'",
    ),
    # Keras' and TensorFlow's own use of what NumPy and Python are retiring.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

COLORS = {"brick": (200, 50, 40), "sea": (40, 60, 200)}
QUICK = ("--student", "tiny", "--size", "32", "--batch", "8")
SURELY = ("--epochs", 20, "--learning-rate", 0.01, "--mixup", 0)


def near(color: tuple[int, int, int], seed: int) -> bytes:
    red, green, blue = (band + (seed * 7) % 30 - 15 for band in color)
    return draw_photo((red, green, blue), (64, 48), seed=seed)


def put(files: dict[Path, bytes]) -> None:
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(commands.group, list(map(str, arguments)))


def done(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module", autouse=True)
def shallow() -> Iterator[tuple[int, ...]]:
    """Most of a short training is making its graph. As it was before."""
    before = scratch._WIDTHS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch, "_WIDTHS", (12, 24))
        yield before


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has ended: two colours, and some photos of none."""
    from photosort_trainer import export

    top = tmp_path_factory.mktemp("taught")
    files = {
        top / "originals" / name / f"{number}.jpg": near(color, number)
        for name, color in COLORS.items()
        for number in range(14)
    }
    greys = {top / f"originals/none/{n}.jpg": near((110, 110, 110), n) for n in range(6)}
    put(files | greys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "FORMS", ("float32",))  # what it ships as is another test's
        network = ("--backbone", "small_scratch", "--size", 32, "--epochs", 30)
        quick = ("--few", "--folds", 0, "--trial-epochs", 0)
        done("train", top / "originals", "--out", top / "run", *network, *quick)
    return top / "run"


@pytest.fixture(scope="module")
def unlabelled(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos without labels, two of which are known too well, one that is none, and a copy."""
    folder = tmp_path_factory.mktemp("unlabelled")
    held = {
        part: next(
            line.split(",")[2]
            for line in (teacher / "split.csv").read_text().splitlines()
            if f",{part}," in line
        )
        for part in ("validation", "test")
    }
    new = {
        folder / f"{name}-{number}.jpg": near(color, number)
        for name, color in COLORS.items()
        for number in range(100, 112)
    }
    first = next(iter(new.values()))
    put(
        {
            **new,
            folder / "again.jpg": first,
            folder / "broken.jpg": first[:200],
            folder / "judged.jpg": Path(held["test"]).read_bytes(),
            folder / "chosen.jpg": Path(held["validation"]).read_bytes(),
        }
    )
    return folder


@pytest.fixture(scope="module")
def student(
    teacher: Path, unlabelled: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Stopped after its first epoch, and gone on with; what it said then."""
    from photosort_trainer import diary
    from photosort_trainer.commands import progress

    def stop(self, epoch, of, what):
        if epoch.number == 1:
            raise KeyboardInterrupt

    out = tmp_path_factory.mktemp("students") / "student"
    arguments = ("distill", teacher, "--unlabelled", unlabelled, "--out", out, *QUICK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diary, "_RARELY", 0)
        patch.setattr(progress.Tell, "epoch", stop)
        assert call(*arguments, "--epochs", 3).exit_code != 0
    assert "stopped  tiny" in done("status", out)
    assert not (out / "bundle").exists()
    return out, done(*arguments, "--epochs", 3)


def test_the_bundle_is_one_that_the_daemon_takes(student):
    bundle = read_bundle(student[0] / "bundle")
    assert bundle.names == tuple(sorted(COLORS))
    assert bundle.backbone == "tiny"
    assert bundle.recipe["mixup"] == 0.2
    assert bundle.golden
    scores = Classifier(bundle).scores(np.zeros((32, 32, 3), np.uint8))
    assert len(scores) == 2
    assert "learned to say what a larger one" in (bundle.path / "MODEL_CARD.md").read_text()


def test_a_training_that_was_stopped_comes_to_the_same(student, teacher, unlabelled, tmp_path):
    from photosort_trainer import shipping

    def enough(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipping, "choose_form", enough)
        arguments = ("--unlabelled", unlabelled, "--out", tmp_path, *QUICK, "--epochs", 3)
        call("distill", teacher, *arguments)
    stopped, whole = (
        states.load(next(folder.glob("cache/learned-*/best.npz")))
        for folder in (student[0], tmp_path)
    )
    assert stopped is not None
    assert whole is not None
    for one, other in zip(stopped[0]["weights"], whole[0]["weights"], strict=True):
        assert np.allclose(one, other, atol=2e-3)
    assert [len(epochs_of(folder)) for folder in (student[0], tmp_path)] == [3, 3]


@pytest.mark.faults
def test_after_a_kill_it_goes_on_where_it_was(teacher, unlabelled, tmp_path, shallow):
    from photosort_trainer.commands import progress

    command = ("distill", teacher, "--unlabelled", unlabelled, "--out", tmp_path, *QUICK)
    asked = list(map(str, (*command, "--epochs", 5000)))
    process = subprocess.Popen(
        [sys.executable, "-m", "photosort_trainer", *asked], stdout=subprocess.DEVNULL
    )
    try:
        eventually(lambda: len(epochs_of(tmp_path)) >= 3, seconds=100)
    finally:
        process.kill()
        process.wait()
    before = epochs_of(tmp_path)
    gone_on = []

    def stop(self, epoch, of, what):
        gone_on.append(epoch.number)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch, "_WIDTHS", shallow)  # the killed one had those
        patch.setattr(progress.Tell, "epoch", stop)
        assert call(*command, "--epochs", 5000).exit_code != 0
    assert gone_on == [len(before) + 1]
    assert not (tmp_path / "bundle").exists()


def epochs_of(out: Path) -> list[dict[str, float]]:
    for path in out.glob("cache/learned-*/state.npz"):
        if (found := states.load(path)) is not None:
            return list(found[1]["epochs"])
    return []


def test_what_judges_is_not_learned_from_and_what_is_unusable_is_named(student):
    found = results.load(student[0])
    reasons = {Path(path).name: why for path, why in found.left_out}
    assert set(reasons) == {"broken.jpg", "judged.jpg", "chosen.jpg"}
    assert "chosen or judged by" in reasons["judged.jpg"]
    assert "chosen or judged by" in reasons["chosen.jpg"]
    assert found.distilled["unlabelled"] == 24  # the copy counts once
    assert found.distilled["labelled"] == sum(each.training for each in found.photos)


def test_nearly_the_same_as_what_judges_is_left_out():
    from photosort_trainer.dataset import Photo
    from photosort_trainer.distill import looking
    from photosort_trainer.likeness import Look

    seen = [
        looking.Seen("close.jpg", 1, 1, "a" * 64, waves=0b111, slopes=0b1),
        looking.Seen("other.jpg", 1, 1, "b" * 64, waves=2**63 - 1, slopes=2**63 - 1),
        looking.Seen("known.jpg", 1, 1, "c" * 64, waves=2**62 - 1, slopes=2**40),
    ]
    judging = Photo("d" * 64, "test.jpg", frozenset("a"), look=Look(0, 0, None))
    places, left_out = looking.usable(seen, [judging], {"c" * 64})
    assert places == [1]
    assert [each.path for each in left_out] == ["close.jpg"]


def test_both_stand_side_by_side(student, teacher):
    out, said = student
    assert "teacher: small_scratch" in said
    assert "student: tiny" in said
    assert "ms for a photo" in said
    assert "photosortd model install" in said
    first, second = results.load(out).distilled["compared"]["rows"]
    judged = results.load(teacher)
    assert first["macro_f1"] == pytest.approx(judged.shipped_macro["macro_f1"])
    assert first["by_category"] == {name: q["f1"] for name, q in judged.shipped.items()}
    assert second["bytes"] == (out / "bundle/model.tflite").stat().st_size
    page = (out / "report.html").read_text()
    assert "Teacher and student" in page
    assert "Teacher and student" not in (teacher / "report.html").read_text()


def test_each_photo_is_decoded_once(student, teacher, unlabelled, monkeypatch):
    from photosort_trainer.distill import looking

    def never(*_: object) -> None:
        raise AssertionError("was decoded already")

    monkeypatch.setattr(looking, "decode", never)
    before = read_bundle(student[0] / "bundle").categories
    from photosort_trainer import export

    monkeypatch.setattr(export, "FORMS", ("float32",))
    arguments = ("--unlabelled", unlabelled, "--out", student[0], *QUICK)
    done("distill", teacher, *arguments, "--epochs", 3)
    assert read_bundle(student[0] / "bundle").categories == before


# ---- what is learned


def test_the_teachers_scores_are_what_is_answered():
    from photosort_trainer.distill import lessons

    truth = np.array([[True, False]])
    said = np.array([[[0.6, 0.2], [0.4, 0.2]], [[0.7, 0.0], [0.7, 0.2]]])  # photos, looks
    found = lessons.targets(said, truth, 0.5)
    assert found == pytest.approx(np.array([[[0.8, 0.1], [0.7, 0.1]], [[0.7, 0.01], [0.7, 0.2]]]))
    assert lessons.targets(said, truth, 0.0)[0] == pytest.approx(said[0])


def test_a_student_believes_its_teacher_and_not_the_labels(teacher, tmp_path):
    """One that says the opposite makes a student that says the opposite."""
    from photosort_trainer import dataset, shipping
    from photosort_trainer.distill import learning
    from photosort_trainer.distill.teacher import Teacher

    def enough(*_: object) -> None:
        raise KeyboardInterrupt

    right, falling = Teacher.calibrated, iter(range(99, 0, -1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Teacher, "calibrated", lambda self, raw: 1 - right(self, raw))
        # By the labels the worst pupil would be chosen; here the last epoch is.
        patch.setattr(learning.Judge, "look", lambda self: (next(falling), 0.0))
        patch.setattr(shipping, "choose_form", enough)
        call("distill", teacher, "--out", tmp_path, *QUICK, "--truth", 0, *SURELY)
    import keras

    model = keras.models.load_model(tmp_path / "model.keras", compile=False)
    photos = dataset.read(teacher.parent / "originals", few=True).photos
    seen = model.predict_on_batch(np.stack([dataset.pixels(p, 32) for p in photos]).astype(float))
    truth = dataset.labels(photos, sorted(COLORS))
    assert seen[truth].mean() < seen[~truth].mean() - 0.1


def test_every_category_is_shown_as_often():
    from photosort_trainer.distill import lessons

    truth = np.array([[True, False]] * 30 + [[False, True]] * 3 + [[False, False]] * 6)
    chances = lessons.chances(truth)
    assert [chances[:30].sum(), chances[30:33].sum(), chances[33:].sum()] == pytest.approx(
        [1 / 3] * 3
    )
    taught = lessons.Lessons(
        looks=1,
        categories=2,
        features=3,
        picture=lambda place, look: np.zeros((40, 40, 3), np.uint8),
        target=lambda place, look: np.zeros(5, np.float32),
        photos=39 + 60,
        chances=chances,
        key="",
    )
    from photosort_trainer.distill.settings import Settings

    settings = Settings(labelled=0.5, batch=50)
    order = lessons.order(taught, settings, 3)
    assert len(order) == lessons.length(taught, settings) == 150
    assert sorted(order[order >= 39]) == list(range(39, 99))
    assert np.array_equal(order, lessons.order(taught, settings, 3))
    assert not np.array_equal(order, lessons.order(taught, settings, 4))


def test_views_have_the_size_that_is_wanted_and_their_own_chance():
    from photosort_trainer.distill import views
    from photosort_trainer.recipe import Changes

    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    rng = np.random.default_rng(1)
    one, other = (views.view(pixels, rng, Changes(crop=0.9), 32) for _ in range(2))
    assert one.shape == other.shape == (32, 32, 3)
    assert not np.array_equal(one, other)
    again = views.view(pixels, np.random.default_rng(1), Changes(crop=0.9), 32)
    assert np.array_equal(one, again)
    still = views.view(pixels, rng, Changes(0, 0, 0, 0), 40)
    assert np.array_equal(still, pixels) or np.array_equal(still, pixels[:, ::-1])


def test_two_pictures_mix_as_their_targets_do():
    from photosort_trainer.distill import views

    pixels = (
        np.zeros((8, 4, 4, 3), np.float32) + np.arange(8, dtype=np.float32)[:, None, None, None]
    )
    targets = np.arange(8, dtype=np.float32)[:, None]
    mixed, wanted = views.mix(pixels, targets, np.random.default_rng(0), 1.0)
    assert mixed.dtype == wanted.dtype == np.float32
    assert mixed[:, 0, 0, 0] == pytest.approx(wanted[:, 0])
    assert not np.array_equal(mixed, pixels)


def test_a_student_from_imagenet_begins_with_its_weights(tmp_path):
    from dataclasses import replace

    from photosort_trainer import quiet
    from photosort_trainer.distill import students
    from photosort_trainer.distill.settings import defaults

    quiet.load_tensorflow(0)
    import keras

    network = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), include_top=False, weights=None
    )
    network.save_weights(str(tmp_path / "mobilenet_v2_1.0_notop.weights.h5"))
    settings = replace(defaults("mobilenet_v2"), size=32, dropout=0.0)
    student = students.network(settings, 2, str(tmp_path))
    assert student.count_params() == network.count_params() + 2 * 1280 + 2
    wanted, found = network.get_weights(), student.get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(wanted, found, strict=False))
    norms = [each for each in network.layers if isinstance(each, keras.layers.BatchNormalization)]
    learning = len(network.trainable_variables) - 2 * len(norms)
    assert len(student.trainable_variables) == learning + 2
    # Norms of this batch would undo a file whose norms were folded into its convolutions.
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    assert np.allclose(student(pixels, training=True), student(pixels, training=False), atol=1e-5)


def test_the_residual_student_is_small():
    from photosort_trainer import quiet
    from photosort_trainer.distill import students
    from photosort_trainer.distill.settings import defaults

    quiet.load_tensorflow(0)
    settings = defaults("small_resnet")
    student = students.network(settings, 6, None)
    assert student.input_shape == (None, 128, 128, 3)
    assert student.output_shape == (None, 6)
    assert 2_000_000 < student.count_params() < 2_850_000  # a byte each leaves room in 3 MB


def test_looks_at_a_photo_are_always_the_same_and_begin_with_the_whole(tmp_path):
    from queue import SimpleQueue

    from photosort_trainer.distill import looking
    from photosort_trainer.recipe import Changes
    from photosortd.vision.decode import decode

    asked = []

    def lane(shown):
        asked.append(np.stack(shown))
        return np.array([[each.mean()] for each in shown], np.float32)

    free: SimpleQueue = SimpleQueue()
    free.put(lane)
    path = tmp_path / "photo.jpg"
    path.write_bytes(near(COLORS["sea"], 3))
    way = looking.Way(48, 40, 3, Changes(turn=0.0, crop=0.5, light=0.0, colour=0.0))
    one, other = (looking.glance(way, free, str(path)) for _ in range(2))
    assert one.pixels is not None
    assert one.said is not None
    assert (one.pixels.shape, one.said.shape) == ((3, 40, 40, 3), (3, 1))
    assert np.array_equal(one.pixels, other.pixels)
    assert np.array_equal(asked[0][0], decode(path.read_bytes(), 48, 48).pixels)
    assert len({each.tobytes() for each in asked[0]}) == 3
    assert np.array_equal(asked[0], asked[1])


def test_every_feature_weighs_the_same():
    from photosort_trainer.distill import lessons

    rng = np.random.default_rng(0)
    features = (rng.normal(size=(200, 3)) * (100, 1, 0) + (5, -3, 7)).astype(np.float16)
    scale = lessons.scale([features[:150], features[150:]])
    scaled = scale(features)
    assert scaled.mean(0) == pytest.approx([0, 0, 0], abs=1e-3)
    assert scaled.std(0)[:2] == pytest.approx([1, 1], abs=1e-3)
    assert np.all(scaled[:, 2] == 0)  # one that never moves says nothing


def test_pictures_grow_and_stay_smaller_than_the_input():
    from photosort_trainer.distill.settings import Settings

    settings = Settings(size=112, epochs=10, growing=((0.6, 0.72), (1.0, 0.86)))
    found = [settings.stretch(epoch) for epoch in range(10)]
    assert found == [(80, 6)] * 6 + [(96, 10)] * 4
    assert Settings(size=32, epochs=1).stretch(0) == (32, 1)


def test_a_network_tells_its_features_before_its_scores():
    from photosort_trainer import fit, quiet
    from photosort_trainer.recipe import Recipe

    quiet.load_tensorflow(0)
    import keras

    pixels = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    alone = scratch.small_network(3, 32, 0.2, 0.0)
    said = fit.telling(alone).predict_on_batch(pixels)
    pooled = keras.Model(alone.input, alone.get_layer(scratch.DROPOUT).input)
    assert np.allclose(said[:, :-3], pooled.predict_on_batch(pixels), atol=1e-5)
    assert np.allclose(said[:, -3:], alone.predict_on_batch(pixels), atol=1e-5)
    top = fit.head(said.shape[1] - 3, 2, Recipe(backbone="mobilenet_v2", layers=1, hidden=8))
    joined = fit.whole(pooled, top, 32)
    said = fit.telling(joined).predict_on_batch(pixels)
    assert np.allclose(said[:, :-2], pooled.predict_on_batch(pixels), atol=1e-5)
    assert np.allclose(said[:, -2:], joined.predict_on_batch(pixels), atol=1e-5)


def test_a_student_learns_the_teachers_features(teacher, tmp_path):
    """What it makes of them is nearer than their mean."""
    from photosort_trainer import quiet, shipping
    from photosort_trainer.distill import gathering, students
    from photosort_trainer.distill.settings import defaults

    known = {}
    gather = gathering.gather

    def remember(*arguments):
        known["taught"] = gather(*arguments)
        return known["taught"]

    def enough(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "gather", remember)
        patch.setattr(shipping, "choose_form", enough)
        call("distill", teacher, "--out", tmp_path, *QUICK, *SURELY)
    quiet.load_tensorflow(0)
    lessons = known["taught"].lessons
    pupil = students.pupil(defaults("tiny"), 2, lessons.features, None)
    kept = states.load(next(tmp_path.glob("cache/learned-*/best.npz")))
    assert kept is not None
    pupil.asked.set_weights(kept[0]["weights"])
    places = range(lessons.photos)
    shown = np.stack([lessons.picture(place, 0)[4:36, 4:36] for place in places])
    made = pupil.asked.predict_on_batch(shown.astype(np.float32))[:, 2:]
    wanted = np.stack([lessons.target(place, 0) for place in places])[:, 2:]
    assert np.mean((made - wanted) ** 2) < 0.8 * np.mean(wanted**2)


def test_a_student_begins_with_what_another_has_learned(teacher, student, unlabelled, tmp_path):
    from photosort_trainer import shipping

    def enough(*_: object) -> None:
        raise KeyboardInterrupt

    arguments = ("distill", teacher, "--unlabelled", unlabelled, *QUICK, "--epochs", 1)
    slowly = ("--learning-rate", 1e-6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipping, "choose_form", enough)
        call(*arguments, *slowly, "--begin-with", student[0], "--out", tmp_path / "second")
        call(*arguments, *slowly, "--out", tmp_path / "first")
    import keras

    known, second, first = (
        keras.models.load_model(path / "model.keras", compile=False).get_weights()[0]
        for path in (student[0], tmp_path / "second", tmp_path / "first")
    )
    assert np.allclose(second, known, atol=1e-3)
    assert not np.allclose(first, known, atol=1e-2)
    said = refused(*arguments[1:], *slowly, "--out", tmp_path / "second")
    assert "from other weights" in said


def test_a_head_alone_learns_on_a_network_that_stays_as_it_is(
    teacher, student, unlabelled, tmp_path
):
    from photosort_trainer.distill import heading

    begun = ("--begin-with", student[0], "--frozen", "--epochs", 30, "--out", tmp_path)
    arguments = ("distill", teacher, "--unlabelled", unlabelled, *QUICK, *begun)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heading.fit_head, "fit", stopping)
        assert call(*arguments).exit_code == 1
    kept = [path.stat().st_mtime_ns for path in tmp_path.rglob("seen.npy")]
    done(*arguments)
    assert [path.stat().st_mtime_ns for path in tmp_path.rglob("seen.npy")] == kept  # not again
    import keras

    known, found = (
        keras.models.load_model(path / "model.keras", compile=False).get_weights()
        for path in (student[0], tmp_path)
    )
    assert len(known) == len(found)
    assert all(np.array_equal(*each) for each in zip(known[:-2], found[:-2], strict=True))
    assert not np.allclose(known[-2], found[-2], atol=1e-2)
    assert results.load(tmp_path).distilled["from"] == "what another student had learned"
    bundle = read_bundle(tmp_path / "bundle")
    scores = Classifier(bundle).scores
    for place, name in enumerate(sorted(COLORS)):
        assert np.argmax(scores(np.full((32, 32, 3), COLORS[name], np.uint8))) == place


def stopping(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_head_says_of_features_what_it_says_of_them_scaled():
    from photosort_trainer.distill import heading, lessons
    from photosort_trainer.heads import Head

    rng = np.random.default_rng(0)
    features = (rng.normal(size=(50, 4)) * [1, 20, 0.1, 3] + [0, 5, 9, -3]).astype(np.float16)
    scale = lessons.scale([features])
    head = Head((rng.normal(size=(4, 2)).astype(np.float32), np.ones(2, np.float32)), "relu")
    wide = heading.unscaled(head, scale).scores(features.astype(np.float32))
    assert np.allclose(wide, head.scores(scale(features)), atol=1e-4)


# ---- what is refused


def refused(*arguments: object) -> str:
    result = call("distill", *arguments)
    assert result.exception is not None
    assert not isinstance(result.exception, AssertionError)
    return f"{result.output}{result.exception}"


def test_other_settings_in_the_same_directory_are_refused(student, teacher, unlabelled):
    same = (teacher, "--out", student[0], *QUICK)
    assert "epochs 3, now 5" in refused(*same, "--unlabelled", unlabelled, "--epochs", 5)
    assert "with other photos" in refused(*same, "--epochs", 3)


def test_the_student_that_comes_with_us_fits_any_number_of_categories():
    from photosort_trainer import quiet
    from photosort_trainer.distill import before, students
    from photosort_trainer.distill.settings import defaults

    quiet.load_tensorflow(0)
    ours = before.open_student("packaged")
    assert ours is not None
    six, three = (students.network(defaults("small_resnet"), n, None) for n in (6, 3))
    for network in (six, three):
        network.set_weights(ours.weights(network))
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 128, 128, 3)).astype(np.float32)
    pooled = [
        keras_model(network, network.get_layer(scratch.DROPOUT).input).predict_on_batch(pixels)
        for network in (six, three)
    ]
    assert np.allclose(*pooled, atol=1e-4)


def keras_model(network, output):
    import keras

    return keras.Model(network.input, output)


def test_what_is_no_run_or_has_not_ended_is_refused(teacher, student, tmp_path):
    assert "no training has ended in this directory" in refused(tmp_path)
    assert "is a student itself" in refused(student[0])
    half = tmp_path / "half"
    half.mkdir()
    for name in ("results.json", "split.csv"):
        shutil.copy(teacher / name, half)
    shutil.copytree(teacher / "bundle", half / "bundle")
    assert "the last one did not end" in refused(half)


def test_folders_and_weights_that_are_not_there_are_named(teacher, unlabelled, tmp_path):
    assert "--unlabelled nowhere: no such folder" in refused(teacher, "--unlabelled", "nowhere")
    assert "say --originals DIR" in refused(teacher, "--originals", tmp_path / "gone")
    said = refused(teacher, "--student", "mobilenet_v2", "--weights-dir", tmp_path)
    assert "mobilenet_v2_1.0_notop.weights.h5" in said
    among = unlabelled / "run"
    nothing = refused(teacher, "--begin-with", tmp_path)
    assert "no model.keras is there" in nothing
    another = ("--begin-with", teacher, "--student", "small_resnet", "--size", 32)
    assert "is another network" in refused(teacher, *another, "--out", tmp_path / "another")
    assert "stands among the photos" in refused(teacher, "--unlabelled", unlabelled, "--out", among)
    assert "is the teacher's" in refused(teacher, "--out", teacher)
    assert "--frozen: say --begin-with" in refused(teacher, "--frozen")
    assert call("distill", teacher, "--student", "huge").exit_code == 2
    assert not list(teacher.glob("distilled-*"))


def test_a_run_of_other_photos_is_refused(teacher, tmp_path):
    put({tmp_path / "o" / name / "1.jpg": near((9, 9, 9), 1) for name in ("cat", "dog")})
    said = refused(teacher, "--originals", tmp_path / "o", "--out", tmp_path / "out")
    assert "the teacher knows brick, sea" in said


def test_a_run_that_does_not_say_where_its_photos_are_wants_to_be_told(teacher, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(teacher, old, ignore=shutil.ignore_patterns("cache"))
    said = json.loads((old / "results.json").read_text())
    (old / "results.json").write_text(json.dumps({**said, "examples": {}}))
    assert "say --originals DIR" in refused(old)
