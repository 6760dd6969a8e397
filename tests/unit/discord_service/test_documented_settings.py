"""The page of settings is true."""

from __future__ import annotations

import re
from pathlib import Path

from botswain_discord.settings import DiscordSettings
from botswain_services import ServiceSettings


def test_every_setting_is_documented_with_its_default(root: Path) -> None:
    """Each variable of this service has a row in docs/settings.md, and the row shows the default."""
    section = (root / "docs/settings.md").read_text().split("## discord-service")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", section, flags=re.MULTILINE))
    for name, field in DiscordSettings.model_fields.items():
        if name in ServiceSettings.model_fields:
            continue
        default = field.default
        if field.is_required():
            shown = "required"
        elif default is None:
            shown = "–"
        else:
            shown = f"`{','.join(default) if isinstance(default, tuple) else default}`"
        assert rows.get(name.upper()) == shown, name
