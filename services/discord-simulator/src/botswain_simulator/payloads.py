"""The world's objects in Discord's JSON shapes (Discord docs: resources/*). Pure functions; nothing here changes
anything.

`Links` carries the address under which files are served: absolute for bots, relative for the page (which may sit behind
a forwarded port).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from botswain_simulator.models import (
    Application,
    Attachment,
    Channel,
    ChannelType,
    Command,
    Emoji,
    Guild,
    Json,
    Member,
    Reaction,
    Role,
    User,
    Webhook,
)
from botswain_simulator.snowflakes import iso


@dataclass(frozen=True, slots=True)
class Links:
    """Makes addresses of files."""

    base: str = ""

    def attachment(self, attachment: Attachment) -> str:
        return f"{self.base}/attachments/{attachment.channel_id}/{attachment.id}/{quote(attachment.filename)}"

    def avatar(self, who: User) -> str:
        return f"{self.base}/cdn/avatars/{who.id}/{who.avatar or 'default'}.png"

    def icon(self, guild: Guild) -> str | None:
        return f"{self.base}/cdn/icons/{guild.id}/{guild.icon}.png" if guild.icon else None


def user(who: User) -> Json:
    """A user as others see it."""
    payload: Json = {
        "id": who.id,
        "username": who.username,
        "avatar": who.avatar,
        "discriminator": who.discriminator,
        "public_flags": who.public_flags,
        "flags": who.public_flags,
        "banner": None,
        "accent_color": None,
        "global_name": who.global_name,
        "avatar_decoration_data": None,
        "collectibles": None,
        "display_name_styles": None,
        "banner_color": None,
        "clan": None,
        "primary_guild": None,
    }
    if who.bot:
        payload["bot"] = True
    return payload


def current_user(who: User) -> Json:
    """A bot as it sees itself."""
    return {
        **user(who),
        "bot": who.bot,
        "mfa_enabled": True,
        "locale": "en-US",
        "premium_type": 0,
        "email": None,
        "verified": True,
        "bio": "",
    }


def role(item: Role) -> Json:
    payload: Json = {
        "id": item.id,
        "name": item.name,
        "description": None,
        "permissions": str(item.permissions),
        "position": item.position,
        "color": item.color,
        "colors": {"primary_color": item.color, "secondary_color": None, "tertiary_color": None},
        "hoist": item.hoist,
        "managed": item.managed,
        "mentionable": item.mentionable,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
    if item.bot_id:
        payload["tags"] = {"bot_id": item.bot_id}
    return payload


def partial_member(item: Member) -> Json:
    """A member without its user, as it stands beside one in messages."""
    return {
        "avatar": None,
        "banner": None,
        "communication_disabled_until": item.communication_disabled_until,
        "flags": 0,
        "joined_at": iso(item.joined_at),
        "nick": item.nick,
        "pending": False,
        "premium_since": None,
        "roles": list(item.roles),
        "unusual_dm_activity_until": None,
        "deaf": False,
        "mute": False,
    }


def member(item: Member) -> Json:
    return {**partial_member(item), "user": user(item.user)}


def presence(item: Member, guild_id: str) -> Json:
    """PRESENCE_UPDATE's data; in a guild's `presences` the guild id is left away by Discord, but harmless."""
    known = item.presence or {}
    status = known.get("status") or ("online" if item.user.online else "offline")
    return {
        "user": {"id": item.user.id},
        "guild_id": guild_id,
        "status": status,
        "activities": known.get("activities") or [],
        "client_status": {} if status in {"offline", "invisible"} else {"web" if item.user.bot else "desktop": status},
    }


def emoji(item: Emoji, creator: User | None = None) -> Json:
    payload: Json = {
        "id": item.id,
        "name": item.name,
        "roles": [],
        "require_colons": True,
        "managed": False,
        "animated": item.animated,
        "available": True,
    }
    if creator is not None:
        payload["user"] = user(creator)
    return payload


def _overwrites(item: Channel) -> list[Json]:
    return [{"id": o.id, "type": o.type, "allow": str(o.allow), "deny": str(o.deny)} for o in item.overwrites.values()]


def channel(item: Channel, users: dict[str, User] | None = None, viewer_id: str | None = None) -> Json:
    """A channel, thread or direct conversation. `viewer_id` is left out of a DM's recipients, as Discord does for
    the bot that asks.
    """
    if item.thread is not None:
        return thread(item)
    payload: Json = {"id": item.id, "type": item.type, "last_message_id": item.last_message_id, "flags": 0}
    if item.guild_id is None:
        people = users or {}
        payload["recipients"] = [user(people[uid]) for uid in item.recipients if uid != viewer_id and uid in people]
        payload["last_pin_timestamp"] = iso(item.last_pin_at) if item.last_pin_at else None
        return payload
    payload |= {
        "guild_id": item.guild_id,
        "name": item.name,
        "topic": item.topic,
        "position": item.position,
        "parent_id": item.parent_id,
        "nsfw": item.nsfw,
        "rate_limit_per_user": item.rate_limit_per_user,
        "permission_overwrites": _overwrites(item),
    }
    if item.last_pin_at:
        payload["last_pin_timestamp"] = iso(item.last_pin_at)
    if item.type in {ChannelType.GUILD_VOICE, ChannelType.GUILD_STAGE_VOICE}:
        payload |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    if item.type in {ChannelType.GUILD_FORUM, ChannelType.GUILD_MEDIA}:
        payload |= {
            "available_tags": [],
            "default_reaction_emoji": None,
            "default_sort_order": None,
            "default_forum_layout": 0,
            "template": "",
        }
    return payload | item.extra


def thread(item: Channel) -> Json:
    state = item.thread
    assert state is not None
    metadata: Json = {
        "archived": state.archived,
        "archive_timestamp": iso(state.archive_changed_at),
        "auto_archive_duration": state.auto_archive_minutes,
        "locked": state.locked,
        "create_timestamp": iso(state.created_at),
    }
    if item.type == ChannelType.PRIVATE_THREAD:
        metadata["invitable"] = state.invitable
    return {
        "id": item.id,
        "guild_id": item.guild_id,
        "parent_id": item.parent_id,
        "owner_id": state.owner_id,
        "type": item.type,
        "name": item.name,
        "last_message_id": item.last_message_id,
        "thread_metadata": metadata,
        "message_count": state.message_count,
        "total_message_sent": state.total_sent,
        "member_count": min(len(state.members), 50),
        "rate_limit_per_user": item.rate_limit_per_user,
        "applied_tags": list(state.applied_tags),
        "flags": 0,
    }


def thread_member(item: Channel, user_id: str) -> Json:
    assert item.thread is not None
    return {
        "id": item.id,
        "user_id": user_id,
        "join_timestamp": iso(item.thread.members[user_id]),
        "flags": 0,
        "muted": False,
        "mute_config": None,
    }


def attachment(item: Attachment, links: Links) -> Json:
    url = links.attachment(item)
    payload: Json = {
        "id": item.id,
        "filename": item.filename,
        "size": len(item.data),
        "url": url,
        "proxy_url": url,
        "content_type": item.content_type,
        "content_scan_version": 0,
    }
    optional = ("description", "title", "width", "height", "duration_secs", "waveform")
    payload |= {name: value for name in optional if (value := getattr(item, name)) is not None}
    return payload


def reactions(items: Iterable[Reaction], viewer_id: str | None) -> list[Json]:
    return [
        {
            "emoji": item.emoji,
            "count": len(item.users),
            "count_details": {"burst": 0, "normal": len(item.users)},
            "burst_colors": [],
            "me_burst": False,
            "burst_me": False,
            "burst_count": 0,
            "me": viewer_id in item.users,
        }
        for item in items
        if item.users
    ]


def guild(item: Guild) -> Json:
    """A guild as GET /guilds/{id} gives it: without channels, members and threads."""
    payload: Json = {
        "id": item.id,
        "name": item.name,
        "icon": item.icon,
        "description": item.description,
        "home_header": None,
        "splash": None,
        "discovery_splash": None,
        "features": [],
        "banner": None,
        "owner_id": item.owner_id,
        "application_id": None,
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "widget_enabled": False,
        "widget_channel_id": None,
        "verification_level": 0,
        "roles": [role(r) for r in item.roles.values()],
        "default_message_notifications": 0,
        "mfa_level": 0,
        "explicit_content_filter": 0,
        "max_presences": None,
        "max_members": 500000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "vanity_url_code": None,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "rules_channel_id": None,
        "safety_alerts_channel_id": None,
        "public_updates_channel_id": None,
        "hub_type": None,
        "premium_progress_bar_enabled": False,
        "latest_onboarding_question_id": None,
        "nsfw": False,
        "nsfw_level": 0,
        "emojis": [emoji(e) for e in item.emojis.values()],
        "stickers": [],
        "incidents_data": None,
        "inventory_settings": None,
        "embed_enabled": False,
        "embed_channel_id": None,
    }
    return payload | item.extra


def guild_create(item: Guild, *, bot_id: str, with_members: bool, with_presences: bool, large_threshold: int) -> Json:
    """GUILD_CREATE's data for one bot.

    Without the GUILD_PRESENCES intent the only member given is the bot itself; in a guild above `large_threshold` only
    those online are (Discord docs: events/gateway-events, "Guild Create").
    """
    large = len(item.members) > large_threshold
    me = item.members[bot_id]
    shown = [me]
    if with_members and with_presences:
        shown = [m for m in item.members.values() if not large or m.user.online or m is me]
    return guild(item) | {
        "joined_at": iso(me.joined_at),
        "large": large,
        "unavailable": False,
        "geo_restricted": False,
        "member_count": len(item.members),
        "lazy": True,
        "voice_states": [
            {k: v for k, v in state.items() if k not in {"guild_id", "member"}} for state in item.voice_states.values()
        ],
        "members": [member(m) for m in shown],
        "channels": [channel(c) for c in item.channels.values()],
        "threads": [
            thread(t) | ({"member": thread_member(t, bot_id)} if bot_id in t.thread.members else {})
            for t in item.threads.values()
            if t.thread is not None and not t.thread.archived
        ],
        "presences": [presence(m, item.id) for m in shown if m.user.online] if with_presences else [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "activity_instances": [],
        "embedded_activities": [],
        "application_command_counts": {},
        "version": 1,
    }


def application_flags(privileged_intents: int) -> int:
    """The "limited" flags that stand for a privileged intent switched on for a bot in under 100 guilds."""
    return sum(flag for bit, flag in ((8, 1 << 13), (1, 1 << 15), (15, 1 << 19)) if privileged_intents >> bit & 1)


def application(item: Application, owner: User | None, guild_count: int) -> Json:
    return {
        "id": item.id,
        "name": item.user.username,
        "icon": item.user.avatar,
        "description": item.description,
        "type": None,
        "summary": "",
        "bot": user(item.user),
        "is_monetized": False,
        "is_verified": False,
        "is_discoverable": False,
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": f"{int(item.id):064x}",
        "flags": application_flags(item.privileged_intents),
        "hook": True,
        "storefront_available": False,
        "integration_types_config": {"0": {}, "1": {}},
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "event_webhooks_status": 1,
        "event_webhooks_url": None,
        "event_webhooks_types": [],
        "owner": user(owner) if owner else user(item.user),
        "approximate_guild_count": guild_count,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": None,
        "tags": [],
        "rpc_origins": [],
        "guild_id": None,
    }


def command(item: Command) -> Json:
    payload: Json = {
        "id": item.id,
        "application_id": item.application_id,
        "version": item.version,
        "default_member_permissions": None,
        "type": 1,
        "name_localizations": None,
        "description": "",
        "description_localizations": None,
        "dm_permission": True,
        "contexts": None,
        "integration_types": [0],
        "nsfw": False,
    }
    if item.guild_id is not None:
        payload["guild_id"] = item.guild_id
    return payload | item.body


def webhook(item: Webhook, creator: User | None, links: Links) -> Json:
    payload: Json = {
        "id": item.id,
        "type": 1,
        "guild_id": item.guild_id,
        "channel_id": item.channel_id,
        "name": item.name,
        "avatar": item.avatar,
        "token": item.token,
        "application_id": item.application_id,
        "url": f"{links.base}/api/webhooks/{item.id}/{item.token}",
    }
    if creator is not None:
        payload["user"] = user(creator)
    return payload
