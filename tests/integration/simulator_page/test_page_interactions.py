"""Commands, buttons and forms on the page, with a bot that is connected to the gateway and answers over REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from .conftest import World

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

Answer = dict[str, Any]
DISPATCH, HEARTBEAT, IDENTIFY = 0, 1, 2
COMMAND, COMPONENT, COMPLETE, FORM = 2, 3, 4, 5


class Responder:
    """A bot on the gateway that answers interactions of each type as `answers` says."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: list[Any] = []
        self.answers: dict[int, Callable[[Any], Answer]] = {}
        self.ready = asyncio.Event()

    async def run(self) -> None:
        async with self.world.http.ws_connect(self.world.url.replace("http", "ws") + "/?v=10&encoding=json") as socket:
            await socket.receive_json()
            identify = {"token": self.world.bot.token, "intents": 1, "properties": {}}
            await socket.send_json({"op": IDENTIFY, "d": identify})
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    continue
                payload = frame.json()
                if payload["t"] == "READY":
                    self.ready.set()
                elif payload["t"] == "INTERACTION_CREATE":
                    await self._answer(payload["d"])

    async def _answer(self, interaction: Any) -> None:
        self.seen.append(interaction)
        answer = self.answers.get(interaction["type"])
        if answer is not None:
            path = f"/interactions/{interaction['id']}/{interaction['token']}/callback"
            await self.world.bot.call("POST", path, answer(interaction))


@pytest_asyncio.fixture(loop_scope="session")
async def responder(world: World) -> AsyncIterator[Responder]:
    responder = Responder(world)
    task = asyncio.create_task(responder.run())
    async with asyncio.timeout(10):
        await responder.ready.wait()
    yield responder
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def register(world: World, *commands: dict[str, Any]) -> None:
    application = world.state["bots"][0]["application_id"]
    for command in commands:
        await world.bot.call("POST", f"/applications/{application}/commands", command)


async def test_a_slash_command_is_completed_run_and_answered(page: Page, world: World, responder: Responder) -> None:
    """Typing / offers the bot's commands and their options; Enter runs one, and the answer says who used it."""
    when = {"name": "when", "description": "When", "type": 3, "required": True}
    times = {"name": "times", "description": "How often", "type": 4}
    await register(world, {"name": "remind", "description": "Remind me", "options": [when, times]})
    said = {"type": 4, "data": {"content": "I will"}}
    responder.answers[COMMAND] = lambda _: said
    await page.keyboard.type("/rem")
    await expect(page.locator("#suggestions [aria-selected=true]")).to_contain_text("/remind")
    await page.keyboard.press("Tab")
    await expect(page.locator("#hint")).to_have_text("/remind when: [times:]")
    await page.keyboard.press("Enter")
    await page.keyboard.type('"at noon" times:2')
    await page.keyboard.press("Enter")
    message = page.locator(".message", has_text="I will")
    await expect(message.locator(".quoted")).to_contain_text("Ada used /remind")
    await expect(page.locator("#box")).to_have_value("")
    options = responder.seen[0]["data"]["options"]
    assert [(o["name"], o["value"]) for o in options] == [("when", "at noon"), ("times", 2)]


async def test_a_bot_completes_an_option_itself(page: Page, world: World, responder: Responder) -> None:
    """For an option with autocompletion the bot is asked; the line shows the choice's name, the command gets its value."""
    port = {"name": "port", "description": "Where to", "type": 3, "required": True, "autocomplete": True}
    await register(world, {"name": "sail", "description": "Sail", "options": [port]})
    responder.answers[COMPLETE] = lambda _: {"type": 8, "data": {"choices": [{"name": "Port Royal", "value": "pr"}]}}
    responder.answers[COMMAND] = lambda i: {"type": 4, "data": {"content": f"to {i['data']['options'][0]['value']}!"}}
    await page.keyboard.type("/sail port:r")
    await expect(page.locator("#suggestions [aria-selected=true]")).to_contain_text("Port Royal")
    await page.keyboard.press("Tab")
    await expect(page.locator("#box")).to_have_value('/sail port:"Port Royal" ')
    await page.keyboard.press("Enter")
    await expect(page.locator(".message", has_text="to pr!")).to_be_visible()


async def test_buttons_and_menus_reach_the_bot(page: Page, world: World, responder: Responder) -> None:
    """A press and a choice become interactions; the bot's update changes the message in its place."""
    options = [{"label": name, "value": name.lower()} for name in ("Port", "Starboard")]
    rows = [
        {"type": 1, "components": [{"type": 2, "style": 1, "label": "Anchor", "custom_id": "anchor"}]},
        {"type": 1, "components": [{"type": 3, "custom_id": "side", "placeholder": "Side", "options": options}]},
    ]
    await world.bot.say(world.channel("general"), "orders?", components=rows)
    responder.answers[COMPONENT] = lambda i: {
        "type": 7,
        "data": {"content": f"{i['data']['custom_id']} {i['data'].get('values', '')}"},
    }
    await page.get_by_role("button", name="Anchor").click()
    await expect(page.locator(".message .content", has_text="anchor")).to_be_visible()
    await page.get_by_label("Side").select_option("starboard")
    await expect(page.locator(".message .content", has_text="side ['starboard']")).to_be_visible()


async def test_a_form_is_filled_in_and_the_private_answer_is_private(
    page: Page, world: World, responder: Responder
) -> None:
    """A form that a bot asks for opens as a dialog; an ephemeral answer shows to the one who asked only."""
    await register(world, {"name": "report", "description": "Report"})
    field = {"type": 4, "custom_id": "what", "label": "What happened?", "style": 2, "required": True}
    form = {"custom_id": "f", "title": "Report", "components": [{"type": 1, "components": [field]}]}
    responder.answers[COMMAND] = lambda _: {"type": 9, "data": form}
    responder.answers[FORM] = lambda i: {
        "type": 4,
        "data": {"content": "noted: " + i["data"]["components"][0]["components"][0]["value"], "flags": 64},
    }
    await page.keyboard.type("/report")
    await page.keyboard.press("Enter")
    await page.get_by_label("What happened?").fill("a leak")
    await page.get_by_role("button", name="Submit").click()
    message = page.locator(".message", has_text="noted: a leak")
    await expect(message).to_contain_text("Only you can see this answer.")
    await page.locator(".speaker").click()
    await page.get_by_role("menuitemradio", name="Grace").click()
    await expect(message).to_have_count(0)


async def test_a_bot_that_does_not_answer_is_told(page: Page, world: World, responder: Responder) -> None:
    """When no answer comes within Discord's 3 seconds the page says so, and presence shows who is connected."""
    await register(world, {"name": "sleep", "description": "Says nothing"})
    await expect(page.get_by_role("button", name="botswain, bot, online")).to_be_visible()
    await page.keyboard.type("/sleep")
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast")).to_contain_text("The bot did not answer within 3 seconds.")
    assert len(responder.seen) == 1
