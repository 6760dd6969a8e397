"""Talking on the simulator's page: what is written there reaches bots, and what bots do shows at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from .conftest import World

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763d8f0e00300042801f1"
    "a84dbd9d0000000049454e44ae426082"
)


async def test_a_typed_message_shows_once_and_reaches_the_simulator(page: Page, world: World) -> None:
    """Enter sends what stands in the box, as Ada, and empties it; Shift+Enter makes a new line."""
    await page.keyboard.type("Ahoy **there**")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second line")
    await page.keyboard.press("Enter")
    message = page.locator(".message:not(.is-sending)", has_text="Ahoy there")
    await expect(message).to_have_count(1)
    await expect(message.locator("strong")).to_have_text("there")
    await expect(message.locator(".author")).to_have_text("Ada")
    await expect(page.locator("#box")).to_have_value("")
    sent = (await world.messages("general"))[0]
    assert (sent["content"], sent["author"]["username"]) == ("Ahoy **there**\nsecond line", "ada")


async def test_a_bots_answer_over_rest_shows_live(page: Page, world: World) -> None:
    """A reply that a bot posts appears with its tag, the quoted line and its embed, and is announced."""
    asked = await world.say("general", "how deep is it?", "ada")
    await world.bot.say(
        world.channel("general"),
        "Twelve fathoms",
        message_reference={"message_id": asked["id"]},
        embeds=[{"title": "Soundings", "description": "by *lead*", "fields": [{"name": "At", "value": "noon"}]}],
    )
    message = page.locator(".message", has_text="Twelve fathoms")
    await expect(message.locator(".bot-tag")).to_have_text(re.compile("bot", re.IGNORECASE))
    await expect(message.locator(".quoted")).to_contain_text("how deep is it?")
    await expect(message.locator(".embed-title")).to_have_text("Soundings")
    await expect(message.locator(".embed-field dd")).to_have_text("noon")
    await expect(page.locator("#announcer")).to_contain_text("Twelve fathoms")


async def test_edits_and_deletes_show_live(page: Page, world: World) -> None:
    """A message that is edited says so, and one that is deleted goes."""
    channel = world.channel("general")
    message = await world.bot.say(channel, "first words")
    await expect(page.locator(".message", has_text="first words")).to_be_visible()
    await world.bot.call("PATCH", f"/channels/{channel}/messages/{message['id']}", {"content": "better words"})
    row = page.locator(f'.message[data-id="{message["id"]}"]')
    await expect(row.locator(".content")).to_have_text("better words(edited)")
    await world.bot.call("DELETE", f"/channels/{channel}/messages/{message['id']}")
    await expect(row).to_have_count(0)


async def test_up_edits_the_last_own_message_and_escape_leaves_it(page: Page, world: World) -> None:
    """Up in an empty box opens one's last message for editing; Esc changes nothing, Enter saves."""
    await world.say("general", "mine @grace", "ada")
    await world.say("general", "not mine", "grace")
    await expect(page.locator(".message", has_text="not mine")).to_be_visible()
    await page.keyboard.press("ArrowUp")
    area = page.locator(".edit-area")
    await expect(area).to_be_focused()
    await page.keyboard.type(" changed")
    await page.keyboard.press("Escape")
    await expect(area).to_have_count(0)
    await expect(page.locator("#box")).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(area).to_have_value("mine @grace")
    await page.keyboard.type("!")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message .edited")).to_have_count(1)
    assert (await world.messages("general"))[1]["content"] == f"mine <@{world.user('grace')}>!"


async def test_reactions_toggle_and_count_everybody(page: Page, world: World) -> None:
    """A click adds the speaker's reaction beside the bot's, another takes it away; the picker finds emoji by name."""
    channel = world.channel("general")
    message = await world.say("general", "vote", "grace")
    await world.bot.call("PUT", f"/channels/{channel}/messages/{message['id']}/reactions/%F0%9F%91%8D/@me")
    chip = page.locator('.reaction[data-emoji="👍"]')
    await expect(chip).to_contain_text("1")
    await expect(chip).to_have_attribute("aria-pressed", "false")
    await chip.click()
    await expect(chip).to_contain_text("2")
    await expect(chip).to_have_attribute("aria-pressed", "true")
    assert (await world.messages("general"))[0]["reactions"][0]["count"] == 2
    await chip.click()
    await expect(chip).to_contain_text("1")
    await page.locator(".message", has_text="vote").hover()
    await page.get_by_role("button", name="Add a reaction").first.click()
    await page.keyboard.type("rocket")
    await page.keyboard.press("Enter")
    await expect(page.locator('.reaction[data-emoji="🚀"]')).to_have_attribute("aria-pressed", "true")


