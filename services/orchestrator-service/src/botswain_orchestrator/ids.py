"""Ids that are the same on every attempt of the same work, so that work done twice shows as such."""

from __future__ import annotations

import base64
import hashlib

RUN_ID_LENGTH = 16
MAX_KEY_LENGTH = 25
"""Discord's longest nonce; a key becomes one."""


def run_id(bot_id: str, event_id: str) -> str:
    """The run that answers this event: 16 characters (80 bits) of base32, derived from the event alone."""
    digest = hashlib.sha256(f"{bot_id}\0{event_id}".encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def idempotency_key(run: str, step: int) -> str:
    """The key of the run's `step`-th tool call, from 1: the run id, which has a fixed length, and the step."""
    key = f"{run}{step}"
    if len(key) > MAX_KEY_LENGTH:
        raise ValueError(f"step {step} of run {run} has no key of at most {MAX_KEY_LENGTH} characters")
    return key
