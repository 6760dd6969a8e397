"""The gateway as a bare client meets it."""

from typing import Any

import pytest
from botswain_simulator.intents import MAX_INTENTS
from botswain_simulator.world.defaults import ADA_ID, BOT_ID, GUILD_ID

GUILDS, MEMBERS, PRESENCES, CONTENT = 1, 1 << 1, 1 << 8, 1 << 15


@pytest.mark.parametrize("compress", [None, "zlib-stream", "zstd-stream"])
async def test_a_client_identifies_and_hears_messages(
    sim: Any, connect: Any, person: Any, compress: str | None
) -> None:
    """READY, GUILD_CREATE, heartbeats and many messages come through every transport."""
    gateway = await connect(sim, compress)
    ready = await gateway.identify(sim.token)
    assert ready["user"]["username"] == "botswain"
    assert ready["guilds"] == [{"id": GUILD_ID, "unavailable": True}]
    assert ready["shard"] == [0, 1]
    assert ready["application"] == {"id": BOT_ID, "flags": 1 << 13 | 1 << 15 | 1 << 19}
    assert ready["resume_gateway_url"] == sim.gateway_url
    assert ready["session_type"] == "normal"
    guild = (await gateway.until("GUILD_CREATE"))["d"]
    assert {c["name"] for c in guild["channels"]} == {"Text channels", "general", "random", "bots"}
    assert [m["user"]["id"] for m in guild["members"]] == [BOT_ID]
    await gateway.send(1, gateway.seq)
    assert (await gateway.until(11))["d"] is None
    for number in range(20):
        await person.say(f"message {number} " + "x" * 50 * number)
    heard = [(await gateway.until("MESSAGE_CREATE"))["d"] for _ in range(20)]
    assert [m["content"].split()[1] for m in heard] == [str(n) for n in range(20)]
    assert heard[0]["guild_id"] == GUILD_ID
    assert heard[0]["member"]["roles"] == []
    assert heard[0]["author"]["id"] == ADA_ID


async def test_large_frames_are_compressed_alone_when_asked_for(sim: Any, connect: Any) -> None:
    """`compress: true` in IDENTIFY: binary frames, each a whole zlib stream."""
    import zlib

    import aiohttp
    import orjson

    gateway = await connect(sim)
    await gateway.try_identify(sim.token, compress=True, intents=MAX_INTENTS)
    names = []
    while "GUILD_CREATE" not in names:
        message = await gateway.socket.receive(timeout=10)
        binary = message.type == aiohttp.WSMsgType.BINARY
        frame = orjson.loads(zlib.decompress(message.data) if binary else message.data)
        names.append(frame["t"])
        assert binary == (len(orjson.dumps(frame)) >= 4096)
    assert names[0] == "READY"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"op": 99, "d": None}, 4001),
        ({"op": "1"}, 4002),
        ({"op": 3, "d": {}}, 4003),
        ({"op": 2, "d": {"token": "nonsense", "intents": 0}}, 4004),
        ({"op": 6, "d": {"token": "nonsense", "session_id": "x", "seq": 1}}, 4004),
        ({"op": 2, "d": {"token": "TOKEN", "intents": 0, "shard": [1, 1]}}, 4010),
        ({"op": 2, "d": {"token": "TOKEN", "intents": 0, "shard": "0"}}, 4010),
        ({"op": 2, "d": {"token": "TOKEN", "intents": 1 << 40}}, 4013),
        ({"op": 2, "d": {"token": "TOKEN"}}, 4013),
        ({"op": 2, "d": None}, 4002),
        ({"op": 1, "d": "x" * 5000}, 4002),
    ],
)
async def test_wrong_payloads_end_with_their_close_code(
    sim: Any, connect: Any, payload: dict[str, Any], code: int
) -> None:
    """Each mistake has the code Discord documents for it."""
    if isinstance(payload.get("d"), dict) and payload["d"].get("token") == "TOKEN":
        payload = {**payload, "d": {**payload["d"], "token": sim.token}}
    gateway = await connect(sim)
    await gateway.socket.send_json(payload)
    assert await gateway.close_code() == code
    assert sim.stats.server_closes[code] == 1


