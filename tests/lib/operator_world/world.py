"""An API server emulator with the chart's kind and roles, a Discord double, and the operator process, put together for a test."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kube_emulator.server import Emulator
from kube_emulator.server import serving as serving_emulator
from kube_emulator.store import Body
from operator_world import discord as discord_double
from operator_world.process import OperatorProcess
from operator_world.programs import CHART, CRD_FILE, helm, kubectl

NAMESPACE = "bots"
SYSTEM = "botswain-system"
DEADLINE = 15.0
ROLE_KINDS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


class World:
    """What tests look at and turn."""

    def __init__(
        self, emulator: Emulator, discord: discord_double.DiscordDouble, folder: Path, settings: Mapping[str, str]
    ) -> None:
        self.emulator = emulator
        self.discord = discord
        self.store = emulator.store
        self._folder = folder
        self._settings = dict(settings)
        (folder / "admin").write_text(emulator.kubeconfig(namespace=NAMESPACE))
        account = emulator.token_for(SYSTEM, "botswain-operator")
        (folder / "operator").write_text(emulator.kubeconfig(account))
        self.operator = self.new_operator()

    def new_operator(self, **settings: str) -> OperatorProcess:
        """Another operator process, not started."""
        base = {
            "LEASE_NAMESPACE": SYSTEM,
            "LEASE_NAME": "botswain-operator",
            "IMAGE_TAG": "1",
            "LEASE_SECONDS": "5",
            "SHARDS_URL": self.discord.shards_url,
        }
        return OperatorProcess(self._folder / "operator", {**base, **self._settings, **settings})

    async def restart(self) -> None:
        """End the operator and start another, which waits until it is ready."""
        await self.operator.stop()
        self.operator = self.new_operator()
        await self.operator.start()
        await self.ready()

    async def ready(self) -> None:
        """Wait until the operator leads and has read the cluster."""

        async def leads() -> bool:
            status, text = await self.operator.get("/ready")
            return status == 200 and json.loads(text)["role"] == "leader"

        await self.until_async(leads, "the operator leads")

    # Objects.

    def create(self, group: str, plural: str, body: Body, namespace: str = NAMESPACE) -> Body:
        return self.emulator.writer.create(self.store.kinds[group, plural], namespace, body, "test")

    def secret(self, name: str, **values: str) -> None:
        """Make a Secret, or change one."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        kind = self.store.kinds["", "secrets"]
        if self.store.find(kind, NAMESPACE, name):
            self.patch("", "secrets", name, {"data": data})
        else:
            self.create("", "secrets", {"metadata": {"name": name}, "data": data})

    def bot(self, name: str = "harbour", **spec: Any) -> Body:
        """Make a bot whose token is in the Secret `token`."""
        full = {"tokenSecretRef": {"name": "token"}, "discord": {"apiUrl": self.discord.url}, **spec}
        return self.create("botswain.dev", "discordbots", {"metadata": {"name": name}, "spec": full})

    def patch(self, group: str, plural: str, name: str, patch: Mapping[str, Any]) -> Body:
        """A merge patch by the manager `test`."""
        kind = self.store.kinds[group, plural]
        content_type = "application/merge-patch+json"
        return self.emulator.writer.patch(kind, NAMESPACE, name, "", patch, content_type, "test", force=False)

    def change(self, name: str = "harbour", **spec: Any) -> Body:
        """Change a bot's spec."""
        return self.patch("botswain.dev", "discordbots", name, {"spec": spec})

    def delete(self, group: str, plural: str, name: str) -> None:
        self.emulator.writer.delete(self.store.kinds[group, plural], NAMESPACE, name, None)

    def find(self, group: str, plural: str, name: str) -> Body | None:
        return self.store.find(self.store.kinds[group, plural], NAMESPACE, name)

    def names(self, group: str, plural: str) -> list[str]:
        return [body["metadata"]["name"] for body in self.store.list(self.store.kinds[group, plural], NAMESPACE)]

    def deployment(self, name: str) -> Body:
        found = self.find("apps", "deployments", name)
        assert found is not None, f"no Deployment {name}"
        return found

    def replicas(self, bot: str = "harbour") -> dict[str, str]:
        """SHARD_IDS of each discord-service Deployment there is, by its name."""
        found = {}
        for name in self.names("apps", "deployments"):
            if name.startswith(f"{bot}-discord-"):
                found[name] = env(self.deployment(name))["SHARD_IDS"]
        return found

    def status(self, bot: str = "harbour") -> Body:
        found = self.find("botswain.dev", "discordbots", bot)
        return (found or {}).get("status") or {}

    def condition(self, type_: str, bot: str = "harbour") -> dict[str, str]:
        """A condition of a bot; empty if it has none of this type yet."""
        found = self.status(bot).get("conditions") or []
        return next((item for item in found if item["type"] == type_), {})

    def is_(self, type_: str, truth: str, reason: str | None = None, bot: str = "harbour") -> Callable[[], bool]:
        """Whether a condition of the newest generation says so."""

        def check() -> bool:
            body = self.find("botswain.dev", "discordbots", bot)
            found = self.condition(type_, bot)
            current = body is not None and self.status(bot).get("observedGeneration") == body["metadata"]["generation"]
            return current and found.get("status") == truth and reason in (None, found.get("reason"))

        return check

    def events(self, bot: str = "harbour") -> list[str]:
        """Reason and message of each event on a bot."""
        found = self.store.list(self.store.kinds["", "events"], NAMESPACE)
        return [f"{event['reason']}: {event['message']}" for event in found if event["involvedObject"]["name"] == bot]

    # Waiting.

    async def until(self, check: Callable[[], bool], what: str) -> None:
        """Wait until `check` holds.

        Raises:
            AssertionError: it didn't in time; with the bot's status and the operator's last words.
        """

        async def ask() -> bool:
            return check()

        await self.until_async(ask, what)

    async def until_async(self, check: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not await check():
            if time.monotonic() > deadline:
                log = "\n".join(str(line["event"]) for line in self.operator.log[-20:])
                statuses = json.dumps(
                    [self.status(name) for name in self.names("botswain.dev", "discordbots")], indent=1
                )
                raise AssertionError(f"not within {DEADLINE} s: {what}\nstatus: {statuses[:4000]}\noperator:\n{log}")
            await asyncio.sleep(0.02)

    async def quiet(self) -> None:
        """Wait until every bot is looked at and nothing waits: no write has come for a while, by the operator's own count."""
        count = -1
        while count != (count := len(self.emulator.requests)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.4)

    async def quiet_but_for_leases(self) -> None:
        """As `quiet`, where a lease is renewed more often than that."""
        count = -1
        while count != (count := sum("/leases" not in path for _, path in self.emulator.requests)):  # noqa: ASYNC110
            await asyncio.sleep(0.4)

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the real kubectl as an administrator."""
        process = await asyncio.create_subprocess_exec(
            kubectl(),
            f"--kubeconfig={self._folder / 'admin'}",
            f"--cache-dir={self._folder / 'cache'}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await asyncio.wait_for(process.communicate(stdin.encode() if stdin else None), 60)
        return subprocess.CompletedProcess(arguments, process.returncode or 0, out.decode(), error.decode())


def env(deployment: Body) -> dict[str, str]:
    """The plain environment variables of a Deployment's container."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def chart_roles(*settings: str) -> list[Body]:
    """What the chart renders for RBAC."""
    command = [helm(4), "template", "botswain", str(CHART), "--namespace", SYSTEM]
    rendered = subprocess.run([*command, *settings], capture_output=True, text=True, check=True, timeout=60).stdout
    return [body for body in yaml.safe_load_all(rendered) if body and body["kind"] in ROLE_KINDS]


@contextlib.asynccontextmanager
async def running(roles: list[Body], *, start: bool = True, **settings: str) -> AsyncIterator[World]:
    """A world with the token Secret in place; the operator in it is ready, unless `start` is False."""
    with tempfile.TemporaryDirectory() as folder:
        async with serving_emulator() as emulator, discord_double.serving() as discord:
            store = emulator.store
            for name in (NAMESPACE, SYSTEM):
                emulator.writer.create(store.kinds["", "namespaces"], "", {"metadata": {"name": name}}, "test")
            definition = yaml.safe_load(CRD_FILE.read_text())
            emulator.writer.create(
                store.kinds["apiextensions.k8s.io", "customresourcedefinitions"], "", definition, "test"
            )
            for body in roles:
                kind = next(found for found in store.kinds.values() if found.kind == body["kind"])
                emulator.writer.create(kind, body["metadata"].get("namespace", ""), body, "helm")
            world = World(emulator, discord, Path(folder), settings)
            world.secret("token", token=discord_double.TOKEN)
            if start:
                await world.operator.start()
                await world.ready()
            try:
                yield world
            finally:
                if start:
                    await world.operator.stop()
