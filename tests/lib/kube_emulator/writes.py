"""Writes: create, replace, patch, delete, and what each does to defaults, validation, generation and field ownership."""

from __future__ import annotations

import contextlib
import copy
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException
from kube_emulator import builtin_rules, definitions, fields, schemas
from kube_emulator.defaults import fill_in
from kube_emulator.errors import ApiRefusal, invalid, not_found
from kube_emulator.kinds import Kind, child_schema, list_keys
from kube_emulator.selectors import lookup
from kube_emulator.store import Body, Store, now

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


class Writer:
    """Every write goes through here."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dry_run = False
        self._strict = False

    @contextlib.contextmanager
    def options(self, *, dry_run: bool, strict: bool) -> Iterator[None]:
        """Hold for the writes inside: validate but store nothing; refuse fields that the schema doesn't know."""
        self._dry_run, self._strict = dry_run, strict
        try:
            yield
        finally:
            self._dry_run = self._strict = False

    def create(self, kind: Kind, namespace: str, body: Body, manager: str) -> Body:
        metadata = {**(body.get("metadata") or {}), **({"namespace": namespace} if kind.namespaced else {})}
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                raise ApiRefusal(
                    422,
                    "Invalid",
                    f"{kind.kind} is invalid: metadata.name: Required value: name or generateName is required",
                )
            metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
        if self._store.find(kind, namespace, metadata["name"]):
            where = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
            raise ApiRefusal(409, "AlreadyExists", f'{where} "{metadata["name"]}" already exists')
        self._check_namespace(kind, namespace)
        fresh = {**body, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        if kind.schema is not None and kind.status:
            fresh.pop("status", None)
        owners = fields.update(kind, {}, fresh, (manager, "Update", ""))
        return self._store_new(kind, fresh, None, owners)

    def replace(self, kind: Kind, namespace: str, name: str, subresource: str, body: Body, manager: str) -> Body:
        before = self._store.get(kind, namespace, name)
        version = body["metadata"].get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            where = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
            message = (
                f'Operation cannot be fulfilled on {where} "{name}": the object has been modified; '
                "please apply your changes to the latest version and try again"
            )
            raise ApiRefusal(409, "Conflict", message)
        if subresource == "scale":
            return self._scale(kind, before, body["spec"]["replicas"], manager)
        return self._change(kind, before, body, subresource, manager)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        subresource: str,
        patch: Any,
        content_type: str,
        manager: str,
        *,
        force: bool,
    ) -> Body:
        before = self._store.find(kind, namespace, name)
        if content_type == APPLY:
            return self._apply(kind, namespace, name, subresource, patch, manager, before, force=force)
        if before is None:
            raise not_found(kind.plural, name, kind.group)
        target = self.scale_of(kind, before) if subresource == "scale" else before
        after = _patched(kind, target, patch, content_type)
        if subresource == "scale":
            return self._scale(kind, before, after["spec"]["replicas"], manager)
        version = (patch.get("metadata") or {}).get("resourceVersion") if isinstance(patch, dict) else None
        if version and version != before["metadata"]["resourceVersion"]:
            raise ApiRefusal(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {kind.plural} "{name}": the object has been modified',
            )
        return self._change(kind, before, after, subresource, manager)

    def delete(self, kind: Kind, namespace: str, name: str, uid: str | None) -> Body:
        before = self._store.get(kind, namespace, name)
        if uid and uid != before["metadata"]["uid"]:
            message = (
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['metadata']['uid']}"
            )
            raise ApiRefusal(409, "Conflict", message)
        if self._dry_run:
            return before
        if before["metadata"].get("finalizers"):
            if "deletionTimestamp" in before["metadata"]:
                return before
            generation = before["metadata"].get("generation", 0) + 1
            metadata = {
                **before["metadata"],
                "deletionTimestamp": now(),
                "deletionGracePeriodSeconds": 0,
                "generation": generation,
            }
            return self._store.put(kind, {**before, "metadata": metadata})
        if kind.plural == "customresourcedefinitions":
            self._store.undefine(before)
        return self._store.remove(kind, namespace, name)

    def scale_of(self, kind: Kind, body: Body) -> Body:
        """The `Scale` of an object."""
        paths = kind.scale or {}
        metadata = {
            key: body["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        }
        selector = lookup(body, paths["labelSelectorPath"]) if "labelSelectorPath" in paths else None
        status = {
            "replicas": lookup(body, paths["statusReplicasPath"]) or 0,
            **({"selector": selector} if selector else {}),
        }
        spec = {"replicas": lookup(body, paths["specReplicasPath"])}
        return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}

    # Inside.

    def _apply(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        subresource: str,
        applied: Body,
        manager: str,
        before: Body | None,
        *,
        force: bool,
    ) -> Body:
        if (
            not isinstance(applied, dict)
            or applied.get("kind") != kind.kind
            or applied.get("apiVersion") != kind.api_version
        ):
            raise ApiRefusal(
                400, "BadRequest", f"an apply of {kind.kind} names apiVersion {kind.api_version} and kind {kind.kind}"
            )
        if before is None and subresource:
            raise not_found(kind.plural, name, kind.group)
        applied = {"apiVersion": kind.api_version, "kind": kind.kind, **_only(applied, subresource, kind)}
        if before is None:
            self._check_namespace(kind, namespace)
            applied.setdefault("metadata", {}).update(
                {"name": name, **({"namespace": namespace} if kind.namespaced else {})}
            )
        if kind.schema is not None:
            self._check_unknown(kind, applied)
            applied = {
                **schemas.prune(kind.schema, {k: v for k, v in applied.items() if k != "metadata"}),
                "metadata": applied.get("metadata", {}),
            }
        merged, owners = fields.apply(kind, before, applied, (manager, "Apply", subresource), force=force)
        return self._store_new(kind, merged, before, owners)

    def _change(self, kind: Kind, before: Body, after: Body, subresource: str, manager: str) -> Body:
        """A write that is no apply, of the whole object or of its status."""
        given = ("name", "namespace", "uid", "creationTimestamp", "resourceVersion")
        kept = {key: before["metadata"][key] for key in given if key in before["metadata"]}
        if subresource == "status":
            changed = {**before, "status": after.get("status")}
        else:
            metadata = {**(after.get("metadata") or {}), **kept}
            changed = {**after, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
            if kind.status:
                changed.pop("status", None)
                if "status" in before:
                    changed["status"] = before["status"]
        owners = fields.update(kind, before, changed, (manager, "Update", subresource))
        return self._store_new(kind, changed, before, owners)

    def _scale(self, kind: Kind, before: Body, replicas: int, manager: str) -> Body:
        after = copy.deepcopy(before)
        *path, last = (kind.scale or {})["specReplicasPath"].strip(".").split(".")
        node = after
        for name in path:
            node = node.setdefault(name, {})
        node[last] = replicas
        owners = fields.update(kind, before, after, (manager, "Update", "scale"))
        return self.scale_of(kind, self._store_new(kind, after, before, owners))

    def _store_new(self, kind: Kind, body: Body, before: Body | None, owners: fields.Owners) -> Body:
        """Default, validate, and store; `before` is None for a new object."""
        body = self._admitted(kind, body, before)
        metadata = dict(body["metadata"])
        for key in ("generation", "managedFields"):
            metadata.pop(key, None)
        old = before["metadata"] if before else {}
        if kind.status or kind.schema is not None:
            generation = old.get("generation", 0)
            changed = before is None or _content(before) != _content(body)
            metadata["generation"] = generation + 1 if changed else generation
        managed = owners.dump(kind.api_version, now(), old.get("managedFields") or [])
        if managed:
            metadata["managedFields"] = managed
        complete = {**body, "metadata": metadata}
        if self._dry_run:
            return complete
        stored = self._store.put(kind, complete)
        if kind.plural == "customresourcedefinitions":
            self._store.define(stored)
            if not stored.get("status"):
                conditions = [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}]
                stored = self._store.put(
                    kind, {**stored, "status": {"conditions": conditions, "acceptedNames": stored["spec"]["names"]}}
                )
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            return self._store.remove(kind, metadata.get("namespace", ""), metadata["name"])
        return stored

    def _admitted(self, kind: Kind, body: Body, before: Body | None) -> Body:
        name = body["metadata"]["name"]
        if kind.schema is None:
            if kind.kind == "Secret" and "stringData" in body:
                import base64

                plain = {key: base64.b64encode(value.encode()).decode() for key, value in body["stringData"].items()}
                body = {
                    **{k: v for k, v in body.items() if k != "stringData"},
                    "data": {**(body.get("data") or {}), **plain},
                }
            filled = fill_in(kind.kind, body)
            found = builtin_rules.problems(kind.kind, filled, before)
            if kind.kind == "CustomResourceDefinition":
                found += definitions.problems(filled)
            if found:
                raise invalid(kind.kind, kind.group, name, found)
            return filled
        self._check_unknown(kind, body)
        metadata = body["metadata"]
        value = schemas.prune(kind.schema, {key: item for key, item in body.items() if key != "metadata"})
        value = {**schemas.default(kind.schema, value), "metadata": {"name": name}}
        old = {**before, "metadata": {"name": name}} if before else None
        if problems := schemas.validate(kind.schema, value, old):
            raise invalid(kind.kind, kind.group, name, problems)
        return {"apiVersion": kind.api_version, "kind": kind.kind, **value, "metadata": metadata}

    def _check_unknown(self, kind: Kind, body: Body) -> None:
        if self._strict and kind.schema is not None:
            content = {key: item for key, item in body.items() if key != "metadata"}
            unknown = [f'unknown field "{path}"' for path in schemas.unknown_fields(kind.schema, content)]
            if unknown:
                message = f"{kind.kind} in version {kind.version!r} cannot be handled as a {kind.kind}: strict decoding error: "
                raise ApiRefusal(400, "BadRequest", message.replace("'", '"') + ", ".join(unknown))

    def _check_namespace(self, kind: Kind, namespace: str) -> None:
        if kind.namespaced and not self._store.find(self._store.kinds["", "namespaces"], "", namespace):
            raise not_found("namespaces", namespace)


def _content(body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in ("metadata", "status")}


def _only(applied: Body, subresource: str, kind: Kind) -> Body:
    """The part of an apply that counts: the status through its subresource, everything else without it."""
    body = {key: value for key, value in applied.items() if key not in ("apiVersion", "kind")}
    if subresource == "status":
        return {"status": body.get("status") or {}}
    return {key: value for key, value in body.items() if key != "status" or not kind.status}


def _patched(kind: Kind, before: Body, patch: Any, content_type: str) -> Body:
    if content_type == JSON_PATCH:
        try:
            patched: Body = jsonpatch.apply_patch(before, patch)
        except (jsonpatch.JsonPatchException, JsonPointerException) as error:
            raise ApiRefusal(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
            ) from None
        return patched
    schema = kind.schema
    found = _merge_patch(before, patch, "", schema, strategic=content_type == STRATEGIC)
    assert isinstance(found, dict)
    return found


def _merge_patch(live: Any, patch: Any, name: str, schema: Mapping[str, Any] | None, *, strategic: bool) -> Any:
    """RFC 7386; with `strategic`, lists that have keys merge by them, and `$patch: delete` removes an entry."""
    if isinstance(patch, dict):
        if patch.get("$patch") == "replace":
            return {key: value for key, value in patch.items() if key != "$patch"}
        merged = dict(live) if isinstance(live, dict) else {}
        for key, item in patch.items():
            if key.startswith(("$setElementOrder", "$retainKeys")):
                continue
            if item is None:
                merged.pop(key, None)
            else:
                merged[key] = _merge_patch(merged.get(key), item, key, child_schema(schema, key), strategic=strategic)
        return merged
    if strategic and isinstance(patch, list) and isinstance(live, list):
        keys = list_keys(name, [*live, *(entry for entry in patch if isinstance(entry, dict))], schema)
        if keys:
            return _merge_lists(live, patch, keys)
    return patch


def _merge_lists(live: list[Any], patch: list[Any], keys: tuple[str, ...]) -> list[Any]:
    merged = [dict(entry) for entry in live]
    for entry in patch:
        wanted = tuple(entry.get(key) for key in keys)
        position = next((i for i, known in enumerate(merged) if tuple(known.get(key) for key in keys) == wanted), None)
        if entry.get("$patch") == "delete":
            if position is not None:
                del merged[position]
        elif position is None:
            merged.append(entry)
        else:
            merged[position] = _merge_patch(merged[position], entry, "entry", None, strategic=True)
    return merged
