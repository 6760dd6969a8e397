"""What the scripted model understands."""

from __future__ import annotations

from typing import Any

import pytest
from botswain_orchestrator.agent.scripted.conversation import Call, Conversation, Outcome
from botswain_orchestrator.agent.scripted.script import COMMANDS, reply

TOOLS: dict[str, dict[str, Any]] = {
    name: {} for name in ("discord_send_message", "discord_edit_message", "discord_add_reaction", "read_file", "fetch")
}


def said(text: str, **fields: Any) -> Conversation:
    given = {"user_id": "42", "user_name": "Alice", "channel_id": "5", "message_id": "6", "tools": TOOLS, **fields}
    return Conversation(text, **given)


def done(text: str = "ok", message_id: str = "77") -> tuple[Outcome, ...]:
    return (Outcome(text, is_error=False, message_id=message_id),)


def failed(text: str = "no such channel") -> tuple[Outcome, ...]:
    return (Outcome(text, is_error=True),)


def send(text: str) -> Call:
    return Call("discord_send_message", {"channel_id": "5", "content": text})


@pytest.mark.parametrize("text", ["hello", "Hi!", "hey there", "Good morning"])
def test_a_greeting_is_returned(text: str) -> None:
    """It greets by name, and tells how to go on."""
    answer = reply(said(text))
    assert "Hello, Alice!" in answer.text
    assert "`help`" in answer.text
    assert not answer.calls


@pytest.mark.parametrize("text", ["help", "HELP!", "/help", "what can you do?"])
def test_help_lists_every_command(text: str) -> None:
    """Each command that has a usage is in the list."""
    answer = reply(said(text)).text
    assert all(f"`{command.usage}`" in answer for command in COMMANDS if command.usage)


def test_help_fits_one_message() -> None:
    """The list is one Discord message."""
    assert len(reply(said("help")).text) <= 2000


@pytest.mark.parametrize(
    ("text", "emoji"),
    [
        ("react with 🎉", "🎉"),
        ("React with a heart.", "❤️"),
        ("please react", "👍"),
        ("react with <:party:123>", "party:123"),
        ("react to this with 👀!", "👀"),
        ("react with 🎉 please", "🎉"),
        ("react with a rocket, please!", "🚀"),
        ("react please", "👍"),
    ],
)
def test_react_adds_a_reaction(text: str, emoji: str) -> None:
    """The user's own message gets the reaction."""
    expected = Call("discord_add_reaction", {"channel_id": "5", "message_id": "6", "emoji": emoji})
    assert reply(said(text)).calls == (expected,)


def test_react_in_a_reply_means_the_message_replied_to() -> None:
    """The referenced message gets the reaction."""
    assert reply(said("react with 🎉", reference_id="3")).calls[0].arguments["message_id"] == "3"


def test_after_a_reaction_nothing_more_is_said() -> None:
    """A reaction is the answer."""
    answer = reply(said("react with 🎉", rounds=(done(),)))
    assert (answer.text, answer.calls) == ("", ())


def test_a_failed_tool_is_told() -> None:
    """The tool's complaint reaches the user as text."""
    assert "no such channel" in reply(said("react with 🎉", rounds=(failed(),))).text


def test_edit_sends_then_edits_what_it_sent() -> None:
    """The id of the message comes from the tool's result."""
    assert reply(said("edit draft to final")).calls == (send("draft"),)
    second = reply(said("edit draft to final", rounds=(done(message_id="77"),)))
    arguments = {"channel_id": "5", "message_id": "77", "content": "final"}
    assert second.calls == (Call("discord_edit_message", arguments),)
    third = reply(said("edit draft to final", rounds=(done(), done())))
    assert (third.text, third.calls) == ("", ())


def test_edit_without_words_has_its_own() -> None:
    """`edit your message` shows an edit without being told the texts."""
    assert reply(said("edit your message")).calls == (send("Working on it …"),)


def test_edit_without_an_id_says_so() -> None:
    """A send tool that doesn't tell the message's id is no reason to guess."""
    assert "wasn't told its id" in reply(said("edit a to b", rounds=(done(message_id=""),))).text


