"""Discord's REST API as a bot's HTTP client meets it."""

import io
from typing import Any

import aiohttp
import orjson
import pytest
from botswain_simulator.world.defaults import ADA_ID, BOT_ID, GUILD_ID


async def test_a_wrong_token_gets_discords_401(sim: Any, http: Any) -> None:
    """Absent, wrong or of another scheme, with the exact body and content type."""
    for headers in ({}, {"Authorization": "Bot nonsense"}, {"Authorization": f"Bearer {sim.token}"}):
        async with http.get(f"{sim.api_url}/users/@me", headers=headers) as response:
            assert response.status == 401
            assert response.headers["Content-Type"] == "application/json"
            assert await response.json() == {"message": "401: Unauthorized", "code": 0}
    assert sim.stats.invalid_requests() == 3


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/channels/1", 404, 10003),
        ("GET", "/guilds/1", 404, 10004),
        ("GET", "/users/1", 404, 10013),
        ("GET", f"/guilds/{GUILD_ID}/members/1", 404, 10013),
        ("GET", "/nowhere", 404, 0),
        ("POST", "/users/@me", 405, 0),
        ("GET", "/channels/abc/messages", 400, 50035),
        ("GET", "/invites/none", 404, 10006),
        ("GET", "/webhooks/1", 404, 10015),
    ],
)
async def test_what_is_not_there_has_its_code(bot: Any, method: str, path: str, status: int, code: int) -> None:
    """Unknown Channel, Unknown Guild, … and the two plain ones."""
    got, data, _ = await bot.call(method, path)
    assert (got, data["code"]) == (status, code)


@pytest.mark.parametrize("base", ["/api/v10", "/api/v9", "/api", "/v10"])
async def test_every_base_leads_to_the_same_api(sim: Any, http: Any, bot: Any, base: str) -> None:
    """Clients differ in the version they ask for."""
    async with http.get(f"{sim.url}{base}/gateway/bot", headers={"Authorization": f"Bot {sim.token}"}) as response:
        data = await response.json()
    assert data["url"] == sim.gateway_url
    assert data["shards"] == 1
    assert data["session_start_limit"]["max_concurrency"] == 1
    assert data["session_start_limit"]["remaining"] == 1000


async def test_the_gateways_address_is_the_one_the_client_came_by(sim: Any, bot: Any) -> None:
    """So that forwarded ports and TLS proxies work."""
    headers = {"Host": "discord.test:1234", "X-Forwarded-Proto": "https"}
    assert (await bot.do("GET", "/gateway", headers=headers))["url"] == "wss://discord.test:1234"


async def test_a_message_is_created_edited_and_deleted(bot: Any, person: Any) -> None:
    """Each step answers with what Discord answers, and the channel shows it."""
    path = f"/channels/{person.general}/messages"
    made = await bot.do("POST", path, {"content": " hello ", "tts": False, "embeds": [{"title": "t"}]})
    assert (made["content"], made["author"]["id"], made["type"], made["edited_timestamp"]) == ("hello", BOT_ID, 0, None)
    assert made["embeds"][0] == {"type": "rich", "title": "t"}
    edited = await bot.do("PATCH", f"{path}/{made['id']}", {"content": "changed"})
    assert edited["content"] == "changed"
    assert edited["edited_timestamp"]
    assert len(edited["embeds"]) == 1
    assert (await person.read())[0]["content"] == "changed"
    status, data, _ = await bot.call("DELETE", f"{path}/{made['id']}")
    assert (status, data) == (204, None)
    assert (await bot.call("GET", f"{path}/{made['id']}"))[1]["code"] == 10008


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"content": "x" * 2001}, 400, 50035, "content"),
        ({"content": "x", "nonce": "n" * 26}, 400, 50035, "nonce"),
        ({"content": "x", "embeds": [{"title": "t"}] * 11}, 400, 50035, "embeds"),
        ({"content": "x", "message_reference": {"message_id": "1"}}, 400, 50035, "message_reference"),
        ({"content": {}}, 400, 50035, "content"),
        ({"content": "   "}, 400, 50006, None),
        ({}, 400, 50006, None),
        ([], 400, 50035, "_errors"),
    ],
)
async def test_wrong_messages_are_refused(
    bot: Any, person: Any, body: Any, status: int, code: int, field: str | None
) -> None:
    """50035 names the field, 50006 is for nothing to send; nothing is posted."""
    got, data, _ = await bot.call("POST", f"/channels/{person.general}/messages", body)
    assert (got, data["code"]) == (status, code)
    assert field is None or field in data["errors"]
    assert await person.read() == []