@pytest.mark.parametrize("text", ["{", "[]", "null", "\x00"])
async def test_what_is_no_payload_is_a_decode_error(sim: Any, connect: Any, text: str) -> None:
    """4002, and the server lives on."""
    gateway = await connect(sim)
    await gateway.socket.send_str(text)
    assert await gateway.close_code() == 4002
    await (await connect(sim)).identify(sim.token)


async def test_identifying_twice_is_one_time_too_many(sim: Any, connect: Any) -> None:
    """4005; the session itself stays and can be resumed."""
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    await gateway.try_identify(sim.token)
    assert await gateway.close_code() == 4005


@pytest.mark.parametrize("query", ["v=5&encoding=json", "v=10&encoding=etf", "v=10&encoding=json&compress=brotli"])
async def test_an_unknown_version_encoding_or_compression_is_refused_with_a_reason(
    sim: Any, http: Any, query: str
) -> None:
    """4012 stops clients from trying for ever; the reason says what to use."""
    async with http.ws_connect(f"{sim.gateway_url}/?{query}") as socket:
        message = await socket.receive(timeout=10)
        assert socket.close_code == 4012
        assert "se " in message.extra


async def test_a_token_with_its_prefix_is_taken_too(sim: Any, connect: Any) -> None:
    """Some clients identify with "Bot <token>"."""
    await (await connect(sim)).identify(f"Bot {sim.token}")


async def test_privileged_intents_need_to_be_granted(start: Any, connect: Any, http: Any) -> None:
    """4014 for a bot whose application lacks them; without asking for them it gets in and reads no content."""
    sim = await start()
    async with http.post(
        f"{sim.url}/sim/bots", json={"username": "plain", "privileged_intents": [], "guilds": [GUILD_ID]}
    ) as r:
        token = (await r.json())["token"]
    gateway = await connect(sim)
    await gateway.try_identify(token, intents=1 << 9 | CONTENT)
    assert await gateway.close_code() == 4014
    gateway = await connect(sim)
    await gateway.identify(token, intents=1 << 9)
    general = next(c for c in sim.world.channels.values() if c.name == "general")
    sim.world.post(general, sim.world.user(ADA_ID), "secret")
    assert (await gateway.until("MESSAGE_CREATE"))["d"]["content"] == ""


async def test_sessions_get_only_what_their_intents_ask_for(sim: Any, connect: Any, person: Any) -> None:
    """A session with GUILDS alone hears of channels and not of messages."""
    gateway = await connect(sim)
    await gateway.identify(sim.token, intents=GUILDS)
    await gateway.until("GUILD_CREATE")
    await person.say("unheard")
    await person.call("POST", f"/sim/guilds/{GUILD_ID}/channels", {"name": "new"})
    assert (await gateway.frame())["t"] == "CHANNEL_CREATE"


async def test_members_come_with_presences_and_on_request(sim: Any, connect: Any) -> None:
    """GUILD_CREATE holds all members only with both intents; op 8 brings them in chunks, with the nonce given back."""
    gateway = await connect(sim)
    await gateway.identify(sim.token, intents=GUILDS | MEMBERS | PRESENCES)
    guild = (await gateway.until("GUILD_CREATE"))["d"]
    assert len(guild["members"]) == guild["member_count"] == 4
    await gateway.send(8, {"guild_id": GUILD_ID, "query": "", "limit": 0, "nonce": "n1"})
    chunk = (await gateway.until("GUILD_MEMBERS_CHUNK"))["d"]
    assert (len(chunk["members"]), chunk["chunk_index"], chunk["chunk_count"], chunk["nonce"]) == (4, 0, 1, "n1")
    await gateway.send(8, {"guild_id": GUILD_ID, "user_ids": [ADA_ID, "5"]})
    chunk = (await gateway.until("GUILD_MEMBERS_CHUNK"))["d"]
    assert ([m["user"]["id"] for m in chunk["members"]], chunk["not_found"]) == ([ADA_ID], ["5"])
    await gateway.send(8, {"guild_id": GUILD_ID, "query": "gr", "limit": 5})
    chunk = (await gateway.until("GUILD_MEMBERS_CHUNK"))["d"]
    assert [m["user"]["username"] for m in chunk["members"]] == ["grace"]


