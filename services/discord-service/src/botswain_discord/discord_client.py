"""`DiscordClient`: a bot of one's own, with slash commands and event handlers, on discord.py.

It is no part of the adapter, which reads shards for the orchestrator; the two may not share a token, as each would see only
half of the other's identifies and both would answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp
import discord
import yarl
from botswain_services import load_settings
from botswain_services.logs import get_logger
from botswain_services.settings import DEVELOPMENT_SECRET
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from botswain_discord import slash_commands
from botswain_discord.answers import Answer, RecordingInteraction, answer_of, send
from botswain_discord.bot_settings import BotSettings, checked_token
from botswain_discord.close_codes import REFUSED_TOKEN, fatal_reason
from botswain_discord.errors import CommandError, CommandRefusedError, DiscordRefusedError
from botswain_discord.slash_commands import RegisteredCommand
from botswain_discord.types import (
    DiscordCommand,
    DiscordCommandInput,
    DiscordCommandOutput,
    DiscordEventHandler,
    DiscordEventType,
)

DEFER_AFTER = 2.0
"""Seconds a handler may take before Discord is told to wait; without an answer it gives up after 3."""
FAILED = "The command failed; the bot's log says why."
_ARGUMENTS: dict[str, tuple[DiscordEventType, tuple[str, ...]]] = {
    "ready": (DiscordEventType.READY, ()),
    "message": (DiscordEventType.MESSAGE, ("message",)),
    "message_edit": (DiscordEventType.MESSAGE_EDIT, ("before", "after")),
    "message_delete": (DiscordEventType.MESSAGE_DELETE, ("message",)),
    "reaction_add": (DiscordEventType.REACTION_ADD, ("reaction", "user")),
    "reaction_remove": (DiscordEventType.REACTION_REMOVE, ("reaction", "user")),
    "member_join": (DiscordEventType.MEMBER_JOIN, ("member",)),
    "member_remove": (DiscordEventType.MEMBER_LEAVE, ("member",)),
    "guild_join": (DiscordEventType.GUILD_JOIN, ("guild",)),
    "guild_remove": (DiscordEventType.GUILD_REMOVE, ("guild",)),
    "voice_state_update": (DiscordEventType.VOICE_STATE_UPDATE, ("member", "before", "after")),
}
"""discord.py's events: what they are here, and the names of their arguments."""
log = get_logger(__name__)


class _Bot(discord.AutoShardedClient):
    """Hands discord.py's events on, beside what it does with them itself."""

    def __init__(self, owner: DiscordClient, intents: discord.Intents) -> None:
        super().__init__(intents=intents, guild_ready_timeout=0.5)
        self._owner = owner

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        super().dispatch(event, *args, **kwargs)
        if event == "shard_disconnect":
            self._owner._away.add(args[0])
        elif event in {"shard_connect", "shard_ready", "shard_resumed"}:
            self._owner._away.discard(args[0])
        known = _ARGUMENTS.get(event)
        if known is not None:
            event_type, names = known
            self._owner._hand_on(event_type, dict(zip(names, args, strict=True)))

    async def setup_hook(self) -> None:
        # Else what reconnects without a session would go to Discord's own gateway, whatever DISCORD_API_URL says.
        _, url, _ = await self.http.get_bot_gateway()
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url)
        await self._owner._sync()


