"""docs/discord-service.md: the bot of the page runs, and prints what the page says."""

from __future__ import annotations

import asyncio
import re
import sys


async def test_the_bot_of_the_page_runs(sim, root, monkeypatch, tmp_path):
    """From an empty folder with the page's files in it."""
    page = (root / "docs/discord-service.md").read_text()
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```(?:\s*```text\n(.*?)```)?", page, re.DOTALL)
    assert [name for name, _, _ in blocks] == ["dice.py", "roll.py"]
    for name, source, _ in blocks:
        (tmp_path / name).write_text(source)
    monkeypatch.setenv("DISCORD_BOT_TOKEN", sim.simulator.token)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "roll.py",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, problems = await process.communicate()
    assert (output.decode(), problems.decode()) == (blocks[1][2], "")
