"""Files below one folder, and nowhere else: every path is resolved, links included, and refused when it leads out.

Sizes are bounded, because what is read goes into a model's context.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST_READ = 256 * 1024
"""Bytes one call reads of a file."""
LARGEST_WRITE = 1024 * 1024
MOST_ENTRIES = 500
MOST_VISITED = 20_000
"""Files and folders that one search looks at."""
LARGEST_SEARCHED = 1024 * 1024
"""Bytes; larger files are found by name only."""
_LONGEST_LINE = 200


class FolderError(Exception):
    """A file operation was refused or failed; the message says why, in words."""


@dataclass(frozen=True, slots=True)
class Found:
    """A hit of a search: a file, and the line when its text was searched."""

    path: str
    line: int | None = None
    text: str | None = None


class Folder:
    """The folder, and what is below it. All paths in and out are relative to it, with `/` between their parts."""

    def __init__(self, root: Path) -> None:
        """`root` must exist."""
        self._root = root.resolve(strict=True)

    def _resolve(self, path: str) -> Path:
        if "\0" in path:
            raise FolderError("the path holds a NUL character")
        given = path.strip() or "."
        target = self._root / given.lstrip("/")
        if Path(given).is_absolute() and Path(given).is_relative_to(self._root):
            target = Path(given)
        try:
            resolved = target.resolve()
        except (OSError, RuntimeError) as error:
            raise FolderError(f"{path!r} can't be followed: {error}") from None
        if not resolved.is_relative_to(self._root):
            raise FolderError(f"{path!r} leads out of the folder that may be used")
        return resolved

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def read(self, path: str, *, offset: int = 0, length: int = LARGEST_READ) -> tuple[str, int]:
        """Text of a file, from byte `offset`, and the file's size in bytes. Raises `FolderError`."""
        target = self._resolve(path)
        try:
            descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise FolderError(f"{path!r} is not a file")
                file.seek(offset)
                data = file.read(min(length, LARGEST_READ))
        except OSError as error:
            raise FolderError(_words(path, error)) from None
        if b"\0" in data:
            raise FolderError(f"{path!r} is not a text file ({status.st_size} bytes)")
        return data.decode("utf-8", "replace"), status.st_size

    def write(self, path: str, content: str) -> int:
        """Make or replace a file whole, with the folders above it; the bytes written. Raises `FolderError`."""
        data = content.encode("utf-8", "replace")
        if len(data) > LARGEST_WRITE:
            raise FolderError(f"the content has {len(data):,} bytes, more than {LARGEST_WRITE:,}")
        target = self._resolve(path)
        if target == self._root or target.is_dir():
            raise FolderError(f"{path!r} is a folder")
        draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            draft.replace(target)  # a reader sees the old file or the new one, never half
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise FolderError(_words(path, error)) from None
        return len(data)

    def entries(self, path: str = ".") -> tuple[list[str], bool]:
        """What a folder holds, sorted, folders with a `/` at the end; and whether there is more. Raises `FolderError`."""
        target = self._resolve(path)
        try:
            with os.scandir(target) as found:
                names = sorted(
                    f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in found
                )
        except OSError as error:
            raise FolderError(_words(path, error)) from None
        return names[:MOST_ENTRIES], len(names) > MOST_ENTRIES

    def search(self, pattern: str, text: str = "", path: str = ".", *, most: int = 100) -> tuple[list[Found], bool]:
        """Files whose name fits `pattern` (`*.md`), and where `text` is given the lines that hold it, in either case.

        Links to folders aren't followed. Returns the hits and whether the search ended early. Raises `FolderError`.
        """
        start = self._resolve(path)
        if not start.is_dir():
            raise FolderError(f"{path!r} is not a folder")
        hits: list[Found] = []
        for visited, file in enumerate(self._files(start)):
            if visited >= MOST_VISITED or len(hits) >= most:
                return hits[:most], True
            name = self._name(file)
            if not (fnmatch.fnmatch(file.name, pattern) or fnmatch.fnmatch(name, pattern)):
                continue
            hits += _lines_with(file, name, text) if text else [Found(name)]
        return hits[:most], len(hits) > most

    def _files(self, start: Path) -> Iterator[Path]:
        for folder, folders, files in os.walk(start):
            folders.sort()
            for file in sorted(files):
                path = Path(folder, file)
                if not path.is_symlink():
                    yield path


def _lines_with(file: Path, name: str, text: str) -> list[Found]:
    wanted = text.casefold()
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_SEARCHED:
            return []
        data = file.read_bytes()
    except OSError:
        return []
    if b"\0" in data:
        return []
    lines = enumerate(data.decode("utf-8", "replace").splitlines(), start=1)
    return [Found(name, number, line.strip()[:_LONGEST_LINE]) for number, line in lines if wanted in line.casefold()]


def _words(path: str, error: OSError) -> str:
    """Without the absolute path, which `str(error)` holds."""
    return f"{path!r}: {error.strerror or type(error).__name__}"
