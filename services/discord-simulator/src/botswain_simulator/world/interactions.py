"""Application commands, and people using them (Discord docs: interactions/application-commands,
receiving-and-responding).
"""

import secrets

from botswain_simulator import payloads
from botswain_simulator.errors import UnknownObjectError, WorldError
from botswain_simulator.models import (
    Application,
    Channel,
    Command,
    Interaction,
    Json,
    Message,
    MessageFlag,
    MessageType,
    User,
)
from botswain_simulator.world import rendering
from botswain_simulator.world.events import Event
from botswain_simulator.world.messages import Draft
from botswain_simulator.world.threads import Threads

FIRST_ANSWER_S = 3.0
TOKEN_LIFETIME_S = 900.0

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
_SUBCOMMAND_TYPES = {1, 2}
_NUMBER_TYPES = {4: int, 10: float}
_CONTEXT_MENU = {2, 3}


class Interactions(Threads):
    """Operations on commands and interactions."""

    def set_command(
        self, application: Application, guild_id: str | None, body: Json, command_id: str | None = None
    ) -> Command:
        """Make a command, or change the one of the same name and type there is."""
        body = {"type": 1, **body}
        same = command_id or next(
            (
                c.id
                for c in application.commands.values()
                if (c.guild_id, c.body["name"], c.body["type"]) == (guild_id, body["name"], body["type"])
            ),
            None,
        )
        command = Command(same or self.new_id(), application.id, guild_id, self.new_id(), body)
        application.commands[command.id] = command
        self.emit(Event("PAGE_COMMANDS", {"application_id": application.id}, bots=()))
        return command

    def remove_command(self, application: Application, command: Command) -> None:
        del application.commands[command.id]
        self.emit(Event("PAGE_COMMANDS", {"application_id": application.id}, bots=()))

    def commands_in(self, channel: Channel) -> list[Command]:
        """The commands that can be used in a channel: those of the bots that are there."""
        if channel.guild_id is None:
            present = {uid for uid in channel.recipients if uid in self.applications}
        else:
            present = {uid for uid in self.guilds[channel.guild_id].members if uid in self.applications}
        return [
            command
            for app_id in sorted(present, key=int)
            for command in self.applications[app_id].commands.values()
            if command.guild_id in {None, channel.guild_id}
        ]

    def use_command(
        self,
        command: Command,
        channel: Channel,
        user: User,
        options: list[Json],
        target_id: str | None = None,
        *,
        autocomplete: bool = False,
    ) -> Interaction:
        """Let a user run a command. `options` are `{"name", "value"}` or, for subcommands, `{"name", "options":
        […]}`.
        """
        data: Json = {"id": command.id, "name": command.body["name"], "type": command.body["type"]}
        if command.guild_id:
            data["guild_id"] = command.guild_id
        resolved: Json = {}
        if command.body["type"] in _CONTEXT_MENU:
            data["target_id"] = target_id
            self._resolve_target(resolved, command, channel, target_id or "")
        elif options or command.body.get("options"):
            data["options"] = self._typed_options(
                options, command.body.get("options") or [], resolved, channel, f"/{command.body['name']}"
            )
        if resolved:
            data["resolved"] = resolved
        type_ = AUTOCOMPLETE if autocomplete else COMMAND
        return self._start(self.applications[command.application_id], type_, data, channel, user)

    def use_component(
        self, message: Message, channel: Channel, user: User, custom_id: str, values: list[str] | None
    ) -> Interaction:
        """Let a user press a button or choose from a menu."""
        component = _find_component(message.components, custom_id)
        application = self.applications.get(message.application_id or message.author.id)
        if component is None or application is None:
            raise UnknownObjectError(f"custom_id: message {message.id} has no component {custom_id!r} of a bot")
        if component.get("disabled"):
            raise WorldError(f"custom_id: component {custom_id!r} is disabled")
        data: Json = {"custom_id": custom_id, "component_type": component["type"], "id": component.get("id", 0)}
        if component["type"] != 2:
            data["values"] = values or []
            resolved: Json = {}
            for value in values or []:
                self._resolve(resolved, {5: 6, 6: 8, 7: 9, 8: 7}.get(component["type"], 0), value, channel)
            if resolved:
                data["resolved"] = resolved
        return self._start(application, COMPONENT, data, channel, user, message)

    def submit_modal(self, opened_by: Interaction, user: User, values: dict[str, str]) -> Interaction:
        """Let a user send the form that an interaction was answered with. `values`: custom_id -> text."""
        if opened_by.state != "modal" or opened_by.response is None:
            raise WorldError(
                f"interaction {opened_by.id} was not answered with a form (its state is {opened_by.state!r})"
            )
        form = opened_by.response
        data: Json = {
            "custom_id": form.get("custom_id", ""),
            "components": _filled(form.get("components") or [], values),
        }
        channel = self.channel(opened_by.channel_id)
        message = channel.messages.get(opened_by.message_id or "")
        opened_by.state = "answered"
        return self._start(self.applications[opened_by.application_id], MODAL, data, channel, user, message)

    def interaction_by_token(self, application_id: str, token: str) -> Interaction | None:
        """The interaction a token stands for, as long as it lives."""
        interaction = self.interaction_tokens.get(token)
        if interaction is None or interaction.application_id != application_id:
            return None
        return interaction if self.clock() - interaction.created_at <= TOKEN_LIFETIME_S else None

    def awaits_answer(self, interaction: Interaction) -> bool:
        """Whether the first answer may still come; past 3 s it has failed."""
        if interaction.state == "pending" and self.clock() - interaction.created_at > FIRST_ANSWER_S:
            self.set_interaction_state(interaction, "failed")
        return interaction.state == "pending"

    def answer(self, interaction: Interaction, draft: Draft, *, deferred: bool = False) -> Message:
        """Write the answer to an interaction, or with `deferred` the "is thinking…" in its place."""
        if deferred:
            draft.flags |= MessageFlag.LOADING
        message = self.say(interaction, draft)
        interaction.response_id = message.id
        self.set_interaction_state(interaction, "deferred" if deferred else "answered")
        return message

    def say(self, interaction: Interaction, draft: Draft) -> Message:
        """Write a message that belongs to an interaction: its answer or a follow-up."""
        application = self.applications[interaction.application_id]
        user = self.users[interaction.user_id]
        draft.application_id = draft.webhook_id = application.id
        if draft.flags & MessageFlag.EPHEMERAL:
            draft.ephemeral_for = user.id
        owners = {"0": interaction.guild_id} if interaction.guild_id else {"1": user.id}
        draft.interaction = {
            "id": interaction.id,
            "type": interaction.type,
            "user": payloads.user(user),
            "authorizing_integration_owners": owners,
        }
        if interaction.type == COMMAND and interaction.response_id is None:
            draft.interaction["name"] = interaction.data["name"]
            menu = interaction.data["type"] in _CONTEXT_MENU
            draft.type = MessageType.CONTEXT_MENU_COMMAND if menu else MessageType.CHAT_INPUT_COMMAND
        elif interaction.response_id is not None:
            draft.interaction["original_response_message_id"] = interaction.response_id
        if interaction.message_id:
            draft.interaction["interacted_message_id"] = interaction.message_id
        return self.post(self.channels[interaction.channel_id], application.user, draft)

    def set_interaction_state(self, interaction: Interaction, state: str, response: Json | None = None) -> None:
        interaction.state = state
        if response is not None:
            interaction.response = response
        data = {
            "id": interaction.id,
            "application_id": interaction.application_id,
            "channel_id": interaction.channel_id,
            "user_id": interaction.user_id,
            "type": interaction.type,
            "state": state,
            "response": interaction.response,
        }
        self.emit(Event("PAGE_INTERACTION", data, bots=(), subject=interaction))

    def _start(
        self,
        application: Application,
        type_: int,
        data: Json,
        channel: Channel,
        user: User,
        message: Message | None = None,
    ) -> Interaction:
        interaction = Interaction(
            self.new_id(),
            f"aW50ZXJhY3Rpb246{secrets.token_urlsafe(60)}",
            application.id,
            type_,
            data,
            channel.id,
            channel.guild_id,
            user.id,
            self.clock(),
            message_id=message.id if message else None,
        )
        self._forget_old_interactions()
        self.interactions[interaction.id] = interaction
        self.interaction_tokens[interaction.token] = interaction
        payload = self._interaction_payload(interaction, application, channel, user)
        if message is not None:
            payload["message"] = rendering.message(self, message, viewer_id=application.id, links=self.links)
        self.emit(Event("INTERACTION_CREATE", payload, channel.guild_id, bots=(application.id,), subject=interaction))
        return interaction

    def _interaction_payload(self, item: Interaction, application: Application, channel: Channel, user: User) -> Json:
        payload: Json = {
            "id": item.id,
            "application_id": item.application_id,
            "type": item.type,
            "data": item.data,
            "token": item.token,
            "version": 1,
            "channel_id": channel.id,
            "channel": payloads.channel(channel, self.users, application.id)
            | {"permissions": str(self.permissions_in(channel, user.id))},
            "locale": "en-US",
            "app_permissions": str(self.permissions_in(channel, application.id)),
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": {"0": channel.guild_id} if channel.guild_id else {"1": user.id},
            "context": 0 if channel.guild_id else 1,
            "attachment_size_limit": 10 * 1024 * 1024,
        }
        if channel.guild_id is None:
            return payload | {"user": payloads.user(user)}
        member = self.guilds[channel.guild_id].members[user.id]
        return payload | {
            "guild_id": channel.guild_id,
            "guild_locale": "en-US",
            "guild": {"id": channel.guild_id, "locale": "en-US", "features": []},
            "member": payloads.member(member) | {"permissions": str(self.permissions_in(channel, user.id))},
        }

    def _forget_old_interactions(self) -> None:
        """Interactions come in order of time; those whose token has run out are of no more use."""
        while self.interactions:
            oldest = next(iter(self.interactions.values()))
            if self.clock() - oldest.created_at <= TOKEN_LIFETIME_S:
                return
            del self.interactions[oldest.id], self.interaction_tokens[oldest.token]

    def _typed_options(
        self, given: list[Json], defined: list[Json], resolved: Json, channel: Channel, where: str
    ) -> list[Json]:
        by_name = {d["name"]: d for d in defined}
        typed: list[Json] = []
        for option in given:
            definition = by_name.get(option.get("name", ""))
            if definition is None:
                raise WorldError(
                    f"options: {where} has no option {option.get('name')!r}; it has {sorted(by_name) or 'none'}"
                )
            type_ = definition["type"]
            if type_ in _SUBCOMMAND_TYPES:
                inner = self._typed_options(
                    option.get("options") or [],
                    definition.get("options") or [],
                    resolved,
                    channel,
                    f"{where} {option['name']}",
                )
                typed.append({"name": option["name"], "type": type_, "options": inner})
                continue
            entry: Json = {
                "name": option["name"],
                "type": type_,
                "value": _converted(option.get("value"), type_, option["name"]),
            }
            if option.get("focused"):
                entry["focused"] = True
            self._resolve(resolved, type_, str(entry["value"]), channel)
            typed.append(entry)
        missing = [d["name"] for d in defined if d.get("required") and d["name"] not in {o["name"] for o in typed}]
        if missing and not any(o.get("focused") for o in typed):
            raise WorldError(f"options: {where} needs {', '.join(missing)}")
        return typed

    def _resolve(self, resolved: Json, option_type: int, value: str, channel: Channel) -> None:
        """Put the object an option's value names beside it, as Discord does under `resolved`."""
        guild = self.guilds.get(channel.guild_id or "")
        if option_type in {6, 9} and value in self.users:
            resolved.setdefault("users", {})[value] = payloads.user(self.users[value])
            if guild and (member := guild.members.get(value)):
                resolved.setdefault("members", {})[value] = payloads.partial_member(member) | {
                    "permissions": str(self.permissions_in(channel, value))
                }
        elif option_type in {8, 9} and guild and value in guild.roles:
            resolved.setdefault("roles", {})[value] = payloads.role(guild.roles[value])
        elif option_type == 7 and value in self.channels:
            resolved.setdefault("channels", {})[value] = payloads.channel(self.channels[value]) | {
                "permissions": str(self.permissions_in(channel, channel.id))
            }
        elif option_type == 11 and value in self.attachments:
            resolved.setdefault("attachments", {})[value] = payloads.attachment(self.attachments[value], self.links)

    def _resolve_target(self, resolved: Json, command: Command, channel: Channel, target_id: str) -> None:
        if command.body["type"] == 2:
            self.user(target_id)
            self._resolve(resolved, 6, target_id, channel)
        else:
            message = self.message(channel.id, target_id)
            resolved["messages"] = {
                target_id: rendering.message(self, message, viewer_id=command.application_id, links=self.links)
            }


