"""A file for the events that memory has no room for: first in, first out, in SQLite.

It is a place to wait, not a place of record: the cursor stands before everything in it, so that after a crash Discord replays it.
Hence nothing is synchronised to the disk, and the file has no name: it goes with the process.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from pathlib import Path

from botswain_proto.v1.event_pb2 import InternalEvent

from botswain_discord.outgoing import Outgoing, Session

PAGE_BYTES = 4_096


class OutboxFile:
    """Blocking: call it from a thread, one call at a time.

    Args:
        folder: where the file is made when it is needed; None: the system's folder for temporary files.
        max_bytes: its largest size.
    """

    def __init__(self, folder: Path | None, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._database: sqlite3.Connection | None = None

    def store(self, events: list[Outgoing]) -> None:
        """Add events, all or none.

        Raises:
            OSError, sqlite3.Error: the folder can't be written to, or the file or the disk is full.
        """
        database = self._database or self._open()
        rows = [
            (event.SerializeToString(), json.dumps(session) if session else None, seq) for event, session, seq in events
        ]
        with database:
            database.executemany("INSERT INTO waiting (event, session, seq) VALUES (?, ?, ?)", rows)

    def load(self, most: int) -> list[Outgoing]:
        """Take the oldest events out."""
        if self._database is None:
            return []
        with self._database as database:
            rows = database.execute(
                "SELECT id, event, session, seq FROM waiting ORDER BY id LIMIT ?", (most,)
            ).fetchall()
            if rows:
                database.execute("DELETE FROM waiting WHERE id <= ?", (rows[-1][0],))
        sessions = {text: Session(*json.loads(text)) for text in {row[2] for row in rows} if text is not None}
        return [
            Outgoing(InternalEvent.FromString(event), sessions.get(session), seq) for _, event, session, seq in rows
        ]

    def close(self) -> None:
        """Drop the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _open(self) -> sqlite3.Connection:
        with tempfile.NamedTemporaryFile(prefix="botswain-outbox-", dir=self._folder) as file:
            database = sqlite3.connect(file.name, check_same_thread=False)
            try:
                database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                database.execute(f"PRAGMA max_page_count = {max(8, self._max_bytes // PAGE_BYTES)}")
                database.execute("PRAGMA journal_mode = MEMORY")
                database.execute("PRAGMA synchronous = OFF")
                database.execute("CREATE TABLE waiting (id INTEGER PRIMARY KEY, event BLOB, session TEXT, seq INTEGER)")
            except sqlite3.Error:
                database.close()
                raise
        self._database = database
        return database
