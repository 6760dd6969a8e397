"""Run ids and idempotency keys."""

from __future__ import annotations

import pytest
from botswain_orchestrator.ids import MAX_KEY_LENGTH, RUN_ID_LENGTH, idempotency_key, run_id
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_run_id_has_one_length_and_plain_characters(bot: str, event: str) -> None:
    """It fits before any step in a Discord nonce."""
    made = run_id(bot, event)
    assert len(made) == RUN_ID_LENGTH
    assert made.isascii()
    assert made.isalnum()


def test_the_same_event_gives_the_same_run() -> None:
    """A turn that runs again after a crash uses the keys of the first attempt."""
    assert run_id("1", "discord:message:2") == run_id("1", "discord:message:2")


def test_bots_do_not_share_runs() -> None:
    """The same message, seen by two bots, is two runs; the border between the two ids counts."""
    assert len({run_id("1", "2"), run_id("2", "2"), run_id("12", ""), run_id("", "12")}) == 4


def test_keys_of_one_run_differ() -> None:
    """Each step has its own key of at most 25 characters."""
    keys = [idempotency_key(run_id("1", "2"), step) for step in range(1, 2000)]
    assert len(set(keys)) == len(keys)
    assert max(map(len, keys)) <= MAX_KEY_LENGTH


def test_a_step_without_a_key_is_refused() -> None:
    """A key that Discord would cut is an error, not a surprise."""
    with pytest.raises(ValueError, match="no key"):
        idempotency_key("r" * RUN_ID_LENGTH, 10**10)
