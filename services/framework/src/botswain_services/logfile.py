"""Where log lines go: stderr at once, a file gathered for a moment and written together.

A write for every line takes longer than making the line. A process that is killed may lose the last `GATHER_SECONDS` of its
file's lines; errors are written at once, with everything before them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections import deque
from pathlib import Path

GATHER_SECONDS = 0.1
MAX_LINES = 1000


class LineHandler(logging.Handler):
    """A handler that takes finished lines too, without a record around them."""

    def take(self, level: int, line: str) -> None:
        """Write a line; from any thread."""
        raise NotImplementedError

    def emit(self, record: logging.LogRecord) -> None:
        """Bring a record into the form of a line."""
        try:
            self.take(record.levelno, self.format(record))
        except Exception:  # noqa: BLE001 - as every handler: a line that can't be made or written is no reason to fail
            self.handleError(record)

    def _guard(self) -> threading.RLock:
        assert self.lock is not None
        return self.lock


class StderrHandler(LineHandler):
    """Writes each line to stderr, as that was when the handler was made."""

    def __init__(self) -> None:
        super().__init__()
        self._stream = sys.stderr

    def take(self, level: int, line: str) -> None:
        """Write a line; where nobody reads any more, don't."""
        with self._guard(), contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()


class BatchingFileHandler(LineHandler):
    """Appends to a file that only its owner reads. A file that is moved away is made anew."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path)
        self._lines: deque[str] = deque()  # whose single operations need no lock
        self._some = threading.Event()
        self._closed = False
        self._writer = threading.Thread(target=self._write_on, name="log-file", daemon=True)
        self._writer.start()

    def take(self, level: int, line: str) -> None:
        """Gather a line."""
        self._lines.append(line)
        if level >= logging.ERROR or len(self._lines) >= MAX_LINES:
            with contextlib.suppress(OSError):  # a full disk is no reason for the work to fail; the writer says so
                self.flush()
        elif not self._some.is_set():
            self._some.set()

    def flush(self) -> None:
        """Write what was gathered."""
        with self._guard():
            self._some.clear()
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if lines:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    data = ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
                    while data:
                        data = data[os.write(descriptor, data) :]
                finally:
                    os.close(descriptor)

    def close(self) -> None:
        """Write what is left, and take no more."""
        if not self._closed:
            self._closed = True
            self.flush()
        super().close()

    def _write_on(self) -> None:
        pause = threading.Event()
        while not self._closed:
            self._some.wait()
            pause.wait(GATHER_SECONDS)
            try:
                self.flush()
            except OSError as error:
                logging.getLogger(__name__).warning("log_file_not_written", extra={"error": str(error)})
                pause.wait(1.0)
