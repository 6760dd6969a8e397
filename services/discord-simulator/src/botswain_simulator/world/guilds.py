"""Guilds: members, roles, emojis, bans."""

from botswain_simulator import payloads
from botswain_simulator.errors import WorldError
from botswain_simulator.models import Emoji, Guild, Json, Member, Role, User
from botswain_simulator.permissions import BOT_DEFAULT, EVERYONE_DEFAULT
from botswain_simulator.world.events import Event
from botswain_simulator.world.people import People


class Guilds(People):
    """Operations on guilds."""

    def add_guild(self, name: str, owner: User, *, guild_id: str | None = None) -> Guild:
        """A guild with its owner as member and the @everyone role, but no channel yet."""
        if not 1 <= len(name) <= 100:
            raise WorldError(f"name: {name!r} must have 1 to 100 characters")
        if guild_id is not None and guild_id in self.guilds:
            raise WorldError(f"id: a guild with id {guild_id} is there already")
        guild = Guild(guild_id or self.snowflakes.next(own_millisecond=True), name, owner.id, self.clock())
        guild.roles[guild.id] = Role(guild.id, "@everyone", EVERYONE_DEFAULT)
        self.guilds[guild.id] = guild
        guild.members[owner.id] = Member(owner, self.clock())
        self.emit(Event("PAGE_GUILD_CREATE", {"id": guild.id}, bots=(), subject=guild))
        return guild

    def update_guild(self, guild: Guild, changes: Json) -> None:
        """Set what a bot may set; `name` and `icon` are kept apart from the rest, which is given back as it came."""
        guild.name = changes.pop("name", guild.name)
        guild.description = changes.pop("description", guild.description)
        guild.extra |= changes
        self.emit(Event("GUILD_UPDATE", payloads.guild(guild), guild.id, subject=guild))

    def remove_guild(self, guild: Guild) -> None:
        """Delete a guild: its bots get GUILD_DELETE."""
        bots = tuple(uid for uid, member in guild.members.items() if member.user.bot)
        for channel_id in (*guild.channels, *guild.threads):
            self.channels.pop(channel_id, None)
        del self.guilds[guild.id]
        self.emit(Event("GUILD_DELETE", {"id": guild.id}, guild.id, bots=bots, subject=guild))

    def add_member(self, guild: Guild, user: User, *, role_id: str | None = None) -> Member:
        """Let a user join. A bot gets a role of its own, all permissions but ADMINISTRATOR, and a GUILD_CREATE."""
        if user.id in guild.members:
            return guild.members[user.id]
        member = Member(user, self.clock())
        if user.bot:
            role = Role(
                role_id or self.new_id(),
                user.username,
                BOT_DEFAULT,
                position=len(guild.roles),
                managed=True,
                bot_id=user.id,
            )
            guild.roles[role.id] = role
            member.roles.append(role.id)
        guild.members[user.id] = member
        data = payloads.member(member) | {"guild_id": guild.id}
        if user.bot:
            self.emit(Event("GUILD_CREATE", {}, guild.id, bots=(user.id,), subject=guild))
        others = tuple(uid for uid, m in guild.members.items() if m.user.bot and uid != user.id)
        self.emit(Event("GUILD_MEMBER_ADD", data, guild.id, bots=others, subject=member))
        return member

    def update_member(self, guild: Guild, member: Member, changes: Json) -> None:
        """Set nick, roles or time-out (fields of PATCH /guilds/{id}/members/{id})."""
        if "nick" in changes:
            member.nick = changes["nick"] or None
        if changes.get("roles") is not None:
            member.roles = [role_id for role_id in changes["roles"] if role_id in guild.roles]
        if "communication_disabled_until" in changes:
            member.communication_disabled_until = changes["communication_disabled_until"]
        data = payloads.member(member) | {"guild_id": guild.id}
        self.emit(Event("GUILD_MEMBER_UPDATE", data, guild.id, subject=member))

    def remove_member(self, guild: Guild, user: User) -> None:
        """Let a user leave. A bot that leaves gets GUILD_DELETE and loses its role."""
        if guild.members.pop(user.id, None) is None:
            return
        if user.bot:
            self.emit(Event("GUILD_DELETE", {"id": guild.id}, guild.id, bots=(user.id,), subject=guild))
            for role in [r for r in guild.roles.values() if r.bot_id == user.id]:
                self.remove_role(guild, role)
        data = {"guild_id": guild.id, "user": payloads.user(user)}
        self.emit(Event("GUILD_MEMBER_REMOVE", data, guild.id, subject=user))

    def ban(self, guild: Guild, user: User, reason: str | None) -> None:
        guild.bans[user.id] = reason
        self.remove_member(guild, user)
        self.emit(Event("GUILD_BAN_ADD", {"guild_id": guild.id, "user": payloads.user(user)}, guild.id))

    def unban(self, guild: Guild, user: User) -> None:
        del guild.bans[user.id]
        self.emit(Event("GUILD_BAN_REMOVE", {"guild_id": guild.id, "user": payloads.user(user)}, guild.id))

    def add_role(self, guild: Guild, name: str, permissions: int = EVERYONE_DEFAULT) -> Role:
        role = Role(self.new_id(), name, permissions, position=1)
        guild.roles[role.id] = role
        self._emit_role("GUILD_ROLE_CREATE", guild, role)
        return role

    def update_role(self, guild: Guild, role: Role, changes: Json) -> None:
        """Set the fields of PATCH /guilds/{id}/roles/{id}; `permissions` as a number."""
        for name in ("name", "permissions", "color", "hoist", "mentionable", "position"):
            if changes.get(name) is not None:
                setattr(role, name, changes[name])
        self._emit_role("GUILD_ROLE_UPDATE", guild, role)

    def remove_role(self, guild: Guild, role: Role) -> None:
        del guild.roles[role.id]
        for member in guild.members.values():
            if role.id in member.roles:
                member.roles.remove(role.id)
        self.emit(Event("GUILD_ROLE_DELETE", {"guild_id": guild.id, "role_id": role.id}, guild.id))

    def add_emoji(self, guild: Guild, name: str, *, image: bytes | None = None, user_id: str | None = None) -> Emoji:
        emoji = Emoji(self.new_id(), name, user_id=user_id, image=image)
        guild.emojis[emoji.id] = emoji
        self.emit_emojis(guild)
        return emoji

    def emit_emojis(self, guild: Guild) -> None:
        data = {"guild_id": guild.id, "emojis": [payloads.emoji(e) for e in guild.emojis.values()]}
        self.emit(Event("GUILD_EMOJIS_UPDATE", data, guild.id))

    def _emit_role(self, name: str, guild: Guild, role: Role) -> None:
        self.emit(Event(name, {"guild_id": guild.id, "role": payloads.role(role)}, guild.id, subject=role))
