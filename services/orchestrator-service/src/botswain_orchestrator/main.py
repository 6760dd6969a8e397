"""The process: `botswain-orchestrator-service`."""

from __future__ import annotations

import argparse

from botswain_services import load_settings, run_service

from botswain_orchestrator.service import OrchestratorService
from botswain_orchestrator.settings import OrchestratorSettings


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal comes; the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="botswain-orchestrator-service",
        description="Records events and answers them with an agent. Settings are environment variables.",
        epilog="Variables:\n" + "\n".join(_variables()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(argv)
    return run_service(lambda: OrchestratorService(load_settings(OrchestratorSettings)))


def _variables() -> list[str]:
    return [f"  {name.upper():28} {field.description}" for name, field in OrchestratorSettings.model_fields.items()]
