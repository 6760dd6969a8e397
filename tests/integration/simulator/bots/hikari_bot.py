"""A hikari bot: answers and reacts."""

import sys

import hikari

api, gateway, token = sys.argv[1:4]
bot = hikari.GatewayBot(token, rest_url=api, intents=hikari.Intents.ALL, banner=None, logs="WARNING")


@bot.listen()
async def started(_event: hikari.StartedEvent) -> None:
    guilds = bot.cache.get_available_guilds_view()
    print(f"ready {bot.get_me().username} {[g.name for g in guilds.values()]}", flush=True)


@bot.listen()
async def message(event: hikari.MessageCreateEvent) -> None:
    if event.is_bot:
        return
    answer = await event.message.respond("…", reply=True, attachment=hikari.Bytes(b"hello", "a.txt"))
    await event.message.add_reaction("👍")
    await answer.edit(f"you said {event.content}")
    print(f"answered {event.content}", flush=True)


@bot.listen()
async def reaction(event: hikari.ReactionAddEvent) -> None:
    if event.user_id != bot.get_me().id:
        print(f"reaction {event.emoji_name}", flush=True)


bot.run(check_for_updates=False)
