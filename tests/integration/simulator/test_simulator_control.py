"""The control API: acting as a person, live events, faults, statistics."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import orjson
import pytest
from botswain_simulator.world.defaults import ADA_ID, BOT_ID, GUILD_ID


async def test_the_state_describes_the_default_world(person: Any) -> None:
    """Me, the people, the bot, the guild with its channels and members."""
    state = await person.call("GET", "/sim/state")
    assert state["me"] == ADA_ID
    assert [u["username"] for u in state["users"]] == ["ada", "grace", "linus"]
    assert [(b["user"]["username"], b["application_id"], b["online"]) for b in state["bots"]] == [
        ("botswain", BOT_ID, False)
    ]
    guild = state["guilds"][0]
    assert (guild["name"], len(guild["members"])) == ("Harbour", 4)
    assert [c["name"] for c in guild["channels"] if c["type"] == 0] == ["general", "random", "bots"]
    assert all(u["avatar_url"].startswith("/cdn/") for u in state["users"])


async def test_avatars_and_the_page_are_served(person: Any, sim: Any, http: Any) -> None:
    """A made-up PNG for who has no picture; the page with a strict policy."""
    state = await person.call("GET", "/sim/state")
    async with http.get(sim.url + state["users"][0]["avatar_url"]) as response:
        assert (await response.read()).startswith(b"\x89PNG")
    async with http.get(sim.url + "/") as response:
        assert response.content_type == "text/html"
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    for path in ("/assets/../simulator.py", "/assets/%2e%2e/%2e%2e/simulator.py", "/assets/none.js"):
        async with http.get(sim.url + path) as response:
            assert response.status == 404
    for path in ("/health", "/ready"):
        assert (await person.call("GET", path))["status"] == "ok"


async def test_a_person_writes_edits_reacts_and_deletes(person: Any) -> None:
    """By id, by name, with a file in base64, as a reply."""
    first = await person.say("hello", username="grace", nonce="n")
    assert (first["author"]["username"], first["nonce"]) == ("grace", "n")
    data = base64.b64encode(b"abc").decode()
    reply = await person.say(
        "", reply_to=first["id"], attachments=[{"filename": "a.txt", "content_type": "text/plain", "data": data}]
    )
    assert reply["referenced_message"]["id"] == first["id"]
    assert reply["attachments"][0]["url"].startswith("/attachments/")
    path = f"/sim/channels/{person.general}/messages/{first['id']}"
    assert (await person.call("PATCH", path, {"content": "bye"}))["content"] == "bye"
    await person.call("PUT", f"{path}/reactions/%F0%9F%91%8D", status=204)
    assert (await person.read())[0]["reactions"][0]["users"] == [ADA_ID]
    await person.call("DELETE", f"{path}/reactions/%F0%9F%91%8D?user_id={ADA_ID}", status=204)
    await person.call("DELETE", path, status=204)
    assert [m["id"] for m in await person.read()] == [reply["id"]]


async def test_files_also_come_by_multipart(person: Any, sim: Any, http: Any) -> None:
    """As the page sends them."""
    form = aiohttp.FormData()
    form.add_field("payload_json", orjson.dumps({"content": "see"}).decode())
    form.add_field("files[0]", b"abc", filename="a.txt", content_type="text/plain")
    async with http.post(f"{sim.url}/sim/channels/{person.general}/messages", data=form) as response:
        message = await response.json()
    assert (message["content"], message["attachments"][0]["filename"]) == ("see", "a.txt")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "complaint"),
    [
        ("POST", "/sim/channels/1/messages", {"content": "x"}, 404, "no channel with id '1'"),
        ("POST", "/sim/channels/GENERAL/messages", {}, 400, "content: missing"),
        ("POST", "/sim/channels/GENERAL/messages", {"content": "x", "user_id": "1"}, 404, "no user with id '1'"),
        ("POST", "/sim/channels/GENERAL/messages", {"content": "x" * 4001}, 400, "4001 characters"),
        (
            "POST",
            "/sim/channels/GENERAL/messages",
            {"content": "x", "attachments": [{"data": "§"}]},
            400,
            "attachments[0].data",
        ),
        ("GET", "/sim/channels/GENERAL/messages?limit=0", None, 400, "limit: '0'"),
        ("GET", "/sim/channels/GENERAL/messages?before=x", None, 400, "before: 'x'"),
        ("POST", "/sim/users", {"username": "ada"}, 400, "'ada' is taken"),
        ("POST", "/sim/bots", {"username": "b", "privileged_intents": ["ALL"]}, 400, "MESSAGE_CONTENT"),
        ("POST", "/sim/guilds", {}, 400, "name: missing"),
        ("POST", f"/sim/guilds/{GUILD_ID}/channels", {"name": "x", "type": 1}, 400, "type: 1"),
        ("POST", "/sim/interactions", {"kind": "wave", "channel_id": "GENERAL"}, 400, "kind: 'wave'"),
        ("POST", "/sim/faults", {"kind": "explode"}, 400, "kind: 'explode'"),
        ("DELETE", "/sim/faults/9", None, 404, "no fault '9'"),
        ("POST", "/sim/nothing", {}, 404, "docs/simulator.md"),
        ("POST", "/sim/users", [1], 400, "JSON object"),
    ],
)
async def test_mistakes_are_explained(
    person: Any, method: str, path: str, body: Any, status: int, complaint: str
) -> None:
    """A sentence that says what is wrong and where."""
    path = path.replace("GENERAL", person.general)
    if isinstance(body, dict) and body.get("channel_id") == "GENERAL":
        body = body | {"channel_id": person.general}
    assert complaint in (await person.call(method, path, body, status))["error"]


async def test_a_stranger_cannot_speak_in_a_guild(person: Any) -> None:
    """Until they are let in."""
    user = await person.call("POST", "/sim/users", {"username": "stranger"})
    body = {"content": "x", "user_id": user["id"]}
    refused = await person.call("POST", f"/sim/channels/{person.general}/messages", body, 400)
    assert "is not in guild" in refused["error"]
    await person.call("POST", f"/sim/guilds/{GUILD_ID}/members", {"user_id": user["id"]})
    await person.call("POST", f"/sim/channels/{person.general}/messages", body)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ],
)
async def test_other_sites_pages_may_not_write(person: Any, sim: Any, headers: dict[str, str]) -> None:
    """A browser's cross-origin write is refused; the page's own is let through."""
    assert "other sites" in (await person.call("POST", "/sim/reset", status=403, headers=headers))["error"]
    await person.call("POST", "/sim/reset", headers={"Origin": sim.url, "Sec-Fetch-Site": "same-origin"})


class Events:
    """A listener of /sim/events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._lines: AsyncIterator[bytes] = response.content.__aiter__()
        self.last_id = ""

    async def next(self) -> tuple[str, Any]:
        """The next event's name and data."""
        name, data = "", None
        async with asyncio.timeout(20):
            while data is None or name == "":
                line = (await self._lines.__anext__()).decode().rstrip()
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data = orjson.loads(line[6:])
            self.last_id = (await self._lines.__anext__()).decode().rstrip()[4:]
        return name, data


