"""Messages that may have been sent already: how to tell, when Discord's own memory of nonces is too short.

A message with `nonce` and `enforce_nonce` is made once within "the past few minutes" [resources/message, "Create Message"]. An
agent that was away for longer, and doesn't know whether its last message went out, can't rely on that. What else there is:

* This process knows which messages it sent under which keys. That is certain, as long as it runs.
* The channel holds the message, if it was sent. Discord keeps no nonces with messages, so it is known by its author, its time
  and its text. Two equal texts of one bot in one channel, at about the same time, can't be told apart that way, except for
  those that this process knows to have been sent under other keys. A message that somebody deleted isn't found.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

NONCE_LASTS = timedelta(seconds=60)
"""For this long Discord surely remembers a nonce; it says no more than "a few minutes"."""
SLACK = timedelta(seconds=2)
"""What is unknown of the difference between the clocks: Discord tells its own in whole seconds. Short, since an equal text that
was written shortly before an attempt would be taken for its message."""
KEPT = 10_000
PAGE = 100
MOST_PAGES = 10
"""Of the messages after the attempt, the oldest thousand are looked through: a message that was sent is among the first."""
_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)


class SentMessages:
    """What this process has sent, by idempotency key; the latest of it."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._ids: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._keys: dict[str, str] = {}

    def note(self, channel_id: str, key: str, message_id: str) -> None:
        """A message was sent under `key`."""
        self._ids[channel_id, key] = message_id
        self._keys[message_id] = key
        if len(self._ids) > self._most:
            _, oldest = self._ids.popitem(last=False)
            self._keys.pop(oldest, None)

    def id_of(self, channel_id: str, key: str) -> str | None:
        """The message that was sent under `key`; None: not by this process."""
        return self._ids.get((channel_id, key))

    def is_anothers(self, message_id: str, key: str) -> bool:
        """Whether a message is known to have been sent under another key."""
        return self._keys.get(message_id, key) != key


def must_look(attempted_at: datetime | None, now: datetime) -> bool:
    """Whether an attempt was made so long ago that Discord may have forgotten its nonce."""
    return attempted_at is not None and now - attempted_at > NONCE_LASTS


def look_after(attempted_at: datetime, ahead: timedelta) -> str:
    """A snowflake before all messages that an attempt can have made [reference, "Snowflakes"].

    Args:
        attempted_at: by this side's clock.
        ahead: how much later it is by Discord's.
    """
    return str(max(0, int((attempted_at + ahead - SLACK - _EPOCH) / timedelta(milliseconds=1))) << 22)


def clock_difference(date: str, now: datetime) -> timedelta:
    """How much later it is by the clock of an answer's `Date` header (RFC 9110); none where that can't be read."""
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return timedelta(0)
    return told - now if told.tzinfo is not None else timedelta(0)


def is_same(message: Mapping[str, Any], *, author_id: str, content: str) -> bool:
    """Whether a message is one's own with this text. Discord takes white space off both ends."""
    author = message.get("author")
    return (
        isinstance(author, Mapping)
        and author.get("id") == author_id
        and str(message.get("content", "")).strip() == content.strip()
    )
