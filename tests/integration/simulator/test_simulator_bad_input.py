"""Odd paths and payloads end in one of Discord's errors or close codes, never in a failure of the server."""

from typing import Any

import pytest
from botswain_simulator.world.defaults import GUILD_ID


@pytest.mark.parametrize(
    "path",
    [
        "/channels/%00/messages",
        "/channels//messages",
        "/%ff",
        "/channels/1%2F2",
        "/users/@me/../x",
        "/webhooks/1/%2e%2e",
        "/" + "x/" * 300,
    ],
)
async def test_odd_paths_are_answered(bot: Any, path: str) -> None:
    """With one of Discord's errors."""
    assert (await bot.call("GET", path))[0] in {400, 401, 404, 405}


async def test_odd_gateway_payloads_end_one_connection_at_most(sim: Any, connect: Any) -> None:
    """Wrong kinds in each opcode: the connection may close with a code of Discord's, the server does not fail."""
    mine = {"token": sim.token}
    values: tuple[Any, ...] = (
        *(None, True, -1, "x", [], {}, {"guild_id": {}}, {"guild_id": []}, {"guild_ids": 5}, {"guild_ids": [{}]}),
        *(
            {"guild_id": GUILD_ID, "limit": "x"},
            {"guild_id": GUILD_ID, "user_ids": {}},
            {"guild_id": GUILD_ID, "query": 5},
        ),
        *(
            {"activities": 5, "status": []},
            {"token": 5},
            mine | {"intents": "x"},
            mine | {"session_id": [], "seq": "x"},
        ),
        *(mine | {"intents": 0, "presence": 5, "large_threshold": "x"}, mine | {"seq": True}),
    )
    for op in (1, 2, 3, 4, 6, 8, 31):
        for value in values:
            gateway = await connect(sim)
            if op not in {2, 6}:
                await gateway.identify(sim.token)
            await gateway.send(op, value)
            await gateway.send(99, None)
            code = await gateway.close_code()
            assert 4001 <= code <= 4014, (op, value, code)
