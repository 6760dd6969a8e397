"""A peer with several replicas: which URLs name one, and that calls go to a replica that is there."""

import asyncio
import datetime
import ipaddress
import os
import signal
import socket
import sys
from collections import Counter
from contextlib import AsyncExitStack

import grpc
import pytest
from botswain_services.auth import TokenIssuer, TokenVerifier
from botswain_services.errors import SettingsError
from botswain_services.rpc import RpcServer, client, connect, parse_target
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SECRET = "a-secret-of-at-least-thirty-two-bytes"
TOKENS = TokenIssuer(SECRET, issuer="tester", audience="echo")


@pytest.mark.parametrize(
    ("url", "name", "tls"),
    [
        ("grpc://host:1", "host:1", False),
        ("grpcs://[::1]:2", "[::1]:2", True),
        ("grpc://10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2", False),
        ("grpcs://[fd00::1]:1, [fd00::2]:1/", "ipv6:[fd00::1]:1,[fd00::2]:1", True),
        ("grpc://10.0.0.1:1,[fd00::2]:1", "ipv6:[::ffff:10.0.0.1]:1,[fd00::2]:1", False),
    ],
)
def test_urls_of_peers(url, name, tls):
    """One host or several addresses, in gRPC's own words; grpcs means TLS; IPv6 addresses keep their brackets."""
    target = parse_target(url, variable="X")
    assert (target.name, target.tls) == (name, tls)


@pytest.mark.parametrize(
    "url",
    [
        "http://host:1",
        "host:1",
        "grpc://host",
        "grpc://:1",
        "grpc://host:1/path",
        "grpc://host:x",
        "grpc://host:99999",
        "grpc://me:secret@host:1",
        "grpc://::1:1",
        "grpc://10.0.0.1:1,",
        "grpc://10.0.0.1:1,10.0.0.2",
        "grpc://10.0.0.1,10.0.0.2:1",
    ],
)
def test_a_wrong_url_names_its_setting(url):
    """The person who set it learns which variable to mend, and how it should look."""
    with pytest.raises(SettingsError, match=r"ECHO_URL: .* is not of the form grpc://host:port"):
        parse_target(url, variable="ECHO_URL")


def test_several_names_are_refused():
    """gRPC would look up only one; the error says what does work."""
    with pytest.raises(SettingsError, match=r"ECHO_URL: .*'other' is none.*the one name that has all their addresses"):
        parse_target("grpc://10.0.0.1:1,other:1", variable="ECHO_URL")
    with pytest.raises(SettingsError) as caught:
        parse_target("grpc://me:secret@host:1", variable="ECHO_URL")
    assert "secret" not in str(caught.value)


