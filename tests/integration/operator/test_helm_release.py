"""A release's life with real helm against the emulator: install, a bot that comes up, upgrade, uninstall."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kube_emulator.server import serving
from operator_world.process import OperatorProcess
from operator_world.programs import CHART, helm

RELEASE = ("--namespace=system", "--timeout=30s")
SAMPLE = ("--set=simulator.enabled=true", "--set=images.tag=1", "--set=simulator.sampleBot.ephemeral=true")


async def run_helm(major: int, folder: Path, *arguments: str, fails: bool = False) -> str:
    """Run helm as an administrator; what it printed."""
    process = await asyncio.create_subprocess_exec(
        helm(major),
        f"--kubeconfig={folder / 'kubeconfig'}",
        *arguments,
        env={"HOME": str(folder), "HELM_CACHE_HOME": str(folder), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert bool(process.returncode) is fails, out.decode()
    return out.decode()


@pytest.mark.parametrize("major", [3, 4])
async def test_release_from_install_to_uninstall(tmp_path: Path, major: int) -> None:
    """One command installs kind, operator, simulator and sample bot; an upgrade changes it; uninstalling leaves the kind."""
    async with serving() as emulator:
        store = emulator.store
        deployments, bots = store.kinds["apps", "deployments"], ("botswain.dev", "discordbots")
        (tmp_path / "kubeconfig").write_text(emulator.kubeconfig(namespace="system"))
        told = await run_helm(
            major, tmp_path, "install", "botswain", str(CHART), "--create-namespace", *RELEASE, *SAMPLE
        )
        assert "port-forward service/botswain-simulator 8090:8090" in told
        assert "kubectl get dbot" in told
        assert {body["metadata"]["name"] for body in store.list(deployments)} == {
            "botswain-operator",
            "botswain-simulator",
        }

        (tmp_path / "operator").write_text(emulator.kubeconfig(emulator.token_for("system", "botswain-operator")))
        settings = {"LEASE_NAMESPACE": "system", "LEASE_NAME": "botswain-operator", "IMAGE_TAG": "1"}
        operator = OperatorProcess(tmp_path / "operator", settings)
        await operator.start()
        try:
            async with asyncio.timeout(20):
                while not _ready(store.list(store.kinds[bots])):  # noqa: ASYNC110 - another process makes it so
                    await asyncio.sleep(0.05)
            assert "sample-discord-0" in {body["metadata"]["name"] for body in store.list(deployments)}
            await run_helm(
                major, tmp_path, "upgrade", "botswain", str(CHART), *RELEASE, *SAMPLE, "--set=operator.logLevel=DEBUG"
            )
            container = store.get(deployments, "system", "botswain-operator")["spec"]["template"]["spec"]["containers"][
                0
            ]
            assert {"name": "LOG_LEVEL", "value": "DEBUG"} in container["env"]
            await run_helm(major, tmp_path, "uninstall", "botswain", *RELEASE)
        finally:
            await operator.stop()
        assert not operator.defects()
        assert bots in store.kinds, "the kind stays"
        assert store.list(deployments) == []


@pytest.mark.parametrize("major", [3, 4])
async def test_second_release_for_all_namespaces_is_refused(tmp_path: Path, major: int) -> None:
    """Two operators with leases of their own would both act on a bot: helm says who serves it, and how to share."""
    async with serving() as emulator:
        (tmp_path / "kubeconfig").write_text(emulator.kubeconfig(namespace="system"))
        await run_helm(major, tmp_path, "install", "botswain", str(CHART), "--create-namespace", *RELEASE)
        other = ("install", "other", str(CHART), "--create-namespace", "--namespace=elsewhere", "--skip-crds")
        told = await run_helm(major, tmp_path, *other, fails=True)
        assert "release botswain in namespace system serves the bots of all namespaces already" in told
        mine = ("--set=operator.watchNamespaces={system}", *RELEASE)
        await run_helm(major, tmp_path, "upgrade", "botswain", str(CHART), *mine)
        await run_helm(major, tmp_path, *other, "--set=operator.watchNamespaces={elsewhere}")


def _ready(bots: list[dict[str, object]]) -> bool:
    statuses = [body.get("status") or {} for body in bots]
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for status in statuses
        for condition in status.get("conditions", [])  # type: ignore[attr-defined] # JSON
    )
