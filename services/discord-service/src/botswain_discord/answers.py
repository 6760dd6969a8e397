"""Answers of commands: to a person through an interaction, and to a program, for which a stand-in records them.

A handler answers in the same way to both: by what it returns (text, an embed, a dict with `response` and `embed`, or nothing), by
`interaction.response.send_message`, or by `interaction.followup.send`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import discord

from botswain_discord.types import DiscordCommandInput, DiscordCommandOutput

MESSAGE_LIMIT = 2000
"""Characters of a message (resources/message)."""


@dataclass
class Answer:
    """What a command has to say."""

    text: str = ""
    embed: discord.Embed | None = None
    delete_after: float | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return not self.text and self.embed is None


def answer_of(result: Any) -> Answer:
    """What a handler returned, as an answer."""
    if isinstance(result, Answer):
        return result
    if isinstance(result, discord.Embed):
        return Answer(embed=result)
    if isinstance(result, DiscordCommandOutput):
        result = result.model_dump()
    if isinstance(result, dict) and set(result) & {"response", "embed"}:
        embed = result.get("embed")
        return Answer(
            str(result.get("response") or ""),
            discord.Embed.from_dict(embed) if isinstance(embed, dict) else embed,
            result.get("delete_after"),
        )
    return Answer("" if result is None else str(result))


def pieces(text: str) -> list[str]:
    """The text in messages that Discord takes, broken at lines where that can be done."""
    found = []
    while len(text) > MESSAGE_LIMIT:
        end = text.rfind("\n", 1, MESSAGE_LIMIT)
        end = end if end > 0 else MESSAGE_LIMIT
        found.append(text[:end])
        text = text[end:].removeprefix("\n")
    return [*found, text]


async def send(interaction: discord.Interaction, answer: Answer, *, ephemeral: bool = False) -> None:
    """Send an answer as the first one, or after that as a follow-up."""
    for number, piece in enumerate(pieces(answer.text)):
        options: dict[str, Any] = {"content": piece, "ephemeral": ephemeral}
        if answer.embed is not None and number == 0:
            options["embed"] = answer.embed
        if interaction.response.is_done():
            message = await interaction.followup.send(wait=True, **options)
            if answer.delete_after is not None:
                await message.delete(delay=answer.delete_after)
        else:
            await interaction.response.send_message(delete_after=answer.delete_after, **options)


@dataclass
class RecordingInteraction:
    """Stands in for an interaction where a program runs a command: knows the ids it was given, and records what is sent."""

    payload: DiscordCommandInput
    client: Any
    user: Any = None
    channel: Any = None
    guild: Any = None
    sent: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._done = False
        self.user = self.user or SimpleNamespace(id=self.payload.author_id, name=None, display_name=None)
        self.response = SimpleNamespace(
            send_message=self._send, defer=self._defer, is_done=lambda: self._done, edit_message=self._edit
        )
        self.followup = SimpleNamespace(send=self._send)

    @property
    def channel_id(self) -> int | None:
        """The channel's id, as the caller gave it."""
        return self.payload.channel_id

    @property
    def guild_id(self) -> int | None:
        """The guild's id, as the caller gave it."""
        return self.payload.guild_id

    async def edit_original_response(self, *, content: str | None = None, embed: Any = None, **_: Any) -> None:
        """Replace the first answer."""
        self.sent[:1] = [Answer(content or "", embed)]

    async def _send(
        self, content: Any = None, *, embed: Any = None, delete_after: float | None = None, **_: Any
    ) -> None:
        self._done = True
        self.sent.append(Answer("" if content is None else str(content), embed, delete_after))

    async def _edit(self, *, content: str | None = None, embed: Any = None, **_: Any) -> None:
        await self._send(content, embed=embed)

    async def _defer(self, **_: Any) -> None:
        self._done = True

    def output(self, result: Any) -> DiscordCommandOutput:
        """Everything that was sent and what the handler returned, as one answer."""
        answers = [*self.sent, answer_of(result)]
        embeds = [answer.embed for answer in answers if answer.embed is not None]
        delays = [answer.delete_after for answer in answers if answer.delete_after is not None]
        return DiscordCommandOutput(
            response="\n".join(answer.text for answer in answers if answer.text),
            embed=dict(embeds[0].to_dict()) if embeds else None,
            delete_after=delays[0] if delays else None,
        )
