"""The shipped Discord server as its own process, behind gRPC, against a stand-in for Discord's REST API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botswain_execution.settings import shipped_config
from botswain_proto.v1 import execution_pb2
from botswain_simulator import Simulator
from structlog.testing import capture_logs

Start = Callable[..., Awaitable[Any]]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOKEN = "a-token-of-no-bot"


def context(*channels: str) -> execution_pb2.CallContext:
    return execution_pb2.CallContext(channel_ids=channels or ["1"], correlation_id="corr-1")


def text(response: execution_pb2.CallToolResponse) -> str:
    return "".join(content.text for content in response.content)


@pytest.fixture
async def running(start_service: Start, fake_discord: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The service with the shipped configuration's discord server alone."""
    return await _start(start_service, fake_discord.url, tmp_path, TOKEN)


async def _start(start_service: Start, url: str, tmp_path: Any, token: str) -> Any:
    entry = json.loads(shipped_config().read_text())["mcpServers"]["discord"]
    entry["cwd"] = str(shipped_config().parent / entry["cwd"])
    running = await start_service(discord=entry, settings={"discord_api_url": url, "discord_bot_token": token})
    await running.available("discord")
    return running


async def test_tools_send_edit_and_react(running: Any, fake_discord: Any) -> None:
    """Each tool makes one REST request of Discord's form, and answers with the ids; sending and editing deliver."""
    delivers = {tool.name: tool.delivers for tool in (await running.tools()).tools}
    assert delivers == {"discord_send_message": True, "discord_edit_message": True, "discord_add_reaction": False}

    with capture_logs() as logs:
        sent = await running.call(
            "discord_send_message",
            {"channel_id": "1", "content": "hello @everyone"},
            context=context(),
            idempotency_key="run1step1",
            metadata=running.peer.metadata(traceparent=TRACE),
        )
    message_id = sent.structured_content["message_id"]
    assert (sent.is_error, sent.structured_content["channel_id"]) == (False, "1")
    fake_discord.answers.append((200, {}, {"id": message_id}))
    await running.call(
        "discord_edit_message", {"channel_id": "1", "message_id": message_id, "content": "b"}, context=context()
    )
    fake_discord.answers.append((204, {}, None))
    reacted = await running.call(
        "discord_add_reaction", {"channel_id": "1", "message_id": message_id, "emoji": "👍"}, context=context()
    )
    assert not reacted.is_error, text(reacted)

    send, edit, react = fake_discord.asked
    assert (send.method, send.path) == ("POST", "/api/v10/channels/1/messages")
    assert send.body == {
        "content": "hello @everyone",
        "allowed_mentions": {"parse": [], "replied_user": False},
        "nonce": "run1step1",
        "enforce_nonce": True,
    }
    assert send.headers["authorization"] == f"Bot {TOKEN}"
    assert send.headers["user-agent"].startswith("DiscordBot (https://")
    assert send.headers["traceparent"].split("-")[1] == TRACE.split("-")[1]
    assert (edit.method, edit.path) == ("PATCH", f"/api/v10/channels/1/messages/{message_id}")
    assert (react.method, react.path) == (
        "PUT",
        f"/api/v10/channels/1/messages/{message_id}/reactions/%F0%9F%91%8D/@me",
    )

    (line,) = [line for line in logs if line["event"] == "discord_rest"]
    assert (line["method"], line["path"], line["status"]) == ("POST", "/channels/1/messages", 200)
    assert (line["trace_id"], line["correlation_id"], line["server"]) == (TRACE.split("-")[1], "corr-1", "discord")
    assert TOKEN not in json.dumps(logs, default=str)


async def test_messages_of_a_channel_keep_their_order_and_channels_do_not_wait_for_each_other(
    running: Any, fake_discord: Any, until: Any
) -> None:
    """While one channel waits for Discord, its later messages wait behind it, and another channel's go out."""
    fake_discord.held["/api/v10/channels/1/messages"] = asyncio.Event()
    first = [
        asyncio.create_task(
            running.call("discord_send_message", {"channel_id": "1", "content": str(n)}, context=context())
        )
        for n in range(1)
    ]
    await until(lambda: len(fake_discord.asked) == 1, "the first message is on its way")
    second = asyncio.create_task(
        running.call("discord_send_message", {"channel_id": "1", "content": "1"}, context=context())
    )
    other = await running.call("discord_send_message", {"channel_id": "2", "content": "x"}, context=context("2"))
    assert not other.is_error
    assert [(a.path[-10:], a.body["content"]) for a in fake_discord.asked] == [("1/messages", "0"), ("2/messages", "x")]
    fake_discord.held["/api/v10/channels/1/messages"].set()
    await asyncio.gather(*first, second)
    assert [a.body["content"] for a in fake_discord.asked if "/1/" in a.path] == ["0", "1"]


