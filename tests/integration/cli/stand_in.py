"""A child for the supervisor's tests: serves /health and /ready as a service does, and misbehaves on demand.

Usage: stand_in.py PORT [--not-ready] [--exit CODE] [--ignore-term] [--grandchild FILE] [--no-server]
GET /die?N exits with code N at once; GET /kill SIGKILLs itself.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def log(event: str, level: str = "info", **values: object) -> None:
    print(json.dumps({"event": event, "level": level, **values}), file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--not-ready", action="store_true")
    parser.add_argument("--exit", type=int)
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--grandchild", type=Path)
    options = parser.parse_args()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/die":
                log("dying", "error", error="told to")
                os._exit(int(query))
            if path == "/kill":
                os.kill(os.getpid(), signal.SIGKILL)
            body = {"status": "ready", "service": "stand-in", "version": "1"}
            status = 200
            if path == "/ready" and options.not_ready:
                status, body = 503, {**body, "status": "not ready", "reasons": {"database": "locked"}}  # type: ignore[dict-item]
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    if options.grandchild:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        options.grandchild.write_text(str(child.pid))
    if options.exit is not None:
        print("start-up: as told", file=sys.stderr, flush=True)
        sys.exit(options.exit)
    server = HTTPServer(("127.0.0.1", options.port), Handler)

    def on_term(*_: object) -> None:
        log("sigterm")
        if not options.ignore_term:
            threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, on_term)
    log("listening", port=options.port)
    server.serve_forever(poll_interval=0.02)
    log("ended")


if __name__ == "__main__":
    main()
