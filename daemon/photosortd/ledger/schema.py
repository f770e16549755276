"""The tables, and opening a file that holds them.

Paths and names are BLOBs: a file name is bytes, and SQLite's text cannot hold all of them.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote

from photosortd.errors import ConfigError
from photosortd.ledger.blame import FAILURES, Connection, blame

VERSION = 4

_FIRST = """
CREATE TABLE library (path BLOB PRIMARY KEY, uuid TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE root (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);
CREATE TABLE version (
  id INTEGER PRIMARY KEY,
  root INTEGER NOT NULL REFERENCES root(id),
  directory BLOB NOT NULL,
  name BLOB NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  sha256 TEXT,
  outcome TEXT,                  -- NULL: in hand, or to be tried again
  planned TEXT,                  -- the outcome once every intent has its deed
  leader INTEGER REFERENCES version(id),   -- of a companion: its photo
  bundle TEXT,
  scores TEXT,                   -- JSON {category: score}
  thresholds TEXT,               -- JSON {category: threshold or null}, as they were then
  taken TEXT,                    -- ISO 8601, the camera's own clock
  format TEXT,
  reason TEXT NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 0,
  seen_at REAL NOT NULL,         -- seconds since the epoch
  done_at REAL,
  current INTEGER NOT NULL DEFAULT 1       -- 0: other content has the path by now
);
CREATE UNIQUE INDEX version_path ON version(root, directory, name) WHERE current = 1;
CREATE INDEX version_sha256 ON version(sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX version_leader ON version(leader) WHERE leader IS NOT NULL;
CREATE INDEX version_outcome ON version(outcome, current);
CREATE INDEX version_done ON version(done_at);
CREATE TABLE claim (
  sha256 TEXT PRIMARY KEY,
  version INTEGER NOT NULL REFERENCES version(id)
) WITHOUT ROWID;
CREATE INDEX claim_version ON claim(version);
CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,            -- 'live' or 'once'
  started REAL NOT NULL,
  latest REAL NOT NULL
);
CREATE TABLE placement (
  id INTEGER PRIMARY KEY,
  version INTEGER NOT NULL REFERENCES version(id),
  batch INTEGER NOT NULL REFERENCES batch(id),
  library BLOB NOT NULL,
  category TEXT NOT NULL,
  directory BLOB NOT NULL,
  name BLOB NOT NULL,
  part BLOB NOT NULL,
  sha256 TEXT NOT NULL,
  size INTEGER NOT NULL,
  method TEXT NOT NULL,
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  state TEXT NOT NULL,
  bundle TEXT NOT NULL,
  at REAL NOT NULL,
  UNIQUE (version, category)
);
CREATE INDEX placement_open ON placement(state) WHERE state = 'intended';
CREATE INDEX placement_batch ON placement(batch);
CREATE INDEX placement_bundle ON placement(bundle);
CREATE TABLE writing (          -- where a crash may leave part files
  library BLOB NOT NULL,
  directory BLOB NOT NULL,
  PRIMARY KEY (library, directory)
) WITHOUT ROWID;
CREATE TABLE tested (bundle TEXT, environment TEXT, PRIMARY KEY (bundle, environment));
CREATE TABLE request (
  id INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  command TEXT NOT NULL,         -- JSON
  begun INTEGER,                 -- process id of the daemon that has it in hand
  result TEXT                    -- JSON; NULL until the daemon has carried it out
);
"""

_SECOND = """
CREATE TABLE adopted (          -- libraries that held photos of ours before this ledger knew them
  library BLOB PRIMARY KEY
) WITHOUT ROWID;
"""

_THIRD = """
DROP INDEX placement_batch;      -- counting the batches of a large ledger read every row
CREATE INDEX placement_batch ON placement(batch, state);
"""

_FOURTH = """
CREATE TABLE calm (             -- while it stands, files that look like that are no news to a scan
  root INTEGER NOT NULL REFERENCES root(id),
  directory BLOB NOT NULL,
  part INTEGER NOT NULL,         -- of a large directory: which slice
  digest BLOB NOT NULL,
  PRIMARY KEY (root, directory, part)
) WITHOUT ROWID;
CREATE TRIGGER calm_until_insert AFTER INSERT ON version BEGIN
  DELETE FROM calm WHERE root = new.root AND directory = new.directory;
END;
CREATE TRIGGER calm_until_update AFTER UPDATE ON version BEGIN
  DELETE FROM calm WHERE root = old.root AND directory = old.directory;
END;
CREATE TRIGGER calm_until_move AFTER UPDATE OF root, directory ON version BEGIN
  DELETE FROM calm WHERE root = new.root AND directory = new.directory;
END;
CREATE TRIGGER calm_until_delete AFTER DELETE ON version BEGIN
  DELETE FROM calm WHERE root = old.root AND directory = old.directory;
END;
"""

_CHECKPOINT = 4 << 20
"""Bytes that are written beside the ledger before they are brought into it."""

_STEPS = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""What makes a ledger of each version from the one before."""


def connect(path: str) -> sqlite3.Connection:
    """Open the ledger for writing, making or upgrading it. Raises ConfigError, WorldError."""
    with _opening(path, f"file:{_quoted(path)}") as database:
        # Each commit writes whole pages, and a card wears: small ones are a third of the bytes. Of
        # a ledger that is there already the size stays.
        database.execute("PRAGMA page_size=1024")
        database.execute("PRAGMA journal_mode=WAL")
        page = database.execute("PRAGMA page_size").fetchone()[0]
        database.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT // page}")
        # NORMAL loses committed rows at a power cut; a lost "placed" would be filed twice.
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA foreign_keys=ON")
        _upgrade(database, path)
        return database


def connect_readonly(path: str) -> sqlite3.Connection:
    """Open the ledger to look at it, writing nothing, beside a daemon or without one.

    Raises ConfigError, WorldError if it is missing or unreadable.
    """
    # Without a -wal file nobody has it open and everything is in the one file: `immutable` keeps
    # SQLite from creating its -shm beside it.
    alone = not os.path.exists(path + "-wal")
    uri = f"file:{_quoted(path)}?" + ("immutable=1" if alone else "mode=ro")
    with _opening(path, uri) as database:
        _check_version(database, path)
        return database


def connect_copy(path: str) -> sqlite3.Connection:
    """A private copy in a temporary file that vanishes with it: for a run that writes nothing.

    Raises ConfigError, WorldError.
    """
    with _opening(path, "") as scratch:
        if os.path.exists(path):
            with closing(connect_readonly(path)) as original:
                original.backup(scratch)
        _upgrade(scratch, path)
        return scratch


@contextmanager
def _opening(path: str, address: str) -> Iterator[sqlite3.Connection]:
    """A connection that is closed again if the block fails, and whose fault that is."""
    try:
        database = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=10, factory=Connection
        )
    except FAILURES as error:
        raise blame(path, error) from error
    database.path = path
    try:
        yield database
    except BaseException as error:
        database.close()
        if isinstance(error, FAILURES):
            raise blame(path, error) from error
        raise


def _upgrade(database: sqlite3.Connection, path: str) -> None:
    found = _check_version(database, path)
    if found < VERSION:
        steps = "".join(_STEPS[max(found, 0) :])
        database.executescript(f"BEGIN; {steps} PRAGMA user_version={VERSION}; COMMIT;")


def _check_version(database: sqlite3.Connection, path: str) -> int:
    found = int(database.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise ConfigError(
            f"{path}: written by a newer photosortd (version {found} of the ledger, this one "
            f"knows {VERSION}): install the newer photosortd again"
        )
    return found


def _quoted(path: str) -> str:
    return quote(os.fsencode(path))
