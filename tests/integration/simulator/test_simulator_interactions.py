"""Commands, components and forms: from the person's hand to the bot's answer."""

import asyncio
from typing import Any

import pytest
from botswain_simulator.world.defaults import ADA_ID, BOT_ID, GUILD_ID

COMMANDS = f"/applications/{BOT_ID}/commands"
BUTTON = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]}


@pytest.fixture
async def gateway(sim: Any, connect: Any) -> Any:
    opened = await connect(sim)
    await opened.identify(sim.token, intents=0)
    return opened


async def use(person: Any, bot: Any, gateway: Any, **more: Any) -> dict[str, Any]:
    """Make a command, let Ada use it, and return what the bot is told."""
    options = more.pop("definition", [])
    made = await bot.do("POST", COMMANDS, {"name": "ask", "description": "asks", "options": options})
    body = {"kind": "command", "command_id": made["id"], "channel_id": person.general, **more}
    assert (await person.call("POST", "/sim/interactions", body))["state"] == "pending"
    return dict((await gateway.until("INTERACTION_CREATE"))["d"])


def callback(interaction: dict[str, Any]) -> str:
    return f"/interactions/{interaction['id']}/{interaction['token']}/callback"


def original(interaction: dict[str, Any]) -> str:
    return f"/webhooks/{BOT_ID}/{interaction['token']}/messages/@original"


async def test_commands_are_made_listed_overwritten_and_removed(bot: Any, person: Any) -> None:
    """Globally and for a guild; overwriting keeps the id of what stays."""
    ping = await bot.do("POST", COMMANDS, {"name": "ping", "description": "p"})
    guild = f"/applications/{BOT_ID}/guilds/{GUILD_ID}/commands"
    local = await bot.do("POST", guild, {"name": "local", "description": "l"})
    assert local["guild_id"] == GUILD_ID
    kept = await bot.do("PUT", COMMANDS, [{"name": "ping", "description": "new"}, {"name": "Show author", "type": 2}])
    assert kept[0]["id"] == ping["id"]
    usable = await person.call("GET", f"/sim/commands?channel_id={person.general}")
    assert {c["name"] for c in usable} == {"ping", "local", "Show author"}
    assert (await bot.call("DELETE", f"{guild}/{local['id']}"))[0] == 204
    assert await bot.do("GET", guild) == []
    bad = await bot.call("POST", COMMANDS, {"name": "Bad Name", "description": ""})
    assert set(bad[1]["errors"]) == {"name", "description"}
    assert (await bot.call("GET", "/applications/1/commands"))[1]["code"] == 20012


async def test_a_command_is_answered_and_followed_up(person: Any, bot: Any, gateway: Any) -> None:
    """Typed options with what they name, the answer as message of type 20, edits and follow-ups by the token alone."""
    definition = [
        {"type": 3, "name": "text", "description": "t", "required": True},
        {"type": 4, "name": "times", "description": "n"},
        {"type": 6, "name": "who", "description": "w"},
    ]
    options = [{"name": "text", "value": "hi"}, {"name": "times", "value": "3"}, {"name": "who", "value": ADA_ID}]
    told = await use(person, bot, gateway, definition=definition, options=options)
    assert (told["type"], told["data"]["name"], told["member"]["user"]["id"], told["guild_id"]) == (
        2,
        "ask",
        ADA_ID,
        GUILD_ID,
    )
    assert [(o["type"], o["value"]) for o in told["data"]["options"]] == [(3, "hi"), (4, 3), (6, ADA_ID)]
    assert told["data"]["resolved"]["users"][ADA_ID]["username"] == "ada"
    response = await bot.do("POST", callback(told) + "?with_response=true", {"type": 4, "data": {"content": "answer"}})
    message = response["resource"]["message"]
    assert (message["type"], message["interaction_metadata"]["user"]["id"]) == (20, ADA_ID)
    assert (await bot.call("POST", callback(told), {"type": 4, "data": {"content": "x"}}))[1]["code"] == 40060
    await bot.do("PATCH", original(told), {"content": "better answer"})
    follow = await bot.do("POST", f"/webhooks/{BOT_ID}/{told['token']}", {"content": "more", "flags": 64})
    assert follow["flags"] & 64
    assert [m["content"] for m in await person.read()] == ["better answer", "more"]
    listed = await bot.do("GET", f"/channels/{person.general}/messages")
    assert [m["content"] for m in listed] == ["better answer"]


async def test_a_deferred_answer_comes_later(person: Any, bot: Any, gateway: Any) -> None:
    """ "is thinking…" is a message with the LOADING flag until it is edited."""
    told = await use(person, bot, gateway)
    assert (await bot.call("POST", callback(told), {"type": 5}))[0] == 204
    assert (await person.read())[0]["flags"] & 128
    edited = await bot.do("PATCH", original(told), {"content": "done"})
    assert (edited["content"], edited["flags"] & 128) == ("done", 0)
    assert (await person.call("GET", f"/sim/interactions/{told['id']}"))["state"] == "answered"