@pytest.mark.parametrize(
    ("text", "count"), [("send three messages", 3), ("send 2 messages.", 2), ("send 99 messages", 10)]
)
def test_several_messages_are_several_calls(text: str, count: int) -> None:
    """All in one round, bounded."""
    assert reply(said(text)).calls == tuple(send(f"Message {n} of {count}") for n in range(1, count + 1))


def test_say_then_sends_each_part() -> None:
    """Two parts are two messages."""
    assert reply(said("say one, then two then three")).calls == (send("one"), send("two"), send("three"))


def test_say_once_is_plain_text() -> None:
    """One part is a plain answer, which the orchestrator delivers."""
    assert reply(said("say good night")).text == "good night"


def test_say_nothing_is_silent() -> None:
    """No text and no call."""
    answer = reply(said("say nothing"))
    assert (answer.text, answer.calls) == ("", ())


def test_read_file_and_fetch_call_their_tools() -> None:
    """The path and the URL go to the tools; what they say is shown."""
    assert reply(said("read file notes/a.txt")).calls == (Call("read_file", {"path": "notes/a.txt"}),)
    assert reply(said("fetch <https://example.org/>")).calls == (Call("fetch", {"url": "https://example.org/"}),)
    assert "ok" in reply(said("read file a.txt", rounds=(done("ok"),))).text


@pytest.mark.parametrize("text", ["react with 🎉", "edit a to b", "read file x", "fetch https://x", "fail tool"])
def test_a_missing_tool_is_named(text: str) -> None:
    """Without the tool it says which one it would need."""
    answer = reply(said(text, tools={}))
    assert "I'd need the tool `" in answer.text
    assert not answer.calls


def test_call_takes_any_tool_and_json() -> None:
    """Every tool can be tried by hand."""
    assert reply(said('call my.tool {"a": [1]}')).calls == (Call("my.tool", {"a": [1]}),)
    assert "aren't JSON" in reply(said("call my.tool {a")).text
    assert "JSON object" in reply(said("call my.tool [1]")).text


def test_it_remembers_a_name_per_user() -> None:
    """What one user said isn't told of another."""
    earlier = (("42", "my name is Ada Lovelace."), ("43", "my name is Bob"))
    assert "Ada Lovelace" in reply(said("what is my name?", earlier=earlier)).text
    assert "haven't told me" in reply(said("what is my name?", user_id="44", earlier=earlier)).text
    assert "Ada" in reply(said("My name is Ada")).text


def test_it_recalls_the_last_message() -> None:
    """The last message before this one, of this user."""
    assert "second" in reply(said("what did I say?", earlier=(("42", "first"), ("42", "second"), ("1", "x")))).text


def test_counting_makes_a_long_answer() -> None:
    """A number a line."""
    assert reply(said("count to 3")).text == "1\n2\n3"


def test_waiting_is_bounded() -> None:
    """A slow answer says how long it took, and isn't endless."""
    assert reply(said("wait 0.5 s")).wait_seconds == 0.5
    assert reply(said("wait 9999")).wait_seconds == 60


def test_fail_tool_ends_in_text() -> None:
    """The failing call is followed by an answer that the fallback delivers."""
    assert reply(said("fail tool")).calls[0].arguments["channel_id"] == "0"
    assert "not allowed" in reply(said("fail tool", rounds=(failed("not allowed"),))).text


def test_anything_else_is_repeated() -> None:
    """The hint comes with the first answer only."""
    first = reply(said("why is the sky blue?")).text
    assert "“why is the sky blue?”" in first
    assert "`help`" in first
    assert "`help`" not in reply(said("why?", earlier=(("42", "x"),))).text


def test_long_text_is_repeated_in_part() -> None:
    """The answer stays readable."""
    assert len(reply(said("x" * 5000)).text) < 600


@pytest.mark.parametrize("kind", ["reaction", "edit"])
def test_reactions_and_edits_get_no_answer(kind: str) -> None:
    """They are events, not questions."""
    answer = reply(said("👍", kind=kind))
    assert (answer.text, answer.calls) == ("", ())


def test_a_message_without_text_is_explained() -> None:
    """Attachments are thanked for; nothing at all points to the missing intent."""
    assert "cat.png" in reply(said("", attachments=("cat.png https://cdn/cat.png",))).text
    assert "Message Content intent" in reply(said("")).text