async def test_errors_are_in_words(running: Any, fake_discord: Any) -> None:
    """Discord's error codes and our own checks reach the model as sentences."""
    invalid = {
        "content": {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": "Must be 2000 or fewer in length."}]}
    }
    fake_discord.answers += [
        (403, {}, {"code": 50013, "message": "Missing Permissions"}),
        (400, {}, {"code": 50035, "message": "Invalid Form Body", "errors": invalid}),
    ]
    arguments = {"channel_id": "1", "content": "x"}
    refused = await running.call("discord_send_message", arguments, context=context())
    assert (refused.is_error, refused.transient) == (True, False)
    assert "lacks the permission" in text(refused)
    assert "content: Must be 2000 or fewer" in text(
        await running.call("discord_send_message", arguments, context=context())
    )
    long = await running.call("discord_send_message", {"channel_id": "1", "content": "x" * 2001}, context=context())
    assert "2,001 characters, and Discord takes at most 2,000" in text(long)
    elsewhere = await running.call("discord_send_message", arguments, context=context("7"))
    assert "is not a channel of the event it answers. Allowed: 7." in text(elsewhere)
    nowhere = await running.call("discord_send_message", arguments)
    assert "this event has none" in text(nowhere)
    assert len(fake_discord.asked) == 2


async def test_trouble_at_discord_is_said_to_pass(running: Any, fake_discord: Any) -> None:
    """With a key a send that Discord could not take may be made again, and the answer says so; without one it may not."""
    fake_discord.answers += [(503, {}, {"message": "upstream"})] * 5
    arguments = {"channel_id": "1", "content": "x"}
    keyed = await running.call("discord_send_message", arguments, context=context(), idempotency_key="run1step1")
    assert (keyed.is_error, keyed.transient) == (True, True)
    assert "Discord answered 503: upstream" in text(keyed)
    unkeyed = await running.call("discord_send_message", arguments, context=context())
    assert (unkeyed.is_error, unkeyed.transient) == (True, False)


async def test_without_a_token_tools_say_so(start_service: Start, fake_discord: Any, tmp_path: Any) -> None:
    """Without DISCORD_BOT_TOKEN the server starts, and its tools answer with the reason."""
    running = await _start(start_service, fake_discord.url, tmp_path, "")
    response = await running.call("discord_send_message", {"channel_id": "1", "content": "x"}, context=context())
    assert response.is_error
    assert "DISCORD_BOT_TOKEN is not set" in text(response)
    assert fake_discord.asked == []


async def test_against_the_simulator(start_service: Start, tmp_path: Any) -> None:
    """The simulator accepts every request under Discord's own limits, and a repeated key makes no second message."""
    async with Simulator(port=0) as sim:
        running = await _start(start_service, sim.api_url, tmp_path, sim.token)
        channel = next(channel for channel in sim.world.channels.values() if channel.name == "bots")

        async def call(name: str, key: str = "", **arguments: str) -> execution_pb2.CallToolResponse:
            given = {"channel_id": channel.id, **arguments}
            answer: execution_pb2.CallToolResponse = await running.call(
                name, given, context=context(channel.id, "404"), idempotency_key=key
            )
            return answer

        sent = [await call("discord_send_message", key="run1step1", content="once @everyone") for _ in range(2)]
        (message_id,) = {answer.structured_content["message_id"] for answer in sent}
        edited = await call("discord_edit_message", message_id=message_id, content="twice")
        reactions = await asyncio.gather(
            *(call("discord_add_reaction", message_id=message_id, emoji=emoji) for emoji in ("👍", "🎉", "⚓"))
        )
        assert not any(answer.is_error for answer in (edited, *reactions)), [text(a) for a in (edited, *reactions)]
        unknown = await call("discord_send_message", channel_id="404", content="x")
        missing = await call("discord_add_reaction", message_id="405", emoji="👍")

        (message,) = channel.messages.values()
        assert message.content == "twice"
        assert sim.stats.nonce_duplicates
        assert not sim.stats.rate_limited
    assert "there is no such channel" in text(unknown)
    assert "there is no such message" in text(missing)


async def test_a_message_is_sent_once_though_discord_has_forgotten_its_nonce(
    start_service: Start, tmp_path: Any
) -> None:
    """Repeated by a caller that says since when it may have been sent, to a service that has been restarted since."""
    async with Simulator(port=0, rate_limits="off", nonce_window=0.0) as sim:
        channel = next(channel for channel in sim.world.channels.values() if channel.name == "bots")
        began = datetime.now(UTC)

        async def send(key: str, content: str, attempted_at: datetime | None) -> str:
            running = await _start(start_service, sim.api_url, tmp_path, sim.token)
            answer = await running.call(
                "discord_send_message",
                {"channel_id": channel.id, "content": content},
                context=context(channel.id),
                idempotency_key=key,
                attempted_at=attempted_at,
            )
            assert not answer.is_error, text(answer)
            return str(answer.structured_content["message_id"])

        first = await send("k1", "once", None)
        sim.world.post(channel, sim.world.user_named("ada"), "once")
        assert await send("k1", "once", began - timedelta(minutes=10)) == first
        lost = await send("k2", "never arrived", began - timedelta(minutes=10))
        assert [message.content for message in channel.messages.values()] == ["once", "once", "never arrived"]
        assert list(channel.messages)[-1] == lost
        await send("k1", "once", None)  # a caller that says nothing of it, to see that the nonce is forgotten
        assert len(channel.messages) == 4