async def test_a_resume_replays_what_was_missed(sim: Any, connect: Any, person: Any) -> None:
    """Everything after the client's number, in order, then RESUMED, then live again."""
    gateway = await connect(sim, "zstd-stream")
    await gateway.identify(sim.token)
    await gateway.until("GUILD_CREATE")
    await gateway.close(4000)
    for number in range(3):
        await person.say(f"missed {number}")
    again = await connect(sim, "zlib-stream")
    await again.resume(sim.token, gateway.session_id, gateway.seq)
    frames = [await again.frame() for _ in range(4)]
    assert [f["t"] for f in frames] == ["MESSAGE_CREATE"] * 3 + ["RESUMED"]
    assert [f["s"] for f in frames[:3]] == [gateway.seq + n for n in (1, 2, 3)]
    await person.say("live")
    live = await again.frame()
    assert (live["d"]["content"], live["s"]) == ("live", gateway.seq + 4)
    assert sim.stats.gateway["resumes"] == 1
    assert sim.stats.gateway["identifies"] == 1


async def test_a_broken_connection_keeps_its_session(sim: Any, connect: Any, person: Any) -> None:
    """No close frame at all: the session can be resumed."""
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    gateway.socket._response.connection.transport.abort()
    await person.say("missed")
    again = await connect(sim)
    await again.resume(sim.token, gateway.session_id, gateway.seq)
    await again.until("RESUMED")


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_regular_close_ends_the_session(sim: Any, connect: Any, code: int) -> None:
    """After 1000 and 1001 a RESUME gets op 9 with false; the client may identify on the same connection."""
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    await gateway.close(code)
    again = await connect(sim)
    await again.resume(sim.token, gateway.session_id, gateway.seq)
    assert (await again.until(9))["d"] is False
    await again.identify(sim.token)


async def test_a_resume_from_the_future_or_of_another_bot_is_refused(sim: Any, connect: Any, person: Any) -> None:
    """4007 for a number not yet given; op 9 for somebody else's session."""
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    await gateway.close(4000)
    other = await person.call("POST", "/sim/bots", {"username": "other"})
    thief = await connect(sim)
    await thief.resume(other["token"], gateway.session_id, 1)
    assert (await thief.until(9))["d"] is False
    ahead = await connect(sim)
    await ahead.resume(sim.token, gateway.session_id, 999)
    assert await ahead.close_code() == 4007


async def test_a_session_past_its_retention_or_replay_limit_is_gone(start: Any, connect: Any) -> None:
    """Op 9 with false in both cases."""
    sim = await start(replay_limit=2)
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    await gateway.close(4000)
    general = next(c for c in sim.world.channels.values() if c.name == "general")
    for number in range(4):
        sim.world.post(general, sim.world.user(ADA_ID), str(number))
    again = await connect(sim)
    await again.resume(sim.token, gateway.session_id, gateway.seq)
    assert (await again.until(9))["d"] is False

    brief = await start(session_retention=0.0)
    gateway = await connect(brief)
    await gateway.identify(brief.token)
    await gateway.close(4000)
    again = await connect(brief)
    await again.resume(brief.token, gateway.session_id, gateway.seq)
    assert (await again.until(9))["d"] is False


async def test_guild_events_go_to_their_shard_and_direct_ones_to_the_first(sim: Any, connect: Any, person: Any) -> None:
    """With three shards each guild's message is heard by one of them, a direct message by shard 0 alone."""
    guilds = [GUILD_ID] + [
        (await person.call("POST", "/sim/guilds", {"name": f"g{n}", "bots": [BOT_ID]}))["id"] for n in range(5)
    ]
    shards = []
    for number in range(3):
        gateway = await connect(sim)
        ready = await gateway.identify(sim.token, shard=[number, 3])
        assert {g["id"] for g in ready["guilds"]} == {g for g in guilds if (int(g) >> 22) % 3 == number}
        shards.append(gateway)
    for guild_id in guilds:
        channel = next(c for c in sim.world.guilds[guild_id].channels.values() if c.name == "general")
        await person.say(guild_id, channel.id)
    direct = await person.call("POST", "/sim/dms", {"bot_id": BOT_ID})
    await person.say("direct", direct["id"])
    for number, gateway in enumerate(shards):
        due = [g for g in guilds if (int(g) >> 22) % 3 == number] + (["direct"] if number == 0 else [])
        assert [(await gateway.until("MESSAGE_CREATE"))["d"]["content"] for _ in due] == due
        await gateway.send(1, None)
        assert (await gateway.frame())["op"] == 11


