"""The process: `botswain-discord-service`, or `python -m botswain_discord`."""

from __future__ import annotations

import argparse
import sys

from botswain_services import load_settings, run_service

from botswain_discord.service import DiscordAdapter
from botswain_discord.settings import DiscordSettings


def main() -> None:
    """Run until SIGTERM or SIGINT. Exit codes: 0; 1 when Discord refuses the bot or the port is taken; 2 for wrong settings."""
    parser = argparse.ArgumentParser(
        prog="botswain-discord-service",
        description="Reads a Discord bot's messages and forwards them to the orchestrator.",
        epilog="Settings are environment variables: see docs/settings.md. DISCORD_BOT_TOKEN and DISCORD_APPLICATION_ID are "
        "required.",
    )
    parser.parse_args()
    sys.exit(run_service(lambda: DiscordAdapter(load_settings(DiscordSettings))))
