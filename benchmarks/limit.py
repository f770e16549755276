"""As fast as these cores can be: workers that decode, infer once and write the bytes, no more.

`limit.py BUNDLE SOURCE TARGET WORKERS THREADS` with the product's own decoder and classifier; no
ledger, no hash, no check, no fsync. Says on stdout, as JSON, in how many seconds from the moment
that all workers had loaded the model.
"""

import json
import multiprocessing
import sys
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

from photosortd.vision.bundle import read_bundle
from photosortd.vision.classify import Classifier
from photosortd.vision.decode import decode

_looker: "Looker"


class Looker:
    """What one worker has loaded."""

    def __init__(self, bundle: str, threads: int, target: str) -> None:
        self._bundle = read_bundle(bundle)
        self._classifier = Classifier(self._bundle, threads)
        self._target = Path(target)

    def file(self, source: str) -> None:
        data = Path(source).read_bytes()
        picture = decode(data, self._bundle.height, self._bundle.width)
        self._classifier.scores(picture.pixels)
        (self._target / Path(source).name).write_bytes(data)


def main() -> None:
    bundle, source, target, workers, threads = sys.argv[1:]
    photos = sorted(map(str, Path(source).iterdir()))
    Path(target).mkdir(parents=True)
    context = multiprocessing.get_context("spawn")
    loaded = context.Barrier(int(workers) + 1)
    given = (bundle, int(threads), target, loaded)
    with context.Pool(int(workers), _load, given) as pool:
        loaded.wait()
        started = time.monotonic()
        for _ in pool.imap_unordered(_file, photos):
            pass
        seconds = time.monotonic() - started
    print(json.dumps({"photos": len(photos), "seconds": seconds}))


def _load(bundle: str, threads: int, target: str, loaded: Barrier) -> None:
    global _looker
    _looker = Looker(bundle, threads, target)
    loaded.wait()


def _file(source: str) -> None:
    _looker.file(source)


if __name__ == "__main__":
    main()
