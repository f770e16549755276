"""The plain way: a Keras model, `load_img` and `predict` one photo at a time, then `shutil.copy`.

`plain.py MODEL SOURCE TARGET PHOTOS` says on stdout, as JSON, how many seconds so many photos
took. Loading TensorFlow and the model does not count, nor the first prediction, which builds a
graph.
"""

import json
import shutil
import sys
import time
from pathlib import Path

from photosort_trainer import quiet


def main() -> None:
    model_path, source, target, count = sys.argv[1:]
    quiet.load_tensorflow(seed=0)
    import keras
    import numpy as np

    model = keras.models.load_model(model_path)
    size = model.input_shape[1:3]
    model.predict(np.zeros((1, *size, 3), np.float32), verbose=0)
    photos = sorted(Path(source).iterdir())[: int(count)]
    Path(target).mkdir(parents=True)
    started = time.monotonic()
    for photo in photos:
        image = keras.utils.load_img(photo, target_size=size)
        model.predict(keras.utils.img_to_array(image)[np.newaxis], verbose=0)
        shutil.copy(photo, target)
    print(json.dumps({"photos": len(photos), "seconds": time.monotonic() - started}))


if __name__ == "__main__":
    main()
