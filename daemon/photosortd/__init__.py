"""photosortd: files each new photo into its owner's own categories."""

__version__ = "0.1.0"
