"""From drawn photos to a bundle that the daemon's own classifier sorts with."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from photosort_trainer import commands
from photosortd.records import Limits
from photosortd.vision.bundle import read_bundle
from photosortd.vision.classify import Classifier
from photosortd.vision.decide import decide
from photosortd.vision.decode import decode
from photosortd.vision.worker import selftest

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

COLORS = {"brick": (200, 50, 40), "meadow": (50, 190, 60), "sea": (40, 60, 200)}
QUICK = ("--few", "--folds", "0", "--trial-epochs", "0")
SMALL = ("--backbone", "small_scratch", "--size", "32", *QUICK)


def half_and_half(draw_photo, left: str, right: str, seed: int) -> bytes:
    """A photo of two categories."""
    import io

    from PIL import Image

    image = Image.open(io.BytesIO(draw_photo(COLORS[left], (64, 48), seed)))
    other = Image.open(io.BytesIO(draw_photo(COLORS[right], (64, 48), seed + 1)))
    image.paste(other.crop((32, 0, 64, 48)), (32, 0))
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=90)
    return stream.getvalue()


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 drawn photos of three colours, six of them of two, and six of none."""
    from conftest import draw_photo

    folder = tmp_path_factory.mktemp("photos") / "originals"
    files: dict[str, bytes] = {}
    for name, color in COLORS.items():
        for number in range(14):
            near = tuple(band + (number * 7) % 30 - 15 for band in color)
            files[f"{name}/{number}.jpg"] = draw_photo(near, (64, 48), seed=number)
    for number in range(6):
        both = half_and_half(draw_photo, "brick", "sea", 50 + number)
        files[f"brick/both-{number}.jpg"] = files[f"sea/both-{number}.jpg"] = both
        grey = (100 + 10 * number,) * 3
        files[f"none/{number}.jpg"] = draw_photo(grey, (64, 48), seed=number)
    files["brick/notes.txt"] = b"no photo"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def train(*arguments: object) -> str:
    """Run `photosort-train train …`; its output."""
    result = CliRunner().invoke(
        commands.group, ["train", *map(str, arguments)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def run(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One training from random weights, and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return out, train(originals, "--out", out, *SMALL, "--epochs", 40)


def test_the_bundle_sorts_with_the_daemons_eyes(run, draw_photo):
    bundle = read_bundle(run[0] / "bundle")
    classifier = Classifier(bundle)

    def sort(data: bytes) -> set[str]:
        scores = classifier.scores(decode(data, bundle.height, bundle.width).pixels)
        named = dict(zip(bundle.names, scores, strict=True))
        return set(decide(named, bundle.thresholds, 0.0).categories)

    new = [(name, seed) for name in COLORS for seed in range(100, 110)]
    right = sum(sort(draw_photo(COLORS[name], (64, 48), seed)) == {name} for name, seed in new)
    assert right >= 0.8 * len(new)
    both = [sort(half_and_half(draw_photo, "brick", "sea", seed)) for seed in range(200, 210)]
    assert sum(found == {"brick", "sea"} for found in both) >= 5


def test_the_bundle_is_whole_and_small(run):
    folder = run[0] / "bundle"
    bundle = read_bundle(folder)
    assert bundle.names == tuple(sorted(COLORS))
    assert (bundle.height, bundle.width) == (32, 32)
    assert bundle.recipe["epochs"] == 40
    assert 2 <= len(bundle.golden) <= 8
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 1_000_000
    assert bundle.metrics["export"]["agreement"] >= 0.995
    assert selftest(str(folder), Limits())


def test_the_report_names_what_was_left_out_and_what_comes_next(run):
    out, said = run
    assert "notes.txt" in said
    assert "notaphoto:atext" in "".join(said.split())  # where it wraps depends on the path
    assert all(name in said for name in COLORS)
    assert "photosortd model install" in said
    card = (out / "bundle/MODEL_CARD.md").read_text()
    assert "Macro-F1" in card
    assert "meadow" in card


def test_again_gives_the_same_and_learns_nothing_anew(run, originals, monkeypatch):
    from photosort_trainer import fit

    def never(*_: object) -> None:
        raise AssertionError("was learned already")

    monkeypatch.setattr(fit, "_compile", never)
    before = read_bundle(run[0] / "bundle")
    train(originals, "--out", run[0], *SMALL, "--epochs", 40)
    after = read_bundle(run[0] / "bundle")
    assert after.categories == before.categories
    assert after.golden == before.golden
    assert after.metrics["test"] == before.metrics["test"]


def test_a_run_that_was_stopped_goes_on_with_the_next_epoch(originals, tmp_path, monkeypatch):
    from photosort_trainer import diary
    from photosort_trainer.commands import progress

    seen: list[int] = []

    def stop(self, epoch, of, what):
        seen.append(epoch.number)
        if len(seen) == 4:
            raise KeyboardInterrupt

    arguments = [originals, "--out", tmp_path, *SMALL, "--epochs", 6]
    monkeypatch.setattr(diary, "_RARELY", 0)
    monkeypatch.setattr(progress.Tell, "epoch", stop)
    stopped = CliRunner().invoke(commands.group, ["train", *map(str, arguments)])
    assert stopped.exit_code != 0
    assert not (tmp_path / "bundle").exists()
    train(*arguments)
    assert seen == [1, 2, 3, 4, 5, 6]  # an epoch is kept before anybody hears of it
    read_bundle(tmp_path / "bundle")


def test_a_crash_at_the_end_leaves_the_old_bundle(run, originals, monkeypatch):
    from photosort_trainer import leaving

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "bundle")

    before = read_bundle(run[0] / "bundle").id
    monkeypatch.setattr(leaving.card, "write", full)
    failed = CliRunner().invoke(
        commands.group, ["train", str(originals), "--out", str(run[0]), *SMALL, "--epochs", "40"]
    )
    assert isinstance(failed.exception, OSError)
    assert read_bundle(run[0] / "bundle").id == before
    kept = {"bundle", "cache", "split.csv", "model.keras", "results.json", "report.html"}
    assert {path.name for path in run[0].iterdir()} == {*kept, "progress.json"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the right shape: MobileNet at a quarter of its width, with random weights."""
    from photosort_trainer import quiet

    quiet.load_tensorflow(0)
    import keras

    folder = tmp_path_factory.mktemp("weights")
    network = keras.applications.MobileNet(
        input_shape=(64, 64, 3), alpha=0.25, include_top=False, weights=None
    )
    network.save_weights(str(folder / "mobilenet_0.25_notop.weights.h5"))
    return folder


def test_a_pretrained_network_end_to_end(originals, weights, tmp_path):
    arguments = ("--backbone", "mobilenet_0.25", "--size", 64, *QUICK, "--epochs", 3)
    said = train(originals, "--out", tmp_path, "--weights-dir", weights, *arguments, "--augment", 1)
    bundle = read_bundle(tmp_path / "bundle")
    assert bundle.backbone == "mobilenet_0.25"
    assert bundle.recipe["augment"] == 1
    assert "features of mobilenet_0.25" in said
    scores = Classifier(bundle).scores(np.zeros((64, 64, 3), np.uint8))
    assert len(scores) == 3


def test_our_own_network_end_to_end_without_any_weights_of_others(originals, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nothing"))
    arguments = ("--backbone", "small_resnet", *QUICK, "--epochs", 30, "--augment", 1)
    train(originals, "--out", tmp_path / "run", *arguments)
    bundle = read_bundle(tmp_path / "run" / "bundle")
    assert (bundle.backbone, bundle.height) == ("small_resnet", 128)
    assert bundle.metrics["test"]["macro_f1"] > 0.9
    assert not list((tmp_path / "nothing").rglob("*.h5"))


def test_features_are_computed_once_and_a_stopped_run_goes_on(originals, weights, tmp_path):
    from photosort_trainer import backbones, dataset, features
    from photosort_trainer.pictures import Pictures

    network = backbones.TABLE["mobilenet_0.25"]
    built = backbones.build(network, 64, backbones.find_weights(network, str(weights), {}))
    photos = dataset.read(originals, few=True).photos[:10]
    computed: list[str] = []

    def counting(stop_after: int):
        def progress(items):
            for item in items:
                if len(computed) == stop_after:
                    raise KeyboardInterrupt
                computed.append(item.sha256)
                yield item

        return progress

    def extractor(cache: Path):
        return features.Extractor(built, "mobilenet_0.25", Pictures(cache, 64), cache)

    with pytest.raises(KeyboardInterrupt):
        extractor(tmp_path / "a").table(photos, 2, counting(6))
    found = extractor(tmp_path / "a").table(photos, 2, counting(1000))
    assert 10 <= len(computed) <= 12  # one or two were drawn, but not kept, when it stopped
    assert found.rows.shape == (10, 3, 256)
    # A table that is lost, or a photo's file that a power failure cut, is made again.
    kept = sorted(path for path in (tmp_path / "a").rglob("*.npy") if path.stem in computed)
    kept = [path for path in kept if "mobilenet" in str(path)]
    kept[0].write_bytes(b"")
    kept[1].write_bytes(kept[2].read_bytes()[:200])
    for table in (tmp_path / "a").rglob("table-*.npy"):
        table.unlink()
    computed.clear()
    again = extractor(tmp_path / "a").table(photos, 2, counting(1000))
    assert sorted(computed) == [path.stem for path in kept[:2]]
    # More versions: those that are there stay.
    computed.clear()
    more = extractor(tmp_path / "a").table(photos, 3, counting(1000))
    fresh = extractor(tmp_path / "b").table(photos, 3)
    assert np.array_equal(found.rows, again.rows)
    assert np.array_equal(more.rows[:, :3], found.rows)
    assert np.abs(more.rows.astype(float) - fresh.rows.astype(float)).max() < 1e-3


def test_missing_weights_are_named_before_any_photo_is_read(tmp_path):
    result = CliRunner().invoke(
        commands.group,
        ["train", "nowhere", "--out", str(tmp_path / "run"), "--weights-dir", str(tmp_path)],
    )
    said = str(result.exception)
    assert "mobilenet_v2_1.0_notop.weights.h5" in said
    assert str(tmp_path) in said
    assert not (tmp_path / "run").exists()


def test_weights_of_another_network_are_refused_before_any_photo_is_read(weights, tmp_path):
    (tmp_path / "mobilenet_0.25_notop.weights.h5").write_bytes(
        (weights / "mobilenet_0.25_notop.weights.h5").read_bytes()
    )
    (tmp_path / "mobilenet_0.75_notop.weights.h5").write_bytes(
        (weights / "mobilenet_0.25_notop.weights.h5").read_bytes()
    )
    command = ["train", "nowhere", "--out", str(tmp_path / "run"), "--weights-dir", str(tmp_path)]
    networks = ["--backbone", "mobilenet_0.25", "--backbone", "mobilenet"]
    result = CliRunner().invoke(commands.group, [*command, *networks])
    assert "does not hold the weights of mobilenet" in str(result.exception)
    assert "other shapes" in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_other_weights_are_another_training(originals, weights, tmp_path):
    """In the same directory: heads that learned on the old features are of no use."""
    import keras

    other = tmp_path / "other"
    other.mkdir()
    keras.utils.set_random_seed(99)
    network = keras.applications.MobileNet(
        input_shape=(64, 64, 3), alpha=0.25, include_top=False, weights=None
    )
    network.save_weights(str(other / "mobilenet_0.25_notop.weights.h5"))
    arguments = ("--backbone", "mobilenet_0.25", "--size", 64, *QUICK, "--epochs", 2)
    common = (*arguments, "--augment", 0)
    train(originals, "--out", tmp_path / "run", "--weights-dir", weights, *common)
    train(originals, "--out", tmp_path / "run", "--weights-dir", other, *common)
    train(originals, "--out", tmp_path / "new", "--weights-dir", other, *common)
    from photosort_trainer import results

    again, new = (results.load(tmp_path / name) for name in ("run", "new"))
    assert again.candidates[0].losses == new.candidates[0].losses
    assert again.held_out == new.held_out


def test_weights_of_another_network_are_refused(weights, tmp_path):
    from photosort_trainer import backbones
    from photosort_trainer.errors import WeightsError

    wrong = tmp_path / "mobilenet_0.75_notop.weights.h5"
    wrong.write_bytes((weights / "mobilenet_0.25_notop.weights.h5").read_bytes())
    network = backbones.TABLE["mobilenet"]
    with pytest.raises(WeightsError, match=r"0\.75_notop.*does not hold the weights of mobilenet"):
        backbones.build(network, 64, backbones.find_weights(network, str(tmp_path), {}))


def test_one_training_at_a_time(run, originals):
    from photosort_trainer.alone import alone

    with alone(run[0]):
        result = CliRunner().invoke(
            commands.group, ["train", str(originals), "--out", str(run[0]), *SMALL]
        )
    assert "another training is running in this directory" in str(result.exception)


@pytest.mark.parametrize("where", ["", "run"])
def test_a_run_among_the_categories_is_refused(originals, where):
    out = originals / where
    before = sorted(originals.rglob("*"))
    result = CliRunner().invoke(
        commands.group, ["train", str(originals), "--out", str(out), *SMALL]
    )
    assert "would be taken for one" in str(result.exception)
    assert sorted(originals.rglob("*")) == before


def test_a_refused_split_is_not_kept(originals, tmp_path):
    arguments = ["train", str(originals), "--out", str(tmp_path / "run"), *SMALL, "--epochs", "1"]
    shares = ["--split", "90/9.9/0.1"]
    result = CliRunner().invoke(commands.group, [*arguments, *shares])
    assert "no photo is left to judge the result by" in str(result.exception)
    assert not (tmp_path / "run").exists()


@pytest.mark.root
def test_a_full_disk_is_a_message_and_goes_on_when_there_is_room(originals, tmp_path):
    """Really full, at whatever is written then: no signal, nothing half-made, nothing lost."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [sys.executable, "-m", "photosort_trainer", "train", str(originals)]
    command += ["--out", str(disk / "run"), "--backbone", "scratch", "--size", "32", *QUICK]
    command += ["--epochs", "3"]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(disk)], check=True)
    try:
        for size in ("200k", "2m", "9m"):  # photos, the best weights, the state to go on from
            subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 1, (size, done.returncode, done.stderr)
            assert "No space left on device" in done.stderr
            assert str(disk) in done.stderr, "which disk?"
            assert "Traceback" not in done.stderr
            assert not list(disk.rglob(".*")), "something half-made is left"
            assert not (disk / "run/bundle").exists()
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        read_bundle(disk / "run/bundle")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_form_that_gives_something_else_is_not_shipped(run, originals, monkeypatch):
    from photosort_trainer import export
    from photosort_trainer.errors import ExportError

    before = read_bundle(run[0] / "bundle").id
    trained = export.keras_scores
    monkeypatch.setattr(export, "keras_scores", lambda *a: 1.0 - trained(*a))
    result = CliRunner().invoke(
        commands.group, ["train", str(originals), "--out", str(run[0]), *SMALL, "--epochs", "40"]
    )
    assert isinstance(result.exception, ExportError)
    assert "float16" in str(result.exception)
    assert "float32" in str(result.exception)
    assert read_bundle(run[0] / "bundle").id == before


@pytest.fixture(scope="module")
def large_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the right shapes and names for the three networks of the report."""
    from photosort_trainer import backbones, quiet

    quiet.load_tensorflow(0)
    import h5py
    import keras
    from keras.src.legacy.saving import legacy_h5_format

    folder = tmp_path_factory.mktemp("large")
    for name in backbones.REPORT:
        backbone = backbones.TABLE[name]
        network = getattr(keras.applications, backbone.constructor)(
            input_shape=(75, 75, 3), include_top=False, weights=None
        )
        with h5py.File(
            folder / backbone.published, "w"
        ) as file:  # Keras' own are in its old format
            legacy_h5_format.save_weights_to_hdf5_group(file, network)
    return folder


def test_the_best_of_the_report_is_chosen_refined_and_explained(
    originals, large_weights, tmp_path, monkeypatch
):
    from photosort_trainer import results, search

    monkeypatch.setattr(search, "GRID", {"hidden": (16, 32)})
    monkeypatch.setattr(search, "SCRATCH_GRID", {"hidden": (16, 32)})
    arguments = (
        "--backbone", "report", "--size", 75, "--few", "--epochs", 2, "--augment", 1,
        "--folds", 2, "--weights-dir", large_weights, "--precision", "sea=0.999",
    )  # fmt: skip
    said = train(originals, "--out", tmp_path, *arguments)
    found = results.load(tmp_path)
    names = [each.name for each in found.candidates]
    assert names == ["resnet50", "vgg19", "inception_v3", "scratch"]
    assert all(name in said for name in names)
    best = max(found.candidates, key=lambda each: (each.validation["macro_f1"], -each.cost))
    assert found.winner == best.name
    assert len(found.trials) == 2
    for each in found.candidates:
        assert each.validation["low"] <= each.validation["macro_f1"] <= each.validation["high"]
    assert found.shipped["sea"]["threshold"] is None
    assert "sea: a precision of 0.999 cannot be kept" in said
    assert [each["form"] for each in found.exports] == [
        "float32",
        "float16",
        "int8 weights",
        "int8",
    ]
    passing = [each for each in found.exports if each["passes"]]
    small = 1.1 * min(each["bytes"] for each in passing)
    assert found.form in {each["form"] for each in passing if each["bytes"] <= small}
    held_out = found.held_out["sea"]
    assert len(held_out["scores"]) == len(held_out["labels"]) > len(found.shots) > 0
    import keras

    kept = keras.models.load_model(tmp_path / "model.keras")
    scores = Classifier(read_bundle(tmp_path / "bundle")).raw_scores(
        np.zeros((75, 75, 3), np.uint8)
    )
    assert np.allclose(kept.predict(np.zeros((1, 75, 75, 3)), verbose=0)[0], scores, atol=0.1)


def test_a_promise_for_no_category_is_refused_before_long_work(originals, tmp_path):
    result = CliRunner().invoke(
        commands.group,
        ["train", str(originals), "--out", str(tmp_path), *SMALL, "--precision", "see=0.9"],
    )
    assert "'see' was promised a precision" in str(result.exception)
    assert not (tmp_path / "bundle").exists()
