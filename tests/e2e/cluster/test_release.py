"""A release on a real cluster, from `helm install` to `helm uninstall`: a bot is spoken to, scaled, rolled, killed, mended.

The tests build on each other, in order: the first installs, the last uninstalls. They ask of the cluster a kubeconfig, the images
(IMAGE_REGISTRY, IMAGE_TAG), Service DNS, `kubectl port-forward`, and a default storage class unless E2E_EPHEMERAL=1.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from operator_world.programs import CHART, helm, kubectl

NAMESPACE = os.environ.get("E2E_NAMESPACE") or f"botswain-e2e-{secrets.token_hex(3)}"
RELEASE = "botswain"
HELM = int(os.environ.get("E2E_HELM", "4"))
PATIENCE = float(os.environ.get("E2E_PATIENCE", "300"))
BOT = "sample"

# A test waits for a rollout three times at the most; each wait fails on its own, with what there is to see.
pytestmark = [pytest.mark.timeout(4 * PATIENCE + 300), pytest.mark.xdist_group("cluster")]


def run(*command: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE + 120, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
    return done


def kube(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    return run(kubectl(), f"--namespace={NAMESPACE}", *arguments, stdin=stdin, check=check).stdout


def values() -> list[str]:
    found = [
        "--set=simulator.enabled=true",
        "--set=simulator.rateLimits=relaxed",
        "--set=images.pullPolicy=IfNotPresent",
    ]
    found += [
        f"--set-string=images.registry={os.environ.get('IMAGE_REGISTRY', '')}",
        f"--set-string=images.tag={os.environ.get('IMAGE_TAG', '')}",
    ]
    if os.environ.get("E2E_EPHEMERAL") == "1":
        found.append("--set=simulator.sampleBot.ephemeral=true")
    return found


def until(what: str, check: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Ask again and again until the answer is true; the answer."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.HTTPError, AssertionError, KeyError, json.JSONDecodeError):
            if found := check():
                return found
        if time.monotonic() > deadline:
            pods = kube("get", "pods,dbot", "--output=wide", check=False)
            events = kube("get", "events", "--sort-by=.lastTimestamp", check=False)
            told = kube("describe", "dbot", BOT, check=False)
            pytest.fail(f"not within {seconds:g} s: {what}\n{pods}\n{told}\n{events[-5000:]}")
        time.sleep(1)


def bot() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kube("get", "dbot", BOT, "--output=json"))
    return found


def condition(type_: str) -> dict[str, str]:
    """A condition of the sample bot, if it is about its newest spec."""
    found = bot()
    if found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
        return {}
    return next((item for item in found["status"].get("conditions", []) if item["type"] == type_), {})


def complete() -> bool:
    return condition("Progressing").get("reason") == "Complete" and condition("Ready").get("status") == "True"


def metrics_of_operator() -> str:
    """What the operator's pod says in /metrics, through the API server."""
    service = f"services/{RELEASE}-operator:8004"
    return run(kubectl(), "get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/{service}/proxy/metrics").stdout


def change(**spec: Any) -> None:
    kube("patch", "dbot", BOT, "--type=merge", "--patch", json.dumps({"spec": spec}))