async def test_broken_json_is_its_own_error(bot: Any, person: Any) -> None:
    """50109."""
    got, data, _ = await bot.call(
        "POST", f"/channels/{person.general}/messages", data=b"{", headers={"Content-Type": "application/json"}
    )
    assert (got, data["code"]) == (400, 50109)


async def test_a_repeated_nonce_is_posted_once_when_enforced(sim: Any, bot: Any, person: Any) -> None:
    """The first message comes back; without `enforce_nonce` there are two, and the statistics tell both apart."""
    path = f"/channels/{person.general}/messages"
    first = await bot.do("POST", path, {"content": "one", "nonce": "abc", "enforce_nonce": True})
    again = await bot.do("POST", path, {"content": "two", "nonce": "abc", "enforce_nonce": True})
    assert again["id"] == first["id"]
    assert (again["content"], again["nonce"]) == ("one", "abc")
    await bot.do("POST", path, {"content": "three", "nonce": "abc"})
    assert [m["content"] for m in await person.read()] == ["one", "three"]
    assert sim.stats.as_json()["nonce"] == {"returned_first": 1, "sent_twice": 1}


async def test_a_nonce_is_forgotten_after_its_window(sim: Any, bot: Any, person: Any) -> None:
    """A repeat that comes later than that makes a second message."""
    path = f"/channels/{person.general}/messages"
    body = {"content": "one", "nonce": "abc", "enforce_nonce": True}
    first = await bot.do("POST", path, body)
    sim.world.nonce_window = 0.0
    assert (await bot.do("POST", path, body))["id"] != first["id"]


async def test_files_come_by_multipart_and_can_be_fetched(bot: Any, person: Any, http: Any) -> None:
    """Names and descriptions are taken from `attachments`, and the address gives the bytes back, never as a page."""
    form = aiohttp.FormData()
    payload = {"content": "see", "attachments": [{"id": 0, "filename": "a.txt", "description": "words"}, {"id": 1}]}
    form.add_field("payload_json", orjson.dumps(payload).decode(), content_type="application/json")
    form.add_field("files[0]", b"hello", filename="ignored.txt", content_type="text/plain")
    form.add_field("files[1]", b"<script>", filename="x.html", content_type="text/html")
    made = await bot.do("POST", f"/channels/{person.general}/messages", data=form)
    first, second = made["attachments"]
    assert (first["filename"], first["description"], first["size"]) == ("a.txt", "words", 5)
    async with http.get(first["url"]) as response:
        assert await response.read() == b"hello"
    async with http.get(second["url"]) as response:
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in response.headers["Content-Security-Policy"]
    kept = await bot.do(
        "PATCH", f"/channels/{person.general}/messages/{made['id']}", {"attachments": [{"id": second["id"]}]}
    )
    assert [a["id"] for a in kept["attachments"]] == [second["id"]]


async def test_too_large_a_file_is_refused(bot: Any, person: Any) -> None:
    """413 with 40005."""
    form = aiohttp.FormData()
    form.add_field("files[0]", io.BytesIO(b"x" * (10 * 1024 * 1024 + 1)), filename="big.bin")
    got, data, _ = await bot.call("POST", f"/channels/{person.general}/messages", data=form)
    assert (got, data) == (413, {"message": "Request entity too large", "code": 40005})


