"""What to do when Discord closes a gateway connection: plain data, from topics/opcodes-and-status-codes."""

from __future__ import annotations

INVALIDATES_SESSION = frozenset((4007, 4009))
"""The session is gone: IDENTIFY anew. Every other code that isn't fatal keeps it."""

_PORTAL = "Discord's Developer Portal (https://discord.com/developers/applications)"
_FATAL = {
    4004: f"DISCORD_BOT_TOKEN: Discord refused the token. Copy it again, or reset it, on the Bot page of {_PORTAL}.",
    4010: "SHARD_IDS, SHARD_COUNT: Discord says that there is no shard {shard}. Ids go from 0 to SHARD_COUNT - 1.",
    4011: "SHARD_COUNT: the bot is in too many guilds for shard {shard}. Set a larger SHARD_COUNT, or leave SHARD_IDS and "
    "SHARD_COUNT out to run as many shards as Discord recommends.",
    4012: "Discord no longer serves this version of its gateway. Install a newer release.",
    4013: "DISCORD_INTENTS: Discord doesn't know one of the intents asked for ({intents}).",
    4014: "DISCORD_INTENTS: the bot may not use one of the privileged intents asked for ({privileged}). Switch it on under "
    f"'Privileged Gateway Intents' on the Bot page of {_PORTAL}, or leave it out of DISCORD_INTENTS.",
}
PRIVILEGED = ("members", "presences", "message_content")

REFUSED_TOKEN = _FATAL[4004]


def fatal_reason(code: int | None, *, shard: tuple[int, int], intents: tuple[str, ...]) -> str | None:
    """Why there is no use in connecting again after `code`, and how to mend it; None when there is."""
    reason = _FATAL.get(code) if code is not None else None
    if reason is None:
        return None
    return reason.format(
        shard=f"{shard[0]} of {shard[1]}",
        intents=", ".join(intents),
        privileged=", ".join(name for name in intents if name in PRIVILEGED) or "none",
    )
