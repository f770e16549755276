"""Looks at photos in processes of their own, because their bytes are not trusted.

Owns the worker processes: their time and memory limits, their deaths and their replacement.
The parent's side (everything but `child` and what only it imports) loads neither NumPy, Pillow
nor LiteRT.
"""

from photosortd.vision.worker.golden import fingerprint, selftest
from photosortd.vision.worker.pool import Workers
from photosortd.vision.worker.protocol import Answer, Job

__all__ = ["Answer", "Job", "Workers", "fingerprint", "selftest"]
