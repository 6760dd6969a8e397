"""Pages fetched over real connections: redirects, bounds, and the way inside that stays shut."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from botswain_execution.servers import pages
from botswain_execution.servers.addresses import RefusedUrlError
from botswain_execution.servers.pages import Fetcher, FetchError


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A web site on loopback; its URL."""

    async def html(request: web.Request) -> web.Response:
        return web.Response(text=f"<h1>At {request.headers['Host']}</h1>", content_type="text/html")

    async def bounce(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async def circle(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/circle")

    async def large(_request: web.Request) -> web.Response:
        body = gzip.compress(b"x" * (pages.LARGEST_PAGE + 1))
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"})

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        while True:
            await response.write(b"drop ")
            await asyncio.sleep(0.02)

    async def image(_request: web.Request) -> web.Response:
        return web.Response(body=b"\x89PNG\0\0", content_type="image/png")

    app = web.Application()
    app.router.add_get("/html", html)
    app.router.add_get("/bounce", bounce)
    app.router.add_get("/circle", circle)
    app.router.add_get("/large", large)
    app.router.add_get("/endless", endless)
    app.router.add_get("/image", image)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://localhost:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    """A fetcher that may ask loopback."""
    made = Fetcher(allow_private=True, timeout=5.0)
    yield made
    await made.close()


async def test_page_is_fetched_from_the_address_that_was_checked(site: str, fetcher: Fetcher) -> None:
    """The connection goes to the resolved address, and the server still sees the name it is asked by."""
    page = await fetcher.fetch(f"{site}/html")
    assert page.text == f"<h1>At {site.removeprefix('http://')}</h1>"
    assert page.is_html


async def test_redirects_are_followed_up_to_a_bound(site: str, fetcher: Fetcher) -> None:
    """Relative and absolute redirects lead on; a circle ends."""
    page = await fetcher.fetch(f"{site}/bounce?to=/html")
    assert page.url == f"{site}/html"
    with pytest.raises(FetchError, match="more than 5 redirects"):
        await fetcher.fetch(f"{site}/circle")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/large", "larger than 5 MiB"),
        ("/image", "image/png is not text"),
        ("/nothing", "the server answered 404 Not Found"),
    ],
)
async def test_unfit_answers_are_refused_in_words(site: str, fetcher: Fetcher, path: str, words: str) -> None:
    """Too much (also after decompression), not text, or an error status."""
    with pytest.raises(FetchError, match=words):
        await fetcher.fetch(site + path)


async def test_answer_that_never_ends_is_given_up(site: str) -> None:
    """The time bound is for the whole fetch, not for each piece of it."""
    fetcher = Fetcher(allow_private=True, timeout=0.3)
    with pytest.raises(FetchError, match=r"no complete answer within 0\.3 s"):
        await fetcher.fetch(f"{site}/endless")
    await fetcher.close()


async def test_private_addresses_are_refused(site: str) -> None:
    """Loopback is refused before anything is sent."""
    fetcher = Fetcher()
    with pytest.raises(RefusedUrlError, match="private address"):
        await fetcher.fetch(f"{site}/html")
    await fetcher.close()


async def test_redirect_to_a_private_address_is_refused(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hop is checked: a public page can't send us to the metadata service."""
    real, hops = pages.resolve, []

    async def only_first(
        host: str, port: int, *, allow_private: bool = False
    ) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        hops.append(host)
        return await real(host, port, allow_private=len(hops) == 1)

    monkeypatch.setattr(pages, "resolve", only_first)
    fetcher = Fetcher()
    with pytest.raises(RefusedUrlError, match=r"'169\.254\.169\.254' is at a private address"):
        await fetcher.fetch(f"{site}/bounce?to=http://169.254.169.254/latest/meta-data/")
    assert hops == ["localhost", "169.254.169.254"]
    await fetcher.close()


async def test_server_that_is_not_there_is_told(fetcher: Fetcher) -> None:
    """A refused connection and an unknown host each have their words."""
    with pytest.raises(FetchError, match="ConnectError"):
        await fetcher.fetch("http://127.0.0.1:9/")
    with pytest.raises(RefusedUrlError, match="can't be found"):
        await fetcher.fetch("http://no-such-host.invalid/")
