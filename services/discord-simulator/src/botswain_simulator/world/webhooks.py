"""Incoming webhooks (Discord docs: resources/webhook)."""

import secrets

from botswain_simulator.models import Channel, Message, User, Webhook
from botswain_simulator.world.events import Event
from botswain_simulator.world.interactions import Interactions
from botswain_simulator.world.messages import Draft


class Webhooks(Interactions):
    """Operations on webhooks."""

    def add_webhook(self, channel: Channel, creator: User, name: str) -> Webhook:
        bot_made = creator.id if creator.bot else None
        hook = Webhook(
            self.new_id(),
            channel.guild_id or "",
            channel.id,
            name,
            secrets.token_urlsafe(51),
            creator.id,
            application_id=bot_made,
        )
        self.webhooks[hook.id] = hook
        self._emit_webhooks(hook)
        return hook

    def update_webhook(self, hook: Webhook, *, name: str | None = None, channel_id: str | None = None) -> None:
        hook.name = name or hook.name
        hook.channel_id = channel_id or hook.channel_id
        self._emit_webhooks(hook)

    def remove_webhook(self, hook: Webhook) -> None:
        del self.webhooks[hook.id]
        self._emit_webhooks(hook)

    def execute_webhook(self, hook: Webhook, channel: Channel, draft: Draft, username: str | None = None) -> Message:
        """Write as a webhook, under its own name or another."""
        draft.webhook_id = hook.id
        draft.application_id = hook.application_id
        author = User(hook.id, username or hook.name, avatar=hook.avatar, bot=True, discriminator="0000")
        return self.post(channel, author, draft)

    def _emit_webhooks(self, hook: Webhook) -> None:
        self.emit(Event("WEBHOOKS_UPDATE", {"guild_id": hook.guild_id, "channel_id": hook.channel_id}, hook.guild_id))
