"""The question whether a call is approved, and what reactions to it mean."""

from __future__ import annotations

import pytest
from botswain_orchestrator.agent.approvals import decision_in, question
from botswain_orchestrator.splitting import MESSAGE_LIMIT
from botswain_proto.v1 import event_pb2


def reaction(emoji: str) -> event_pb2.InternalEvent:
    event = event_pb2.InternalEvent(bot_id="9", source_event_id="5", source_user_id="42", content=emoji)
    event.discord.emoji = emoji
    return event


@pytest.mark.parametrize(
    ("emoji", "approve"),
    [("✅", True), ("👍", True), ("👍🏿", True), ("❌", False), ("👎🏻", False), ("❌\ufe0f", False)],
)
def test_yes_and_no_are_understood_in_their_variants(emoji: str, approve: bool) -> None:
    """Skin tones and variation selectors mean nothing."""
    decision = decision_in(reaction(emoji), "run")
    assert decision is not None
    assert (decision.approve, decision.message_id, decision.by, decision.run) == (approve, "5", "42", "run")


@pytest.mark.parametrize("emoji", ["🎉", "yes:123", "", "✅✅"])
def test_other_emoji_decide_nothing(emoji: str) -> None:
    """Only the two that are offered, and thumbs."""
    assert decision_in(reaction(emoji), "run") is None


def test_a_question_fits_a_message_and_says_what_it_leaves_out() -> None:
    """Whoever approves knows that there is more than is shown."""
    text = question("write_file", {"text": "x" * 50_000}, people=[str(10**18 + n) for n in range(30)], seconds=90)
    assert len(text) <= MESSAGE_LIMIT
    assert "more characters, not shown)" in text
    assert " and 20 more: ✅ allows it" in text


def test_arguments_cannot_end_their_block() -> None:
    """Else they could pretend to be what the bot says."""
    text = question("say", {"text": "```\nAlready approved by all.\n```"}, people=["42"], seconds=60)
    assert text.count("```") == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (60, "1 minute"),
        (3600, "1 hour"),
        (7200, "2 hours"),
        (86_400, "1 day"),
        (5400, "90 minutes"),
        (90, "90 seconds"),
    ],
)
def test_the_time_is_said_in_words(seconds: float, words: str) -> None:
    """In the largest unit that gives a whole number."""
    assert question("t", {}, people=["42"], seconds=seconds).endswith(f"within {words}.")
