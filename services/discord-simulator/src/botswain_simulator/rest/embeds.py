"""Embeds: their limits and the form Discord gives them back in (resources/message, "Embed Object", "Embed Limits")."""

from typing import Any

from botswain_simulator.models import Json
from botswain_simulator.rest.forms import Form

MAX_EMBEDS = 10
MAX_TEXT = 6000
_MEDIA_SCHEMES = ("http", "https", "attachment")


def read_embeds(form: Form) -> list[Json]:
    """The embeds of a message's body, checked."""
    inner = form.objects("embeds", longest=MAX_EMBEDS) or []
    if not inner and (old := form.object("embed")):
        inner = [old]
    embeds = [_read(item) for item in inner]
    if sum(_text_length(embed) for embed in embeds) > MAX_TEXT:
        form.complain("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {MAX_TEXT}")
    return embeds


def _read(form: Form) -> Json:
    embed: Json = {"type": "rich"}
    _put(embed, "title", form.text("title", longest=256))
    _put(embed, "description", form.text("description", longest=4096))
    _put(embed, "url", form.url("url"))
    _put(embed, "timestamp", form.text("timestamp"))
    _put(embed, "color", form.integer("color", lowest=0, highest=0xFFFFFF))
    for name, key, longest in (("footer", "text", 2048), ("author", "name", 256)):
        if part := form.object(name):
            piece: Json = {key: part.text(key, longest=longest, required=True)}
            _put(piece, "url", part.url("url") if name == "author" else None)
            if icon := part.url("icon_url", schemes=_MEDIA_SCHEMES):
                piece |= {"icon_url": icon, "proxy_icon_url": icon}
            embed[name] = piece
    for name in ("image", "thumbnail", "video"):
        part = form.object(name)
        if part and (url := part.url("url", schemes=_MEDIA_SCHEMES)):
            embed[name] = {"url": url, "proxy_url": url, "width": 0, "height": 0, "flags": 0}
    if fields := form.objects("fields", longest=25):
        embed["fields"] = [
            {
                "name": field.text("name", longest=256, required=True),
                "value": field.text("value", longest=1024, required=True),
                "inline": field.boolean("inline") or False,
            }
            for field in fields
        ]
    if len(embed) == 1 and not form.complaints:
        form.complain("description", "BASE_TYPE_REQUIRED", "This field is required")
    return embed


def _put(target: Json, name: str, value: Any) -> None:
    if value is not None and value != "":
        target[name] = value


def _text_length(embed: Json) -> int:
    texts = [
        embed.get("title"),
        embed.get("description"),
        (embed.get("footer") or {}).get("text"),
        (embed.get("author") or {}).get("name"),
    ]
    texts += [text for field in embed.get("fields", ()) for text in (field["name"], field["value"])]
    return sum(len(text) for text in texts if text)