def _converted(value: object, option_type: int, name: str) -> object:
    """An option's value in its JSON type."""
    if option_type in _NUMBER_TYPES:
        try:
            return _NUMBER_TYPES[option_type](str(value))
        except ValueError:
            raise WorldError(f"options: {name!r} must be a number, not {value!r}") from None
    if option_type == 5:
        return value if isinstance(value, bool) else str(value).lower() in {"true", "1", "yes"}
    return str(value)


def _find_component(components: list[Json], custom_id: str) -> Json | None:
    for component in components:
        if component.get("custom_id") == custom_id:
            return component
        inner = [
            *(component.get("components") or []),
            *([component["accessory"]] if component.get("accessory") else []),
        ]
        if inner and (found := _find_component(inner, custom_id)):
            return found
    return None


def _filled(components: list[Json], values: dict[str, str]) -> list[Json]:
    """A form's components as they come back: with what the user wrote, without how they looked."""
    filled: list[Json] = []
    for component in components:
        entry: Json = {"type": component["type"], "id": component.get("id", 0)}
        if "custom_id" in component:
            entry |= {
                "custom_id": component["custom_id"],
                "value": values.get(component["custom_id"], component.get("value", "")),
            }
        if "components" in component:
            entry["components"] = _filled(component["components"], values)
        if "component" in component:
            entry["component"] = _filled([component["component"]], values)[0]
        filled.append(entry)
    return filled
