"""Cutting long answers into messages."""

from __future__ import annotations

import re

import pytest
from botswain_orchestrator.splitting import MESSAGE_LIMIT, split_message
from hypothesis import given
from hypothesis import strategies as st

LINES = st.lists(
    st.one_of(st.text(max_size=120), st.sampled_from(["```python", "```", "", "x" * 300, "👍" * 60])), max_size=30
)
LIMITS = st.integers(min_value=32, max_value=200)


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def words(text: str) -> str:
    return re.sub(r"\s|```(python)?", "", text)


def test_a_short_text_is_one_message() -> None:
    """A text that fits is sent as it is."""
    assert split_message("Hello, *you*!") == ["Hello, *you*!"]


@pytest.mark.parametrize("blank", ["", " ", "\n\n", " \n\t"])
def test_blank_text_is_no_message(blank: str) -> None:
    """Discord refuses an empty message, so none is made."""
    assert split_message(blank) == []


def test_cuts_fall_between_paragraphs() -> None:
    """A paragraph that fits isn't torn apart to fill the message before it."""
    first, second = "a " * 600, "b " * 600
    assert split_message(f"{first}\n\n{second}") == [first.strip(), second.strip()]


def test_cuts_fall_between_words_where_lines_are_too_long() -> None:
    """Words stay whole in one long line."""
    parts = split_message("word " * 1000)
    assert all(set(part.split()) == {"word"} for part in parts)
    assert sum(len(part.split()) for part in parts) == 1000


def test_a_code_block_that_fits_moves_to_the_next_message_whole() -> None:
    """A fence is not cut when the block fits a message of its own."""
    block = "```python\n" + "print()\n" * 100 + "```"
    parts = split_message("x" * 1500 + "\n" + block + "\nafter")
    assert parts == ["x" * 1500, block + "\nafter"]


def test_a_longer_code_block_is_closed_and_opened_again() -> None:
    """Each part of a long block is a block, in the same language, and no line is lost."""
    lines = [f"line({number})" for number in range(500)]
    parts = split_message("```python\n" + "\n".join(lines) + "\n```")
    assert len(parts) > 1
    for part in parts:
        assert part.startswith("```python\n")
        assert part.endswith("\n```")
    assert [line for part in parts for line in part.splitlines() if "line(" in line] == lines


def test_an_emoji_counts_as_two() -> None:
    """The strictest count of characters holds, so that no client or server finds a message too long."""
    assert [len(part) for part in split_message("👍" * 1500)] == [1000, 500]


def test_a_limit_without_room_for_fences_is_refused() -> None:
    """The limit has a floor, and the error says which."""
    with pytest.raises(ValueError, match="at least 32"):
        split_message("x", limit=5)


@given(LINES, LIMITS)
def test_every_part_fits_and_shows_something(lines: list[str], limit: int) -> None:
    """No part is longer than the limit, and none is blank."""
    for part in split_message("\n".join(lines), limit):
        assert units(part) <= limit
        assert part.strip()


@given(LINES, LIMITS)
def test_nothing_but_white_space_is_lost(lines: list[str], limit: int) -> None:
    """Apart from white space and repeated fences, the parts say what the text said."""
    text = "\n".join(lines)
    assert words("".join(split_message(text, limit))) == words(text)


@given(st.lists(st.sampled_from(["some words here", "", "```python\ncode()\n```", "y" * 90]), max_size=20), LIMITS)
def test_no_part_leaves_a_fence_open(blocks: list[str], limit: int) -> None:
    """Every message has its fences in pairs when the text has."""
    for part in split_message("\n".join(blocks), limit):
        assert part.count("```") % 2 == 0


def test_the_limit_is_discords() -> None:
    """Without another limit a message has at most 2,000 characters [resources/message]."""
    assert MESSAGE_LIMIT == 2000
    assert [len(part) for part in split_message("x" * 4500)] == [2000, 2000, 500]
