"""A person at the page: types, and sees the bot's answers.

With SCREENSHOT=<path> it saves a picture of the page at the end.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from running_platform import RunningPlatform

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
ANSWER_MS = 20_000


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(chromium_path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, platform: RunningPlatform) -> AsyncIterator[Page]:
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", color_scheme="dark")
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(platform.page)
    await page.locator(".channel", has_text="bots").first.click()
    await page.get_by_label("Message #bots").click()
    yield page
    await context.close()
    assert not errors, errors


async def write(page: Page, text: str) -> None:
    await page.keyboard.type(text)
    await page.keyboard.press("Enter")


async def test_a_person_writes_and_the_bot_answers(page: Page) -> None:
    """Plain words, a reaction, an edit and several messages: all show on the page, live, from the bot."""
    answers = page.locator(".message", has=page.locator(".bot-tag"))
    await write(page, "hello")
    await expect(page.locator(".message", has_text="I'm the scripted model")).to_be_visible(timeout=ANSWER_MS)
    await expect(answers.first).to_be_visible()
    await write(page, "react with 🚀")
    asked = page.locator(".message", has_text="react with 🚀")
    await expect(asked.locator(".reaction[data-emoji]")).to_contain_text("1", timeout=ANSWER_MS)
    await write(page, "edit Weighing anchor … to **Anchor aweigh.** Course set for `#general`.")
    edited = page.locator(".message", has_text="Anchor aweigh.").filter(has_text="(edited)")
    await expect(edited.locator("strong")).to_be_visible(timeout=ANSWER_MS)
    await write(page, "send three messages")
    for number in (1, 2, 3):
        await expect(page.get_by_text(f"Message {number} of 3", exact=True)).to_be_visible(timeout=ANSWER_MS)
    if path := os.environ.get("SCREENSHOT"):
        await page.screenshot(path=path)