async def test_somebody_elses_message_cannot_be_edited(bot: Any, person: Any) -> None:
    """50005 for an edit; deleting it needs MANAGE_MESSAGES, which the bot has."""
    message = await person.say("mine")
    path = f"/channels/{person.general}/messages/{message['id']}"
    assert (await bot.call("PATCH", path, {"content": "yours"}))[1]["code"] == 50005
    assert (await bot.call("DELETE", path))[0] == 204


async def test_history_is_read_with_bounds(bot: Any, person: Any) -> None:
    """Newest first; a limit outside 1 to 100 is refused."""
    written = [await person.say(str(n)) for n in range(5)]
    path = f"/channels/{person.general}/messages"

    async def read(query: str) -> list[str]:
        return [m["content"] for m in await bot.do("GET", f"{path}?{query}")]

    assert await read("") == ["4", "3", "2", "1", "0"]
    assert await read(f"after={written[1]['id']}&limit=2") == ["3", "2"]
    assert await read(f"before={written[3]['id']}&limit=2") == ["2", "1"]
    assert await read(f"around={written[2]['id']}&limit=3") == ["3", "2", "1"]
    for limit in (0, 101):
        got, data, _ = await bot.call("GET", f"{path}?limit={limit}")
        assert (got, list(data["errors"])) == (400, ["limit"])


async def test_replies_show_what_they_answer(bot: Any, person: Any) -> None:
    """The quoted message comes along; a gone one is an error unless told otherwise."""
    message = await person.say("question")
    path = f"/channels/{person.general}/messages"
    reply = await bot.do("POST", path, {"content": "answer", "message_reference": {"message_id": message["id"]}})
    assert (reply["type"], reply["referenced_message"]["content"]) == (19, "question")
    assert [u["id"] for u in reply["mentions"]] == [ADA_ID]
    gone = {"content": "x", "message_reference": {"message_id": "1", "fail_if_not_exists": False}}
    assert (await bot.do("POST", path, gone))["type"] == 0


async def test_reactions_are_put_listed_and_taken_away(bot: Any, person: Any) -> None:
    """Own ones, others', all of one emoji, all; unknown emojis are refused with 10014."""
    message = await person.say("hello")
    base = f"/channels/{person.general}/messages/{message['id']}/reactions"
    assert (await bot.call("PUT", f"{base}/%F0%9F%91%8D/@me"))[0] == 204
    await person.call("PUT", f"/sim{base}/%F0%9F%91%8D", status=204)
    await person.call("PUT", f"/sim{base}/%E2%9C%85", status=204)
    assert {u["id"] for u in await bot.do("GET", f"{base}/%F0%9F%91%8D")} == {BOT_ID, ADA_ID}
    shown = (await bot.do("GET", f"/channels/{person.general}/messages/{message['id']}"))["reactions"]
    assert [(r["emoji"]["name"], r["count"], r["me"]) for r in shown] == [("👍", 2, True), ("✅", 1, False)]
    assert (await bot.call("DELETE", f"{base}/%F0%9F%91%8D/@me"))[0] == 204
    assert (await bot.call("DELETE", f"{base}/%F0%9F%91%8D/{ADA_ID}"))[0] == 204
    assert (await bot.call("DELETE", base))[0] == 204
    assert "reactions" not in await bot.do("GET", f"/channels/{person.general}/messages/{message['id']}")
    assert (await bot.call("PUT", f"{base}/thumbsup/@me"))[1]["code"] == 10014


async def test_pins_by_both_routes(bot: Any, person: Any) -> None:
    """The new one pages, the old one lists; a note in the channel tells of the pin."""
    message = await person.say("keep")
    assert (await bot.call("PUT", f"/channels/{person.general}/messages/pins/{message['id']}"))[0] == 204
    page = await bot.do("GET", f"/channels/{person.general}/messages/pins")
    assert [i["message"]["id"] for i in page["items"]] == [message["id"]]
    assert page["has_more"] is False
    assert [m["id"] for m in await bot.do("GET", f"/channels/{person.general}/pins")] == [message["id"]]
    assert [m["type"] for m in await person.read()] == [0, 6]
    assert (await bot.call("DELETE", f"/channels/{person.general}/pins/{message['id']}"))[0] == 204
    assert await bot.do("GET", f"/channels/{person.general}/pins") == []