async def test_the_first_follow_up_takes_the_place_of_a_deferred_answer(person: Any, bot: Any, gateway: Any) -> None:
    """One message in the channel, not two."""
    told = await use(person, bot, gateway)
    await bot.call("POST", callback(told), {"type": 5})
    await bot.do("POST", f"/webhooks/{BOT_ID}/{told['token']}", {"content": "here"})
    assert [m["content"] for m in await person.read()] == ["here"]


async def test_an_answer_after_three_seconds_is_too_late(person: Any, bot: Any, gateway: Any, sim: Any) -> None:
    """10062, and the page is told that the interaction failed."""
    told = await use(person, bot, gateway)
    sim.world.interactions[told["id"]].created_at -= 3.1
    assert (await bot.call("POST", callback(told), {"type": 4, "data": {"content": "late"}}))[1]["code"] == 10062
    assert (await person.call("GET", f"/sim/interactions/{told['id']}"))["state"] == "failed"
    assert (await bot.call("POST", "/interactions/1/x/callback", {"type": 1}))[1]["code"] == 10062


async def test_an_interactions_token_lives_fifteen_minutes(person: Any, bot: Any, gateway: Any, sim: Any) -> None:
    """After that the webhook is gone."""
    told = await use(person, bot, gateway)
    await bot.call("POST", callback(told), {"type": 4, "data": {"content": "a"}})
    sim.world.interactions[told["id"]].created_at -= 901
    assert (await bot.call("PATCH", original(told), {"content": "b"}))[1]["code"] == 50027


async def test_a_button_opens_a_form_that_updates_the_message(person: Any, bot: Any, gateway: Any) -> None:
    """Component, modal and submit, each told to the bot with what it needs."""
    message = await bot.do("POST", f"/channels/{person.general}/messages", {"content": "press", "components": [BUTTON]})
    press = {"kind": "component", "message_id": message["id"], "channel_id": person.general, "custom_id": "go"}
    await person.call("POST", "/sim/interactions", press)
    told = (await gateway.until("INTERACTION_CREATE"))["d"]
    assert (told["type"], told["data"]["custom_id"], told["message"]["id"]) == (3, "go", message["id"])
    field = {"type": 4, "custom_id": "name", "style": 1, "label": "Name"}
    form = {"custom_id": "form", "title": "Form", "components": [{"type": 1, "components": [field]}]}
    await bot.call("POST", callback(told), {"type": 9, "data": form})
    shown = await person.call("GET", f"/sim/interactions/{told['id']}")
    assert (shown["state"], shown["response"]["title"]) == ("modal", "Form")
    submit = {"kind": "modal", "interaction_id": told["id"], "values": {"name": "Ada"}}
    await person.call("POST", "/sim/interactions", submit)
    sent = (await gateway.until("INTERACTION_CREATE"))["d"]
    assert (sent["type"], sent["data"]["custom_id"]) == (5, "form")
    assert sent["data"]["components"][0]["components"][0]["value"] == "Ada"
    await bot.call("POST", callback(sent), {"type": 7, "data": {"content": "hello Ada", "components": []}})
    [after] = await person.read()
    assert (after["content"], after["components"]) == ("hello Ada", [])


async def test_autocomplete_waits_for_the_choices(person: Any, bot: Any, gateway: Any) -> None:
    """The control API answers once the bot has."""
    definition = [{"type": 3, "name": "city", "description": "c", "autocomplete": True}]
    made = await bot.do("POST", COMMANDS, {"name": "go", "description": "g", "options": definition})
    asked = {"kind": "autocomplete", "command_id": made["id"], "channel_id": person.general}
    asked["options"] = [{"name": "city", "value": "Ber", "focused": True}]
    waiting = asyncio.create_task(person.call("POST", "/sim/interactions", asked))
    told = (await gateway.until("INTERACTION_CREATE"))["d"]
    assert (told["type"], told["data"]["options"][0]["focused"]) == (4, True)
    choices = [{"name": "Berlin", "value": "b"}]
    assert (await bot.call("POST", callback(told), {"type": 4, "data": {"content": "x"}}))[0] == 400
    await bot.call("POST", callback(told), {"type": 8, "data": {"choices": choices}})
    assert (await waiting)["response"] == {"choices": choices}


async def test_wrong_options_are_explained_to_the_person(person: Any, bot: Any) -> None:
    """Unknown and missing ones, and a number that is none."""
    definition = [{"type": 4, "name": "times", "description": "n", "required": True}]
    made = await bot.do("POST", COMMANDS, {"name": "ask", "description": "asks", "options": definition})
    for options, complaint in (
        ([], "/ask needs times"),
        ([{"name": "tims", "value": 1}], "no option 'tims'"),
        ([{"name": "times", "value": "many"}], "'times' must be a number"),
    ):
        body = {"kind": "command", "command_id": made["id"], "channel_id": person.general, "options": options}
        assert complaint in (await person.call("POST", "/sim/interactions", body, 400))["error"]
