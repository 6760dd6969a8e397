"""Messages in Discord's shape. Apart from `payloads`, since a message names users, members and threads that only the
world knows.
"""

from botswain_simulator import payloads
from botswain_simulator.intents import MESSAGE_CONTENT
from botswain_simulator.models import Channel, Json, Message, MessageType, User
from botswain_simulator.payloads import Links
from botswain_simulator.snowflakes import iso
from botswain_simulator.world.store import Store

_REFERENCING = {MessageType.REPLY, MessageType.THREAD_STARTER_MESSAGE, MessageType.CONTEXT_MENU_COMMAND}


def message(store: Store, item: Message, *, viewer_id: str | None, links: Links, quoted: bool = False) -> Json:
    """A message as REST gives it to `viewer_id` (which decides `reactions[].me`). `quoted` ones do not quote in
    turn.
    """
    users = store.users
    payload: Json = {
        "id": item.id,
        "type": item.type,
        "channel_id": item.channel_id,
        "content": item.content,
        "author": payloads.user(item.author) | ({"bot": True} if item.webhook_id else {}),
        "attachments": [payloads.attachment(a, links) for a in item.attachments],
        "embeds": item.embeds,
        "mentions": [payloads.user(users[uid]) for uid in item.mentions if uid in users],
        "mention_roles": list(item.mention_roles),
        "mention_everyone": item.mention_everyone,
        "pinned": item.pinned,
        "tts": item.tts,
        "timestamp": iso(item.timestamp),
        "edited_timestamp": iso(item.edited_at) if item.edited_at else None,
        "flags": item.flags,
        "components": item.components,
    }
    if item.reactions:
        payload["reactions"] = payloads.reactions(item.reactions.values(), viewer_id)
    if item.webhook_id:
        payload["webhook_id"] = item.webhook_id
    if item.application_id:
        payload["application_id"] = item.application_id
    if item.interaction:
        payload["interaction_metadata"] = item.interaction
        if "name" in item.interaction:
            payload["interaction"] = {k: item.interaction[k] for k in ("id", "type", "name", "user")}
    if item.sticker_ids:
        payload["sticker_items"] = [{"id": s, "name": s, "format_type": 1} for s in item.sticker_ids]
    if item.poll:
        payload["poll"] = item.poll
    if item.reference:
        payload["message_reference"] = item.reference
        if item.type in _REFERENCING and not quoted:
            payload["referenced_message"] = _referenced(store, item.reference, viewer_id, links)
    if item.thread_id and item.thread_id in store.channels:
        payload["thread"] = payloads.thread(store.channels[item.thread_id])
    return payload


def _referenced(store: Store, reference: Json, viewer_id: str | None, links: Links) -> Json | None:
    channel = store.channels.get(reference.get("channel_id") or "")
    original = channel.messages.get(reference.get("message_id") or "") if channel else None
    return message(store, original, viewer_id=viewer_id, links=links, quoted=True) if original else None


def gateway_message(store: Store, item: Message, channel: Channel) -> Json:
    """MESSAGE_CREATE's and MESSAGE_UPDATE's data: a message with its guild and the members it names."""
    payload = message(store, item, viewer_id=None, links=store.links)
    payload["channel_type"] = channel.type
    if item.guild_id is None:
        return payload
    payload["guild_id"] = item.guild_id
    members = store.guilds[item.guild_id].members
    if not item.webhook_id and (author := members.get(item.author.id)):
        payload["member"] = payloads.partial_member(author)
    for mentioned in payload["mentions"]:
        if who := members.get(mentioned["id"]):
            mentioned["member"] = payloads.partial_member(who)
    return payload


def may_read(item: Message, bot_id: str, granted: int) -> bool:
    """Whether a bot sees what a message says: always with MESSAGE_CONTENT, else in DMs, when mentioned, and its own."""
    return (
        granted & MESSAGE_CONTENT != 0
        or item.guild_id is None
        or item.author.id == bot_id
        or bot_id in item.mentions
        or item.application_id == bot_id
    )


def without_content(payload: Json) -> Json:
    """A message as a bot without MESSAGE_CONTENT sees it (Discord docs: events/gateway, "Message Content Intent")."""
    bare = payload | {"content": "", "embeds": [], "attachments": [], "components": []}
    bare.pop("poll", None)
    if bare.get("referenced_message"):
        bare["referenced_message"] = without_content(bare["referenced_message"])
    return bare


def message_for_bot(store: Store, item: Message, bot_id: str, granted: int) -> Json:
    """A message as REST gives it to a bot whose application has the privileged intents `granted`."""
    payload = message(store, item, viewer_id=bot_id, links=store.links)
    return payload if may_read(item, bot_id, granted) else without_content(payload)


def message_for_page(store: Store, item: Message) -> Json:
    """A message as the page gets it: with relative addresses, avatars, and who reacted."""
    links = Links()
    viewer = store.default_user_id
    payload = message(store, item, viewer_id=viewer, links=links)
    payload["author"] |= {"avatar_url": links.avatar(item.author)}
    payload["guild_id"] = item.guild_id
    payload["nonce"] = item.nonce
    payload["reactions"] = [
        shown | {"users": list(reaction.users)}
        for shown, reaction in zip(
            payloads.reactions(item.reactions.values(), viewer),
            (r for r in item.reactions.values() if r.users),
            strict=True,
        )
    ]
    quoted = payload.get("referenced_message")
    if quoted:
        quoted["author"] |= {
            "avatar_url": f"/cdn/avatars/{quoted['author']['id']}/{quoted['author']['avatar'] or 'default'}.png"
        }
    if item.ephemeral_for:
        payload["ephemeral_for"] = item.ephemeral_for
    return payload


def user_for_page(who: User) -> Json:
    return payloads.user(who) | {"bot": who.bot, "avatar_url": Links().avatar(who), "online": who.online}
