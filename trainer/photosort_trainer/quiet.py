"""TensorFlow without its chatter: it writes to descriptor 2 from C++, past every Python logger."""

import importlib.util
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from photosort_trainer.errors import TrainerError


def need_tensorflow() -> None:
    """Raises TrainerError, which names what to install."""
    if importlib.util.find_spec("tensorflow") is None:
        raise TrainerError(
            "TensorFlow is not installed, and training needs it: pip install 'photosortd[trainer]'"
        )


def settings() -> None:
    """Set what TensorFlow reads when it is first imported. What the user has set stays."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # heads this small are no faster there


@contextmanager
def hushed() -> Iterator[None]:
    """Drop what is written to descriptor 2 inside. Exceptions come through as ever."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def load_tensorflow(seed: int) -> None:
    """Import it quietly and seed every generator that it uses."""
    settings()
    with hushed():
        import keras
        import tensorflow as tf
    tf.get_logger().setLevel("ERROR")
    keras.utils.set_random_seed(seed)
