"""The process: `botswain-execution-service`, or `python -m botswain_execution`."""

from __future__ import annotations

import argparse
import os
import sys

# Subprocesses are started beside gRPC's threads; what gRPC would do about a fork is needless before an exec, and noisy.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from botswain_services import load_settings, run_service

from botswain_execution.service import ExecutionService
from botswain_execution.settings import ExecutionSettings


def main() -> None:
    """Serve until SIGTERM or SIGINT. Exit codes: 0; 1 when it can't start; 2 when a setting is wrong."""
    parser = argparse.ArgumentParser(
        prog="botswain-execution-service",
        description="Runs the MCP servers of a bot and calls their tools over gRPC.",
        epilog="Settings are environment variables: see docs/settings.md. MCP_SERVERS_CONFIG names the file of servers.",
    )
    parser.parse_args()
    sys.exit(run_service(lambda: ExecutionService(load_settings(ExecutionSettings))))
