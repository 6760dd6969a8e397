"""Tests that run on a real cluster: `BOTSWAIN_E2E=1 KUBECONFIG=… pytest tests/e2e/cluster` (README.md beside this file).

Without BOTSWAIN_E2E only the conformance suite is collected, and runs on the emulator.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kube_emulator.server import serving
from operator_world.programs import CRD_FILE, kubectl

ON_CLUSTER = os.environ.get("BOTSWAIN_E2E") == "1"
collect_ignore_glob = [] if ON_CLUSTER else ["test_release*.py"]


class Api:
    """kubectl against one namespace of an API server, the emulator's or a cluster's."""

    def __init__(self, kubeconfig: str, namespace: str, cache: str) -> None:
        self.namespace = namespace
        self._base = [kubectl(), f"--kubeconfig={kubeconfig}", f"--cache-dir={cache}", f"--namespace={namespace}"]

    async def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        process = await asyncio.create_subprocess_exec(
            *self._base,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await asyncio.wait_for(process.communicate(stdin.encode() if stdin else None), 60)
        return subprocess.CompletedProcess(arguments, process.returncode or 0, out.decode(), error.decode())

    async def ok(self, *arguments: str, stdin: str | None = None) -> str:
        """Run, and fail the test if kubectl did; what it printed."""
        done = await self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    async def get(self, *arguments: str) -> dict[str, Any]:
        """An object as the server holds it."""
        found: dict[str, Any] = json.loads(await self.ok("get", *arguments, "--output=json", "--show-managed-fields"))
        return found

    async def apply(self, body: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
        """`kubectl apply` of one object."""
        return await self.run("apply", "--filename=-", *options, stdin=json.dumps(body))

    async def gone(self, *arguments: str) -> None:
        """Wait until an object isn't there any more. The garbage collector learns of new kinds twice a minute."""
        async with asyncio.timeout(120):
            while "NotFound" not in (await self.run("get", *arguments)).stderr:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.1)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A namespace of its own that enforces the restricted Pod Security Standard, with the kind `DiscordBot` in the server."""
    namespace = f"botswain-conformance-{secrets.token_hex(3)}"
    if ON_CLUSTER:
        found = Api(os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config"), namespace, str(tmp_path))
        await _prepare(found)
        yield found
        await found.ok("delete", "namespace", namespace, "--wait=false")
        return
    async with serving() as emulator:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(emulator.kubeconfig(namespace=namespace))
            file.flush()
            found = Api(file.name, namespace, str(tmp_path))
            await _prepare(found)
            yield found


async def _prepare(api: Api) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": api.namespace, "labels": labels}}
    options = ("--server-side", "--force-conflicts", f"--filename={CRD_FILE}")
    done = await api.apply(namespace, *options)
    assert done.returncode == 0, done.stderr
    await api.ok("wait", "--for=condition=Established", "crd/discordbots.botswain.dev", "--timeout=30s")
    async with asyncio.timeout(30):  # an established kind is served a moment later
        while (await api.run("get", "dbot")).returncode:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.2)
