"""A disnake bot: answers, reacts, has a slash command."""

import sys

import disnake
from disnake.ext import commands

api, gateway, token = sys.argv[1:4]
disnake.http.Route.BASE = api
bot = commands.InteractionBot(intents=disnake.Intents.all())


@bot.event
async def on_ready() -> None:
    print(f"ready {bot.user} {bot.guilds[0].name} members={len(bot.guilds[0].members)}", flush=True)


@bot.slash_command(name="add", description="Adds")
async def add(inter: disnake.ApplicationCommandInteraction, a: int, b: int) -> None:
    await inter.response.send_message(str(a + b))


@bot.event
async def on_message(message: disnake.Message) -> None:
    if message.author == bot.user:
        return
    answer = await message.reply("…", file=disnake.File(__file__, filename="bot.py"))
    await message.add_reaction("👍")
    await answer.edit(content=f"you said {message.content}")
    print(f"answered {message.content}", flush=True)


@bot.event
async def on_raw_reaction_add(event: disnake.RawReactionActionEvent) -> None:
    if event.user_id != bot.user.id:
        print(f"reaction {event.emoji}", flush=True)


bot.run(token)