async def test_bulk_delete_takes_two_to_a_hundred(bot: Any, person: Any) -> None:
    """One alone is refused."""
    ids = [(await person.say(str(n)))["id"] for n in range(3)]
    path = f"/channels/{person.general}/messages/bulk-delete"
    assert (await bot.call("POST", path, {"messages": ids[:1]}))[0] == 400
    assert (await bot.call("POST", path, {"messages": ids}))[0] == 204
    assert await person.read() == []


async def test_rate_limits_are_told_and_enforced(start: Any, http: Any) -> None:
    """Headers on every answer, then 429 with retry_after in header and body; counted in the statistics."""
    sim = await start(rate_limits="discord")
    general = next(c.id for c in sim.world.channels.values() if c.name == "general")
    answers = []
    for number in range(6):
        async with http.post(
            f"{sim.api_url}/channels/{general}/messages",
            json={"content": str(number)},
            headers={"Authorization": f"Bot {sim.token}"},
        ) as response:
            answers.append((response.status, await response.json(), response.headers))
    assert [status for status, _, _ in answers] == [200] * 5 + [429]
    assert [headers["X-RateLimit-Remaining"] for _, _, headers in answers[:5]] == ["4", "3", "2", "1", "0"]
    _, body, headers = answers[-1]
    assert body["message"] == "You are being rate limited."
    assert 0 < body["retry_after"] <= 5
    assert body["global"] is False
    assert headers["X-RateLimit-Scope"] == "user"
    assert int(headers["Retry-After"]) >= 1
    assert sim.stats.as_json()["rest"]["rate_limited"]["user"] == 1


async def test_threads_from_start_to_archive(bot: Any, person: Any) -> None:
    """From a message and without one; members, listing, archiving."""
    message = await person.say("topic")
    thread = await bot.do("POST", f"/channels/{person.general}/messages/{message['id']}/threads", {"name": "talk"})
    assert (thread["id"], thread["type"], thread["parent_id"]) == (message["id"], 11, person.general)
    await bot.do("POST", f"/channels/{thread['id']}/messages", {"content": "inside"})
    free = await bot.do("POST", f"/channels/{person.general}/threads", {"name": "free", "type": 11})
    private = await bot.do("POST", f"/channels/{person.general}/threads", {"name": "hush"})
    assert private["type"] == 12
    await bot.do("PUT", f"/channels/{free['id']}/thread-members/{ADA_ID}")
    members = await bot.do("GET", f"/channels/{free['id']}/thread-members?with_member=true")
    assert {m["user_id"] for m in members} == {BOT_ID, ADA_ID}
    active = await bot.do("GET", f"/guilds/{GUILD_ID}/threads/active")
    assert {t["name"] for t in active["threads"]} == {"talk", "free", "hush"}
    await bot.do("PATCH", f"/channels/{free['id']}", {"archived": True})
    archived = await bot.do("GET", f"/channels/{person.general}/threads/archived/public")
    assert [t["name"] for t in archived["threads"]] == ["free"]
    assert (await bot.call("POST", f"/channels/{person.general}/messages/{message['id']}/threads", {"name": "x"}))[1][
        "code"
    ] == 160004


async def test_a_forum_post_begins_with_a_message(bot: Any, person: Any) -> None:
    """The thread and its first message have one id."""
    forum = await person.call("POST", f"/sim/guilds/{GUILD_ID}/channels", {"name": "ideas", "type": 15})
    post = await bot.do("POST", f"/channels/{forum['id']}/threads", {"name": "idea", "message": {"content": "what if"}})
    assert post["message"]["id"] == post["id"]
    assert post["message"]["content"] == "what if"
    assert (await bot.call("POST", f"/channels/{forum['id']}/messages", {"content": "x"}))[1]["code"] == 50008


