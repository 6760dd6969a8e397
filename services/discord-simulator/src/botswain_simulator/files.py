"""Serves files: the page, attachments, avatars and icons.

Attachments come from bots and people and share an origin with the control API, so nothing of theirs may run as a page:
types that a browser would execute are only ever downloaded.
"""

from pathlib import Path

from aiohttp import web

from botswain_simulator.images import identicon
from botswain_simulator.world import World

_PAGE = Path(__file__).parent / "page"
_CSP = "default-src 'self'; img-src 'self' data: blob:; media-src 'self'; style-src 'self'; frame-ancestors 'none'"
_TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png",
    ".ico": "image/x-icon", ".webmanifest": "application/manifest+json", ".json": "application/json", ".woff2": "font/woff2",
}  # fmt: skip
_INLINE = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "audio/", "video/", "text/plain")


class Files:
    """Handlers for everything that is fetched as a file."""

    def __init__(self, world: World) -> None:
        self._world = world

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/assets/{path:.+}", self.asset)
        app.router.add_get("/attachments/{channel_id}/{attachment_id}/{filename}", self.attachment)
        for prefix in ("/cdn", ""):
            app.router.add_get(prefix + "/{kind:avatars|icons|emojis|app-icons|banners}/{rest:.+}", self.picture)
            app.router.add_get(prefix + "/embed/avatars/{rest}", self.picture)

    async def index(self, _request: web.Request) -> web.StreamResponse:
        return _file("index.html")

    async def asset(self, request: web.Request) -> web.StreamResponse:
        return _file("assets/" + request.match_info["path"])

    async def attachment(self, request: web.Request) -> web.Response:
        found = self._world.attachments.get(request.match_info["attachment_id"])
        if found is None or found.channel_id != request.match_info["channel_id"]:
            raise web.HTTPNotFound(text="This content is no longer available.")
        headers = {
            "Content-Type": found.content_type,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, max-age=3600",
        }
        if not found.content_type.startswith(_INLINE):
            headers["Content-Disposition"] = f'attachment; filename="{found.filename}"'
        return web.Response(body=found.data, headers=headers)

    async def picture(self, request: web.Request) -> web.Response:
        """An avatar, icon or emoji: what was uploaded, else a made-up one."""
        parts = request.match_info["rest"].split("/")
        owner = parts[0].split(".")[0]
        world = self._world
        tables = (*(g.emojis for g in world.guilds.values()), *(a.emojis for a in world.applications.values()))
        for emojis in tables if request.match_info.get("kind") == "emojis" else ():
            if (emoji := emojis.get(owner)) and emoji.image:
                return web.Response(body=emoji.image, content_type="image/png")
        return web.Response(body=identicon(owner), content_type="image/png", headers={"Cache-Control": "max-age=86400"})


def _file(name: str) -> web.StreamResponse:
    path = (_PAGE / name).resolve()
    if not path.is_relative_to(_PAGE.resolve()) or not path.is_file():
        raise web.HTTPNotFound(text=f"There is no {name}.")
    headers = {
        "Content-Type": _TYPES.get(path.suffix, "application/octet-stream"),
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _CSP,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return web.FileResponse(path, headers=headers)
