"""A bot service to launch."""

from __future__ import annotations

from botswain_discord import DiscordService


class DiceBot(DiscordService):
    """Adds up instead of rolling, so that answers can be compared."""

    def __init__(self, *, plus: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.plus = plus
        self.register_command("add", "Add two numbers", "/add a b", self.add, parameters={"a": {"description": "one"}})
        self.register_command("purge", "Remove messages", "/purge", self.purge, permissions=["ban_members"])

    async def add(self, interaction, a: int, b: int = 1) -> str:
        return f"{a + b + self.plus}"

    def purge(self, interaction) -> str:
        return "purged"
