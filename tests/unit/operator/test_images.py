"""What the images hold, and what builds and loads them, as far as that can be read without building one."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from operator_world.programs import CHART, ROOT, helm
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PLATFORM = ("proto", "services/framework")
IMAGES = {
    "operator": ("operator",),
    "discord-simulator": ("services/discord-simulator",),
    "discord-service": (*PLATFORM, "services/discord-service"),
    "orchestrator-service": (*PLATFORM, "services/orchestrator-service"),
    "execution-service": (*PLATFORM, "services/execution-service"),
}
"""The distributions in each image, as the Dockerfile has them."""


def locked(path: Path) -> dict[str, str]:
    """Version of each package in a lock."""
    found = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", path.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """Top-level modules that the sources in a folder import, wherever in a file, and the file."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.append(node.module)
            for name in names:
                yield name.split(".")[0], str(path.relative_to(ROOT))


@pytest.mark.parametrize("image", IMAGES)
def test_image_has_what_its_distributions_declare_and_as_tested(image: str) -> None:
    """Each declared dependency is in the image's lock, at the version that the tests run with."""
    there, tested = locked(ROOT / f"requirements/images/{image}.lock"), locked(ROOT / "requirements/dev.lock")
    for distribution in IMAGES[image]:
        project = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]
        for text in project.get("dependencies", []):
            name = canonicalize_name(Requirement(text).name)
            assert name in there or name.startswith("botswain-"), f"{distribution} needs {name}"
    assert {name: tested.get(name) for name in there} == there


@pytest.mark.parametrize("image", IMAGES)
def test_image_has_what_its_sources_import(image: str) -> None:
    """Nothing is imported that only another distribution's dependencies, or those of the tests, bring; extras aside."""
    packages = packages_distributions()
    lacking = set()
    for distribution in IMAGES[image]:
        project = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]
        extras = tuple(
            canonicalize_name(Requirement(text).name)
            for extra in project.get("optional-dependencies", {}).values()
            for text in extra
        )
        there = locked(ROOT / f"requirements/images/{image}.lock").keys()
        for module, path in imported(ROOT / distribution):
            names = {canonicalize_name(name) for name in packages.get(module, [])}
            ours = module.startswith("botswain") or module == "__future__"
            optional = bool(extras) and all(name.startswith(extras) for name in names)  # fastmcp is in fastmcp-slim
            if names and not optional and not ours and module not in sys.stdlib_module_names and not names & there:
                lacking.add((path, module))
    assert lacking == set()


def test_every_image_is_built_by_the_dockerfile() -> None:
    """The Dockerfile, tools/images and skaffold know the same five."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert all(re.search(rf"\b{image}\b", dockerfile) for image in IMAGES)
    script = re.search(r"services=\(([a-z -]+)\)", (ROOT / "tools/images").read_text())
    assert script
    assert set(script[1].split()) == set(IMAGES)
    build = yaml.safe_load((ROOT / "skaffold.yaml").read_text())["build"]["artifacts"]
    assert {artifact["docker"]["buildArgs"]["SERVICE"]: artifact["image"] for artifact in build} == {
        image: f"botswain/{image}" for image in IMAGES
    }


@pytest.mark.parametrize("major", [3, 4])
def test_skaffold_sets_values_that_the_chart_has(major: int) -> None:
    """What skaffold gives helm is taken by the chart's schema, each image among it, and reaches operator, simulator and bot."""
    skaffold = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    (release,) = skaffold["deploy"]["helm"]["releases"]
    images = {
        re.sub(r"[/.-]", "_", artifact["image"]): artifact["image"] for artifact in skaffold["build"]["artifacts"]
    }
    given = {
        key: str(value).lower() if isinstance(value, bool) else value for key, value in release["setValues"].items()
    }
    for key, template in release["setValueTemplates"].items():
        variable = re.fullmatch(r"\{\{\.IMAGE_FULLY_QUALIFIED_(\w+)\}\}", template)
        assert variable
        given[key] = f"{images.pop(variable[1])}:of-skaffold"
    assert images == {}, "each image is told to the chart"
    command = [helm(major), "template", release["name"], str(CHART), "--namespace", release["namespace"]]
    done = subprocess.run(
        [*command, *(f"--set={key}={value}" for key, value in given.items())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(":of-skaffold") == 6, "five images, and the operator's once more for `helm test`"
    (forward,) = skaffold["portForward"]
    assert f"name: {forward['resourceName']}\n" in done.stdout


def test_sources_that_skaffold_copies_are_there() -> None:
    """Each pattern finds the package that it is meant to copy."""
    for artifact in yaml.safe_load((ROOT / "skaffold.yaml").read_text())["build"]["artifacts"]:
        for rule in artifact["sync"]["manual"]:
            assert rule["src"].startswith(rule["strip"])
            assert any(ROOT.glob(rule["src"])), rule["src"]
