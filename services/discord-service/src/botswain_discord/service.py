"""`DiscordAdapter`: the service that reads Discord and forwards to the orchestrator, with its probes."""

from __future__ import annotations

import asyncio
import logging
from typing import ClassVar
from urllib.parse import urlsplit

from botswain_services import Service
from botswain_services.auth import TokenIssuer

from botswain_discord.claims import ClaimClient
from botswain_discord.gateway_client import GatewayClient, Transport
from botswain_discord.grpc_transport import GrpcTransport
from botswain_discord.handler import DiscordGatewayHandler
from botswain_discord.http_transport import HttpTransport
from botswain_discord.outbox_file import OutboxFile
from botswain_discord.reader import Reader
from botswain_discord.settings import DiscordSettings


class DiscordAdapter(Service):
    """One process: some shards of one bot."""

    name: ClassVar[str] = "discord-service"

    def __init__(self, settings: DiscordSettings) -> None:
        super().__init__(
            settings=settings,
            host=settings.bind_host,
            port=settings.health_port,
            summary="Reads a Discord bot's messages and forwards them to the orchestrator.",
        )
        transport = make_transport(settings)
        file = None
        if isinstance(transport, GrpcTransport) and settings.outbox_file_limit:  # posts wait in memory, by conversation
            file = OutboxFile(settings.outbox_dir, settings.outbox_file_limit)
        self.gateway = GatewayClient(transport, outbox_limit=settings.outbox_limit, outbox_file=file)
        claims = peer = None
        if isinstance(transport, GrpcTransport):
            peer = transport.peer
            claims = ClaimClient(peer, settings.discord_application_id)
            transport.on_fenced = claims.fenced
        self.bot = DiscordGatewayHandler(settings, self.gateway, peer)
        if isinstance(transport, GrpcTransport):
            transport.places = self.bot.places
        self.reader = Reader(self.bot, self.gateway, claims, settings.discord_bot_token.get_secret_value())
        self._forwarding: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self.add_readiness_check("discord", self._check_discord)
        self.add_readiness_check("orchestrator", self.gateway.problem)

    async def startup(self) -> None:
        """Begin to read and to forward; whether both get through is for `/ready` to say."""
        if self.settings.log_level != "DEBUG":  # what the library does at INFO is logged here in our words
            logging.getLogger("discord").setLevel(max(logging.WARNING, logging.getLogger().level))
        self._forwarding = self.gateway.start()
        self._reading = asyncio.create_task(self.reader.run(), name="reader")

    async def run(self) -> None:
        """Wait for what should not happen: reading or forwarding ends.

        Raises:
            DiscordRefusedError: Discord refused the bot in a way that only a person can mend.
        """
        assert self._reading is not None
        assert self._forwarding is not None
        tasks = {self._reading, self._forwarding}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()

    async def drain(self) -> None:
        """Stop reading, wait until the orchestrator has everything that was read, and let the next process in."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        await self.reader.hand_over()

    async def shutdown_cleanup(self) -> None:
        """Close the connections; what was not delivered is logged with its ids."""
        await self.reader.let_go()
        await self.gateway.close()
        await self.bot.close()

    def _check_discord(self) -> str | None:
        self.health.details.update(
            role=self.reader.role,
            claim=self.reader.standing,
            shards=self.bot.shard_table(),
            outbox={
                "depth": self.gateway.outbox.depth,
                "limit": self.gateway.outbox.limit,
                "on_disk": self.gateway.outbox.filed,
            },
        )
        return self.reader.problem()


def make_transport(settings: DiscordSettings) -> Transport:
    """The transport that GATEWAY_SERVICE_URL names."""
    url = settings.gateway_service_url
    tokens = TokenIssuer(
        settings.service_auth_secret.get_secret_value(), issuer=DiscordAdapter.name, audience="orchestrator-service"
    )
    if urlsplit(url).scheme in ("grpc", "grpcs"):
        return GrpcTransport(url, tokens, settings.discord_application_id)
    return HttpTransport(url, tokens)