Listen = Callable[..., Awaitable[Events]]


@pytest.fixture
async def listen(http: aiohttp.ClientSession, sim: Any) -> AsyncIterator[Listen]:
    """Open streams of events; they are closed after the test."""
    async with AsyncExitStack() as stack:

        async def begin(last_id: str | None = None) -> Events:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            timeout = aiohttp.ClientTimeout(total=None)
            response = await stack.enter_async_context(
                http.get(f"{sim.url}/sim/events", headers=headers, timeout=timeout)
            )
            assert response.content_type == "text/event-stream"
            await response.content.readline()
            return Events(response)

        yield begin


async def test_events_are_live_and_replayed_after_a_break(listen: Listen, person: Any, bot: Any) -> None:
    """Each thing that happens is one event; Last-Event-ID gets what was missed."""
    events = await listen()
    message = await person.say("one")
    await bot.do("POST", f"/channels/{person.general}/typing")
    await bot.do("PUT", f"/channels/{person.general}/messages/{message['id']}/reactions/✅/@me")
    assert [(await events.next())[0] for _ in range(3)] == ["message_create", "typing_start", "reaction_add"]
    await bot.do(
        "PATCH",
        f"/channels/{(await bot.do('POST', f'/channels/{person.general}/messages', {'content': 'two'}))['channel_id']}",
        {"topic": "t"},
    )
    again = await listen(events.last_id)
    name, data = await again.next()
    assert (name, data["content"], data["author"]["avatar_url"]) == (
        "message_create",
        "two",
        f"/cdn/avatars/{BOT_ID}/default.png",
    )
    assert (await again.next())[0] == "channel_update"
    await person.call("DELETE", f"/sim/channels/{person.general}/messages/{message['id']}", status=204)
    assert await again.next() == ("message_delete", {"id": message["id"], "channel_id": person.general})


