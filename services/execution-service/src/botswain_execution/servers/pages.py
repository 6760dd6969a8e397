"""Fetching a page: bounded in size and time, each redirect checked like the first URL, and its HTML turned into Markdown."""

from __future__ import annotations

import asyncio
import codecs
import re
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx

from botswain_execution.servers.addresses import parse_url, resolve

LARGEST_PAGE = 5 * 1024 * 1024
"""Bytes, after decompression."""
LONGEST_FETCH = 20.0
"""Seconds, over all redirects."""
MOST_REDIRECTS = 5
USER_AGENT = "Botswain-Fetch/0.1 (+https://botswain.dev)"
_REDIRECTS = (301, 302, 303, 307, 308)
_TEXT_TYPES = re.compile(
    r"text/|application/(json|xml|javascript|x-ndjson|yaml|toml|rss\+xml|atom\+xml)|.*\+(json|xml)"
)
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_META_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class FetchError(Exception):
    """A page could not be fetched; the message says why, in words."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a URL gave. `url` is where the redirects ended."""

    url: str
    status: int
    media_type: str
    text: str
    is_html: bool


class Fetcher:
    """Fetches pages. Use `close()` at the end."""

    def __init__(self, *, allow_private: bool = False, timeout: float = LONGEST_FETCH) -> None:
        self._allow_private = allow_private
        self._timeout = timeout
        # No proxy from the environment: it would resolve names by itself, unchecked.
        self._client = httpx.AsyncClient(
            headers={"User-Agent": USER_AGENT, "Accept": "text/html, text/*;q=0.9, */*;q=0.5"},
            timeout=httpx.Timeout(timeout, connect=min(5.0, timeout)),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def fetch(self, url: str) -> Page:
        """Fetch a page.

        Raises:
            RefusedUrlError: the URL, or one it redirects to, may not be fetched.
            FetchError: it could not be.
        """
        try:
            async with asyncio.timeout(self._timeout):
                for _ in range(MOST_REDIRECTS + 1):
                    answer = await self._get(url)
                    if isinstance(answer, Page):
                        return answer
                    url = urljoin(url, answer)
        except TimeoutError:
            raise FetchError(f"{url}: no complete answer within {self._timeout:g} s") from None
        raise FetchError(f"{url}: more than {MOST_REDIRECTS} redirects")

    async def _get(self, url: str) -> Page | str:
        """The page, or where it has gone to."""
        parts = parse_url(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = await resolve(host, port, allow_private=self._allow_private)
        target = httpx.URL(url).copy_with(host=str(address), fragment=None)
        request = self._client.build_request(
            "GET", target, headers={"Host": parts.netloc}, extensions={"sni_hostname": host}
        )
        try:
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code in _REDIRECTS and "location" in response.headers:
                    return str(response.headers["location"])
                data = await _read(response, url)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise FetchError(f"{url}: {_reason(error)}") from None
        if response.status_code >= 400:
            raise FetchError(f"{url}: the server answered {response.status_code} {response.reason_phrase}".rstrip())
        return _page(url, response, data)


async def _read(response: httpx.Response, url: str) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > LARGEST_PAGE:
            raise FetchError(f"{url}: larger than {LARGEST_PAGE // (1024 * 1024)} MiB")
    return bytes(data)


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _page(url: str, response: httpx.Response, data: bytes) -> Page:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_html = media_type in _HTML_TYPES or (
        not media_type and data[:512].lstrip().lower().startswith((b"<!doctype", b"<html"))
    )
    if not is_html and (
        (media_type and not _TEXT_TYPES.match(media_type)) or b"\0" in data[:1024].replace(b"\0\0", b"")
    ):
        raise FetchError(f"{url}: {media_type or 'its content'} is not text ({len(data):,} bytes)")
    return Page(url, response.status_code, media_type, decode(data, response.charset_encoding), is_html)


def decode(data: bytes, declared: str | None) -> str:
    """Text, in the first encoding that is known of: byte order mark, Content-Type header, the HTML itself, UTF-8."""
    named = _META_CHARSET.search(data[:2048])
    marked = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), None)
    for encoding in (marked, declared, named[1].decode("ascii") if named else None):
        if encoding:
            try:
                return data.decode(encoding, "replace")
            except LookupError:
                continue
    return data.decode("utf-8", "replace")


def to_markdown(html: str) -> str:
    """The text of an HTML page as Markdown, without scripts, styles and navigation. CPU-bound: call it in a thread."""
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(html, "html.parser")
    title = soup.title.get_text(strip=True) if soup.title else ""
    for element in soup(["script", "style", "noscript", "template", "svg", "iframe", "head", "nav", "form", "button"]):
        element.decompose()
    body = soup.find("main") or soup.find("article") or soup.body or soup
    converter = MarkdownConverter(heading_style="ATX", bullets="-", strip=["img"])
    text = re.sub(r"\n{3,}", "\n\n", converter.convert_soup(body)).strip()
    if title and not text.startswith(f"# {title}"):
        text = f"# {title}\n\n{text}"
    return text
