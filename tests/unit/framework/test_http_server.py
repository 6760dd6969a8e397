"""What leaves over a connection: an answer in one piece, a stream's head without delay."""

import asyncio

from botswain_services.http_server import _JoiningTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Wire:
    """Stands in for a socket's transport."""

    def __init__(self):
        self.written = []

    def write(self, data):
        self.written.append(data)

    def is_closing(self):
        return "closed" in self.written

    def close(self):
        self.written.append("closed")

    def get_extra_info(self, name):
        return name.upper()


async def joined():
    wire = Wire()
    return wire, _JoiningTransport(wire, asyncio.get_running_loop())


async def test_head_and_body_leave_together():
    """One write an answer, and nothing is sent twice."""
    wire, transport = await joined()
    for _ in range(2):
        transport.write(HEAD)
        transport.write(b"ok")
    await asyncio.sleep(0)
    assert wire.written == [HEAD + b"ok"] * 2


async def test_a_head_waits_for_one_turn_of_the_loop_at_most():
    """What streams has its head sent before its first part is made."""
    wire, transport = await joined()
    transport.write(HEAD)
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [HEAD]
    transport.write(b"5\r\nhello\r\n")
    transport.write(b"0\r\n\r\n")
    assert wire.written[1:] == [b"5\r\nhello\r\n", b"0\r\n\r\n"]


async def test_closing_sends_what_is_kept():
    """An answer without a body is complete when the connection goes."""
    wire, transport = await joined()
    transport.write(HEAD)
    transport.close()
    await asyncio.sleep(0)
    assert wire.written == [HEAD, "closed"]
    assert transport.is_closing()


async def test_the_rest_is_the_transports_own():
    """Addresses, TLS and flow control are asked of the transport itself."""
    _, transport = await joined()
    assert transport.get_extra_info("peername") == "PEERNAME"
