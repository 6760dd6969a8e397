"""What may be called, with which arguments, in which channels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mcp_types
import pytest
from botswain_execution.catalog import Catalog, CatalogTool
from botswain_execution.config import ChannelScope, ServerConfig
from botswain_execution.policy import CallContext, Refusal, refusal
from botswain_execution.runtime import ServerTools
from hypothesis import given
from hypothesis import strategies as st

PROPERTIES = {"channel_id": {"type": "string"}, "text": {"type": "string"}}


def make(properties: dict[str, Any] | None = None, **config: Any) -> CatalogTool:
    server = ServerConfig(command="x", **{"channel_scope": ChannelScope(), **config})
    schema = {"type": "object", "properties": PROPERTIES if properties is None else properties}
    catalog = Catalog({"s": server})
    catalog.update([ServerTools("s", (mcp_types.Tool(name="send", input_schema=schema),))])
    return catalog.find("send")


def context(*channels: str) -> CallContext:
    return CallContext(channel_ids=frozenset(channels))


def test_channel_of_the_event_is_allowed() -> None:
    """A channel that the context names may be touched."""
    assert refusal(make(), {"channel_id": "1"}, context("1", "2")) is None


@pytest.mark.parametrize(
    ("arguments", "channels", "words"),
    [
        ({"channel_id": "3"}, ("1", "2"), "channel_id '3' is not a channel of the event it answers. Allowed: 1, 2."),
        ({"text": "x"}, ("1",), "name the channel in 'channel_id'. Allowed: 1."),
        ({"channel_id": "1"}, (), "it may only touch the channel of the event it answers, and this event has none"),
        ({"channel_id": 1}, ("1",), "its arguments are wrong:\narguments.channel_id: 1 is not of type 'string'"),
    ],
)
def test_other_channels_are_refused_in_words(arguments: dict[str, Any], channels: tuple[str, ...], words: str) -> None:
    """The refusal says what was wrong and which channels there are."""
    refused = refusal(make(), arguments, context(*channels))
    assert refused is not None
    assert words in refused.reason
    assert not refused.approvable


def test_configuration_may_lift_the_restriction_where_no_channel_is_named() -> None:
    """`unnamed: allow` holds for contexts without channels alone."""
    tool = make(channel_scope=ChannelScope(unnamed="allow"))
    assert refusal(tool, {"channel_id": "9"}, context()) is None
    assert refusal(tool, {"channel_id": "9"}, context("1")) is not None


def test_tools_without_the_argument_and_servers_without_scope_are_not_restricted() -> None:
    """Only tools that have the channel argument, on servers with a scope, are bound to channels."""
    assert refusal(make(properties={"text": {"type": "string"}}), {"text": "x"}, context("1")) is None
    assert refusal(make(channel_scope=None), {"channel_id": "9"}, context("1")) is None


@pytest.mark.parametrize("config", [{"allowed_tools": frozenset({"other"})}, {"denied_tools": frozenset({"send"})}])
def test_tool_that_the_configuration_does_not_allow_is_refused(config: dict[str, Any]) -> None:
    """Allow-list and deny-list hold before anything else."""
    assert refusal(make(**config), {"channel_id": "1"}, context("1")) == Refusal(
        "send may not be used: this bot's configuration doesn't allow it."
    )


def test_a_call_that_needs_approval_is_made_once_it_is_approved() -> None:
    """Without a person's word it is refused, and the refusal says that the word would do."""
    tool = make(approval_tools=frozenset({"send"}))
    assert refusal(tool, {"channel_id": "1"}, context("1")) == Refusal(
        "send was not called: a person has to approve it first.", approvable=True
    )
    assert refusal(tool, {"channel_id": "1"}, replace(context("1"), approved=True)) is None


@pytest.mark.parametrize("arguments", [{"channel_id": 1}, {"channel_id": "3"}])
def test_approval_lifts_nothing_else(arguments: dict[str, Any]) -> None:
    """What would be refused anyway is refused first, approved or not, so nobody is asked about it."""
    tool = make(approval_tools=frozenset({"send"}))
    for approved in (False, True):
        refused = refusal(tool, arguments, replace(context("1"), approved=approved))
        assert refused is not None
        assert not refused.approvable


@given(channel=st.text(), allowed=st.frozensets(st.text(min_size=1), min_size=1))
def test_no_spelling_of_another_channel_is_let_through(channel: str, allowed: frozenset[str]) -> None:
    """Whatever the model writes, it is allowed exactly when it is one of the context's channels."""
    verdict = refusal(make(), {"channel_id": channel}, CallContext(channel_ids=allowed))
    assert (verdict is None) == (channel in allowed)
