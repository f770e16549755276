"""Bundles are installed whole, switched at once, and never lost."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from photosortd.errors import BundleError, WorldError
from photosortd.models import Models, copies, incoming_directory, inuse
from photosortd.models.choose import Chosen
from photosortd.vision.bundle import Bundle, Category, read_bundle, write_bundle

Make = Callable[[str], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """make('a') writes a bundle of that category and returns its directory."""

    def make(name: str) -> Path:
        directory = tmp_path / "made" / name
        directory.parent.mkdir(exist_ok=True)
        write_bundle(
            directory,
            model=b"model of " + name.encode(),
            categories=[Category(name, 0.5)],
            height=32,
            width=32,
            backbone="none",
            recipe={},
            metrics={},
            golden={"g.png": (b"not looked at here", [0.5])},
            model_card="# " + name,
        )
        return directory

    return make


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(str(tmp_path / "state"), starter=tmp_path / "no-starter")


def fine(directory: str) -> None:
    """A check that every whole bundle passes."""
    read_bundle(directory)


def bad(directory: str) -> None:
    raise BundleError(f"{directory}: golden/g.png: score 0.1 instead of 0.5")


def damage(bundle: Bundle) -> None:
    bundle.model.write_bytes(bundle.model.read_bytes()[:-1] + b"X")


# ---- install


def test_an_installed_bundle_is_a_copy_and_in_use(
    models: Models, make: Make, tmp_path: Path, read_tree: Callable[..., dict[str, bytes]]
) -> None:
    source = make("a")
    (source / "notes.txt").write_text("the manifest does not list this")
    bundle = models.install(source, fine)
    assert bundle.path == tmp_path / "state/models" / bundle.id
    assert models.current() == bundle
    wanted = read_tree(source)
    del wanted["notes.txt"]
    assert read_tree(bundle.path) == wanted
    shutil.rmtree(source)
    assert models.current() == bundle


def test_installing_again_copies_nothing(models: Models, make: Make) -> None:
    source = make("a")
    first = models.install(source, fine)
    before = first.model.stat()
    assert models.install(source, fine) == first
    assert first.model.stat() == before
    assert [bundle for bundle, _ in models.installed()] == [first]


def test_the_check_sees_the_copy_before_it_is_used(models: Models, make: Make) -> None:
    first = models.install(make("a"), fine)
    in_use: list[tuple[str, str | None]] = []

    def check(directory: str) -> None:
        current = models.current()
        in_use.append((read_bundle(directory).names[0], current.id if current else None))
        assert Path(directory).parent == first.path.parent

    models.install(make("b"), check)
    assert in_use == [("b", first.id)]


def test_a_bundle_that_fails_its_check_replaces_nothing_and_leaves_nothing(
    models: Models, make: Make, tmp_path: Path, read_tree: Callable[..., dict[str, bytes]]
) -> None:
    models.install(make("a"), fine)
    before = read_tree(tmp_path / "state")
    source = make("b")
    with pytest.raises(BundleError) as caught:
        models.install(source, bad)
    assert str(caught.value).startswith(f"{source}: golden/g.png")  # not the copy's name
    assert read_tree(tmp_path / "state") == before
    assert sorted(path.name for path in (tmp_path / "state/models").iterdir()) == sorted(
        [models.installed()[0][0].id, "current", "history"]
    )


def test_a_damaged_source_is_refused(models: Models, make: Make) -> None:
    source = make("a")
    damage(read_bundle(source))
    with pytest.raises(BundleError, match=f"{source}: model.tflite: damaged"):
        models.install(source, fine)
    assert models.current() is None
    assert models.installed() == []


def test_a_damaged_copy_is_named_and_mended_by_installing_again(
    models: Models, make: Make, tmp_path: Path
) -> None:
    source = make("a")
    bundle = models.install(source, fine)
    damage(bundle)
    with pytest.raises(BundleError, match=f"{bundle.path}: model.tflite: damaged"):
        models.current()
    assert models.install(source, fine) == bundle
    assert models.current() == bundle
    assert not list((tmp_path / "state/models").glob(".*"))


def test_a_source_that_changes_meanwhile_is_refused(
    models: Models, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, other = make("a"), make("b")
    copy = copies._copy

    def swapped(bundle: Bundle, beside: Path) -> None:
        shutil.rmtree(source)
        other.rename(source)
        copy(bundle, beside)

    monkeypatch.setattr(copies, "_copy", swapped)
    with pytest.raises(BundleError, match="was changed while it was copied"):
        models.install(source, fine)
    assert models.installed() == []


def test_what_a_crash_left_is_swept(models: Models, make: Make, tmp_path: Path) -> None:
    leftover = tmp_path / "state/models/.new-0123abcd"
    leftover.mkdir(parents=True)
    (leftover / "model.tflite").write_bytes(b"half")
    assert models.installed() == []
    models.install(make("a"), fine)
    assert not leftover.exists()


def test_a_state_directory_that_cannot_be_written_is_the_worlds_fault(
    make: Make, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    with pytest.raises(WorldError, match=f"{tmp_path}/state/models: cannot be written"):
        Models(str(tmp_path / "state")).install(make("a"), fine)


# ---- switching and rolling back


def test_rolling_back_goes_through_the_bundles_in_the_order_of_their_use(
    models: Models, make: Make
) -> None:
    a, b, c = (models.install(make(name), fine) for name in "abc")
    assert models.current() == c
    assert models.rollback(fine) == b
    assert models.rollback(fine) == a
    with pytest.raises(BundleError, match="no earlier bundle"):
        models.rollback(fine)
    assert models.current() == a
    assert models.use(c.id) == c
    assert models.rollback(fine) == a
    assert [bundle.id for bundle, _ in models.installed()] == [a.id, b.id, c.id]


def test_rolling_back_after_using_one_twice(models: Models, make: Make) -> None:
    a, b = (models.install(make(name), fine) for name in "ab")
    models.use(a.id)
    assert models.rollback(fine) == b
    assert models.rollback(fine) == a


def test_a_rollback_that_fails_its_check_changes_nothing(models: Models, make: Make) -> None:
    _, b = (models.install(make(name), fine) for name in "ab")
    with pytest.raises(BundleError, match="score"):
        models.rollback(bad)
    assert models.current() == b


def test_a_rollback_passes_over_what_somebody_removed(models: Models, make: Make) -> None:
    a, b, _ = (models.install(make(name), fine) for name in "abc")
    shutil.rmtree(b.path)
    assert models.rollback(fine) == a


def test_a_rollback_to_a_damaged_bundle_names_it(models: Models, make: Make) -> None:
    a, b = (models.install(make(name), fine) for name in "ab")
    damage(a)
    with pytest.raises(BundleError, match=str(a.path)):
        models.rollback(fine)
    assert models.current() == b


def test_a_bundle_that_is_not_installed_cannot_be_used(models: Models, make: Make) -> None:
    models.install(make("a"), fine)
    for name in ("0" * 64, "../made/a", "current", ""):
        with pytest.raises(BundleError, match="is installed"):
            models.use(name)


@pytest.mark.parametrize("step", ["_write_history", "_point_at"])
@pytest.mark.parametrize("action", ["install", "rollback"])
def test_a_crash_between_the_two_steps_of_a_switch_loses_nothing(
    models: Models, make: Make, monkeypatch: pytest.MonkeyPatch, step: str, action: str
) -> None:
    """Whichever step comes second, and never happens: old or new is in use, and all goes on."""
    a, b = (models.install(make(name), fine) for name in "ab")
    third = make("c")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(inuse, step, crash)
        with pytest.raises(KeyboardInterrupt):
            models.install(third, fine) if action == "install" else models.rollback(fine)
    current = models.current()
    assert current is not None
    assert current.id in {a.id, b.id}
    c = models.install(third, fine)
    assert models.current() == c
    assert models.rollback(fine) == current


def test_the_history_does_not_grow_for_ever(models: Models, make: Make, tmp_path: Path) -> None:
    a, b = (models.install(make(name), fine) for name in "ab")
    for _ in range(60):
        models.use(a.id)
        models.use(b.id)
    assert len((tmp_path / "state/models/history").read_text().split()) == 50
    assert models.rollback(fine) == a


@pytest.mark.parametrize("target", ["../../made/a", "/", "."])
def test_a_link_that_leads_elsewhere_is_refused(
    models: Models, make: Make, tmp_path: Path, target: str
) -> None:
    make("a")
    (tmp_path / "state/models").mkdir(parents=True)
    (tmp_path / "state/models/current").symlink_to(target)
    with pytest.raises(BundleError, match="current"):
        models.current()


def test_a_link_to_nothing_names_what_is_gone(models: Models, make: Make) -> None:
    bundle = models.install(make("a"), fine)
    shutil.rmtree(bundle.path)
    with pytest.raises(BundleError, match=bundle.id):
        models.current()


# ---- what is installed


def test_the_list_is_in_order_of_installation_and_leaves_out_what_is_no_bundle(
    models: Models, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert models.installed() == []
    a, b = (models.install(make(name), fine) for name in "ab")
    os.utime(a.path, (2000, 2000))
    os.utime(b.path, (1000, 1000))
    (tmp_path / "state/models/mine").mkdir()
    with caplog.at_level(logging.WARNING, "photosortd"):
        assert models.installed() == [(b, 1000.0), (a, 2000.0)]
    assert "models/mine" in caplog.text


# ---- which one


def test_the_configured_bundle_is_imported_and_used(models: Models, make: Make) -> None:
    models.install(make("a"), fine)
    chosen = models.choose(str(make("b")), fine)
    assert (chosen.bundle.names, chosen.warning) == (("b",), None)
    assert models.current() == chosen.bundle


def test_else_the_current_one_is_used(models: Models, make: Make) -> None:
    bundle = models.install(make("a"), fine)
    assert models.choose(None, fine).bundle == bundle
    with pytest.raises(BundleError, match="score"):
        models.choose(None, bad)


def test_else_the_starter_until_another_is_installed(make: Make, tmp_path: Path) -> None:
    models = Models(str(tmp_path / "state"), starter=make("starter"))
    chosen = models.choose(None, fine)
    assert chosen.bundle.names == ("starter",)
    assert chosen.warning is not None
    assert chosen.warning.startswith("no bundle of yours is installed: the starter sorts")
    assert "macro-F1" not in chosen.warning  # it does not say
    assert chosen.bundle.path.parent == tmp_path / "state/models"
    assert models.current() is None
    bundle = models.install(make("a"), fine)
    assert models.choose(None, fine) == Chosen(bundle)


def test_with_nothing_at_all_it_says_how_to_get_one(models: Models, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"photosort-train train .* model install"):
        models.choose(None, fine)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("how", ["missing", "damaged", "failing"])
def test_a_bad_configured_bundle_leaves_the_last_one_in_use(
    models: Models, make: Make, how: str
) -> None:
    bundle, configured = models.install(make("a"), fine), make("b")

    def check(directory: str) -> None:
        if how == "failing" and read_bundle(directory).names == ("b",):
            bad(directory)

    if how == "missing":
        shutil.rmtree(configured)
    elif how == "damaged":
        damage(read_bundle(configured))
    chosen = models.choose(str(configured), check)
    assert chosen.bundle == bundle == models.current()
    assert chosen.warning is not None
    assert chosen.warning.startswith(f"{configured}: ")
    assert chosen.warning.endswith(f"bundle {bundle.id[:12]} stays in use")


def test_a_bad_configured_bundle_with_none_before_is_an_error(make: Make, tmp_path: Path) -> None:
    """The starter is no stand-in: it would file into other categories than the user's."""
    models = Models(str(tmp_path / "state"), starter=make("starter"))
    with pytest.raises(BundleError, match=f"{tmp_path}/nowhere"):
        models.choose(str(tmp_path / "nowhere"), fine)


