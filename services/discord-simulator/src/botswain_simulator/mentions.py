"""Who a message pings: the mentions in its text, narrowed by `allowed_mentions` (Discord docs: resources/message,
"Allowed Mentions Object").
"""

import re
from dataclasses import dataclass

_USER = re.compile(r"<@!?(\d{1,20})>")
_ROLE = re.compile(r"<@&(\d{1,20})>")
_EVERYONE = re.compile(r"@(?:everyone|here)\b")
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AllowedMentions:
    """What may ping. The default, for a message that says nothing, lets everything ping."""

    every_user: bool = True
    every_role: bool = True
    everyone: bool = True
    users: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    replied_user: bool = True


EVERYTHING = AllowedMentions()


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a text mentions, in order, each once."""

    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    everyone: bool = False


NONE = Mentions()


def find(content: str, allowed: AllowedMentions) -> Mentions:
    """The mentions of a text that may ping. Those inside code do not."""
    if "@" not in content:
        return NONE
    text = _CODE.sub(" ", content) if "`" in content else content
    users = tuple(dict.fromkeys(_USER.findall(text)))
    roles = tuple(dict.fromkeys(_ROLE.findall(text)))
    return Mentions(
        users if allowed.every_user else tuple(u for u in users if u in allowed.users),
        roles if allowed.every_role else tuple(r for r in roles if r in allowed.roles),
        allowed.everyone and _EVERYONE.search(text) is not None,
    )