async def test_two_sessions_of_one_shard_and_of_another_count_hear_the_same(
    sim: Any, connect: Any, person: Any
) -> None:
    """The way to re-shard without a gap."""
    gateways = [await connect(sim) for _ in range(3)]
    of_two = (int(GUILD_ID) >> 22) % 2
    for gateway, shard in zip(gateways, ([0, 1], [0, 1], [of_two, 2]), strict=True):
        await gateway.identify(sim.token, shard=shard)
    await person.say("everyone hears")
    for gateway in gateways:
        assert (await gateway.until("MESSAGE_CREATE"))["d"]["content"] == "everyone hears"


async def test_too_many_identifies_at_once_get_op_9(start: Any, connect: Any) -> None:
    """With max_concurrency 2, shards 0 and 1 get in, shard 2 has to wait."""
    sim = await start(max_concurrency=2, identify_interval=60.0)
    for number in range(2):
        await (await connect(sim)).identify(sim.token, shard=[number, 3])
    third = await connect(sim)
    await third.try_identify(sim.token, shard=[2, 3])
    assert (await third.until(9))["d"] is False
    assert sim.stats.gateway["identify_bucket_violations"] == 1


async def test_a_spent_budget_ends_all_sessions_and_resets_the_token(start: Any, connect: Any) -> None:
    """4004 for the one too many and for those that were in; the old token is void."""
    sim = await start(session_start_limit=2)
    token = sim.token
    first = await connect(sim)
    await first.identify(token)
    await (await connect(sim)).identify(token)
    third = await connect(sim)
    await third.try_identify(token)
    assert await third.close_code() == 4004
    assert await first.close_code() == 4004
    fourth = await connect(sim)
    await fourth.try_identify(token)
    assert await fourth.close_code() == 4004
    await (await connect(sim)).identify(sim.token)


async def test_more_than_120_sends_a_minute_close_the_connection(sim: Any, connect: Any) -> None:
    """4008; the session can be resumed."""
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    for _ in range(120):
        await gateway.send(1, None)
    assert await gateway.close_code() == 4008
    again = await connect(sim)
    await again.resume(sim.token, gateway.session_id, gateway.seq)
    await again.until("RESUMED")


async def test_a_client_without_heartbeats_is_let_go(start: Any, connect: Any) -> None:
    """After one and a half intervals; its session can be resumed."""
    sim = await start(heartbeat_interval=0.1)
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    assert await gateway.close_code() == 4000
    assert sim.stats.gateway["heartbeat_timeouts"] == 1
    assert sim.hub.sessions[gateway.session_id].sequence == 2


async def test_too_many_guilds_need_shards(start: Any, connect: Any) -> None:
    """4011 above 2,500 guilds a shard."""
    from botswain_simulator.world.defaults import build_from

    description = {"users": [{"username": "a"}], "bots": [{"username": "b"}], "guilds": [{"name": "g", "count": 2501}]}
    sim = await start(build=lambda world: build_from(world, description))
    gateway = await connect(sim)
    await gateway.try_identify(sim.token)
    assert await gateway.close_code() == 4011
    half = await connect(sim)
    ready = await half.identify(sim.token, shard=[0, 2])
    assert len(ready["guilds"]) in {1250, 1251}


async def test_a_hidden_channel_is_not_heard(sim: Any, connect: Any, bot: Any, person: Any) -> None:
    """Messages where the bot may not look don't reach it, nor may it write there."""
    role = sim.world.guild(GUILD_ID).members[BOT_ID].roles[0]
    gateway = await connect(sim)
    await gateway.identify(sim.token)
    await bot.do("PUT", f"/channels/{person.general}/permissions/{role}", {"type": 0, "deny": str(1 << 10)})
    await person.say("hidden")
    bots = next(c for c in sim.world.channels.values() if c.name == "bots")
    await person.say("seen", bots.id)
    assert (await gateway.until("MESSAGE_CREATE"))["d"]["content"] == "seen"
    status, data, _ = await bot.call("POST", f"/channels/{person.general}/messages", {"content": "x"})
    assert (status, data["code"]) == (403, 50001)
