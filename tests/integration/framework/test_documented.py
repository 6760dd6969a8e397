"""The examples of the framework's API reference, as programs of their own: classes defined in `__main__`."""

import subprocess
import sys

import pytest

STATUS = """
from botswain_services import ServerStatus, Service

if __name__ == "__main__":
    cm = Service.launch(port=0)
    assert cm.status == ServerStatus.Available
    cm.shutdown(block=True)
    assert cm.status == ServerStatus.Down
    print("done")
"""

DECORATED = """
from botswain_services import Service
from botswain_services.utils import add_endpoint

class MyServer(Service):
    def __init__(self):
        super().__init__()
        self.add_endpoint(path="/status_using_method", func=self.status)
        self.create_app()

    def status(self):
        return {"status": "Available"}

    def create_app(self):
        @add_endpoint(self.app, "/status_using_decorator", self=self)
        def status():
            return {"status": "Available"}

        @add_endpoint(self.app, "/another_hundred_endpoints", self=self)
        def another_hundred_endpoints():
            return

if __name__ == "__main__":
    cm = MyServer.launch(port=0)
    assert cm.status_using_method() == cm.status_using_decorator() == {"status": "Available"}
    assert cm.another_hundred_endpoints() is None
    cm.shutdown()
    print("done")
"""

MANAGER = """
import json
import requests
from botswain_services import ConnectionManager, Service
from botswain_services.utils import register_connection_manager

class MyConnectionManager(ConnectionManager):
    def __init__(self, url):
        super().__init__(url)

    def add(self, arg1, arg2):
        response = requests.request("POST", str(self.url) + "add", json={"arg1": arg1, "arg2": arg2})
        return json.loads(response.content)["sum"]

@register_connection_manager(MyConnectionManager)
class MyService(Service):
    def __init__(self):
        super().__init__()
        self.add_endpoint("add", self.add)

    def add(self, arg1, arg2):
        return {"sum": arg1 + arg2}

if __name__ == "__main__":
    cm = MyService.launch(port=0)
    sum = cm.add(1, 2)
    assert sum == 3
    assert isinstance(cm, MyConnectionManager)
    cm.shutdown(block=False)
    print("done")
"""

MCP = """
import asyncio
from botswain_services.samples.echo_mcp import EchoService

async def tools(client):
    async with client:
        return [tool.name for tool in await client.list_tools()]

if __name__ == "__main__":
    client = EchoService.mcp.launch(host="localhost", port=0, wait_for_launch=True, timeout=30)
    assert "reverse_message" in asyncio.run(tools(client))
    print("done")
"""


@pytest.mark.parametrize("source", [STATUS, DECORATED, MANAGER, MCP], ids=["status", "decorated", "manager", "mcp"])
def test_an_example_of_the_reference_runs(tmp_path, source):
    """As it stands there, but for the port and slips of the pen."""
    file = tmp_path / "example.py"
    file.write_text(source)
    run = subprocess.run([sys.executable, "-W", "error", str(file)], capture_output=True, text=True, timeout=60)
    assert run.stdout.endswith("done\n"), run.stderr
    assert "Warning" not in run.stderr