async def test_attachments_show_as_picture_or_card(page: Page, world: World, tmp_path: Path) -> None:
    """A picture chosen on the page is sent and shown from the simulator; another file becomes a card with its size."""
    (tmp_path / "dot.png").write_bytes(PIXEL)
    (tmp_path / "notes.txt").write_text("x" * 1500)
    await page.set_input_files("#picker", [tmp_path / "dot.png", tmp_path / "notes.txt"])
    await expect(page.locator(".tray-file")).to_have_count(2)
    await page.locator("#box").fill("two files")
    await page.keyboard.press("Enter")
    message = page.locator(".message:not(.is-sending)", has_text="two files")
    await expect(message.locator(".attachment-image img")).to_have_js_property("naturalWidth", 1)
    await expect(message.locator("a.file-card")).to_contain_text("notes.txt")
    await expect(message.locator(".file-size")).to_have_text("1.5 kB")
    await expect(page.locator("#tray")).to_be_hidden()
    assert [a["filename"] for a in (await world.messages("general"))[0]["attachments"]] == ["dot.png", "notes.txt"]


async def test_typing_shows_until_the_message_comes(page: Page, world: World) -> None:
    """The bot's typing shows under the box and ends with its message."""
    await world.bot.call("POST", f"/channels/{world.channel('general')}/typing")
    await expect(page.locator("#typing")).to_contain_text("botswain is typing…")
    await world.bot.say(world.channel("general"), "done")
    await expect(page.locator("#typing")).to_have_text("")


HOSTILE = (
    '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>',
    "[click](javascript:window.pwned=1) <javascript:window.pwned=1>",
    "```html\n</code></pre><script>window.pwned=1</script>\n```",
    "||<svg onload=window.pwned=1>|| **<b onmouseover=window.pwned=1>x</b>** `<i>`",
    "# <iframe src=javascript:window.pwned=1>\n> <a href='javascript:window.pwned=1'>q</a>",
)


async def test_what_users_write_stays_text(page: Page, world: World) -> None:
    """HTML and script addresses in messages, embeds, names and file names show as written and never run."""
    channel = world.channel("general")
    for content in HOSTILE:
        await world.say("general", content)
    mark_up = "<img src=x onerror=window.pwned=1>"
    await world.bot.say(
        channel, "last one", embeds=[{"title": mark_up, "description": mark_up, "footer": {"text": mark_up}}]
    )
    await world.call("POST", "/users", {"username": "mallory", "global_name": mark_up})
    await expect(page.locator(".message", has_text="last one")).to_be_visible()
    await expect(page.locator(".message").filter(has_text='<img src=x onerror="window.pwned=1">')).to_have_count(1)
    await expect(page.locator(".embed-title")).to_have_text(mark_up)
    assert (
        await page.evaluate(
            "document.querySelectorAll('#list script, #list iframe, #list svg[onload], #list b, #list i').length"
        )
        == 0
    )
    assert await page.evaluate("document.querySelectorAll('#list a[href^=javascript]').length") == 0
    assert await page.evaluate("window.pwned") is None


async def test_a_message_that_could_not_be_sent_stays_and_can_be_sent_again(page: Page, world: World) -> None:
    """While sends fail the message says why; "Try again" sends that same message, once."""

    async def fail(route: Route) -> None:
        await (route.abort() if route.request.method == "POST" else route.fallback())

    await page.route("**/sim/channels/*/messages", fail)
    await page.keyboard.type("stubborn")
    await page.keyboard.press("Enter")
    failed = page.locator(".message.is-failed", has_text="stubborn")
    await expect(failed).to_contain_text("Not sent. The simulator can't be reached.")
    assert await world.messages("general") == []
    await page.unroute("**/sim/channels/*/messages")
    await failed.get_by_role("button", name="Try again").click()
    await expect(page.locator(".message:not(.is-failed):not(.is-sending)", has_text="stubborn")).to_have_count(1)
    assert [m["content"] for m in await world.messages("general")] == ["stubborn"]


async def test_a_refusal_is_told_in_the_servers_own_words(page: Page, world: World) -> None:
    """What the simulator refuses appears as a notice with its sentence."""
    async with world.http.post(f"{world.url}/sim/users", json={"username": "ada"}) as response:
        assert response.status == 400
        sentence = (await response.json())["error"]
    await page.locator(".speaker").click()
    await page.get_by_role("menuitem", name="New person…").click()
    await page.get_by_label("Username").fill("ada")
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast")).to_contain_text(sentence)


