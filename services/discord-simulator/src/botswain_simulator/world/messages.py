"""Messages: post, edit, delete, pin, read, react."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from botswain_simulator import mentions, payloads
from botswain_simulator.mentions import EVERYTHING, AllowedMentions
from botswain_simulator.models import Attachment, Channel, Json, Message, MessageType, Reaction, User
from botswain_simulator.permissions import Permissions
from botswain_simulator.snowflakes import iso
from botswain_simulator.world import rendering
from botswain_simulator.world.channels import Channels
from botswain_simulator.world.events import Event


@dataclass(slots=True)
class Draft:
    """A message to be: already validated, its attachments already uploaded."""

    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    sticker_ids: tuple[str, ...] = ()
    poll: Json | None = None
    tts: bool = False
    flags: int = 0
    nonce: str | int | None = None
    reply_to: Message | None = None
    reference: Json | None = None
    """A `message_reference` to keep as it is: for system messages, and replies to a message that is gone."""
    allowed: AllowedMentions = EVERYTHING
    type: int = MessageType.DEFAULT
    application_id: str | None = None
    webhook_id: str | None = None
    interaction: Json | None = None
    ephemeral_for: str | None = None


class Messages(Channels):
    """Operations on messages and reactions."""

    def upload(
        self, channel_id: str, filename: str, content_type: str, data: bytes, description: str | None = None
    ) -> Attachment:
        """Keep a file for a message to come."""
        attachment = Attachment(self.new_id(), channel_id, filename, content_type, data, description)
        self.attachments[attachment.id] = attachment
        return attachment

    def post(self, channel: Channel, author: User, draft: Draft | str, *, message_id: str | None = None) -> Message:
        """Write a message; everyone who may hears of it. An ephemeral one reaches its bot and the page alone.

        `message_id` is for the first message of a forum's post, which has the thread's id; it must be above all ids in
        the channel.
        """
        if isinstance(draft, str):
            draft = Draft(draft)
        message = self._make(channel, author, draft)
        message.id = message_id or message.id
        channel.messages[message.id] = message
        if len(channel.messages) > self.messages_per_channel:
            self._forget(channel.messages.pop(next(iter(channel.messages))))
        if draft.nonce is not None:
            self._remember_nonce(channel, author.id, str(draft.nonce), message.id)
        if draft.ephemeral_for is None:
            channel.last_message_id = message.id
            if channel.thread is not None:
                self._count_in_thread(channel, author)
        self._emit_message("MESSAGE_CREATE", channel, message)
        return message

    def find_by_nonce(self, channel: Channel, author_id: str, nonce: str | int) -> Message | None:
        """The message an author sent here with this nonce in the past few minutes."""
        known = channel.nonces.get((author_id, str(nonce)))
        if known is None or self.clock() - known[0] >= self.nonce_window:
            return None
        return channel.messages.get(known[1])

    def edit(self, channel: Channel, message: Message, changes: Draft, fields: frozenset[str]) -> None:
        """Set those of a message's parts that `fields` names (of Draft's) and say so."""
        for name in fields & {"content", "embeds", "attachments", "components", "flags"}:
            setattr(message, name, getattr(changes, name))
        if "content" in fields:
            found = self._find_mentions(channel, message.author, changes)
            message.mentions, message.mention_roles, message.mention_everyone = found.users, found.roles, found.everyone
        if fields - {"flags"}:
            message.edited_at = self.clock()
        self._resolve_embedded_files(message)
        self._emit_message("MESSAGE_UPDATE", channel, message)

    def delete(self, channel: Channel, message: Message) -> None:
        self._drop(channel, message)
        data = {"id": message.id, "channel_id": channel.id}
        self._emit_deletion(channel, "MESSAGE_DELETE", data, message)

    def delete_many(self, channel: Channel, message_ids: Sequence[str]) -> None:
        """Delete those of the messages that are there, told as one event."""
        found = [channel.messages[mid] for mid in message_ids if mid in channel.messages]
        for message in found:
            self._drop(channel, message)
        if found:
            self._emit_deletion(
                channel, "MESSAGE_DELETE_BULK", {"ids": [m.id for m in found], "channel_id": channel.id}, found
            )

    def pin(self, channel: Channel, message: Message, by: User) -> None:
        """Pin a message, with the note about it that Discord writes in the channel."""
        if message.pinned:
            return
        message.pinned = True
        channel.pins[message.id] = channel.last_pin_at = self.clock()
        self._emit_message("MESSAGE_UPDATE", channel, message)
        self._emit_pins(channel)
        reference = {"type": 0, "channel_id": channel.id, "message_id": message.id}
        if channel.guild_id:
            reference["guild_id"] = channel.guild_id
        self.post(channel, by, Draft(type=MessageType.CHANNEL_PINNED_MESSAGE, reference=reference))

    def unpin(self, channel: Channel, message: Message) -> None:
        if message.pinned:
            message.pinned = False
            channel.pins.pop(message.id, None)
            self._emit_message("MESSAGE_UPDATE", channel, message)
            self._emit_pins(channel)

    def history(
        self,
        channel: Channel,
        *,
        before: str | None = None,
        after: str | None = None,
        around: str | None = None,
        limit: int = 50,
        with_ephemeral: bool = False,
    ) -> list[Message]:
        """A stretch of a channel, newest first. With `after`, the oldest ones behind it are chosen, as Discord does."""
        ids = [mid for mid, m in channel.messages.items() if with_ephemeral or m.ephemeral_for is None]
        if around is not None:
            middle = bisect_left(ids, int(around), key=int)
            start = max(0, middle - limit // 2)
            chosen = ids[start : start + limit]
        elif after is not None:
            start = bisect_right(ids, int(after), key=int)
            chosen = ids[start : start + limit]
        else:
            end = bisect_left(ids, int(before), key=int) if before is not None else len(ids)
            chosen = ids[max(0, end - limit) : end]
        return [channel.messages[mid] for mid in reversed(chosen)]

    def react(self, channel: Channel, message: Message, user: User, emoji: Json) -> bool:
        """Add a reaction; False when it was there already."""
        reaction = message.reactions.setdefault(emoji["id"] or emoji["name"], Reaction(emoji))
        if user.id in reaction.users:
            return False
        reaction.users[user.id] = self.clock()
        data = self._reaction_data(channel, message, user, reaction.emoji) | {
            "message_author_id": message.author.id,
            "burst": False,
            "type": 0,
        }
        if channel.guild_id and (member := self.member(channel.guild_id, user.id)):
            data["member"] = payloads.member(member)
        self.emit_in(channel, "MESSAGE_REACTION_ADD", data)
        return True

    def unreact(self, channel: Channel, message: Message, user: User, emoji: Json) -> bool:
        """Remove a reaction; False when there was none."""
        key = emoji["id"] or emoji["name"]
        reaction = message.reactions.get(key)
        if reaction is None or user.id not in reaction.users:
            return False
        del reaction.users[user.id]
        if not reaction.users:
            del message.reactions[key]
        data = self._reaction_data(channel, message, user, reaction.emoji) | {"burst": False, "type": 0}
        self.emit_in(channel, "MESSAGE_REACTION_REMOVE", data)
        return True

    def clear_reactions(self, channel: Channel, message: Message, emoji: Json | None = None) -> None:
        """Remove every reaction, or every one with an emoji."""
        data: Json = {"channel_id": channel.id, "message_id": message.id}
        if channel.guild_id:
            data["guild_id"] = channel.guild_id
        if emoji is None:
            message.reactions.clear()
            self.emit_in(channel, "MESSAGE_REACTION_REMOVE_ALL", data, subject=message)
        elif message.reactions.pop(emoji["id"] or emoji["name"], None):
            data["emoji"] = emoji
            self.emit_in(channel, "MESSAGE_REACTION_REMOVE_EMOJI", data, subject=message)

    def refresh(self, channel: Channel, message: Message) -> None:
        """Say that a message has changed other than by an edit: it has got a thread, or its answer has come."""
        self._emit_message("MESSAGE_UPDATE", channel, message)

    def _make(self, channel: Channel, author: User, draft: Draft) -> Message:
        found = self._find_mentions(channel, author, draft)
        reference = draft.reference
        type_ = draft.type
        if draft.reply_to is not None:
            type_ = MessageType.REPLY
            reference = {"type": 0, "channel_id": draft.reply_to.channel_id, "message_id": draft.reply_to.id}
            if channel.guild_id:
                reference["guild_id"] = channel.guild_id
        message = Message(
            id=self.new_id(),
            channel_id=channel.id,
            guild_id=channel.guild_id,
            author=author,
            content=draft.content,
            timestamp=self.clock(),
            type=type_,
            tts=draft.tts,
            mention_everyone=found.everyone,
            mentions=found.users,
            mention_roles=found.roles,
            attachments=draft.attachments,
            embeds=draft.embeds,
            components=draft.components,
            sticker_ids=draft.sticker_ids,
            nonce=draft.nonce,
            flags=draft.flags,
            webhook_id=draft.webhook_id,
            application_id=draft.application_id,
            reference=reference,
            interaction=draft.interaction,
            poll=draft.poll,
            ephemeral_for=draft.ephemeral_for,
        )
        if message.embeds:
            self._resolve_embedded_files(message)
        return message

    def _find_mentions(self, channel: Channel, author: User, draft: Draft) -> mentions.Mentions:
        found = mentions.find(draft.content, draft.allowed) if "@" in draft.content else mentions.NONE
        users = tuple(uid for uid in found.users if uid in self.users)
        replied = draft.reply_to
        if replied and draft.allowed.replied_user and not replied.webhook_id and replied.author.id not in users:
            users = (*users, replied.author.id)
        if channel.guild_id is None or not (found.roles or found.everyone):
            return mentions.Mentions(users)
        guild = self.guilds[channel.guild_id]
        may_all = bool(draft.webhook_id) or bool(self.permissions_in(channel, author.id) & Permissions.MENTION_EVERYONE)
        roles = tuple(r for r in found.roles if r in guild.roles and (may_all or guild.roles[r].mentionable))
        return mentions.Mentions(users, roles, found.everyone and may_all)

    def _resolve_embedded_files(self, message: Message) -> None:
        """Point `attachment://name` in embeds at the file. Discord then leaves that file out of the message's
        attachments.
        """
        shown: set[str] = set()
        for embed in message.embeds:
            for part in ("image", "thumbnail", "footer", "author"):
                piece = embed.get(part)
                key = "url" if part in {"image", "thumbnail"} else "icon_url"
                if not isinstance(piece, dict):
                    continue
                url = piece.get(key)
                if isinstance(url, str) and url.startswith("attachment://"):
                    for attachment in message.attachments:
                        if attachment.filename == url.removeprefix("attachment://"):
                            piece[key] = piece[f"proxy_{key}"] = self.links.attachment(attachment)
                            shown.add(attachment.id)
        if shown:
            message.attachments = [a for a in message.attachments if a.id not in shown]

    def _remember_nonce(self, channel: Channel, author_id: str, nonce: str, message_id: str) -> None:
        now = self.clock()
        channel.nonces[(author_id, nonce)] = (now, message_id)
        while channel.nonces:
            oldest = next(iter(channel.nonces))
            if now - channel.nonces[oldest][0] <= self.nonce_window:
                break
            del channel.nonces[oldest]

    def _count_in_thread(self, thread: Channel, author: User) -> None:
        state = thread.thread
        assert state is not None
        state.message_count += 1
        state.total_sent += 1
        if author.id in self.users:
            state.members.setdefault(author.id, self.clock())
        if state.archived and not state.locked:
            state.archived = False
            state.archive_changed_at = self.clock()
            self.emit_in(thread, "THREAD_UPDATE", payloads.thread(thread), thread)

    def _drop(self, channel: Channel, message: Message) -> None:
        del channel.messages[message.id]
        channel.pins.pop(message.id, None)
        if channel.thread is not None and channel.thread.message_count:
            channel.thread.message_count -= 1
        self._forget(message)

    def _forget(self, message: Message) -> None:
        for attachment in message.attachments:
            self.attachments.pop(attachment.id, None)

    def _emit_message(self, name: str, channel: Channel, message: Message) -> None:
        data = rendering.gateway_message(self, message, channel)
        if name == "MESSAGE_CREATE" and message.nonce is not None:
            data["nonce"] = message.nonce
        bots = self.bots_in(channel) if channel.guild_id is None else None
        if message.ephemeral_for is not None:
            bots = (message.author.id,)
        self.emit(Event(name, data, channel.guild_id, channel, bots, message, message))

    def _emit_deletion(self, channel: Channel, name: str, data: Json, subject: object) -> None:
        if channel.guild_id:
            data["guild_id"] = channel.guild_id
        self.emit_in(channel, name, data, subject)

    def _emit_pins(self, channel: Channel) -> None:
        data: Json = {"channel_id": channel.id}
        data["last_pin_timestamp"] = iso(channel.last_pin_at) if channel.pins and channel.last_pin_at else None
        if channel.guild_id:
            data["guild_id"] = channel.guild_id
        self.emit_in(channel, "CHANNEL_PINS_UPDATE", data)

    def _reaction_data(self, channel: Channel, message: Message, user: User, emoji: Json) -> Json:
        data: Json = {"user_id": user.id, "channel_id": channel.id, "message_id": message.id, "emoji": emoji}
        if channel.guild_id:
            data["guild_id"] = channel.guild_id
        return data