class Simulator:
    """The simulator's control API through a forwarded port, which is forwarded anew when it breaks."""

    def __init__(self) -> None:
        self._forward: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(timeout=10)
        self._failures = 0
        self.first = ""

    def close(self) -> None:
        if self._forward:
            self._forward.terminate()
            self._forward.wait()

    def end(self) -> None:
        self.close()
        self._client.close()

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """One request, never sent twice: a forwarded port is tried first, because it ends with the pod that it leads to."""
        until("the simulator answers", self._reachable, 120)
        answer = self._client.request(method, path, json=body or None)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _reachable(self) -> bool:
        if self._forward is None or self._forward.poll() is not None:
            self._begin_forwarding()
        try:
            return self._client.get("/health").status_code == 200
        except httpx.TransportError:
            self._failures += 1
            if self._failures % 5 == 0:  # it runs and leads nowhere
                self.close()
                self._forward = None
            raise

    def _begin_forwarding(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        where = (f"--namespace={NAMESPACE}", f"service/{RELEASE}-simulator", f"{port}:8090")
        self._forward = subprocess.Popen(
            [kubectl(), "port-forward", "--address=127.0.0.1", *where],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._client.base_url = httpx.URL(f"http://127.0.0.1:{port}")

    def channel(self) -> str:
        channels = self.ask("GET", "/sim/state")["guilds"][0]["channels"]
        return str(next(found["id"] for found in channels if found["type"] == 0))

    def say(self, text: str) -> str:
        return str(self.ask("POST", f"/sim/channels/{self.channel()}/messages", content=text)["id"])

    def answers_after(self, message: str) -> list[str]:
        found = self.ask("GET", f"/sim/channels/{self.channel()}/messages?limit=100&after={message}")
        return [item["content"] for item in found if item["author"].get("bot")]

    def conversation(self, text: str) -> None:
        """Say something, and wait for the answer; fail if it comes twice."""
        asked = self.say(text)
        self.first = self.first or asked
        until(f"an answer to {text!r}", lambda: self.answers_after(asked), 60)
        assert len(self.answers_after(asked)) == 1


@pytest.fixture(scope="module", autouse=True)
def namespace() -> Iterator[None]:
    """The namespace, which refuses pods that aren't restricted; at the end it goes with all that is in it, unless E2E_KEEP=1."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    run(kubectl(), "apply", "--filename=-", stdin=json.dumps(body))
    yield
    if os.environ.get("E2E_KEEP") != "1":
        run(helm(HELM), "uninstall", RELEASE, f"--namespace={NAMESPACE}", "--ignore-not-found", check=False)
        run(kubectl(), "delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    found = Simulator()
    yield found
    found.end()


def test_one_command_gives_an_answering_bot(simulator: Simulator) -> None:
    """After `helm install` with the simulator, the sample bot becomes ready and answers."""
    run(helm(HELM), "install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--create-namespace", *values())
    kube("wait", "--for=condition=Ready", f"dbot/{BOT}", f"--timeout={PATIENCE:g}s")
    simulator.conversation("Hello, who are you?")


def test_helm_test_passes() -> None:
    """`helm test` finds the release in order."""
    done = run(helm(HELM), "test", RELEASE, f"--namespace={NAMESPACE}", "--logs", "--timeout=5m")
    assert re.search(r"Phase:\s+Succeeded", done.stdout)
    assert "the sample bot answers" in done.stdout


def test_pods_are_restricted() -> None:
    """The namespace enforces the restricted Pod Security Standard, and all pods are in it."""
    labels = json.loads(kube("get", "namespace", NAMESPACE, "--output=json"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    parts = "{.items[*].metadata.labels.app\\.kubernetes\\.io/component}"
    found = kube("get", "pods", "--field-selector=status.phase=Running", f"--output=jsonpath={parts}").split()
    assert set(found) >= {"operator", "simulator", "discord", "orchestrator", "execution"}


def test_status_tells_what_the_shards_say() -> None:
    """The operator gets through the policies to discord-service, and tells its guilds and latency."""
    until("guilds and latency are told", lambda: bot()["status"]["shardTable"][0]["latencyMs"] >= 0, 180)
    row = bot()["status"]["shardTable"][0]
    assert row["guilds"] == bot()["status"]["guilds"] >= 1


def test_nothing_is_written_when_nothing_changes() -> None:
    """A restarted operator leaves every object at its version; only the budget in the status may be news."""
    until("the bot is complete", complete)
    until("the token is accepted", lambda: condition("TokenValid").get("status") == "True")

    def versions() -> dict[str, str]:
        kinds = "deploy,svc,secret,netpol,sa,pvc,configmap"
        listed = json.loads(kube("get", kinds, "--selector=botswain.dev/bot", "--output=json"))["items"]
        found = {f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in listed}
        return {**found, "status": json.dumps(bot()["status"]["conditions"])}

    before = versions()
    kube("rollout", "restart", f"deployment/{RELEASE}-operator")
    kube("rollout", "status", f"deployment/{RELEASE}-operator", "--timeout=3m")
    reconciled = re.compile(r'^botswain_operator_reconciles_total\{result="done"\} [1-9]', re.MULTILINE)
    until("the new operator has looked at the bot", lambda: reconciled.search(metrics_of_operator()), 120)
    assert versions() == before
    written = re.findall(
        r'^botswain_operator_writes_total\{.*verb="(?:apply|delete)".*', metrics_of_operator(), re.MULTILINE
    )
    assert written == []


def test_drift_is_put_back() -> None:
    """A Service that is deleted and a Deployment that is scaled by hand are put back."""
    kube("delete", "service", f"{BOT}-execution")
    kube("scale", f"deployment/{BOT}-discord-0", "--replicas=0")
    until(
        "the Service is there again",
        lambda: kube("get", "service", f"{BOT}-execution", "--output=name", check=False),
        60,
    )
    replicas = ("get", f"deployment/{BOT}-discord-0", "--output=jsonpath={.spec.replicas}")
    until("the Deployment has its replica again", lambda: kube(*replicas) == "1", 60)
    until("the bot is complete", complete)


def test_scale_reshards_and_goes_on_answering(simulator: Simulator) -> None:
    """More shards and replicas: the new set comes beside the old one, which goes when it is complete."""
    change(sharding={"shards": 4, "replicas": 2})
    until("the new set is complete", lambda: complete() and bot()["status"]["shards"] == 4)
    table = bot()["status"]["shardTable"]
    assert [row["shards"] for row in table] == ["0-1", "2-3"]
    simulator.conversation("Still there after the re-shard?")
    kube("scale", f"dbot/{BOT}", "--replicas=4")
    until("four replicas", lambda: complete() and bot()["status"]["replicaSummary"] == "4/4")
    simulator.conversation("And with four replicas?")


def test_rollout_goes_replica_by_replica(simulator: Simulator) -> None:
    """A change of discord-service leaves the bot ready throughout, hands its sessions over, and it answers afterwards."""

    def identifies() -> int:
        return int(simulator.ask("GET", "/sim/stats")["gateway"]["identifies"])

    before = identifies()
    change(resources={"discord": {"requests": {"cpu": f"{51 + secrets.randbelow(9)}m", "memory": "128Mi"}}})
    unready, away = 0, []

    def rolled() -> bool:
        nonlocal unready
        starting = [row for row in bot()["status"]["shardTable"] if row["state"] == "Starting"]
        unready = max(unready, len(starting))
        if (ready := condition("Ready")).get("status") == "False":
            away.append(ready["message"])
        return complete()

    until("the rollout is complete", rolled)
    assert unready <= 1
    assert away == []
    assert identifies() == before
    simulator.conversation("Did you notice the rollout?")


def test_change_of_every_pod_is_carried_through(simulator: Simulator) -> None:
    """What rolls the orchestrator too, which stops for a moment with SQLite, ends with a bot that answers."""
    change(pods={"annotations": {"e2e.example/roll": secrets.token_hex(4)}})
    until("the rollout is complete", complete)
    simulator.conversation("Have you been away?")


def test_stalled_rollout_stops_and_heals(simulator: Simulator) -> None:
    """An image that doesn't exist stops at one replica; the bot goes on answering; a corrected spec mends it."""
    change(images={"discord": "registry.invalid/nothing:0"})

    def failing() -> bool:
        """Whether the kubelet has given up pulling once, long after the next replica would have been touched."""
        reasons = "{.items[*].status.containerStatuses[*].state.waiting.reason}"
        selector = f"--selector=botswain.dev/bot={BOT}"
        return "ImagePullBackOff" in kube("get", "pods", selector, f"--output=jsonpath={reasons}")

    until("the image can't be pulled", failing)
    table = bot()["status"]["shardTable"]
    assert sum(row["state"] in ("Starting", "Stalled") for row in table) == 1
    assert condition("Ready").get("status") == "True"
    simulator.conversation("Do you still answer with a broken rollout?")
    change(images={"discord": None})
    until("the bot is complete", complete)


def test_killed_pods_come_back(simulator: Simulator) -> None:
    """All pods of the bot at once are killed; it comes back and answers."""
    kube("delete", "pods", f"--selector=botswain.dev/bot={BOT}", "--grace-period=0", "--force", "--wait=false")
    until("the bot isn't ready", lambda: condition("Ready").get("status") == "False", 60)
    until("the bot is ready again", lambda: condition("Ready").get("status") == "True")
    simulator.conversation("Welcome back?")


def test_wrong_token_is_told_and_mended(simulator: Simulator) -> None:
    """A wrong token in the Secret changes no pod and is told; the right one is fine again."""
    good = kube("get", "secret", f"{BOT}-token", "--output=jsonpath={.data.token}")
    pods = kube("get", "pods", f"--selector=botswain.dev/bot={BOT}", "--output=name")
    kube("patch", "secret", f"{BOT}-token", "--type=merge", "--patch", '{"stringData":{"token":"wrong.token.value"}}')
    until("the token is told to be refused", lambda: condition("TokenValid").get("reason") == "Refused", 120)
    assert kube("get", "pods", f"--selector=botswain.dev/bot={BOT}", "--output=name") == pods
    kube("patch", "secret", f"{BOT}-token", "--type=merge", "--patch", json.dumps({"data": {"token": good}}))
    until("the token is accepted", lambda: condition("TokenValid").get("status") == "True", 120)
    simulator.conversation("Is the token right again?")


def test_each_message_was_answered_once(simulator: Simulator) -> None:
    """Through all of this, scaling, rolling and kills, every message got its answer, and none got two."""
    found = simulator.ask("GET", f"/sim/channels/{simulator.channel()}/messages?limit=100&after={simulator.first}")
    said = [message for message in found if not message["author"].get("bot")]
    answers = [message for message in found if message["author"].get("bot")]
    assert len(said) >= 8
    assert len(answers) == len(said) + 1, "the first message is not in the list, its answer is"


def test_paused_bot_stops_and_starts(simulator: Simulator) -> None:
    """A paused bot has no pods; unpaused it answers."""
    change(paused=True)
    selector = f"--selector=botswain.dev/bot={BOT}"
    until("no pod is left", lambda: kube("get", "pods", selector, "--output=name") == "", 120)
    change(paused=False)
    until("the bot is complete", complete)
    simulator.conversation("Good morning?")


def test_uninstall_leaves_the_kind_and_delete_removes_everything() -> None:
    """A bot can be deleted while the operator is away, everything of it goes, and the kind stays after `helm uninstall`."""
    kube("scale", f"deployment/{RELEASE}-operator", "--replicas=0")
    kube("delete", "dbot", BOT)
    listed = ("get", "deploy,svc,pvc,netpol,sa,secret,pods", f"--selector=botswain.dev/bot={BOT}", "--output=name")
    until("everything of the bot is gone", lambda: kube(*listed) == "")
    run(helm(HELM), "uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    assert "discordbots" in run(kubectl(), "get", "crd", "discordbots.botswain.dev", "--output=name").stdout