async def test_history_loads_upward_and_keeps_the_place(page: Page, world: World) -> None:
    """Scrolling up brings older messages until the beginning, without moving what one reads."""
    for number in range(120):
        await world.say("random", f"line {number}.", ("grace", "linus")[number % 2])
    await page.locator(".channel[data-channel]", has_text="random").click()
    await expect(page.locator(".message").last).to_contain_text("line 119.")
    assert await page.locator(".message").count() == 50
    await expect(page.locator(".message").last).to_be_in_viewport()
    moved = await page.evaluate(
        """async () => {
            const scroller = document.querySelector('#scroller');
            scroller.scrollTop = 100;
            const row = [...document.querySelectorAll('.message')].find((item) => item.getBoundingClientRect().top > 100);
            const before = row.getBoundingClientRect().top;
            const count = document.querySelectorAll('.message').length;
            while (document.querySelectorAll('.message').length === count) await new Promise(requestAnimationFrame);
            return row.getBoundingClientRect().top - before;
        }"""
    )
    assert abs(moved) < 2
    await page.locator("#scroller").evaluate("(scroller) => { scroller.scrollTop = 0; }")
    await expect(page.locator("#opening")).to_contain_text("Welcome to #random")
    await expect(page.locator(".message").first).to_contain_text("line 0.")
    assert await page.locator(".message").count() == 120
    await world.say("random", "below", "grace")
    await expect(page.locator("#present")).to_be_visible()
    await page.locator("#present").click()
    await expect(page.locator(".message", has_text="below")).to_be_in_viewport()


async def test_unread_channels_are_marked_until_opened(page: Page, world: World) -> None:
    """A message elsewhere marks its channel, a mention counts; opening shows where the new ones begin."""
    await world.say("random", "old news", "grace")
    channel = page.locator(".channel", has_text="random")
    await expect(channel).to_have_class(re.compile("unread"))
    await world.say("random", f"<@{world.user('ada')}> look", "grace")
    await expect(channel.locator(".badge")).to_have_text("1")
    await channel.click()
    await expect(channel).not_to_have_class(re.compile("unread"))
    await expect(page.locator(".divider-new")).to_be_visible()
    await expect(page.locator(".message", has_text="look")).to_have_class(re.compile("mentions-me"))


async def test_speaking_as_someone_else(page: Page, world: World) -> None:
    """The switcher at the bottom changes who writes, and whose reactions count as one's own."""
    await page.locator(".speaker").click()
    await page.get_by_role("menuitemradio", name="Grace").click()
    await page.locator("#box").fill("from Grace")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message:not(.is-sending)", has_text="from Grace").locator(".author")).to_have_text(
        "Grace"
    )
    assert (await world.messages("general"))[0]["author"]["username"] == "grace"


async def test_threads_and_direct_messages(page: Page, world: World) -> None:
    """A thread started from a message opens under its channel; a bot's card leads to a direct message that it can answer."""
    message = await world.say("general", "a topic of its own", "ada")
    await page.locator(f'.message[data-id="{message["id"]}"]').hover()
    await page.get_by_role("button", name="Start a thread").click()
    await page.get_by_label("Name of the thread").fill("the topic")
    await page.keyboard.press("Enter")
    await expect(page.locator("#channel-title")).to_have_text("the topic")
    await expect(page.locator(".threads .channel")).to_have_attribute("aria-current", "page")
    await page.locator(".member", has_text="botswain").click()
    await page.get_by_role("button", name="Message", exact=True).click()
    await expect(page.locator("#channel-title")).to_have_text("botswain")
    await page.locator("#box").fill("between us")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message:not(.is-sending)", has_text="between us")).to_be_visible()
    opened = await world.bot.call("POST", "/users/@me/channels", {"recipient_id": world.user("ada")})
    await world.bot.say(opened["id"], "aye")
    await expect(page.locator(".message", has_text="aye")).to_be_visible()


async def test_code_blocks_name_their_language(page: Page, world: World) -> None:
    """A fenced block carries its language as a class, and its text exactly."""
    await world.bot.say(world.channel("general"), "```python\ndef f():\n    return '<x>'\n```")
    code = page.locator("code.language-python")
    await expect(code).to_have_text("def f():\n    return '<x>'")
    assert await code.locator(".tok-keyword").all_inner_texts() == ["def", "return"]
