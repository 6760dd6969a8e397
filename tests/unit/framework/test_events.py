"""InternalEvent: validation, and conversion without loss."""

import datetime as dt
import math

import pytest
from botswain_services.errors import InvalidEventError
from botswain_services.events import (
    Attachment,
    ContentType,
    ConversationContext,
    DiscordMetadata,
    EventSource,
    ForwardDestination,
    InternalEvent,
    MessageReference,
    ProcessBody,
    RoutingContext,
    Shard,
    Thread,
    from_process_body,
    from_proto,
    to_process_body,
    to_proto,
)
from botswain_services.tracing import new_traceparent
from hypothesis import given, settings
from hypothesis import strategies as st

text = st.text(st.characters(codec="utf-8"), max_size=20)
ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
optional = st.none() | ids
json_values = st.recursive(
    st.none() | st.booleans() | text | st.floats(allow_nan=False, allow_infinity=False, width=32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
shards = st.integers(1, 64).flatmap(lambda n: st.builds(Shard, id=st.integers(0, n - 1), count=st.just(n)))
discord = st.builds(
    DiscordMetadata,
    guild_id=optional,
    guild_name=optional,
    mentions=st.lists(ids, max_size=3),
    mention_roles=st.lists(ids, max_size=3),
    mention_everyone=st.booleans(),
    shard=st.none() | shards,
    bot_user_id=optional,
    thread=st.none() | st.builds(Thread, id=ids, parent_id=optional, name=optional),
    referenced_message=st.none()
    | st.builds(MessageReference, message_id=ids, channel_id=text, author_id=optional, content=st.none() | text),
    message_type=st.integers(0, 60),
    emoji=optional,
)
whole_microseconds = st.datetimes(
    min_value=dt.datetime(1970, 1, 2), max_value=dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)
)


NO_METADATA = st.just({})


def events(metadata=NO_METADATA):
    return st.sampled_from(EventSource).flatmap(
        lambda source: st.builds(
            InternalEvent,
            correlation_id=ids,
            source=st.just(source),
            source_event_id=text,
            source_channel_id=text,
            source_user_id=text,
            source_user_name=st.none() | text,
            content_type=st.sampled_from(ContentType),
            content=text,
            attachments=st.lists(
                st.builds(Attachment, id=text, filename=text, url=text, content_type=text, size=st.integers(0, 2**40)),
                max_size=2,
            ),
            routing=st.builds(
                RoutingContext,
                reply_channel_id=text,
                reply_thread_id=optional,
                forward_destinations=st.lists(
                    st.builds(
                        ForwardDestination, source=st.sampled_from(EventSource), channel_id=ids, thread_id=optional
                    ),
                    max_size=2,
                ),
                conversation=st.builds(ConversationContext, conversation_id=ids, parent_event_id=optional),
            ),
            timestamp=whole_microseconds,
            metadata=metadata,
            event_id=ids,
            traceparent=st.just("") | st.builds(new_traceparent),
            bot_id=text,
            discord=discord if source is EventSource.DISCORD else st.none(),
        )
    )


@given(events(st.dictionaries(text, json_values, max_size=3)))
@settings(max_examples=40, deadline=None)
def test_an_event_survives_the_wire(event):
    """Model → protobuf bytes → model gives the same event, whatever it holds."""
    wire = to_proto(event).SerializeToString()
    message = type(to_proto(event))()
    message.ParseFromString(wire)
    assert from_proto(message) == event


@given(events())
@settings(max_examples=40, deadline=None)
def test_an_event_survives_the_http_body(event):
    """Model → `POST /process` body as JSON → model gives the same event."""
    body = ProcessBody.model_validate_json(to_process_body(event).model_dump_json())
    assert from_process_body(body) == event


def test_a_bare_body_is_an_api_event():
    """Three fields are enough: the thread is the lane, the correlation id the dedupe key."""
    event = from_process_body(ProcessBody(thread_id="t", message="hi", correlation_id="c"))
    assert (event.source, event.event_id, event.conversation_id) == (EventSource.API, "api:c", "t")


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"source": "carrier pigeon"}, "metadata.source"),
        ({"source": "discord", "shard": {"id": -1, "count": 1}}, "metadata.shard.id"),
        ({"timestamp": "yesterday"}, "metadata.timestamp"),
        ({"traceparent": "junk"}, "metadata.traceparent"),
    ],
)
def test_a_wrong_body_names_the_field(metadata, field):
    """The error says where, in the body's own terms."""
    with pytest.raises(InvalidEventError, match=field):
        from_process_body(ProcessBody(thread_id="t", message="hi", correlation_id="c", metadata=metadata))


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_metadata_that_json_cannot_hold_is_refused(value):
    """A number that no JSON has is an error at the sender, not at the receiver."""
    event = InternalEvent(source=EventSource.API, event_id="e", metadata={"x": value})
    with pytest.raises(InvalidEventError, match="metadata"):
        to_proto(event)


def test_a_message_without_a_source_is_refused():
    """Protobuf's zero value is no source."""
    from botswain_proto.v1 import event_pb2

    with pytest.raises(InvalidEventError, match="source is not set"):
        from_proto(event_pb2.InternalEvent(event_id="e"))
