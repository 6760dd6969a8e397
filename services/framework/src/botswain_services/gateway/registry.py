"""Which applications a gateway serves. Several worker processes share one list through a file.

The file is read again when it has changed, which one `stat` tells: a worker that answers the request after a registration
knows it, whichever worker took it. It is replaced as a whole, under a lock.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a gateway has one worker
    fcntl = None  # type: ignore[assignment]  # asked for before it is used


class Registry:
    """Names of applications and their URLs."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._name = str(file)
        self._apps: dict[str, str] = {}
        self._seen: tuple[int, int] | None = None

    def get(self, name: str) -> str | None:
        """The URL of an application, or None."""
        self._refresh()
        return self._apps.get(name)

    def all(self) -> dict[str, str]:
        """All applications: name to URL."""
        self._refresh()
        return dict(self._apps)

    def add(self, name: str, url: str) -> None:
        """Know an application, in place of one of the same name."""
        self._change(lambda apps: apps.__setitem__(name, url))

    def remove(self, name: str, url: str | None = None) -> None:
        """Forget an application; with `url` only while it has that one."""

        def forget(apps: dict[str, str]) -> None:
            if url is None or apps.get(name) == url:
                apps.pop(name, None)

        self._change(forget)

    def _refresh(self) -> None:
        if self._file is None:
            return
        try:
            stat = os.stat(self._name)  # noqa: PTH116 - asked with every request; a Path takes three times as long
        except FileNotFoundError:
            self._apps, self._seen = {}, None
            return
        now = (stat.st_mtime_ns, stat.st_ino)
        if now != self._seen:
            self._apps = json.loads(self._file.read_text())
            self._seen = now

    def _change(self, change: Callable[[dict[str, str]], None]) -> None:
        with self._locked():
            self._refresh()
            apps = dict(self._apps)
            change(apps)
            self._apps = apps
            if self._file is not None:
                part = self._file.with_name(f"{self._file.name}.part")
                part.write_text(json.dumps(apps))
                part.replace(self._file)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._file is None or fcntl is None:
            yield
            return
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._file.with_name(f"{self._file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
