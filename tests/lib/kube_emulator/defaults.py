"""What the API server fills in or rewrites in built-in kinds, as far as it tells a careful client from a careless one."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import orjson

_addresses = itertools.count(1)
_CONTAINER = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_POD = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "securityContext": {},
}
_DEPLOYMENT = {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}


def fill_in(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """The body with the server's defaults."""
    filled: dict[str, Any] = orjson.loads(orjson.dumps(body))  # the quickest deep copy there is
    spec = filled.get("spec")
    if kind == "Deployment" and isinstance(spec, dict):
        for key, value in _DEPLOYMENT.items():
            spec.setdefault(key, value)
        _fill_pod(spec["template"]["spec"])
    elif kind == "Pod" and isinstance(spec, dict):
        _fill_pod(spec)
    elif kind == "Service" and isinstance(spec, dict):
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        spec.setdefault("clusterIP", f"10.96.{next(_addresses) % 250}.{next(_addresses) % 250}")
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    elif kind == "PersistentVolumeClaim" and isinstance(spec, dict):
        spec.setdefault("volumeMode", "Filesystem")
        requests = spec["resources"]["requests"]
        requests["storage"] = _canonical(requests["storage"])
        filled.setdefault("status", {"phase": "Pending"})
    elif kind == "Secret":
        filled.setdefault("type", "Opaque")
    return filled


def _fill_pod(spec: dict[str, Any]) -> None:
    for key, value in _POD.items():
        spec.setdefault(key, copy.deepcopy(value))
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        for key, value in _CONTAINER.items():
            container.setdefault(key, value)
        for variable in container.get("env", []):
            if variable.get("value") == "":
                del variable["value"]
        for port in container.get("ports", []):
            port.setdefault("protocol", "TCP")
        for needs in container.get("resources", {}).values():
            for name, amount in needs.items():
                needs[name] = _canonical(amount)


def _canonical(amount: Any) -> str:
    """Quantities are stored in their canonical form: 1000m is 1, 1024Mi is 1Gi."""
    text = str(amount)
    if text.endswith("m") and text[:-1].isdigit() and int(text[:-1]) % 1000 == 0:
        return str(int(text[:-1]) // 1000)
    for unit, larger in (("Ki", "Mi"), ("Mi", "Gi"), ("Gi", "Ti")):
        number = text.removesuffix(unit)
        if text.endswith(unit) and number.isdigit() and int(number) and int(number) % 1024 == 0:
            return _canonical(f"{int(number) // 1024}{larger}")
    return text
