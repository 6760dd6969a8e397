"""What clients ask to learn what a server has: versions, groups, resources, and the least OpenAPI that kubectl puts up with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube_emulator.kinds import Kind
from kube_emulator.store import Store

VERSION = {"major": "1", "minor": "33", "gitVersion": "v1.33.0-emulator", "platform": "linux/amd64"}
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def answer(store: Store, path: str) -> Mapping[str, Any] | None:
    """The answer to a discovery request; None if it isn't one."""
    parts = [part for part in path.split("/") if part]
    if parts == ["version"]:
        return VERSION
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if parts == ["apis"]:
        groups = sorted({(kind.group, kind.version) for kind in store.kinds.values() if kind.group})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*found) for found in groups]}
    if parts == ["api", "v1"]:
        return _resources(store, "", "v1")
    if len(parts) == 2 and parts[0] == "apis":
        version = next((kind.version for kind in store.kinds_of(parts[1])), None)
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], version)} if version else None
    if len(parts) == 3 and parts[0] == "apis":
        return _resources(store, parts[1], parts[2])
    if path == "/openapi/v3":
        roots = {_root(kind) for kind in store.kinds.values()}
        return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in sorted(roots)}}
    if parts[:2] == ["openapi", "v3"]:
        return _openapi(store, "/".join(parts[2:]))
    return None


def _root(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _openapi(store: Store, root: str) -> dict[str, Any]:
    """One group: what kubectl needs to leave validation to the server, and custom kinds' schemas for `kubectl explain`."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for kind in store.kinds.values():
        if _root(kind) != root:
            continue
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        within = "/namespaces/{namespace}" if kind.namespaced else ""
        parameters = [{"name": name, "in": "query"} for name in ("dryRun", "fieldManager", "fieldValidation", "force")]
        operation = {"parameters": parameters, "x-kubernetes-group-version-kind": gvk, "responses": {}}
        paths[f"/{root}{within}/{kind.plural}/{{name}}"] = {"patch": {**operation, "x-kubernetes-action": "patch"}}
        if kind.schema is not None:
            name = ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])
            schemas[name] = {**kind.schema, "x-kubernetes-group-version-kind": [gvk]}
    info = {"title": "emulator", "version": "1"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _group(group: str, version: str) -> dict[str, Any]:
    found = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [found], "preferredVersion": found}


def _resources(store: Store, group: str, version: str) -> dict[str, Any]:
    listed: list[dict[str, Any]] = []
    for kind in store.kinds_of(group):
        listed.append(_resource(kind, kind.plural, kind.kind, _VERBS))
        if kind.status:
            listed.append(_resource(kind, f"{kind.plural}/status", kind.kind, ["get", "patch", "update"]))
        if kind.scale:
            scale = _resource(kind, f"{kind.plural}/scale", "Scale", ["get", "patch", "update"])
            listed.append({**scale, "group": "autoscaling", "version": "v1"})
    api_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": listed}


def _resource(kind: Kind, name: str, shown: str, verbs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": name,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": shown,
        "verbs": verbs,
    }
    if "/" not in name and kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if "/" not in name and kind.categories:
        found["categories"] = list(kind.categories)
    return found