class DiscordClient:
    """A bot. Subclass it, or register commands and handlers from outside.

    Args:
        token: the bot's; DISCORD_BOT_TOKEN when not given. It is looked at when the bot starts.
        intents: what to hear of; discord.py's default: everything that isn't privileged.
        settings: what the environment set; read from it when not given.
        kwargs: ignored, with a line in the log, so that subclasses may hand on all they were given.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        intents: discord.Intents | None = None,
        settings: BotSettings | None = None,
        **kwargs: Any,
    ) -> None:
        self.settings = settings or _settings()
        self._token = token
        self.intents = intents if intents is not None else discord.Intents.default()
        self.bot: discord.AutoShardedClient = _Bot(self, self.intents)
        self.tree: app_commands.CommandTree[Any] = app_commands.CommandTree(self.bot)
        self.tree.error(self._on_tree_error)
        self._commands: dict[str, RegisteredCommand] = {}
        self._aliases: dict[str, str] = {}
        self._handlers: dict[DiscordEventType, list[DiscordEventHandler]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._running: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._away: set[int] = set()
        """Shards that lost their connection and have none yet."""
        self._synced = False
        self._sync_wanted = False
        if kwargs:
            log.warning("unknown_parameters_ignored", parameters=sorted(kwargs))

    # Commands and handlers -------------------------------------------------------------------------------------------

    @property
    def commands(self) -> list[RegisteredCommand]:
        """The registered commands, in order."""
        return list(self._commands.values())

    def register_command(
        self,
        name: str,
        description: str,
        usage: str,
        handler: Callable[..., Any],
        aliases: list[str] | None = None,
        category: str = "General",
        enabled: bool = True,
        hidden: bool = False,
        cooldown: int | None = None,
        permissions: list[str] | None = None,
        parameters: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Register a slash command. On a running bot it is told to Discord at once.

        Args:
            name: lower case, without the slash.
            description: 1 to 100 characters.
            usage: for lists and errors.
            handler: sync or async; see `RegisteredCommand`. What it returns is the answer.
            aliases: other names for `execute_command`; Discord has none.
            category: for lists.
            enabled: a disabled command is shown and refused.
            hidden: leave it out of help texts; lists carry the flag.
            cooldown: seconds, each user's own.
            permissions: the caller must have all, by discord.py's names.
            parameters: by the handler's parameter: `description`, `type`, `required`, `default`, `choices`.

        Raises:
            CommandError: the name is taken, or Discord doesn't take it so.
        """
        names = [name, *(aliases or ())]
        for one in names:
            if one in self._commands or one in self._aliases or names.count(one) > 1:
                raise CommandError(f"command {name!r}: the name {one!r} is taken")
        about = DiscordCommand(
            name, description, usage, list(aliases or ()), category, enabled, hidden, cooldown, permissions
        )
        command = RegisteredCommand(about, handler, parameters or {}, self._run_slash)
        try:
            self.tree.add_command(command.slash)
        except (app_commands.CommandLimitReached, app_commands.CommandAlreadyRegistered) as error:
            raise CommandError(f"command {name!r}: {error}") from error
        self._commands[name] = command
        self._aliases.update(dict.fromkeys(about.aliases, name))
        if self._synced:
            self._sync_wanted = True
            self._bot_loop.call_soon_threadsafe(self._sync_soon)

    def register_event_handler(self, event_type: DiscordEventType, handler: DiscordEventHandler) -> None:
        """Let `handler` handle events of that type, after those registered before."""
        self._handlers.setdefault(event_type, []).append(handler)

    async def execute(self, payload: DiscordCommandInput) -> DiscordCommandOutput:
        """Run a command for a program.

        Raises:
            CommandRefusedError: it is unknown, disabled, not permitted, cooling down, or its options are wrong.
        """
        name, words = slash_commands.split(payload.content)
        command = self._commands.get(self._aliases.get(name, name))
        if command is None:
            raise CommandRefusedError(
                404, f"there is no command {name!r}; known: {', '.join(self._commands) or 'none'}"
            )
        options = command.parse(words, payload.options)
        channel = self.bot.get_channel(payload.channel_id) if payload.channel_id is not None else None
        guild = getattr(channel, "guild", None)
        if guild is None and payload.guild_id is not None:
            guild = self.bot.get_guild(payload.guild_id)
        member = await self._member(guild, payload.author_id)
        permissions = None
        if member is not None and isinstance(channel, discord.abc.GuildChannel | discord.Thread):
            permissions = channel.permissions_for(member)
        caller = str(payload.author_id) if payload.author_id is not None else "over HTTP"
        command.admit(caller, permissions)
        interaction = RecordingInteraction(payload, self.bot, member, channel, guild)
        self._tell_command(command, interaction, options)
        return interaction.output(await command.call(interaction, options))

    async def _member(self, guild: discord.Guild | None, user_id: int | None) -> discord.Member | None:
        if guild is None or user_id is None:
            return None
        with contextlib.suppress(discord.NotFound):
            return guild.get_member(user_id) or await guild.fetch_member(user_id)
        return None

    # Running ---------------------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether the bot is connected, with all its shards, and knows its guilds."""
        return self._ready.is_set() and not self._away and not self.bot.is_closed()

    async def start_bot(self) -> None:
        """Start the Discord bot; returns when it was stopped.

        Raises:
            DiscordRefusedError: there is no token, or Discord refuses it, the intents, or a command; says how to mend it.
        """
        token = checked_token(self._token, self.settings)
        if self._running is not None:
            raise DiscordRefusedError("the bot runs already")
        Route.BASE = self.settings.discord_api_url
        if self.bot.is_closed():
            self.bot.clear()
            self.bot.http.connector = discord.utils.MISSING  # it keeps the closed one
        self._bot_loop = asyncio.get_running_loop()
        running = self._running = asyncio.create_task(self.bot.start(token), name="bot")
        try:
            await asyncio.wait({running})
            if not running.cancelled():  # by `stop_bot`
                running.result()
        except discord.LoginFailure:
            raise DiscordRefusedError(REFUSED_TOKEN) from None
        except discord.PrivilegedIntentsRequired:
            raise DiscordRefusedError(self._reason(4014)) from None
        except discord.ConnectionClosed as error:
            raise DiscordRefusedError(self._reason(error.code)) from None
        except (discord.HTTPException, discord.GatewayNotFound, app_commands.AppCommandError) as error:
            raise DiscordRefusedError(f"{Route.BASE} refused the bot's start: {error}") from error
        except (aiohttp.ClientError, OSError, TimeoutError, KeyError) as error:
            raise DiscordRefusedError(
                f"DISCORD_API_URL: {Route.BASE} can't be reached, or is not Discord's API ({type(error).__name__}: {error})"
            ) from error
        finally:
            await self.stop_bot()

    async def wait_until_ready(self) -> None:
        """Return once the bot is connected and knows its guilds."""
        await self._ready.wait()

    async def stop_bot(self) -> None:
        """Stop the Discord bot: close its connections, and cancel what handlers still do."""
        running, self._running = self._running, None
        self._synced = False
        self._ready.clear()
        self._away.clear()
        if not self.bot.is_closed():
            await self.bot.close()
        current = asyncio.current_task()
        rest = {task for task in {*self._tasks, running} if task is not None and task is not current}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest)

    def _reason(self, code: int | None) -> str:
        names = tuple(name for name, wanted in self.intents if wanted)
        reason = fatal_reason(code, shard=(0, self.bot.shard_count or 1), intents=names)
        return (reason or f"Discord closed the connection with code {code}").replace("DISCORD_INTENTS", "intents")

    async def _sync(self) -> None:
        """Tell Discord the commands; those it knows from before and that are gone here are removed there."""
        self._sync_wanted = False
        await self.tree.sync()
        self._synced = True

    def _sync_soon(self) -> None:
        if self._sync_wanted and self._synced:
            self._sync_wanted = False
            self._spawn(self._sync_again())

    async def _sync_again(self) -> None:
        try:
            await self.tree.sync()
        except (discord.HTTPException, app_commands.AppCommandError, aiohttp.ClientError, OSError) as error:
            log.error("commands_not_synced", reason=str(error))  # noqa: TRY400 - the message says it all
            self._fail(error, "register_command")

    # Commands from Discord -------------------------------------------------------------------------------------------

    async def _run_slash(
        self, command: RegisteredCommand, interaction: discord.Interaction, options: dict[str, Any]
    ) -> None:
        try:
            command.admit(str(interaction.user.id), interaction.permissions)
        except CommandRefusedError as refusal:
            await send(interaction, Answer(str(refusal)), ephemeral=True)
            return
        self._tell_command(command, interaction, options)
        working = self._spawn(command.call(interaction, options))
        await asyncio.wait({working}, timeout=DEFER_AFTER)
        if not working.done() and not interaction.response.is_done():
            with contextlib.suppress(discord.InteractionResponded):
                await interaction.response.defer(thinking=True)
        answer = answer_of(await working)
        if not answer.empty or not interaction.response.is_done():
            await send(interaction, Answer("Done.") if answer.empty else answer)

    async def _on_tree_error(self, interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
        name = interaction.command.qualified_name if interaction.command is not None else "?"
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        log.error("command_failed", command=name, exc_info=cause)
        self._fail(cause, name)
        with contextlib.suppress(discord.HTTPException):
            await send(interaction, Answer(FAILED), ephemeral=True)

    # Events ----------------------------------------------------------------------------------------------------------

    def _hand_on(self, event_type: DiscordEventType, about: dict[str, Any]) -> None:
        if event_type is DiscordEventType.READY:
            self._ready.set()
        if event_type is DiscordEventType.MESSAGE and about["message"].author == self.bot.user:
            return
        handlers = self._handlers.get(event_type)
        if handlers:
            self._spawn(self._handle(event_type, list(handlers), about))

    async def _handle(
        self, event_type: DiscordEventType, handlers: list[DiscordEventHandler], about: dict[str, Any]
    ) -> None:
        for handler in handlers:
            try:
                await handler.handle(event_type, **about)
            except Exception as error:
                log.exception("event_handler_failed", event_type=event_type.value, handler=type(handler).__name__)
                if event_type is not DiscordEventType.ERROR:
                    self._fail(error, event_type)

    def _tell_command(self, command: RegisteredCommand, interaction: Any, options: dict[str, Any]) -> None:
        about = {"command": command.about, "interaction": interaction, "options": options}
        self._hand_on(DiscordEventType.COMMAND, about)

    def _fail(self, error: BaseException, source: Any) -> None:
        self._hand_on(DiscordEventType.ERROR, {"error": error, "source": source})

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _settings() -> BotSettings:
    """A bot alone serves nobody, so it needs no secret of the platform's services."""
    return load_settings(BotSettings, botswain_env="development", service_auth_secret=DEVELOPMENT_SECRET)
