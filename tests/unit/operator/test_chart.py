"""The chart, through real helm 3 and helm 4."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import kubernetes_validate
import pytest
import yaml
from botswain_operator.resources import Defaults, build_resources
from botswain_operator.settings import Settings
from operator_world.examples import bot, observed
from operator_world.programs import CHART, CRD_FILE, ROOT, helm
from operator_world.world import env

HELMS = [3, 4]
CUSTOM = {"DiscordBot", "ServiceMonitor", "CustomResourceDefinition"}
EVERYTHING = (
    "--set=simulator.enabled=true",
    "--set=metrics.serviceMonitor=true",
    "--set=metrics.dashboard=true",
    "--set=images.registry=ghcr.io/example",
    "--set=images.pullSecrets={registry}",
    "--set=simulator.sampleBot.ephemeral=true",
)


def run(major: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm(major), *arguments], capture_output=True, text=True, timeout=60, check=False)


def render(*settings: str, major: int = 4, crds: bool = False) -> list[dict[str, Any]]:
    """What `helm template` gives."""
    more = ["--include-crds"] if crds else []
    done = run(major, "template", "botswain", str(CHART), "--namespace", "system", *more, *settings)
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.safe_load_all(done.stdout) if body]


def by_name(manifests: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(body["kind"], body["metadata"]["name"]): body for body in manifests}


@pytest.mark.parametrize("major", HELMS)
def test_lint_is_clean(major: int) -> None:
    """`helm lint --strict` has nothing to say."""
    done = run(major, "lint", "--strict", str(CHART), *EVERYTHING)
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_helms_render_the_same() -> None:
    """Helm 3 and Helm 4 make the same manifests."""
    assert by_name(render(*EVERYTHING, major=3, crds=True)) == by_name(render(*EVERYTHING, major=4, crds=True))


@pytest.mark.parametrize("version", ["1.29", "1.31", "1.33", "1.35", "1.37"])
@pytest.mark.parametrize(
    "settings", [(), EVERYTHING, ("--set=operator.watchNamespaces={a,b}",)], ids=["least", "everything", "namespaces"]
)
def test_manifests_are_valid(settings: tuple[str, ...], version: str) -> None:
    """Every manifest fits the schemas of each supported Kubernetes version, with no unknown field."""
    for body in render(*settings):
        if body["kind"] not in CUSTOM:
            kubernetes_validate.validate(body, version, strict=True)


def test_definition_is_valid() -> None:
    """The CustomResourceDefinition fits its own schema, and is installed but never removed by helm."""
    definition = next(body for body in render(crds=True) if body["kind"] == "CustomResourceDefinition")
    kubernetes_validate.validate(definition, "1.37")
    assert definition == yaml.safe_load(CRD_FILE.read_text())
    assert not any(body["kind"] == "CustomResourceDefinition" for body in render())


def test_pods_are_restricted() -> None:
    """Each pod fits the restricted Pod Security Standard."""
    pods = [body["spec"] for body in render(*EVERYTHING) if body["kind"] == "Pod"]
    pods += [body["spec"]["template"]["spec"] for body in render(*EVERYTHING) if body["kind"] == "Deployment"]
    assert len(pods) == 3
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            security = container["securityContext"]
            assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_rights_are_narrow() -> None:
    """No wildcard, nothing about roles or nodes, no writing to bots but their status; a namespace's rights stay there."""
    manifests = by_name(render())
    rules = manifests["ClusterRole", "botswain-operator"]["rules"]
    flat = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert not any("*" in (resource, verb) for resource, verb in flat)
    assert {verb for resource, verb in flat if resource == "discordbots"} == {"get", "list", "watch"}
    assert ("persistentvolumeclaims", "delete") not in flat
    assert not {resource for resource, _ in flat} & {
        "roles",
        "clusterroles",
        "rolebindings",
        "nodes",
        "pods",
        "pods/exec",
    }
    narrowed = by_name(render("--set=operator.watchNamespaces={a,b}"))
    assert ("ClusterRole", "botswain-operator") not in narrowed
    assert {
        body["metadata"]["namespace"]
        for (kind, name), body in narrowed.items()
        if (kind, name) == ("Role", "botswain-operator")
    } == {"b"}


