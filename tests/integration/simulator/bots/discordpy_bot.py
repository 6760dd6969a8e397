"""A discord.py bot as anyone would write it, but for the address: answers, reacts, edits, opens a thread, has a command."""

import sys

import discord
import yarl
from discord import app_commands

api, gateway, token = sys.argv[1:4]
discord.http.Route.BASE = api
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)


class Bot(discord.Client):
    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.all())
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self) -> None:
        @self.tree.command(name="add", description="Adds")
        async def add(interaction: discord.Interaction, a: int, b: int) -> None:
            await interaction.response.defer()
            await interaction.followup.send(str(a + b))

        await self.tree.sync()

    async def on_ready(self) -> None:
        guild = self.guilds[0]
        print(f"ready {self.user} {guild.name} channels={len(guild.channels)} members={len(guild.members)}", flush=True)

    async def on_resumed(self) -> None:
        print("resumed", flush=True)

    async def on_message(self, message: discord.Message) -> None:
        if message.author == self.user:
            return
        async with message.channel.typing():
            embed = discord.Embed(title="Echo", description=message.content)
            answer = await message.reply("…", embed=embed, file=discord.File(__file__, filename="bot.py"))
        await message.add_reaction("👍")
        await answer.edit(content=f"you said {message.content}")
        if message.content == "thread":
            thread = await message.create_thread(name="talk")
            await thread.send("in the thread")
        print(f"answered {message.content} {message.guild}", flush=True)

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        if event.user_id != self.user.id:
            print(f"reaction {event.emoji}", flush=True)


Bot().run(token, log_handler=None)
