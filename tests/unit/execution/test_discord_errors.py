"""Discord's errors in words."""

from __future__ import annotations

from typing import Any

import pytest
from botswain_execution.servers.discord_errors import explain
from botswain_execution.servers.discord_rest import Route, allowed_mentions

INVALID = {
    "code": 50035,
    "message": "Invalid Form Body",
    "errors": {
        "embeds": {"0": {"title": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 256 or fewer."}]}}},
        "content": {"_errors": [{"code": "BASE_TYPE_REQUIRED", "message": "This field is required"}]},
    },
}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            401,
            {"message": "401: Unauthorized", "code": 0},
            "Discord refused the bot token (401): check DISCORD_BOT_TOKEN.",
        ),
        (403, {"code": 50001, "message": "Missing Access"}, "(50001): the bot has no access to that channel."),
        (403, {"code": 50013, "message": "Missing Permissions"}, "(50013): the bot lacks the permission"),
        (404, {"code": 10003, "message": "Unknown Channel"}, "(10003): there is no such channel"),
        (400, INVALID, "embeds.0.title: Must be 256 or fewer.; content: This field is required."),
        (400, {"code": 50035, "message": "Invalid Form Body"}, "(50035): Invalid Form Body."),
        (400, {"code": 99999, "message": "Odd"}, "Discord answered 400: Odd (code 99999)."),
        (502, "<html>", "Discord answered 502."),
        (500, None, "Discord answered 500."),
    ],
)
def test_answers_are_explained(status: int, body: Any, words: str) -> None:
    """Known codes get a sentence that says what to do, unknown ones Discord's own message."""
    assert words in explain(status, body)


def test_parts_of_a_path_are_quoted() -> None:
    """No id or emoji can lead to another endpoint."""
    template = "/channels/{channel}/messages/{message}/reactions/{emoji}/@me"
    route = Route("PUT", template, "1/../../guilds", "2?x", "a/b:1")
    assert route.path == "/channels/1%2F..%2F..%2Fguilds/messages/2%3Fx/reactions/a%2Fb%3A1/@me"


def test_allowed_mentions_are_none_unless_named() -> None:
    """Nothing is pinged by default; a list names what may be, and a wrong word is refused."""
    assert allowed_mentions("") == {"parse": [], "replied_user": False}
    assert allowed_mentions("users, roles") == {"parse": ["users", "roles"], "replied_user": False}
    with pytest.raises(ValueError, match="DISCORD_ALLOWED_MENTIONS: all: expected users, roles, everyone"):
        allowed_mentions("all")
