"""`DiscordService`: a `DiscordClient` in a process with an HTTP API, a client and MCP tools."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar, cast

import discord
from botswain_services import LaunchError, Service, ServiceSettings, Url
from fastapi import HTTPException

from botswain_discord.bot_settings import BotSettings
from botswain_discord.discord_client import DiscordClient
from botswain_discord.errors import CommandRefusedError
from botswain_discord.types import (
    DiscordCommandInput,
    DiscordCommandOutput,
    DiscordCommandSchema,
    DiscordCommandsOutput,
    DiscordCommandsSchema,
    DiscordStatusOutput,
    DiscordStatusSchema,
)


class DiscordService(Service):
    """A bot as a service. Subclass it and register commands in the constructor.

    Args:
        token: the bot's; DISCORD_BOT_TOKEN when not given.
        intents: a `discord.Intents`, or its value.
        kwargs: for `Service`.
    """

    settings_class: ClassVar[type[ServiceSettings]] = BotSettings

    def __init__(self, *, token: str | None = None, intents: Any | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(intents, int):
            intents = discord.Intents._from_value(intents)
        self.discord_client = DiscordClient(token=token, intents=intents, settings=cast("BotSettings", self.settings))
        self._bot: asyncio.Task[None] | None = None
        self.add_endpoint("execute_command", self.execute_command, DiscordCommandSchema(), scope="admin", as_tool=True)
        both = ["GET", "POST"]
        self.add_endpoint("get_bot_status", self.get_bot_status, DiscordStatusSchema(), methods=both, as_tool=True)
        self.add_endpoint("get_commands", self.get_commands, DiscordCommandsSchema(), methods=both, as_tool=True)
        self.add_readiness_check("discord", self._check_discord)

    async def startup(self) -> None:
        """Start the bot and wait until it is connected.

        Raises:
            DiscordRefusedError: it can't be; says why and how to mend it.
        """
        self._bot = asyncio.create_task(self.discord_client.start_bot(), name="discord bot")
        ready = asyncio.create_task(self.discord_client.wait_until_ready())
        try:
            await asyncio.wait({self._bot, ready}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self._bot.done():
            await self._bot

    async def run(self) -> None:
        """Go on for as long as the bot does.

        Raises:
            DiscordRefusedError: Discord refused it for good.
        """
        assert self._bot is not None
        await asyncio.shield(self._bot)

    async def shutdown_cleanup(self) -> None:
        """Close the bot's connections."""
        await self.discord_client.stop_bot()
        if self._bot is not None:
            self._bot.cancel()
            await asyncio.wait({self._bot})

    async def execute_command(self, payload: DiscordCommandInput) -> DiscordCommandOutput:
        """Run one of the bot's commands, as if it were typed in Discord, and return its answer instead of sending it."""
        try:
            return await self.discord_client.execute(payload)
        except CommandRefusedError as refusal:
            raise HTTPException(refusal.status_code, str(refusal)) from None

    def get_bot_status(self) -> DiscordStatusOutput:
        """Tell how the bot is: name, guilds, users, latency, and whether it is connected."""
        client = self.discord_client
        bot = client.bot
        latency = bot.latency if client.is_ready else None
        return DiscordStatusOutput(
            bot_name=bot.user.name if bot.user is not None else None,
            guild_count=len(bot.guilds),
            user_count=sum(guild.member_count or 0 for guild in bot.guilds),
            latency=latency if latency is not None and 0 <= latency < float("inf") else None,
            status="connected" if client.is_ready else "not connected",
        )

    def get_commands(self) -> DiscordCommandsOutput:
        """List the bot's commands with their parameters."""
        return DiscordCommandsOutput(commands=[command.describe() for command in self.discord_client.commands])

    def register_command(self, *args: Any, **kwargs: Any) -> None:
        """`DiscordClient.register_command`."""
        self.discord_client.register_command(*args, **kwargs)

    def register_event_handler(self, *args: Any, **kwargs: Any) -> None:
        """`DiscordClient.register_event_handler`."""
        self.discord_client.register_event_handler(*args, **kwargs)

    @classmethod
    def launch(
        cls,
        *,
        url: str | Url | None = None,
        host: str | None = None,
        port: int | None = None,
        block: bool = False,
        num_workers: int = 1,
        wait_for_launch: bool = True,
        timeout: float = 60,
        progress_bar: bool = True,
        **kwargs: Any,
    ) -> Any:
        """`Service.launch`; returns when the bot is connected.

        Raises:
            LaunchError: it did not connect in time, or Discord refused it; more than one worker was asked for.
        """
        if num_workers != 1:
            raise LaunchError(f"num_workers is {num_workers}; a bot runs in one process, or each would answer")
        started = time.monotonic()
        try:
            return super().launch(
                url=url,
                host=host,
                port=port,
                block=block,
                num_workers=num_workers,
                wait_for_launch=wait_for_launch,
                timeout=timeout,
                progress_bar=progress_bar,
                **kwargs,
            )
        except LaunchError as error:
            if error.worker_traceback or time.monotonic() - started < timeout:
                raise
            raise LaunchError(
                f"{error}: the bot was not connected to Discord by then; {cls.default_log_file()} says how far it came"
            ) from None

    def _check_discord(self) -> str | None:
        return None if self.discord_client.is_ready else "the bot is not connected to Discord"
