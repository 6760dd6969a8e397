"""Threads: opening them, their members, archiving (Discord docs: topics/threads)."""

from botswain_simulator import payloads
from botswain_simulator.errors import WorldError
from botswain_simulator.models import Channel, ChannelType, Json, Message, MessageFlag, MessageType, ThreadState, User
from botswain_simulator.world.messages import Draft, Messages

_FORUMS = {ChannelType.GUILD_FORUM, ChannelType.GUILD_MEDIA}


class Threads(Messages):
    """Operations on threads."""

    def open_thread(
        self,
        parent: Channel,
        owner: User,
        name: str,
        *,
        message: Message | None = None,
        type_: int = ChannelType.PUBLIC_THREAD,
        auto_archive_minutes: int = 1440,
        invitable: bool = True,
        rate_limit_per_user: int = 0,
        applied_tags: tuple[str, ...] = (),
    ) -> Channel:
        """Open a thread under a channel, from a message or on its own. One opened from a message has the message's
        id.
        """
        if parent.guild_id is None or parent.thread is not None:
            raise WorldError(
                f"channel_id: {parent.id} can hold no threads; choose a guild's text, announcement or forum channel"
            )
        if not 1 <= len(name) <= 100:
            raise WorldError(f"name: {name!r} must have 1 to 100 characters")
        if message is not None and message.thread_id:
            raise WorldError(
                f"message_id: message {message.id} has a thread already; write in channel {message.thread_id}"
            )
        if parent.type == ChannelType.GUILD_ANNOUNCEMENT and type_ == ChannelType.PUBLIC_THREAD:
            type_ = ChannelType.ANNOUNCEMENT_THREAD
        now = self.clock()
        state = ThreadState(
            owner.id,
            now,
            now,
            invitable=invitable,
            auto_archive_minutes=auto_archive_minutes,
            applied_tags=list(applied_tags),
        )
        state.members[owner.id] = now
        thread = Channel(
            message.id if message else self.new_id(),
            type_,
            parent.guild_id,
            name,
            parent_id=parent.id,
            rate_limit_per_user=rate_limit_per_user,
            thread=state,
        )
        self.channels[thread.id] = self.guilds[parent.guild_id].threads[thread.id] = thread
        self._announce(parent, thread, owner, message)
        return thread

    def update_thread(self, thread: Channel, changes: Json) -> None:
        """Set the fields of PATCH /channels/{id} that threads have."""
        state = thread.thread
        assert state is not None
        if changes.get("name") is not None:
            thread.name = changes["name"]
        if changes.get("rate_limit_per_user") is not None:
            thread.rate_limit_per_user = changes["rate_limit_per_user"]
        if changes.get("archived") is not None and changes["archived"] != state.archived:
            state.archived = changes["archived"]
            state.archive_changed_at = self.clock()
        for key, attribute in (
            ("locked", "locked"),
            ("invitable", "invitable"),
            ("auto_archive_duration", "auto_archive_minutes"),
            ("applied_tags", "applied_tags"),
        ):
            if changes.get(key) is not None:
                setattr(state, attribute, changes[key])
        self.emit_in(thread, "THREAD_UPDATE", payloads.thread(thread), thread)

    def remove_thread(self, thread: Channel) -> None:
        guild = self.guilds[thread.guild_id or ""]
        del guild.threads[thread.id], self.channels[thread.id]
        data = {"id": thread.id, "guild_id": guild.id, "parent_id": thread.parent_id, "type": thread.type}
        self.emit_in(thread, "THREAD_DELETE", data, thread)

    def join_thread(self, thread: Channel, user: User) -> None:
        state = thread.thread
        assert state is not None
        if user.id not in state.members:
            state.members[user.id] = self.clock()
            self._emit_members(thread, added=user)

    def leave_thread(self, thread: Channel, user: User) -> None:
        state = thread.thread
        assert state is not None
        if state.members.pop(user.id, None) is not None:
            self._emit_members(thread, removed=user)

    def _announce(self, parent: Channel, thread: Channel, owner: User, message: Message | None) -> None:
        self.emit_in(thread, "THREAD_CREATE", payloads.thread(thread) | {"newly_created": True}, thread)
        if parent.type in _FORUMS:
            return
        if message is not None:
            message.thread_id = thread.id
            message.flags |= MessageFlag.HAS_THREAD
            self.refresh(parent, message)
            reference = {"type": 0, "channel_id": parent.id, "message_id": message.id, "guild_id": parent.guild_id}
            self.post(thread, owner, Draft(type=MessageType.THREAD_STARTER_MESSAGE, reference=reference))
        elif thread.type != ChannelType.PRIVATE_THREAD:
            reference = {"type": 0, "channel_id": thread.id, "guild_id": parent.guild_id}
            self.post(parent, owner, Draft(thread.name or "", type=MessageType.THREAD_CREATED, reference=reference))

    def _emit_members(self, thread: Channel, *, added: User | None = None, removed: User | None = None) -> None:
        assert thread.thread is not None
        data: Json = {"id": thread.id, "guild_id": thread.guild_id, "member_count": min(len(thread.thread.members), 50)}
        if added:
            entry = payloads.thread_member(thread, added.id)
            if member := self.member(thread.guild_id or "", added.id):
                entry["member"] = payloads.member(member)
            data["added_members"] = [entry]
        if removed:
            data["removed_member_ids"] = [removed.id]
        self.emit_in(thread, "THREAD_MEMBERS_UPDATE", data, thread)
