"""An MCP server without any library, which starts at once and misbehaves on demand.

Environment: START_DELAY (seconds), NOISE=1 (prints before and between messages), PROTOCOL (a revision; 2026-07-28 alone: knows no
`initialize`), FAIL_STARTS (path of a file that counts down: a start fails while its number is above 0).
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

PROTOCOL = os.environ.get("PROTOCOL", "2025-06-18")
MODERN = PROTOCOL == "2026-07-28"
lock = threading.Lock()
tools = [
    "echo",
    "meta",
    "env",
    "crash",
    "hang",
    "slow",
    "fail",
    "protocol_error",
    "huge",
    "child",
    "grow",
    "shout",
    "bad",
]
cancelled = []


def send(message):
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def noise(text):
    if os.environ.get("NOISE"):
        with lock:
            print(text, flush=True)


def describe(name):
    schema = {"type": "object", "properties": {"text": {"type": "string"}, "count": {"type": "integer"}}}
    if name == "echo":
        schema["required"] = ["text"]
    if name == "shout":
        schema["properties"]["channel_id"] = {"type": "string"}
    return {"name": name, "description": f"The tool {name}.", "inputSchema": schema}


def call(request_id, name, arguments, meta):
    def text(value, **more):
        send({"id": request_id, "result": complete({"content": [{"type": "text", "text": value}], **more})})

    if name in ("echo", "shout"):
        text(str(arguments.get("text", "")))
    elif name == "meta":
        text(json.dumps(meta))
    elif name == "env":
        text(json.dumps(dict(os.environ)))
    elif name == "crash":
        print("the last words of the crash", file=sys.stderr, flush=True)
        os._exit(3)
    elif name == "hang":
        while True:
            time.sleep(60)
    elif name == "slow":
        threading.Thread(target=lambda: (time.sleep(float(arguments["text"])), text("slept")), daemon=True).start()
    elif name == "fail":
        text(f"it failed with {os.environ.get('API_TOKEN', '')}", isError=True)
    elif name == "protocol_error":
        send({"id": request_id, "error": {"code": -32602, "message": "no such thing"}})
    elif name == "huge":
        text("x" * arguments["count"])
    elif name == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # keeps stdout open
        text(str(child.pid))
    elif name == "grow":
        tools.append("grown")
        text("grown")
        send({"method": "notifications/tools/list_changed"})
    elif name == "bad":
        send({"id": request_id, "result": {"content": "not a list"}})
    else:
        text(f"{name} {cancelled}")


def complete(result):
    return {"resultType": "complete", **result} if MODERN else result


def answer(message):
    method, request_id, params = message["method"], message.get("id"), message.get("params") or {}
    if method == "notifications/cancelled":
        cancelled.append(params.get("requestId"))
    if request_id is None:
        return
    if method == "initialize" and not MODERN:
        info = {"name": "quirky", "version": "1"}
        capabilities = {"tools": {"listChanged": True}}
        send(
            {
                "id": request_id,
                "result": {"protocolVersion": PROTOCOL, "capabilities": capabilities, "serverInfo": info},
            }
        )
    elif method == "server/discover" and MODERN:
        result = {"supportedVersions": [PROTOCOL], "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"}
        send({"id": request_id, "result": complete(result)})
    elif method == "tools/list":
        result = {"tools": [describe(name) for name in tools]}
        send(
            {
                "id": request_id,
                "result": complete({**result, "ttlMs": 0, "cacheScope": "private"} if MODERN else result),
            }
        )
    elif method == "tools/call":
        call(request_id, params["name"], params.get("arguments") or {}, params.get("_meta"))
    else:
        send({"id": request_id, "error": {"code": -32601, "message": f"unknown method {method}"}})


def main():
    counter = os.environ.get("FAIL_STARTS")
    if counter:
        left = int(Path(counter).read_text())
        if left > 0:
            Path(counter).write_text(str(left - 1))
            sys.exit("this start was meant to fail")
    time.sleep(float(os.environ.get("START_DELAY", "0")))
    noise("welcome to the noisy server")
    for line in sys.stdin:
        noise("I got something!")
        answer(json.loads(line))


main()
