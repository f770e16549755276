"""Under which name something is kept: short, and another one for everything that decides it."""

import hashlib
import json
from typing import Any


def key(said: Any) -> str:
    """Of what JSON can say; the order of a dictionary does not count."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
