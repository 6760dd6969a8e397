"""The examples of the framework's API reference, as programs of their own: classes defined in `__main__`."""

import subprocess
import sys
import textwrap

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


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "bare"])
@pytest.mark.parametrize("source", [STATUS, DECORATED, MANAGER, MCP], ids=["status", "decorated", "manager", "mcp"])
def test_an_example_of_the_reference_runs(tmp_path, source, guarded):
    """As it stands there, but for the port and slips of the pen; below `if __name__ == "__main__":` too."""
    file = tmp_path / "example.py"
    head, guard, main = source.partition('if __name__ == "__main__":\n')
    file.write_text(head + (guard + main if guarded else textwrap.dedent(main)))
    run = subprocess.run([sys.executable, "-W", "error", str(file)], capture_output=True, text=True, timeout=110)
    assert run.stdout == "done\n", run.stderr
    assert "Warning" not in run.stderr


LATE = """
from botswain_services import LaunchError, Service

class First(Service):
    pass

first = First.launch(port=0)

class Late(Service):
    pass

try:
    Late.launch(port=0)
except LaunchError as error:
    print(error)
first.shutdown()
"""


def test_a_class_below_a_launch_is_named(tmp_path):
    """Another process reads a script down to its first launch; who defines a class below it learns how to mend that."""
    file = tmp_path / "example.py"
    file.write_text(LATE)
    run = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=110)
    assert "Late is not in" in run.stdout, run.stderr
    assert "below the first launch" in run.stdout


def test_a_module_of_a_package_can_launch_its_class(tmp_path):
    """`python -m package.module`, bare, with a relative import."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "words.py").write_text("WORD = 'hello'\n")
    (package / "module.py").write_text(
        "from botswain_services import Service\nfrom .words import WORD\n\n"
        "class Says(Service):\n"
        "    def __init__(self, **kwargs):\n"
        "        super().__init__(**kwargs)\n"
        "        self.add_endpoint('say', lambda: {'word': WORD})\n\n"
        "with Says.launch(port=0) as says:\n"
        "    print(says.say())\n"
    )
    command = [sys.executable, "-m", "package.module"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert run.stdout == "{'word': 'hello'}\n", run.stderr


def test_a_module_that_launches_while_it_is_imported_is_named(tmp_path):
    """Each launched process would launch the next one; the first says so."""
    (tmp_path / "eager.py").write_text(
        "from botswain_services import Service\n\nclass Eager(Service):\n    pass\n\nEager.launch(port=0)\n"
    )
    (tmp_path / "example.py").write_text("import eager\n")
    command = [sys.executable, "example.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert run.returncode == 1
    assert "LaunchError: Eager could not start: eager launches while it is imported" in run.stderr
