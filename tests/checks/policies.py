"""checkov on the chart, on what the operator makes of a bot, and on the Dockerfile; exit code 1 if it finds what isn't meant so.

checkov has an environment of its own in `.tools/checkov`, made here from requirements/checkov.lock: it is large, and pins what it
uses. What it finds and is meant is listed below with the reason; an entry that nothing answers to any more is a failure too.
"""

from __future__ import annotations

import fnmatch
import json
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from botswain_operator.resources import Defaults, build_resources
from operator_world.examples import bot, observed
from operator_world.programs import CHART, ROOT, TOOLS, helm

LOCK = ROOT / "requirements" / "checkov.lock"
MEANT = {
    ("CKV_K8S_11", "*"): "no CPU limit: a throttled process misses heartbeats, and Discord ends its session",
    ("CKV_K8S_15", "*"): "images by tag that nodes may have already; images.pullPolicy chooses",
    ("CKV_K8S_43", "*"): "digests are for who installs it to give: every image takes a whole reference",
    ("CKV_K8S_35", "*"): "the services read all their settings, secrets too, from variables",
    ("CKV_K8S_38", "Deployment.system.botswain-operator"): "the one pod that talks to the API server",
    ("CKV_K8S_8", "Pod.system.botswain-test"): "the pod of `helm test` runs to its end",
    ("CKV_K8S_9", "Pod.system.botswain-test"): "the pod of `helm test` runs to its end",
    ("CKV_DOCKER_2", "*"): "Kubernetes has probes of its own and reads no HEALTHCHECK",
    ("CKV_DOCKER_7", "*"): "the base is an argument, whose default has a tag",
}
"""Check and resource, with the reason."""
BOTS: dict[str, dict[str, Any]] = {
    "least": {},
    "large": {
        "database": {"urlSecretRef": {"name": "db"}},
        "orchestrator": {"replicas": 2},
        "execution": {"replicas": 2},
        "sharding": {"shards": 4, "replicas": 2},
        "agent": {"model": "openai:gpt", "apiKeySecretRef": {"name": "model"}, "systemPrompt": "Be kind."},
    },
}


def checkov() -> Path:
    """The command, installed if the lock has changed."""
    folder, stamp = TOOLS / "checkov", TOOLS / "checkov" / "lock"
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        print("policies: installing checkov into .tools/checkov (once) …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "--no-deps", "--requirement", str(LOCK)], check=True)
        stamp.write_bytes(LOCK.read_bytes())
    return folder / "bin" / "checkov"


def render(folder: Path) -> None:
    """Everything that is to be looked at."""
    settings = ("--set=simulator.enabled=true", "--set=images.registry=ghcr.io/example", "--set=images.tag=1.0")
    command = [helm(4), "template", "botswain", str(CHART), "--namespace", "system", *settings]
    (folder / "chart.yaml").write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    defaults = Defaults(image_registry="ghcr.io/example", image_tag="1.0")
    for name, spec in BOTS.items():
        plain = json.loads(json.dumps(build_resources(bot(**spec), observed(), defaults).manifests))
        (folder / f"bot-{name}.yaml").write_text(yaml.safe_dump_all(plain))
    shutil.copy(ROOT / "Dockerfile", folder)


def findings(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Check, resource and what it is about, of each check that failed."""
    command = [str(checkov()), "--directory", str(folder), "--framework", "kubernetes", "dockerfile"]
    command += ["--compact", "--quiet", "--output", "json", "--skip-download"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    reports = json.loads(done.stdout)
    for report in reports if isinstance(reports, list) else [reports]:
        if report["summary"]["parsing_errors"]:
            raise SystemExit(f"checkov can't read: {report['results']['parsing_errors']}")
        for found in report["results"]["failed_checks"]:
            yield found["check_id"], found["resource"], found["check_name"]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        render(Path(name))
        found = sorted(set(findings(Path(name))))
    unmeant, used = [], set()
    for check, resource, about in found:
        rules = [rule for rule in MEANT if rule[0] == check and fnmatch.fnmatch(resource, rule[1])]
        used.update(rules)
        if not rules:
            unmeant.append(f"{check} {resource}: {about}")
    stale = [f"{check} {resource}: nothing answers to it any more" for check, resource in MEANT.keys() - used]
    for line in unmeant + stale:
        print(f"policies: {line}")
    print(json.dumps({"found": len(found), "unmeant": len(unmeant), "stale": len(stale)}))
    return 1 if unmeant or stale else 0


if __name__ == "__main__":
    sys.exit(main())
