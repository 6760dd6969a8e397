"""Channels, direct conversations and typing."""

from botswain_simulator import payloads
from botswain_simulator.errors import WorldError
from botswain_simulator.models import Channel, ChannelType, Guild, Json, Overwrite, User
from botswain_simulator.world.events import Event
from botswain_simulator.world.guilds import Guilds

_OWN_FIELDS = ("name", "topic", "position", "parent_id", "nsfw", "rate_limit_per_user", "type")


class Channels(Guilds):
    """Operations on channels."""

    def add_channel(
        self,
        guild: Guild,
        name: str,
        type_: int = ChannelType.GUILD_TEXT,
        *,
        topic: str | None = None,
        parent_id: str | None = None,
        channel_id: str | None = None,
        extra: Json | None = None,
    ) -> Channel:
        if not 1 <= len(name) <= 100:
            raise WorldError(f"name: {name!r} must have 1 to 100 characters")
        if channel_id is not None and channel_id in self.channels:
            raise WorldError(f"id: a channel with id {channel_id} is there already")
        channel = Channel(channel_id or self.new_id(), type_, guild.id, name, topic, len(guild.channels), parent_id)
        if extra:
            self._apply(channel, extra)
        guild.channels[channel.id] = channel
        self.channels[channel.id] = channel
        self._emit_channel("CHANNEL_CREATE", channel)
        return channel

    def update_channel(self, channel: Channel, changes: Json) -> None:
        """Set the fields of PATCH /channels/{id}."""
        self._apply(channel, changes)
        self._emit_channel("CHANNEL_UPDATE", channel)

    def remove_channel(self, channel: Channel) -> None:
        """Delete a guild's channel with its threads."""
        guild = self.guilds[channel.guild_id or ""]
        for thread in [t for t in guild.threads.values() if t.parent_id == channel.id]:
            del guild.threads[thread.id], self.channels[thread.id]
        del guild.channels[channel.id], self.channels[channel.id]
        for hook in [w for w in self.webhooks.values() if w.channel_id == channel.id]:
            del self.webhooks[hook.id]
        for child in guild.channels.values():
            if child.parent_id == channel.id:
                child.parent_id = None
        self._emit_channel("CHANNEL_DELETE", channel)

    def set_overwrite(self, channel: Channel, overwrite: Overwrite | None, target_id: str) -> None:
        """Set or, with None, remove what a channel allows a role or member."""
        if overwrite is None:
            channel.overwrites.pop(target_id, None)
        else:
            channel.overwrites[target_id] = overwrite
        self._emit_channel("CHANNEL_UPDATE", channel)

    def open_direct(self, one: User, other: User) -> Channel:
        """The direct conversation of two users; made when it is not there yet."""
        if one.id == other.id:
            raise WorldError("a direct conversation needs two different users")
        pair = frozenset((one.id, other.id))
        if pair not in self.direct_channels:
            channel = Channel(self.new_id(), ChannelType.DM, recipients=(one.id, other.id))
            self.direct_channels[pair] = self.channels[channel.id] = channel
            # Since API v8 bots hear nothing of a new direct conversation before its first message; the page does.
            self.emit(
                Event(
                    "CHANNEL_CREATE", payloads.channel(channel, self.users), channel=channel, bots=(), subject=channel
                )
            )
        return self.direct_channels[pair]

    def type_in(self, channel: Channel, user: User) -> None:
        """Let a user be seen typing."""
        data: Json = {"channel_id": channel.id, "user_id": user.id, "timestamp": int(self.clock())}
        if channel.guild_id is not None:
            data["guild_id"] = channel.guild_id
            if member := self.member(channel.guild_id, user.id):
                data["member"] = payloads.member(member)
        self.emit_in(channel, "TYPING_START", data)

    def emit_in(self, channel: Channel, name: str, data: Json, subject: object = None) -> None:
        """Tell of something that happened in a channel: to the guild's bots, or to those in the direct conversation."""
        bots = self.bots_in(channel) if channel.guild_id is None else None
        self.emit(Event(name, data, channel.guild_id, channel, bots, subject=subject))

    def _emit_channel(self, name: str, channel: Channel) -> None:
        self.emit(Event(name, payloads.channel(channel), channel.guild_id, channel, subject=channel))

    def _apply(self, channel: Channel, changes: Json) -> None:
        for key, value in changes.items():
            if key == "permission_overwrites":
                channel.overwrites = {
                    str(o["id"]): Overwrite(
                        str(o["id"]), int(o.get("type", 0)), int(o.get("allow") or 0), int(o.get("deny") or 0)
                    )
                    for o in value or []
                }
            elif key == "parent_id":
                channel.parent_id = str(value) if value else None
            elif key in {"nsfw", "rate_limit_per_user", "position"}:
                setattr(channel, key, value or 0 if key != "nsfw" else bool(value))
            elif key in _OWN_FIELDS:
                setattr(channel, key, value)
            else:
                channel.extra[key] = value
