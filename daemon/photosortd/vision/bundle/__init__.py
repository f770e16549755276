"""The model bundle on disk: the contract between the trainer, who writes it, and the daemon.

Owns the format of `bundle.json`, the identity of a bundle and every check that needs no model
runtime. Standard library only, because the daemon's parent process reads bundles too.
"""

from photosortd.vision.bundle.names import check_category, folded
from photosortd.vision.bundle.quality import quality
from photosortd.vision.bundle.reading import read_bundle
from photosortd.vision.bundle.values import Bundle, Calibration, Category, Golden
from photosortd.vision.bundle.writing import write_bundle

__all__ = [
    "Bundle",
    "Calibration",
    "Category",
    "Golden",
    "check_category",
    "folded",
    "quality",
    "read_bundle",
    "write_bundle",
]
