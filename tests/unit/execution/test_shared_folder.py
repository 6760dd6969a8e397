"""Files below one folder, and nothing outside of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from botswain_execution.servers.folders import LARGEST_READ, Folder, FolderError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "root-twin").mkdir()
    (tmp_path / "root-twin" / "x.txt").write_text("secret")
    root = tmp_path / "root"
    (root / "notes").mkdir(parents=True)
    (root / "notes" / "a.md").write_text("Hello\nWorld of Botswain\n")
    (root / "b.txt").write_text("plain")
    (root / "link-out").symlink_to(tmp_path)
    (root / "link-file").symlink_to(tmp_path / "outside.txt")
    (root / "link-in").symlink_to(root / "notes")
    return root


@pytest.fixture
def folder(root: Path) -> Folder:
    return Folder(root)


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "notes/../../outside.txt",
        "link-file",
        "link-out/outside.txt",
        "../root-twin/x.txt",
        "link-out",
        "a\0b",
    ],
)
@pytest.mark.parametrize(
    "operation",
    [
        lambda f, p: f.read(p),
        lambda f, p: f.write(p, "x"),
        lambda f, p: f.entries(p),
        lambda f, p: f.search("*", path=p),
    ],
    ids=["read", "write", "list", "search"],
)
def test_paths_that_lead_out_are_refused(
    folder: Folder, root: Path, operation: Callable[[Folder, str], object], path: str
) -> None:
    """Dots, links and names that merely begin alike don't lead out of the folder, whatever is done with them."""
    with pytest.raises(FolderError):
        operation(folder, path)
    assert (root.parent / "outside.txt").read_text() == "secret"
    assert (root.parent / "root-twin" / "x.txt").read_text() == "secret"


def test_absolute_paths_are_below_the_folder(folder: Folder, root: Path) -> None:
    """`/b.txt` and the file's real path both name the file in the folder; `/etc/passwd` names one that isn't there."""
    assert folder.read("/b.txt")[0] == "plain"
    assert folder.read(str(root / "b.txt"))[0] == "plain"
    with pytest.raises(FolderError, match=r"'/etc/passwd': No such file"):
        folder.read("/etc/passwd")


def test_reading_is_bounded_and_goes_on(folder: Folder, root: Path) -> None:
    """A long file is read in parts, and its whole size is told."""
    (root / "long.txt").write_text("x" * (LARGEST_READ + 10))
    text, size = folder.read("long.txt")
    assert (len(text), size) == (LARGEST_READ, LARGEST_READ + 10)
    assert folder.read("long.txt", offset=LARGEST_READ)[0] == "x" * 10


def test_binary_files_folders_and_pipes_are_not_read(folder: Folder, root: Path) -> None:
    """What isn't a text file is named, and a pipe doesn't hang the reader."""
    (root / "bin").write_bytes(b"a\0b")
    os.mkfifo(root / "pipe")
    with pytest.raises(FolderError, match="not a text file"):
        folder.read("bin")
    with pytest.raises(FolderError, match="is not a file"):
        folder.read("pipe")
    with pytest.raises(FolderError, match=r"'notes'"):
        folder.read("notes")


def test_writing_replaces_whole_files_and_leaves_no_drafts(folder: Folder, root: Path) -> None:
    """Folders on the way are made; the old file is replaced; nothing else stays behind."""
    assert folder.write("new/deep/c.txt", "one") == 3
    folder.write("new/deep/c.txt", "två")
    assert (root / "new" / "deep" / "c.txt").read_text() == "två"
    assert [path.name for path in (root / "new" / "deep").iterdir()] == ["c.txt"]
    with pytest.raises(FolderError, match="is a folder"):
        folder.write("notes", "x")
    with pytest.raises(FolderError, match="more than"):
        folder.write("big", "x" * 2_000_000)


def test_listing_marks_folders(folder: Folder) -> None:
    """Names are sorted, and folders end with a slash."""
    assert folder.entries() == (["b.txt", "link-file", "link-in", "link-out", "notes/"], False)


def test_search_finds_names_and_lines(folder: Folder) -> None:
    """By pattern on name or path, by text in either case, and never through links."""
    assert [hit.path for hit in folder.search("*.md")[0]] == ["notes/a.md"]
    (hit,), more = folder.search("*", "botswain")
    assert (hit.path, hit.line, hit.text, more) == ("notes/a.md", 2, "World of Botswain", False)
    assert folder.search("*", "secret") == ([], False)
    assert [hit.path for hit in folder.search("*", most=1)[0]] == ["b.txt"]
