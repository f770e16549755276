"""How well a bundle does, as it says itself."""

from photosortd.vision.bundle.values import Bundle

_WHERE = {
    "apart": "on photos of collections that it had not seen",
    "test": "on the photos held out when it was trained",
}
"""The harder test first: it says more of a user's own photos."""


def quality(bundle: Bundle) -> str | None:
    """'macro-F1 0.71 on …'; None if it does not say."""
    for name, where in _WHERE.items():
        measured = bundle.metrics.get(name)
        macro = measured.get("macro_f1") if isinstance(measured, dict) else None
        if isinstance(macro, float):
            return f"macro-F1 {macro:.2f} {where}"
    return None