def test_a_bad_configured_bundle_beside_a_damaged_one_names_both(
    models: Models, make: Make, tmp_path: Path
) -> None:
    bundle = models.install(make("a"), fine)
    damage(bundle)
    with pytest.raises(BundleError) as caught:
        models.choose(str(tmp_path / "nowhere"), fine)
    assert f"{tmp_path}/nowhere" in str(caught.value)
    assert str(bundle.path) in str(caught.value)


def test_a_dry_run_installs_nothing(make: Make, tmp_path: Path) -> None:
    starter, configured = make("starter"), make("b")
    models = Models(str(tmp_path / "state"), starter=starter)
    assert models.choose(None, fine, dry=True).bundle.path == starter
    assert models.choose(str(configured), fine, dry=True).bundle.path == configured
    assert not (tmp_path / "state").exists()


# ---- after a crash


def test_the_next_start_removes_what_a_crash_left(
    models: Models, make: Make, tmp_path: Path
) -> None:
    bundle = models.install(make("a"), fine)
    state = tmp_path / "state"
    for name in (".new-1", ".old-2"):
        shutil.copytree(bundle.path, state / "models" / name)
    (state / "models" / ".current-next").symlink_to("nowhere")
    (state / "models" / "history.123.new").write_bytes(b"half")
    shutil.copytree(bundle.path, state / "incoming-dead" / "models")
    (state / "incoming-file").touch()  # no directory: not of ours
    with incoming_directory(str(state)) as alive:
        assert models.choose(None, fine).bundle == bundle
        assert sorted(os.listdir(state)) == sorted(
            [os.path.basename(alive), "incoming-file", "models"]
        )
    assert sorted(os.listdir(state)) == ["incoming-file", "models"]
    assert sorted(os.listdir(state / "models")) == sorted([bundle.id, "current", "history"])


def test_a_dry_run_removes_nothing(models: Models, make: Make, tmp_path: Path) -> None:
    """It may run beside a daemon that is just installing a bundle."""
    models.install(make("a"), fine)
    (tmp_path / "state/models/.new-1").mkdir()
    models.choose(None, fine, dry=True)
    assert (tmp_path / "state/models/.new-1").is_dir()
