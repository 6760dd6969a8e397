"""The lease, and that nothing is written without it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from botswain_operator.errors import LeaseLost
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.connection import read_connection
from botswain_operator.kube.kinds import LEASE
from botswain_operator.kube.lease import Lease
from kube_emulator.server import Emulator, serving

MANIFEST = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "default"},
    "data": {"a": "1"},
}


@pytest.fixture
async def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Emulator]:
    async with serving() as found:
        (tmp_path / "kubeconfig").write_text(found.kubeconfig())
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield found


async def test_lease_that_has_run_out_lets_nothing_be_written(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past its time each write is refused before it is sent; reading, and the lease itself, are not."""
    async with KubeClient(read_connection()) as client:
        lease = Lease(client, "default", "operator", "first", 15)
        await lease.acquire()
        client.before_write = lease.check
        await client.apply(MANIFEST, force=False)
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 16)
        monkeypatch.setattr("botswain_operator.kube.lease.time", later)
        before = len(emulator.writes())
        with pytest.raises(LeaseLost, match="not renewed in time"):
            await client.apply(MANIFEST, force=True)
        assert len(emulator.writes()) == before
        assert (await client.get(LEASE, "default", "operator"))["spec"]["holderIdentity"] == "first"
        await lease.release()
        assert (await client.get(LEASE, "default", "operator"))["spec"]["holderIdentity"] == ""


async def test_lease_is_written_as_the_api_server_reads_it(emulator: Emulator) -> None:
    """Times with microseconds, whole seconds of duration, and a count of who had it before."""
    async with KubeClient(read_connection()) as client:
        for name in ("first", "second"):
            lease = Lease(client, "default", "operator", name, 15)
            await lease.acquire()
            spec = (await client.get(LEASE, "default", "operator"))["spec"]
            assert spec["renewTime"] >= spec["acquireTime"]
            assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == (name, 15)
            await lease.release()
        assert spec["leaseTransitions"] == 1