async def test_webhooks_write_under_their_own_name(bot: Any, http: Any, sim: Any, person: Any) -> None:
    """Executing needs the webhook's token alone; `wait` decides whether the message comes back."""
    hook = await bot.do("POST", f"/channels/{person.general}/webhooks", {"name": "herald"})
    address = f"{sim.api_url}/webhooks/{hook['id']}/{hook['token']}"
    async with http.post(address, json={"content": "one"}) as response:
        assert response.status == 204
    async with http.post(f"{address}?wait=true", json={"content": "two", "username": "other"}) as response:
        message = await response.json()
    assert (message["author"]["username"], message["webhook_id"]) == ("other", hook["id"])
    async with http.patch(f"{address}/messages/{message['id']}", json={"content": "three"}) as response:
        assert (await response.json())["content"] == "three"
    assert [(m["author"]["username"], m["content"]) for m in await person.read()] == [
        ("herald", "one"),
        ("other", "three"),
    ]
    async with http.post(address + "x", json={"content": "no"}) as response:
        assert (await response.json())["code"] == 50027
    async with http.delete(f"{address}/messages/{message['id']}") as response:
        assert response.status == 204
    assert not any(hook["token"] in entry["path"] for entry in sim.stats.recent_requests)


async def test_channels_are_made_changed_and_removed(bot: Any, sim: Any) -> None:
    """Names become slugs, the limits hold."""
    made = await bot.do("POST", f"/guilds/{GUILD_ID}/channels", {"name": "Big Plans", "topic": "t", "type": 0})
    assert (made["name"], made["topic"]) == ("big-plans", "t")
    assert (await bot.do("PATCH", f"/channels/{made['id']}", {"topic": "u"}))["topic"] == "u"
    assert (await bot.call("POST", f"/guilds/{GUILD_ID}/channels", {"name": ""}))[1]["errors"].keys() == {"name"}
    await bot.do("DELETE", f"/channels/{made['id']}")
    assert made["id"] not in sim.world.channels


async def test_roles_members_and_bans(bot: Any) -> None:
    """The usual moderation calls."""
    role = await bot.do("POST", f"/guilds/{GUILD_ID}/roles", {"name": "crew", "color": 255})
    member = f"/guilds/{GUILD_ID}/members/{ADA_ID}"
    await bot.do("PUT", f"{member}/roles/{role['id']}")
    await bot.do("PATCH", member, {"nick": "Captain"})
    shown = await bot.do("GET", member)
    assert (shown["nick"], shown["roles"]) == ("Captain", [role["id"]])
    assert [m["user"]["id"] for m in await bot.do("GET", f"/guilds/{GUILD_ID}/members/search?query=cap")] == [ADA_ID]
    grace = (await bot.do("GET", f"/guilds/{GUILD_ID}/members/search?query=grace"))[0]["user"]["id"]
    assert (await bot.call("PUT", f"/guilds/{GUILD_ID}/bans/{grace}", {}))[0] == 204
    assert [b["user"]["id"] for b in await bot.do("GET", f"/guilds/{GUILD_ID}/bans")] == [grace]
    assert (await bot.call("DELETE", f"/guilds/{GUILD_ID}/bans/{grace}"))[0] == 204


async def test_a_direct_message_reaches_the_person(bot: Any, person: Any) -> None:
    """The conversation lists the other side, and nobody else sees it."""
    channel = await bot.do("POST", "/users/@me/channels", {"recipient_id": ADA_ID})
    assert (channel["type"], [u["id"] for u in channel["recipients"]]) == (1, [ADA_ID])
    await bot.do("POST", f"/channels/{channel['id']}/messages", {"content": "psst"})
    assert [m["content"] for m in await person.read(channel["id"])] == ["psst"]


async def test_requests_are_logged_with_their_trace(sim: Any, bot: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Method, route, status and trace id, in the log and under /sim/requests; never the token."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    with caplog.at_level("INFO", logger="botswain_simulator"):
        await bot.do("GET", "/users/@me", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    record = caplog.records[-1]
    assert (record.route, record.status, record.trace_id) == ("GET /users/@me", 200, trace)  # type: ignore[attr-defined]  # extras
    assert sim.token not in repr([vars(r) for r in caplog.records]) + repr(sim.stats.recent_requests)