async def test_a_listener_too_far_behind_is_told_to_start_over(sim: Any, listen: Listen, person: Any) -> None:
    """After more than a thousand events, with a number from before a restart, and after a reset."""
    for last_id in ("1", "nonsense", "99999999999999"):
        assert (await (await listen(last_id)).next())[0] == "resync"
    events = await listen()
    await person.say("first")
    await events.next()
    for number in range(1001):
        sim.world.post(sim.world.channel(person.general), sim.world.user(ADA_ID), str(number))
    assert (await (await listen(events.last_id)).next())[0] == "resync"
    await person.call("POST", "/sim/reset")
    while (await events.next())[0] != "resync":
        pass


async def test_faults_on_connections_are_done_at_once(sim: Any, connect: Any, person: Any) -> None:
    """Drop, close, op 7, op 9: the answer says what they hit."""
    gateway = await connect(sim)
    await gateway.identify(sim.token)

    async def resumed() -> Any:
        again = await connect(sim)
        await again.resume(sim.token, gateway.session_id, gateway.seq)
        await again.until("RESUMED")
        return again

    assert (await person.call("POST", "/sim/faults", {"kind": "reconnect"}))["hits"] == 1
    assert (await gateway.until(7))["d"] is None
    done = await person.call("POST", "/sim/faults", {"kind": "drop", "match": {"shard": 0}})
    assert done["sessions"][0]["session_id"] == gateway.session_id
    assert await gateway.close_code() == 1006
    second = await resumed()
    await person.call("POST", "/sim/faults", {"kind": "close", "code": 4008})
    assert await second.close_code() == 4008
    third = await resumed()
    await person.call("POST", "/sim/faults", {"kind": "invalid_session", "resumable": True})
    assert (await third.until(9))["d"] is True
    fourth = await resumed()
    await person.call("POST", "/sim/faults", {"kind": "request_heartbeat"})
    await fourth.until(1)
    await person.call("POST", "/sim/faults", {"kind": "invalid_session", "resumable": False})
    assert (await fourth.until(9))["d"] is False
    await fourth.resume(sim.token, gateway.session_id, gateway.seq)
    assert (await fourth.until(9))["d"] is False
    assert (await person.call("POST", "/sim/faults", {"kind": "drop", "match": {"shard": 7}}))["hits"] == 0
    assert (await person.call("GET", "/sim/stats"))["faults"] == {
        "reconnect": 1, "drop": 1, "close": 1, "invalid_session": 2, "request_heartbeat": 1,
    }  # fmt: skip


async def test_faults_can_wait_for_their_moment(sim: Any, connect: Any, person: Any) -> None:
    """With `when` a fault meets connections as they get there; with a count it ends."""
    await person.call("POST", "/sim/faults", {"kind": "invalid_session", "when": "identify", "count": 1})
    await person.call(
        "POST", "/sim/faults", {"kind": "close", "code": 4000, "when": "dispatch", "count": 1, "shard": 0}
    )
    gateway = await connect(sim)
    await gateway.try_identify(sim.token)
    assert (await gateway.until(9))["d"] is False
    await gateway.try_identify(sim.token)
    assert await gateway.close_code() == 4000
    assert await person.call("GET", "/sim/faults") == []


async def test_muted_heartbeats_stay_unanswered(sim: Any, connect: Any, person: Any) -> None:
    """Until the fault is taken away."""
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    await gateway.until("GUILD_CREATE")
    fault = await person.call("POST", "/sim/faults", {"kind": "mute"})
    await gateway.send(1, None)
    await gateway.send(3, {"status": "idle", "since": None, "activities": [], "afk": False})
    while not (await person.call("GET", "/sim/stats"))["gateway"]["heartbeats"]:
        pass
    await person.say("between")
    assert (await gateway.frame())["t"] == "MESSAGE_CREATE"
    await person.call("DELETE", f"/sim/faults/{fault['id']}")
    await gateway.send(1, None)
    assert (await gateway.frame())["op"] == 11


async def test_rest_faults_before_and_after_the_deed(sim: Any, bot: Any, person: Any) -> None:
    """A 5xx before it posts nothing; one after it posts and hides that from the bot."""
    path = f"/channels/{person.general}/messages"
    match = {"method": "POST", "route": "/messages$"}
    await person.call("POST", "/sim/faults", {"kind": "http_status", "status": 502, "count": 1, "match": match})
    assert (await bot.call("POST", path, {"content": "lost"}))[0] == 502
    await person.call(
        "POST", "/sim/faults", {"kind": "http_status", "status": 500, "side": "after", "count": 1, "match": match}
    )
    assert (await bot.call("POST", path, {"content": "hidden"}))[0] == 500
    await person.call("POST", "/sim/faults", {"kind": "rate_limit", "retry_after": 0.25, "scope": "global", "count": 1})
    status, data, headers = await bot.call("POST", path, {"content": "limited"})
    assert (status, data["retry_after"], data["global"]) == (429, 0.25, True)
    assert headers["X-RateLimit-Scope"] == "global"
    await person.call("POST", "/sim/faults", {"kind": "latency", "seconds": 0.05, "count": 1})
    assert (await bot.call("POST", path, {"content": "late"}))[0] == 200
    assert [m["content"] for m in await person.read()] == ["hidden", "late"]
    assert sim.stats.recent_requests[-1]["ms"] >= 50


