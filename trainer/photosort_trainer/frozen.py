"""The forward passes of a frozen network, on every core that there is.

Owns which engine runs them. One single-threaded TFLite interpreter for each core went through
MobileNetV2 about twice as fast as TensorFlow with all cores in each operation, and through ResNet50
no slower.
"""

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.ahead import ahead
from photosort_trainer.quiet import hushed
from photosortd.vision.decode import Pixels

Model = Any  # keras.Model, which has no types
Features = NDArray[np.float32]
Lane = Callable[[Sequence[Pixels]], Features]
"""Pixels [size, size, 3] of some versions → features [versions, d]; one call at a time."""

T = TypeVar("T")
R = TypeVar("R")

_MOST = 8  # lanes: each holds the network's weights once more
_BATCH = 16  # for TensorFlow: more is no faster on a CPU, and costs memory


def engine() -> str:
    """What the features of this machine are computed by: their last bits depend on it."""
    return "tensorflow" if _interpreter() is None else "tflite"


def lanes(network: Model, size: int) -> list[Lane]:
    """As many as may run at once, each in its own thread."""
    import tensorflow as tf

    infer = tf.function(lambda batch: network(batch, training=False))
    interpreter = _interpreter()
    if interpreter is None:
        return [partial(_by_tensorflow, infer)]  # it uses every core by itself
    with hushed():
        concrete = infer.get_concrete_function(tf.TensorSpec((1, size, size, 3), tf.float32))
        data = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
        return [
            partial(_by_tflite, _ready(interpreter(model_content=data, num_threads=1)))
            for _ in range(min(_MOST, _cores()))
        ]


def spread(
    lanes: Sequence[Lane], work: Callable[["SimpleQueue[Lane]", T], R], items: Iterable[T]
) -> Generator[R, None, None]:
    """`work` on each item, in their order, one in each lane at a time: it takes a lane that is free
    and puts it back. Raises what `work` raises."""
    free: SimpleQueue[Lane] = SimpleQueue()
    for lane in lanes:
        free.put(lane)
    threads = ThreadPoolExecutor(max_workers=len(lanes))
    try:
        yield from ahead(threads, partial(work, free), items, 2 * len(lanes))
    finally:
        threads.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _interpreter() -> Any:
    """TensorFlow's own copy of the runtime; None: this TensorFlow has none any more."""
    import tensorflow as tf

    return getattr(tf.lite, "Interpreter", None)


def _ready(interpreter: Any) -> Any:
    interpreter.allocate_tensors()
    return interpreter


def _by_tflite(interpreter: Any, versions: Sequence[Pixels]) -> Features:
    given = interpreter.get_input_details()[0]["index"]
    wanted = interpreter.get_output_details()[0]["index"]
    rows = []
    for pixels in versions:
        interpreter.set_tensor(given, pixels[np.newaxis].astype(np.float32))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(wanted)[0])
    return np.stack(rows)


def _by_tensorflow(infer: Callable[..., Any], versions: Sequence[Pixels]) -> Features:
    batches = (versions[k : k + _BATCH] for k in range(0, len(versions), _BATCH))
    rows = [infer(np.stack(batch).astype(np.float32)).numpy() for batch in batches]
    return np.concatenate(rows)
