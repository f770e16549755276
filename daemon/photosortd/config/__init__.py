"""YAML → a frozen `Config`, checked whole: every complaint at once, each with where it stands.

Owns PyYAML, pydantic and the search for the configuration file. Touches nothing that the file
names: a watched directory that is not there now is for the watcher to wait for.
"""

import os

# We use none of pydantic's plugins, and it looks for them in every installed distribution.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from photosortd.config.find import find
from photosortd.config.load import load
from photosortd.config.schema import Place, Root, Settle, json_schema
from photosortd.config.values import Config

__all__ = ["Config", "Place", "Root", "Settle", "find", "json_schema", "load"]
