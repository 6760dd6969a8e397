"""The peer of `bench_pipeline.py`: discord.py as it comes, with an `on_message` that does nothing.

    python stock_client.py <api url> <gateway url> <token> <shards>

Prints one line once it is ready. For each number read from standard input it prints one when its first shard has come to that
sequence number, after the handlers of everything before it.
"""

from __future__ import annotations

import asyncio
import sys

import discord
import yarl

POLL = 0.01


class StockClient(discord.AutoShardedClient):
    """Default intents and message content, as most bots have them."""

    def __init__(self, shards: int) -> None:
        super().__init__(
            intents=discord.Intents(discord.Intents.default().value, message_content=True), shard_count=shards
        )
        self.answering: asyncio.Task[None] | None = None

    async def on_message(self, message: discord.Message) -> None:
        """Nothing."""

    async def on_ready(self) -> None:
        print("ready", flush=True)
        self.answering = asyncio.create_task(self._answer())

    async def _answer(self) -> None:
        shard = next(iter(self._AutoShardedClient__shards.values()))  # type: ignore[attr-defined]  # the library has no other way to it
        while line := await asyncio.to_thread(sys.stdin.readline):
            while shard.ws.sequence < int(line):  # noqa: ASYNC110 - the library announces nothing
                await asyncio.sleep(POLL)
            print("there", flush=True)
        await self.close()


def main(api_url: str, gateway_url: str, token: str, shards: int) -> None:
    discord.http.Route.BASE = api_url
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)
    StockClient(shards).run(token, log_handler=None)


if __name__ == "__main__":
    main(*sys.argv[1:4], shards=int(sys.argv[4]))
