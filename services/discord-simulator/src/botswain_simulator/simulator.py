"""The simulator as a whole: one port with gateway, REST, files, control API and page. Also the form tests use it in:

async with Simulator(port=0) as sim:
    client = MyBot(api=sim.api_url, token=sim.token)
"""

import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from botswain_simulator.control import Control
from botswain_simulator.errors import StartError
from botswain_simulator.faults import Faults
from botswain_simulator.files import Files
from botswain_simulator.gateway import Connection, Hub, end_sessions
from botswain_simulator.gateway.codes import CloseCode
from botswain_simulator.models import WRITTEN
from botswain_simulator.payloads import Links
from botswain_simulator.rest import Rest
from botswain_simulator.rest.bodies import MAX_REQUEST_BYTES
from botswain_simulator.settings import Settings
from botswain_simulator.stats import Stats
from botswain_simulator.world import Event, World
from botswain_simulator.world.defaults import build_default

WorldBuilder = Callable[[World], None]


class Simulator:
    """A stand-in for Discord. Start it with `async with`, or `start()` and `stop()`."""

    def __init__(
        self, settings: Settings | None = None, *, build: WorldBuilder = build_default, **changes: Any
    ) -> None:
        """`changes` are fields of `Settings`; `build` fills the world at the start and at each reset."""
        self.settings = replace(settings or Settings(), **changes)
        self._build = build
        self.world = World(
            messages_per_channel=self.settings.messages_per_channel, nonce_window=self.settings.nonce_window
        )
        build(self.world)
        self.faults = Faults(self.world.clock)
        self.stats = Stats(self.world.clock)
        self.hub = Hub(self.world, self.settings)
        self.rest = Rest(self.world, self.hub, self.settings, self.faults, self.stats)
        self.control = Control(self.world, self.hub, self.faults, self.stats, self.reset)
        self.world.subscribe(self._count)
        self._connections: set[Connection] = set()
        self._runner: web.AppRunner | None = None
        self._port = self.settings.port

    @property
    def port(self) -> int:
        """The port it listens on; the chosen one where 0 was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """The page's address; everything else is below it."""
        if self.settings.public_url:
            return self.settings.public_url.rstrip("/")
        host = "127.0.0.1" if self.settings.host in {"0.0.0.0", "::", ""} else self.settings.host  # noqa: S104 - compared only
        scheme = "https" if self.settings.tls_cert else "http"
        return f"{scheme}://[{host}]:{self._port}" if ":" in host else f"{scheme}://{host}:{self._port}"

    @property
    def api_url(self) -> str:
        """The base of the REST API, with its version."""
        return self.url + "/api/v10"

    @property
    def gateway_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    @property
    def token(self) -> str:
        """The first bot's token."""
        return next(iter(self.world.applications.values())).token

    async def start(self) -> None:
        """Listen. Raises StartError when the port is taken."""
        app = self._app()
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(
                runner, self.settings.host, self.settings.port, backlog=1024, ssl_context=_tls(self.settings)
            )
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise StartError(_start_failure(error, self.settings)) from error
        self._runner = runner
        self._port = int(runner.addresses[0][1])
        self.world.links = Links(self.url)

    async def stop(self) -> None:
        """End every connection and stop listening."""
        self.control.feed.close()
        for connection in list(self._connections):
            connection.close(1001, "The simulator is stopping.")
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.hub.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.stop()

    def reset(self) -> None:
        """Begin anew: the world as at the start, no sessions, no faults, counts at zero."""
        for application in list(self.world.applications.values()):
            end_sessions(self.hub, application, CloseCode.UNKNOWN_ERROR)
        self.world.clear()
        self._build(self.world)
        self.hub.forget()
        self.faults.clear()
        self.rest.limits.clear()
        self.stats.clear()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        files = Files(self.world)

        async def root(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._gateway(request)
            return await files.index(request)

        app.router.add_get("/", root)
        app.router.add_get("/gateway", root)
        app.router.add_get("/gateway/", root)
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._health)
        app.router.add_route("*", "/api", self.rest.handle)
        app.router.add_route("*", "/api/{rest:.*}", self.rest.handle)
        # Some clients' settings take a base to which they add the version alone.
        app.router.add_route("*", r"/v{version:\d+}/{rest:.*}", self.rest.handle)
        self.control.add_to(app)
        files.add_to(app)
        return app

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        connection = Connection(request, self.hub, self.faults, self.stats)
        self._connections.add(connection)
        try:
            return await connection.run()
        finally:
            self._connections.discard(connection)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "service": "discord-simulator", "sessions": len(self.hub.sessions)})

    def _count(self, event: Event) -> None:
        message = event.message
        if event.name != "MESSAGE_CREATE" or message is None or message.type not in WRITTEN:
            return
        if message.webhook_id and not message.interaction:
            self.stats.messages["webhooks"] += 1
        elif message.author.bot:
            self.stats.messages["bots"] += 1
            self.stats.bot_messages_by_channel[message.channel_id] += 1
        else:
            self.stats.messages["users"] += 1


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context


def _start_failure(error: OSError, settings: Settings) -> str:
    place = f"{settings.host}:{settings.port}"
    if isinstance(error, ssl.SSLError):
        return f"{settings.tls_cert} holds no usable certificate and key: {error.reason}"
    if isinstance(error, FileNotFoundError):
        return f"--tls-cert {settings.tls_cert} or --tls-key {settings.tls_key} is not there"
    if error.errno == errno.EADDRINUSE:
        advice = "choose another with --port (0 picks a free one)"
        return f"port {settings.port} on {settings.host} is taken by another program; {advice}"
    if error.errno == errno.EACCES:
        return f"not allowed to listen on {place}; choose a port above 1023"
    if isinstance(error, socket.gaierror):
        return f"{settings.host!r} is no address of this machine; choose another with --host"
    return f"can't listen on {place}: {error.strerror}"
