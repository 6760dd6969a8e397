"""The pages about the orchestrator are true."""

from __future__ import annotations

import re
from pathlib import Path

from botswain_orchestrator.agent.scripted.script import COMMANDS
from botswain_orchestrator.settings import OrchestratorSettings
from botswain_services import ServiceSettings


def test_every_setting_is_documented_with_its_default(root: Path) -> None:
    """Each variable of this service has a row in docs/settings.md, and the row shows the default."""
    section = (root / "docs/settings.md").read_text().split("## orchestrator-service\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", section, flags=re.MULTILINE))
    own = {name for name in OrchestratorSettings.model_fields if name not in ServiceSettings.model_fields}
    assert rows.keys() == {name.upper() for name in own}
    for name in own - {"system_prompt"}:
        default = OrchestratorSettings.model_fields[name].default
        assert rows[name.upper()] == ("–" if default in (None, ()) else f"`{default}`"), name


def test_every_command_of_the_scripted_model_is_documented(root: Path) -> None:
    """What `help` lists stands on the page too."""
    page = (root / "docs/orchestrator-service.md").read_text()
    for command in COMMANDS:
        assert command.usage.split(" ")[0] in page, command.usage
        assert not command.usage or f"`{command.usage}`" in page, command.usage
