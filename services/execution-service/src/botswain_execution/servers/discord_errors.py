"""Discord's errors in words that help whoever reads them: the model, or the person who looks at why a bot is silent."""

from __future__ import annotations

from typing import Any

_WORDS = {
    10003: "there is no such channel, or the bot can't see it",
    10008: "there is no such message in that channel",
    10014: "there is no such emoji; give the emoji itself (👍), or name:id for one of the server's own",
    20028: "the channel's own write limit is reached; wait a little",
    30010: "the message already has the most different reactions that it can have (20)",
    40005: "the message is too large",
    50001: "the bot has no access to that channel",
    50005: "the message is someone else's; a bot can edit only its own",
    50006: "the message is empty",
    50007: "this person takes no direct messages from the bot",
    50013: "the bot lacks the permission for this in that channel",
    50083: "the thread is archived",
    90001: "this person has blocked the bot, so it can't react to their messages",
    160005: "the thread is locked",
}
"""By Discord's error code [topics/opcodes-and-status-codes, "JSON error codes"]."""

TOKEN_REFUSED = "Discord refused the bot token (401): check DISCORD_BOT_TOKEN."  # noqa: S105 - words, not a token
TOKEN_MISSING = "DISCORD_BOT_TOKEN is not set, so nothing can be done on Discord."  # noqa: S105 - words, not a token


class DiscordError(Exception):
    """A request to Discord failed; the message says why, in words. `transient`: the same request may succeed in a moment."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


def explain(status: int, body: Any) -> str:
    """What Discord's answer means.

    Args:
        status: of the HTTP answer, 400 or above.
        body: its JSON, or whatever else it was.
    """
    if status == 401:
        return TOKEN_REFUSED
    body = body if isinstance(body, dict) else {}
    code, message = body.get("code"), body.get("message")
    if code == 50035:
        fields = "; ".join(invalid_fields(body.get("errors")))
        return f"Discord finds the request invalid (50035): {fields or message}."
    if isinstance(code, int) and code in _WORDS:
        return f"Discord refused ({code}): {_WORDS[code]}."
    said = f": {message}" if message else ""
    return f"Discord answered {status}{said}{f' (code {code})' if code else ''}."


def invalid_fields(errors: Any, path: str = "") -> list[str]:
    """The leaves of a 50035's `errors` tree, as `path: what is wrong` [reference, "Error messages"]."""
    if not isinstance(errors, dict):
        return []
    lines = []
    for key, value in errors.items():
        if key == "_errors" and isinstance(value, list):
            lines += [f"{path or 'request'}: {item.get('message')}" for item in value if isinstance(item, dict)]
        else:
            lines += invalid_fields(value, f"{path}.{key}" if path else str(key))
    return lines
