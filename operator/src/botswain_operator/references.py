"""Which bots refer to which Secrets, so that a change of one finds its bots."""

from __future__ import annotations

Key = tuple[str, str]


class SecretReferences:
    """Bots and Secrets, each by namespace and name."""

    def __init__(self) -> None:
        self._of_bot: dict[Key, set[str]] = {}
        self._of_secret: dict[Key, set[Key]] = {}

    def bots(self, namespace: str, secret: str) -> frozenset[Key]:
        """The bots that refer to a Secret."""
        return frozenset(self._of_secret.get((namespace, secret), ()))

    def put(self, bot: Key, secrets: set[str]) -> set[str]:
        """Say all Secrets that a bot refers to; the names of those that no bot refers to any more."""
        before = self._of_bot.get(bot, set())
        unused = set()
        for name in before - secrets:
            users = self._of_secret[bot[0], name]
            users.discard(bot)
            if not users:
                del self._of_secret[bot[0], name]
                unused.add(name)
        for name in secrets - before:
            self._of_secret.setdefault((bot[0], name), set()).add(bot)
        if secrets:
            self._of_bot[bot] = secrets
        else:
            self._of_bot.pop(bot, None)
        return unused
