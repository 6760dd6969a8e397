"""Users, bots and who is online."""

import base64
import hashlib
import hmac

from botswain_simulator import payloads
from botswain_simulator.errors import WorldError
from botswain_simulator.intents import PRIVILEGED
from botswain_simulator.models import Application, Json, User
from botswain_simulator.world.events import Event
from botswain_simulator.world.store import Store


def make_token(application_id: str, generation: int = 0) -> str:
    """A token of Discord's form (id in base64, time, signature). Always the same for the same bot, so that tests can
    write it down.
    """
    signature = hmac.new(b"botswain-simulator", f"{application_id}.{generation}".encode(), hashlib.sha256).digest()
    parts = (application_id.encode(), (int(application_id) >> 22).to_bytes(6)[-4:], signature[:28])
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


class People(Store):
    """Operations on users and bots."""

    def add_user(
        self, username: str, global_name: str | None = None, *, user_id: str | None = None, bot: bool = False
    ) -> User:
        self._check_new_name(username, user_id)
        user = User(user_id or self.new_id(), username, global_name, bot=bot, online=not bot)
        self.users[user.id] = user
        if not bot and self.default_user_id is None:
            self.default_user_id = user.id
        self.emit(Event("USER_CREATE", payloads.user(user), bots=(), subject=user))
        return user

    def add_bot(
        self,
        username: str,
        *,
        token: str | None = None,
        privileged_intents: int = PRIVILEGED,
        user_id: str | None = None,
        owner_id: str | None = None,
    ) -> Application:
        """A bot and its application. Without a token it gets the one `make_token` gives."""
        if token is not None and token in self.tokens:
            raise WorldError("token: another bot has this token already; leave it away to get a new one")
        user = self.add_user(username, user_id=user_id, bot=True)
        application = Application(user.id, user, token or make_token(user.id), privileged_intents, owner_id)
        self.applications[application.id] = application
        self.tokens[application.token] = application
        return application

    def reset_token(self, application: Application) -> str:
        """Make a bot's token void and give it another, as Discord does to one that spent its IDENTIFY budget."""
        del self.tokens[application.token]
        application.token_generation += 1
        application.token = make_token(application.id, application.token_generation)
        self.tokens[application.token] = application
        return application.token

    def set_online(self, user: User, online: bool) -> None:
        if user.online != online:
            user.online = online
            self._emit_presence(user)

    def set_presence(self, user: User, presence: Json) -> None:
        """What a bot said of itself with op 3 or in IDENTIFY; fields of the wrong kind are left out."""
        kinds = {"status": str, "activities": list}
        presence = {name: presence[name] for name, kind in kinds.items() if isinstance(presence.get(name), kind)}
        for guild in self.guilds_of(user.id):
            guild.members[user.id].presence = presence
        self._emit_presence(user)

    def update_user(self, user: User, *, username: str | None = None, avatar: str | None = None) -> None:
        if username is not None:
            user.username = username
        if avatar is not None:
            user.avatar = avatar or None
        if user.bot:
            self.emit(Event("USER_UPDATE", payloads.current_user(user), bots=(user.id,), subject=user))

    def _emit_presence(self, user: User) -> None:
        self.emit(Event("PAGE_PRESENCE", {"user_id": user.id, "online": user.online}, bots=(), subject=user))
        for guild in self.guilds_of(user.id):
            data = payloads.presence(guild.members[user.id], guild.id)
            self.emit(Event("PRESENCE_UPDATE", data, guild.id, subject=user))

    def _check_new_name(self, username: str, user_id: str | None) -> None:
        if not 1 <= len(username) <= 32:
            raise WorldError(f"username: {username!r} must have 1 to 32 characters")
        if any(user.username == username for user in self.users.values()):
            raise WorldError(f"username: {username!r} is taken; choose another")
        if user_id is not None and user_id in self.users:
            raise WorldError(f"id: a user with id {user_id} is there already")
