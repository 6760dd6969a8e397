"""A simulator and a real browser in front of its page.

The browser starts once; every test has a simulator and a browser profile of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest_asyncio
from botswain_simulator import Simulator
from playwright.async_api import Browser, Page, async_playwright, expect

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=10_000)


@dataclass
class Bot:
    """A bot as others write them: it knows the REST API and its token, and nothing of the simulator."""

    http: aiohttp.ClientSession
    url: str
    token: str

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bot {self.token}"}
        async with self.http.request(method, f"{self.url}/api/v10{path}", json=body, headers=headers) as response:
            assert response.status < 300, f"{method} {path}: {response.status} {await response.text()}"
            return None if response.status == 204 else await response.json()

    async def say(self, channel_id: str, content: str = "", **fields: Any) -> Any:
        return await self.call("POST", f"/channels/{channel_id}/messages", {"content": content, **fields})


@dataclass
class World:
    """A running simulator as the tests talk to it, beside the page."""

    http: aiohttp.ClientSession
    url: str
    bot: Bot
    state: dict[str, Any]

    def channel(self, name: str) -> str:
        """The id of a channel of the default guild."""
        return next(c["id"] for c in self.state["guilds"][0]["channels"] if c["name"] == name)

    def user(self, username: str) -> str:
        """The id of a person."""
        return next(u["id"] for u in self.state["users"] if u["username"] == username)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the control API."""
        async with self.http.request(method, f"{self.url}/sim{path}", json=body) as response:
            assert response.status < 300, f"{method} {path}: {response.status} {await response.text()}"
            return None if response.status == 204 else await response.json()

    async def say(self, channel: str, content: str, username: str = "grace") -> Any:
        """Let a person write in a channel."""
        body = {"user_id": self.user(username), "content": content}
        return await self.call("POST", f"/channels/{self.channel(channel)}/messages", body)

    async def messages(self, channel: str) -> list[dict[str, Any]]:
        """A channel's newest messages, newest first."""
        return list(await self.call("GET", f"/channels/{self.channel(channel)}/messages"))


@pytest_asyncio.fixture(loop_scope="session")
async def world() -> AsyncIterator[World]:
    async with Simulator(port=0) as simulator, aiohttp.ClientSession() as http:
        async with http.get(f"{simulator.url}/sim/state") as response:
            state = await response.json()
        yield World(http, simulator.url, Bot(http, simulator.url, simulator.token), state)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, world: World) -> AsyncIterator[Page]:
    """The page, open and loaded. Any uncaught error in it fails the test, and so does whatever the CSP had to stop."""
    context = await browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB")
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
    await page.goto(world.url)
    await expect(page.locator("#box")).to_be_focused()
    yield page
    await context.close()
    assert not problems, problems