class Replica:
    """A server that answers with its own name; started again, it has the same port."""

    def __init__(self, name, host="127.0.0.1", port=0):
        self.name, self.host, self.port = name, host, port
        self.asked = asyncio.Event()
        self._running = None

    async def start(self):
        self._running = RpcServer(self.host, self.port, TokenVerifier(SECRET, audience="echo"))
        self._running.add_servicer("test.Who", self._add, self)
        await self._running.start()
        self.port = self._running.port
        return self

    async def stop(self):
        running, self._running = self._running, None
        if running is not None:
            await running.drain(0)

    def _add(self, _servicer, server):
        async def who(_request, _context):
            return self.name.encode()

        async def hold(_request, _context):
            self.asked.set()
            await asyncio.Event().wait()
            yield b""

        handlers = {
            "who": grpc.unary_unary_rpc_method_handler(who),
            "hold": grpc.unary_stream_rpc_method_handler(hold),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Who", handlers),))


@pytest.fixture
async def replicas():
    """Two running replicas."""
    found = {name: await Replica(name).start() for name in ("a", "b")}
    yield found
    for replica in found.values():
        await replica.stop()


def url_of(*replicas):
    return "grpc://" + ",".join(f"{replica.host}:{replica.port}" for replica in replicas)


async def who(peer):
    return (await peer.channel.unary_unary("/test.Who/who")(b"", metadata=peer.metadata(), timeout=10)).decode()


async def test_a_call_goes_to_the_replica_that_is_there(replicas):
    """Whichever of two is down, each new connection's first call is answered by the other."""
    for down, up in (("a", "b"), ("b", "a")):
        await replicas[down].stop()
        for _ in range(8):
            peer = connect(url_of(*replicas.values()), TOKENS, variable="X")
            assert await who(peer) == up
            await peer.close()
        await replicas[down].start()


async def test_a_connection_that_breaks_is_replaced_by_one_to_another_replica(replicas):
    """The stream on it ends, so that its caller knows; the next call is answered by the other, there and back again."""
    peer = connect(url_of(*replicas.values()), TOKENS, variable="X")
    for _ in range(3):
        first = await who(peer)
        held = peer.channel.unary_stream("/test.Who/hold")(b"", metadata=peer.metadata())
        await asyncio.wait_for(replicas[first].asked.wait(), 10)
        replicas[first].asked.clear()
        await replicas[first].stop()
        with pytest.raises(grpc.aio.AioRpcError):
            await held.read()
        second = await who(peer)
        assert second != first
        await replicas[first].start()
    await peer.close()


async def test_a_replica_that_stands_still_is_left_for_another(replicas):
    """Its connection stays open and nobody answers: the stream on it ends, and the next call goes to the other."""
    program = [sys.executable, "-c", SERVER, SECRET]
    frozen = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    frozen_port = (await frozen.stdout.readline()).decode().strip()
    await replicas["b"].stop()
    peer = connect(f"{url_of(replicas['b'])},127.0.0.1:{frozen_port}", TOKENS, variable="X")
    assert await who(peer) == "frozen"
    held = peer.channel.unary_stream("/test.Who/hold")(b"", metadata=peer.metadata())
    frozen.send_signal(signal.SIGSTOP)
    await replicas["b"].start()
    with pytest.raises(grpc.aio.AioRpcError):
        await asyncio.wait_for(held.read(), 60)
    assert await who(peer) == "b"
    await peer.close()
    frozen.kill()
    await frozen.communicate()


async def test_a_stream_that_carries_nothing_is_watched_all_the_same(replicas, monkeypatch):
    """gRPC by itself stops after two pings where no data goes, and would miss what stands still for minutes."""
    hasty = [(name, 2_100 if name == "grpc.keepalive_time_ms" else value) for name, value in client.CHANNEL_OPTIONS]
    monkeypatch.setattr(client, "CHANNEL_OPTIONS", hasty)
    messages, enough = 0, asyncio.Event()
    carrying, over = [], asyncio.get_running_loop().create_future()

    async def carry(reader, writer):
        carrying.append(asyncio.current_task())
        there, back = await asyncio.open_connection("127.0.0.1", replicas["a"].port)
        try:
            await asyncio.wait(
                {asyncio.create_task(forth(reader, back)), asyncio.create_task(pour(there, writer)), over},
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for end in (writer, back):
                end.close()
                await end.wait_closed()

    async def forth(source, sink):
        nonlocal messages
        while data := await source.read(65536):
            sink.write(data)
            messages += replicas["a"].asked.is_set()
            if messages > 3:
                enough.set()

    async def pour(source, sink):
        while data := await source.read(65536):
            sink.write(data)

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as server:
        peer = connect(f"grpc://127.0.0.1:{server.sockets[0].getsockname()[1]}", TOKENS, variable="X")
        held = peer.channel.unary_stream("/test.Who/hold")(b"", metadata=peer.metadata())
        await asyncio.wait_for(replicas["a"].asked.wait(), 10)
        await asyncio.wait_for(enough.wait(), 40)
        assert not held.done()
        await peer.close()
        over.set_result(None)
        await asyncio.wait_for(asyncio.gather(*carrying), 10)


async def test_connections_spread_over_the_replicas(replicas):
    """Not all of them try the first address first."""
    found = Counter()
    for _ in range(40):
        peer = connect(url_of(*replicas.values()), TOKENS, variable="X")
        found[await who(peer)] += 1
        await peer.close()
    assert set(found) == {"a", "b"}


async def test_a_name_with_several_addresses_is_tried_through():
    """As a headless Service's name: `localhost` is looked up, and the address where somebody listens is found."""
    replica = await Replica("a").start()
    peer = connect(f"grpc://localhost:{replica.port}", TOKENS, variable="X")
    assert await who(peer) == "a"
    await peer.close()
    await replica.stop()


async def test_addresses_of_both_kinds_go_together():
    """One list of an IPv4 and an IPv6 address reaches either."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            both = [await Replica("4").start(), await Replica("6", host="[::1]").start()]
    except OSError:
        pytest.skip("this machine has no IPv6")
    for up, down in (both, reversed(both)):
        await down.stop()
        peer = connect(url_of(*both), TOKENS, variable="X")
        assert await who(peer) == up.name
        await peer.close()
        await down.start()
    for replica in both:
        await replica.stop()


SERVER = """
import asyncio, sys
import grpc
from botswain_services.auth import TokenVerifier
from botswain_services.rpc import RpcServer

async def who(request, context):
    return b"frozen"

async def hold(request, context):
    await asyncio.Event().wait()
    yield b""

def add(servicer, server):
    handlers = {"who": grpc.unary_unary_rpc_method_handler(who), "hold": grpc.unary_stream_rpc_method_handler(hold)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Who", handlers),))

async def main():
    server = RpcServer("127.0.0.1", 0, TokenVerifier(sys.argv[1], audience="echo"))
    server.add_servicer("test.Who", add, None)
    await server.start()
    print(server.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
CLIENT = """
import asyncio, sys
from botswain_services.auth import TokenIssuer
from botswain_services.rpc import connect

async def main():
    peer = connect(sys.argv[1], TokenIssuer(sys.argv[2], issuer="tester", audience="echo"), variable="X")
    print((await peer.channel.unary_unary("/test.Who/who")(b"", timeout=10)).decode())
    await peer.close()

asyncio.run(main())
"""


async def test_replicas_with_tls(tmp_path):
    """A certificate that is good for the first address is good for the others, wherever the connection goes."""
    key, certificate = make_certificate("127.0.0.1")
    (tmp_path / "roots.pem").write_bytes(certificate)
    async with AsyncExitStack() as stack:
        ports = []
        for name in (b"a", b"b"):

            async def answer(_request, _context, name=name):
                return name

            server = grpc.aio.server()
            handlers = {"who": grpc.unary_unary_rpc_method_handler(answer)}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Who", handlers),))
            ports.append(server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)])))
            await server.start()
            stack.push_async_callback(server.stop, 0)
        url = f"grpcs://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}"
        environment = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tmp_path / "roots.pem")}
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, url, SECRET, env=environment, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await client.communicate()
    assert output.decode().strip() in {"a", "b"}


def make_certificate(address):
    """Key and self-signed certificate, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "echo")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)
