"""Who may do what: Roles and bindings as they are stored, evaluated as the API server does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kube_emulator.errors import ApiRefusal


@dataclass(frozen=True)
class User:
    """Who asks. An administrator may do anything."""

    name: str
    admin: bool = False


@dataclass(frozen=True)
class Attempt:
    """What is asked for."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


def service_account(namespace: str, name: str) -> User:
    return User(f"system:serviceaccount:{namespace}:{name}")


def check(user: User, attempt: Attempt, objects: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    """Refuse with 403 what no rule allows.

    Args:
        objects: Roles, ClusterRoles and their bindings, by plural.
    """
    if user.admin or any(_allows(rule, attempt) for rule in _rules(user, attempt.namespace, objects)):
        return
    where = f' in the namespace "{attempt.namespace}"' if attempt.namespace else " at the cluster scope"
    named = f' "{attempt.name}"' if attempt.name else ""
    resource = f"{attempt.resource}.{attempt.group}" if attempt.group else attempt.resource
    message = (
        f'{resource}{named} is forbidden: User "{user.name}" cannot {attempt.verb} resource "{attempt.resource}" '
        f'in API group "{attempt.group}"{where}'
    )
    raise ApiRefusal(403, "Forbidden", message)


def _rules(
    user: User, namespace: str, objects: Mapping[str, Iterable[Mapping[str, Any]]]
) -> Iterable[Mapping[str, Any]]:
    cluster_roles = {role["metadata"]["name"]: role for role in objects["clusterroles"]}
    roles = {(role["metadata"]["namespace"], role["metadata"]["name"]): role for role in objects["roles"]}
    bindings = [(binding, None) for binding in objects["clusterrolebindings"]]
    bindings += [
        (b, b["metadata"]["namespace"]) for b in objects["rolebindings"] if b["metadata"]["namespace"] == namespace
    ]
    for binding, scope in bindings:
        if not any(_is(user, subject) for subject in binding.get("subjects") or []):
            continue
        reference = binding["roleRef"]
        role = (
            cluster_roles.get(reference["name"])
            if reference["kind"] == "ClusterRole"
            else roles.get((scope, reference["name"]))
        )
        yield from (role or {}).get("rules") or []


def _is(user: User, subject: Mapping[str, Any]) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user == service_account(subject["namespace"], subject["name"])
    return bool(subject["kind"] == "User" and subject["name"] == user.name)


def _allows(rule: Mapping[str, Any], attempt: Attempt) -> bool:
    names = rule.get("resourceNames")
    return (
        bool({"*", attempt.group} & set(rule.get("apiGroups") or []))
        and bool({"*", attempt.resource} & set(rule.get("resources") or []))
        and bool({"*", attempt.verb} & set(rule.get("verbs") or []))
        and (not names or attempt.name in names)
    )
