"""Cutting a long text into messages Discord takes, at places where a reader would.

A pure function. A code block that fits one message stays whole; a longer one is closed at the end of a message and
opened again, with its language, at the start of the next. Otherwise cuts fall between paragraphs, else lines, else
words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MESSAGE_LIMIT = 2000
"""Characters in a Discord message [resources/message]."""

_FENCE = "```"
_PARAGRAPH = re.compile(r".+?(?:\n[ \t]*(?:\n[ \t]*)*\n|\Z)", re.DOTALL)
_WORD = re.compile(r"\S*\s*")


def split_message(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """Cut `text` into parts of at most `limit` characters.

    Characters are counted as UTF-16 units, the strictest of the ways in use: an emoji counts twice.

    Args:
        text: any text; blank text gives no parts, since Discord refuses an empty message.
        limit: at least 32, so that a fence with its language fits.
    """
    if limit < 32:
        raise ValueError(f"limit is {limit}; at least 32 is needed to keep code fences whole")
    parts: list[str] = []
    current = ""
    for piece in _pieces(text, limit):
        if current and _width((current + piece).rstrip()) > limit:
            parts.append(current)
            current = ""
        current += piece
    parts.append(current)
    return [part for part in (_tidied(part) for part in parts) if part]


def _tidied(part: str) -> str:
    return part.strip("\n").rstrip() if part.strip() else ""


def _width(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _pieces(text: str, limit: int) -> Iterator[str]:
    """Pieces that fit on their own and may be joined as they are."""
    for is_code, block in _blocks(text):
        if is_code:
            yield from [block] if _width(block.rstrip()) <= limit else _code_chunks(block, limit)
        else:
            yield from _prose_pieces(block, limit)


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """Runs of prose and whole code blocks, in order. A block that is never closed reaches to the end."""
    lines: list[str] = []
    in_code = False
    for line in text.splitlines(keepends=True):
        fence = line.lstrip().startswith(_FENCE)
        opens = fence and not in_code and _FENCE not in line.lstrip()[len(_FENCE) :]
        closes = in_code and line.strip() == _FENCE
        if opens:
            if lines:
                yield False, "".join(lines)
            lines, in_code = [line], True
        elif closes:
            yield True, "".join([*lines, line])
            lines, in_code = [], False
        else:
            lines.append(line)
    if lines:
        yield in_code, "".join(lines)


def _code_chunks(block: str, limit: int) -> Iterator[str]:
    lines = block.splitlines()
    opening = lines[0].strip()
    if _width(opening) > limit // 2:
        opening = _FENCE
    body = lines[1:-1] if lines[-1].strip() == _FENCE and len(lines) > 1 else lines[1:]
    room = limit - _width(opening) - _width(_FENCE) - 2
    chunk: list[str] = []
    used = 0
    for line in (cut for long in body for cut in _cut(long, room - 1)):
        if chunk and used + _width(line) + 1 > room:
            yield "\n".join([opening, *chunk, _FENCE]) + "\n"
            chunk, used = [], 0
        chunk.append(line)
        used += _width(line) + 1
    yield "\n".join([opening, *chunk, _FENCE]) + "\n"


def _prose_pieces(prose: str, limit: int) -> Iterator[str]:
    for paragraph in _PARAGRAPH.findall(prose):
        if _width(paragraph.rstrip()) <= limit:
            yield paragraph
            continue
        for line in paragraph.splitlines(keepends=True):
            if _width(line.rstrip()) <= limit:
                yield line
                continue
            for word in _WORD.findall(line):
                yield from [word] if _width(word.rstrip()) <= limit else _cut(word, limit)


def _cut(text: str, room: int) -> list[str]:
    """Cut where nothing better is left: at `room` units, never inside a character."""
    cuts = []
    while _width(text) > room:
        end = room
        while _width(text[:end]) > room:
            end -= max(1, (_width(text[:end]) - room) // 2)
        cuts.append(text[:end])
        text = text[end:]
    return [*cuts, text]
