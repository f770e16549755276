"""Who writes photos writes ignore files: no pattern keeps the daemon busy or ends it."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from photosortd.watch.ignore import IGNORE_FILE, Rules, check_patterns, read_ignore_file


def ignores(pattern: str, path: str) -> bool:
    return bool(Rules().with_patterns("", "test", [pattern]).ignored(path, directory=False))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 30 + "*b", "a" * 250),
        ("*" * 60 + "b", "a" * 250),
        ("*a?[a-z]" * 20 + "*b", "a" * 250),
        ("*" + "?" * 200, "a" * 199 + "/b"),
        ("**/a/**/b", "a/" * 2000 + "c"),
    ],
)
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    started = time.process_time()
    assert check_patterns([pattern]) == []
    ignores(pattern, path)
    assert time.process_time() - started < 2.0


def test_what_would_take_long_is_refused() -> None:
    assert check_patterns(["a/**/b/**/c/**/d"]) == [
        "Invalid git pattern: it has more than two '**'"
    ]
    assert check_patterns(["**/a/**/b/**"]) == []


def test_a_range_that_runs_backwards_is_a_complaint() -> None:
    assert check_patterns(["[z-a].jpg"]) == ["Invalid git pattern: bad character range z-a"]


PIECES = st.lists(st.sampled_from(["*", "**", "?", "[ab]", "[a-c]", "a", "b", "c", "/", "\\*"]))


@settings(max_examples=300)
@given(PIECES.map("".join), st.text("abc*/", min_size=1, max_size=12))
def test_patterns_mean_what_they_meant(pattern: str, path: str) -> None:
    if check_patterns([pattern]) or path.startswith("/") or "//" in path or path.endswith("/"):
        return
    plain = GitIgnoreSpec.from_lines([pattern])
    assert ignores(pattern, path) == plain.match_file(path)


def read(directory: Path) -> tuple[list[str], list[str]]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        return read_ignore_file(descriptor)
    finally:
        os.close(descriptor)


def test_a_directory_of_that_name_is_said_and_closed(tmp_path: Path) -> None:
    (tmp_path / IGNORE_FILE).mkdir()
    before = os.listdir("/proc/self/fd")
    assert read(tmp_path) == ([], [f"{IGNORE_FILE} is no regular file"])
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_huge_one_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / IGNORE_FILE).write_text("".join(f"{number}.jpg\n" for number in range(50_000)))
    lines, problems = read(tmp_path)
    assert lines == [f"{number}.jpg" for number in range(1000)]
    assert "the rest of it is not used" in problems[0]
    (tmp_path / IGNORE_FILE).write_text("a" * 70_000)
    assert read(tmp_path)[0] == []
