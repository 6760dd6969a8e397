"""What the model is shown of an event."""

from __future__ import annotations

from typing import Any

from botswain_orchestrator.agent.prompt import facts_of, prompt, user_message
from botswain_proto.v1 import event_pb2


def event(**fields: Any) -> event_pb2.InternalEvent:
    given = {
        "source": event_pb2.EVENT_SOURCE_DISCORD,
        "source_event_id": "6",
        "source_channel_id": "5",
        "source_user_id": "42",
        "source_user_name": "Alice",
        "content_type": event_pb2.CONTENT_TYPE_TEXT,
        "content": "hello",
        **fields,
    }
    one = event_pb2.InternalEvent(**given)
    one.routing.reply_channel_id = "5"
    return one


def shown(one: event_pb2.InternalEvent) -> tuple[str, str]:
    """(system text, the user's message) as a provider gets them."""
    system, user = prompt("Be kind.", facts_of(one), [user_message(one, "run")])
    return system.text, user.text


def test_the_ids_that_tools_need_are_told() -> None:
    """Channel, message and user stand in the system message."""
    system, user = shown(event())
    assert system.startswith("Be kind.")
    for line in ("source: discord", "channel_id: 5", "message_id: 6", "user: Alice (id 42)"):
        assert line in system.splitlines()
    assert user == "Alice: hello"


def test_the_message_replied_to_is_told() -> None:
    """With its author and its text."""
    one = event()
    one.discord.referenced_message.message_id = "3"
    one.discord.referenced_message.author_id = "43"
    one.discord.referenced_message.content = "the question"
    assert "replies to: message 3 by user 43: the question" in shown(one)[0].splitlines()


def test_what_is_not_known_is_left_out() -> None:
    """No empty lines of facts."""
    one = event_pb2.InternalEvent(source=event_pb2.EVENT_SOURCE_API, content="hello")
    system, user = shown(one)
    assert system == "Be kind.\n\nThe event you answer:\nsource: api"
    assert user == "hello"


def test_attachments_are_listed() -> None:
    """By name and URL, below the text."""
    one = event(attachments=[event_pb2.Attachment(filename="cat.png", url="https://cdn/cat.png")])
    assert shown(one)[1] == "Alice: hello\n[attachment] cat.png https://cdn/cat.png"


def test_a_decision_reads_as_such() -> None:
    """Beside the emoji stands what it decided; what was remembered before decisions were reads as ever."""
    one = event(content_type=event_pb2.CONTENT_TYPE_REACTION, content="✅")
    remembered = user_message(one, "run", decision="approving the call of pay with {}")
    assert (
        prompt("", facts_of(one), [remembered])[1].text == "Alice: [reacted with ✅, approving the call of pay with {}]"
    )
    del remembered.additional_kwargs["event"]["decision"]
    assert prompt("", facts_of(one), [remembered])[1].text == "Alice: [reacted with ✅]"


def test_a_reaction_and_an_edit_read_as_such() -> None:
    """The model can tell them from messages."""
    reaction = event(content_type=event_pb2.CONTENT_TYPE_REACTION, content="👍")
    edit = event(content_type=event_pb2.CONTENT_TYPE_EDIT)
    assert shown(reaction)[1] == "Alice: [reacted with 👍]"
    assert shown(edit)[1] == "Alice: [edited their message to] hello"
    assert "kind: edit" in shown(edit)[0].splitlines()
