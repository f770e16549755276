"""Pixels to calibrated scores: the only module that knows the TFLite runtime.

Checks that the model is what the manifest says before it is asked anything. Never reads photos.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from photosortd.errors import BundleError
from photosortd.records import printable
from photosortd.vision.bundle import Bundle

_SLACK = 1e-3  # a float32 sigmoid may step this far out of 0…1 before it is no sigmoid


class _Interpreter(Protocol):
    def allocate_tensors(self) -> None: ...
    def get_input_details(self) -> list[dict[str, Any]]: ...
    def get_output_details(self) -> list[dict[str, Any]]: ...
    def set_tensor(self, index: int, value: NDArray[np.uint8]) -> None: ...
    def invoke(self) -> None: ...
    def get_tensor(self, index: int) -> NDArray[np.float32]: ...


def runtime() -> str:
    """Name and version of the TFLite runtime, such as 'ai-edge-litert 2.1.0'."""
    # As slow to import as the runtime itself, and no worker asks.
    from importlib.metadata import PackageNotFoundError, version

    distribution = _runtime()[1]
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return f"{distribution} of unknown version"


def _runtime() -> tuple[Any, str]:
    """The module with the Interpreter, and the distribution that it is from."""
    try:
        from ai_edge_litert import interpreter as litert

        return litert, "ai-edge-litert"
    except ImportError as error:
        if error.name not in ("ai_edge_litert", "ai_edge_litert.interpreter"):
            raise BundleError(f"ai-edge-litert cannot be loaded: {error}") from error
    try:
        from tflite_runtime import interpreter as tflite  # 32-bit ARM has no other

        return tflite, "tflite-runtime"
    except ImportError as error:
        wanted = "ai-edge-litert (or tflite-runtime on 32-bit ARM)"
        raise BundleError(f"no TFLite runtime can be loaded: install {wanted}: {error}") from error


class Classifier:
    """A loaded model. Not thread-safe: one inference at a time."""

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        """Raises BundleError if the model cannot be loaded or does not fit its manifest."""
        self._bundle = bundle
        with _model_errors(bundle), _quiet_stderr():
            self._interpreter: _Interpreter = _runtime()[0].Interpreter(
                model_content=_model(bundle), num_threads=threads
            )
            self._interpreter.allocate_tensors()
        self._input = self._check_input()
        self._output = self._check_output()

    def scores(self, pixels: NDArray[np.uint8]) -> tuple[float, ...]:
        """Calibrated scores, 0…1, in the bundle's order, of pixels as `decode` makes them."""
        raw = self.raw_scores(pixels)
        pairs = zip(self._bundle.categories, raw, strict=True)
        return tuple(category.calibration.apply(score) for category, score in pairs)

    def raw_scores(self, pixels: NDArray[np.uint8]) -> tuple[float, ...]:
        """The model's own outputs, 0…1, before calibration. BundleError if they are no scores."""
        with _model_errors(self._bundle):
            self._interpreter.set_tensor(self._input, pixels[np.newaxis])
            self._interpreter.invoke()
            raw = [float(score) for score in self._interpreter.get_tensor(self._output)[0]]
        if not all(math.isfinite(score) and -_SLACK <= score <= 1 + _SLACK for score in raw):
            raise BundleError(f"{_shown(self._bundle)}: gave scores that are not in 0…1: {raw}")
        return tuple(min(max(score, 0.0), 1.0) for score in raw)

    def _check_input(self) -> int:
        wanted = (1, self._bundle.height, self._bundle.width, 3)
        return self._check("input", self._interpreter.get_input_details(), np.uint8, wanted)

    def _check_output(self) -> int:
        wanted = (1, len(self._bundle.categories))
        return self._check("output", self._interpreter.get_output_details(), np.float32, wanted)

    def _check(
        self, what: str, details: list[dict[str, Any]], dtype: type, shape: tuple[int, ...]
    ) -> int:
        if len(details) != 1:
            raise BundleError(f"{_shown(self._bundle)}: has {len(details)} {what}s instead of one")
        found = tuple(int(side) for side in details[0]["shape"])
        if found != shape or details[0]["dtype"] is not dtype:
            raise BundleError(
                f"{_shown(self._bundle)}: its {what} is {np.dtype(details[0]['dtype'])} {found}, "
                f"bundle.json asks for {np.dtype(dtype)} {shape}"
            )
        return int(details[0]["index"])


def _shown(bundle: Bundle) -> str:
    return printable(str(bundle.model))


@contextmanager
def _model_errors(bundle: Bundle) -> Iterator[None]:
    """The runtime reports a bad model as ValueError or RuntimeError, with C++ text in it."""
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        raise BundleError(f"{_shown(bundle)}: cannot be used: {error}") from error


def _model(bundle: Bundle) -> bytes:
    """All of its bytes. Not a map: a file that is cut short under one kills the process, and one
    that is overwritten changes every score without a word."""
    descriptor = os.open(bundle.model, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep the runtime's INFO lines out of the journal: C++ writes them to descriptor 2."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