def test_operator_gets_to_discord_service() -> None:
    """The policies of operator and bot agree: pods labelled as the chart labels the operator's may ask discord-service."""
    manifests = by_name(render())
    operator = manifests["Deployment", "botswain-operator"]["spec"]["template"]["metadata"]["labels"]
    plan = build_resources(bot(), observed(), Defaults(operator_namespace="system"))
    made = by_name(list(plan.manifests))
    rule = made["NetworkPolicy", "harbour-discord"]["spec"]["ingress"][0]
    assert rule["from"][0]["podSelector"]["matchLabels"].items() <= operator.items()
    assert rule["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "system"}
    pod = made["Deployment", "harbour-discord-0"]["spec"]["template"]["metadata"]["labels"]
    egress = manifests["NetworkPolicy", "botswain-operator"]["spec"]["egress"]
    assert any(
        peer["podSelector"]["matchLabels"].items() <= pod.items() and {"protocol": "TCP", "port": 8003} in out["ports"]
        for out in egress
        for peer in out.get("to", [])
    )


def test_operator_reads_each_setting_it_is_given() -> None:
    """The Deployment sets no variable that the operator doesn't know."""
    variables = env(by_name(render())["Deployment", "botswain-operator"])
    assert variables.keys() <= {name.upper() for name in Settings.model_fields}
    assert variables["IMAGE_TAG"] == "0.1.0"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("simulator.sampleBot.model=gpt", "sampleBot"),
        ("images.pullPolicy=Sometimes", "pullPolicy"),
        ("operator.worker=3", "worker"),
        ("operator.logLevel=LOUD", "logLevel"),
    ],
)
@pytest.mark.parametrize("major", HELMS)
def test_wrong_values_are_refused(major: int, setting: str, words: str) -> None:
    """A value that is misspelt or out of range stops helm with the value's name."""
    done = run(major, "template", "botswain", str(CHART), f"--set={setting}")
    assert done.returncode != 0
    assert words in done.stderr


def test_sample_bot_speaks_to_the_simulator() -> None:
    """The bot that comes with the simulator has its address and token, and takes more of a spec."""
    manifests = by_name(
        render("--set=simulator.enabled=true", "--set=simulator.sampleBot.spec.telemetry.logLevel=DEBUG")
    )
    spec = manifests["DiscordBot", "sample"]["spec"]
    assert spec["discord"]["apiUrl"] == "http://botswain-simulator.system.svc:8090/api/v10"
    assert spec["telemetry"] == {"logLevel": "DEBUG"}
    assert ("Secret", "sample-token") in manifests
    assert not any(kind == "DiscordBot" for kind, _ in by_name(render()))


def test_readme_is_up_to_date() -> None:
    """The chart's README is what its values and roles give, and each value in it is described."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/chart-docs"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    documented = {
        line.split("`")[1] for line in (CHART / "README.md").read_text().splitlines() if line.startswith("| `")
    }
    assert set(_leaves(yaml.safe_load((CHART / "values.yaml").read_text()))) == documented


def test_schema_knows_every_value() -> None:
    """Each value of values.yaml is in values.schema.json, and no other."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = set(_known(schema))
    assert set(_leaves(yaml.safe_load((CHART / "values.yaml").read_text()))) == known - {
        "global",
        "nameOverride",
        "fullnameOverride",
    }


def _leaves(values: dict[str, Any], path: str = "") -> list[str]:
    """Paths of values that are documented: everything but the sections."""
    found = []
    for name, value in values.items():
        here = f"{path}{name}"
        section = isinstance(value, dict) and value and name != "resources"
        found += _leaves(value, f"{here}.") if section else [here]
    return found


def _known(schema: dict[str, Any], path: str = "") -> list[str]:
    found = []
    for name, inner in schema["properties"].items():
        here = f"{path}{name}"
        found += _known(inner, f"{here}.") if "properties" in inner else [here]
    return found