async def test_tokens_and_sessions_can_be_made_void(sim: Any, connect: Any, person: Any) -> None:
    """`reset_token` ends all with 4004 and gives the new token; `expire_sessions` leaves the token and takes the sessions."""
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    assert (await person.call("POST", "/sim/faults", {"kind": "expire_sessions"}))["hits"] == 1
    assert await gateway.close_code() == 4000
    again = await connect(sim)
    await again.resume(sim.token, gateway.session_id, gateway.seq)
    assert (await again.until(9))["d"] is False
    await again.identify(sim.token)
    old = sim.token
    done = await person.call("POST", "/sim/faults", {"kind": "reset_token", "bot": BOT_ID})
    assert await again.close_code() == 4004
    assert done["bots"] == [{"bot": BOT_ID, "token": sim.token, "sessions_ended": 1}]
    assert sim.token != old


async def test_statistics_and_sessions_tell_what_happened(sim: Any, connect: Any, bot: Any, person: Any) -> None:
    """Counts of the gateway, messages by channel, requests by route, the shard table."""
    gateway = await connect(sim)
    await gateway.identify(sim.token, shard=[0, 1])
    await person.say("a")
    await bot.do("POST", f"/channels/{person.general}/messages", {"content": "b"})
    await bot.call("GET", "/channels/1")
    stats = await person.call("GET", "/sim/stats")
    assert (stats["gateway"]["connections"], stats["gateway"]["identifies"]) == (1, 1)
    assert stats["messages"] == {"by_users": 1, "by_bots": 1, "by_webhooks": 0}
    assert stats["bot_messages_by_channel"] == {person.general: 1}
    assert stats["rest"]["by_route"]["POST /channels/{channel_id}/messages"] == 1
    assert stats["rest"]["by_status"] == {"200": 1, "404": 1}
    [session] = await person.call("GET", "/sim/sessions")
    assert (session["shard"], session["connected"], session["bot"]) == ([0, 1], True, BOT_ID)
    requests = await person.call("GET", "/sim/requests?limit=1")
    assert (requests[0]["path"], requests[0]["status"]) == ("/api/v10/channels/1", 404)


async def test_a_reset_brings_back_the_beginning(sim: Any, connect: Any, person: Any) -> None:
    """Messages, guilds, sessions, faults and counts are gone; the ids and the token are as before."""
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    token = sim.token
    await person.say("gone")
    await person.call("POST", "/sim/guilds", {"name": "gone"})
    await person.call("POST", "/sim/faults", {"kind": "mute"})
    await person.call("POST", "/sim/reset")
    assert await gateway.close_code() == 4000
    assert await person.read() == []
    assert len((await person.call("GET", "/sim/state"))["guilds"]) == 1
    assert await person.call("GET", "/sim/faults") == []
    assert (await person.call("GET", "/sim/stats"))["gateway"]["connections"] == 0
    again = await connect(sim)
    await again.identify(token)


async def test_a_second_bot_joins_and_leaves(sim: Any, connect: Any, person: Any) -> None:
    """It gets GUILD_CREATE when let in and GUILD_DELETE when put out; each bot hears its own guilds."""
    made = await person.call("POST", "/sim/bots", {"username": "second", "token": "my-own-token"})
    assert made["token"] == "my-own-token"
    gateway = await connect(sim)
    assert (await gateway.identify("my-own-token"))["guilds"] == []
    await person.call("POST", f"/sim/guilds/{GUILD_ID}/members", {"user_id": made["user"]["id"]})
    assert (await gateway.frame())["t"] == "GUILD_CREATE"
    await person.say("hello both")
    assert (await gateway.until("MESSAGE_CREATE"))["d"]["content"] == "hello both"
    await person.call("DELETE", f"/sim/guilds/{GUILD_ID}/members/{made['user']['id']}", status=204)
    assert (await gateway.until("GUILD_DELETE"))["d"] == {"id": GUILD_ID}
