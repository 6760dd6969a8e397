"""Helpers for manifests as plain dicts, and the hash by which a manifest is told from the one applied before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from botswain_operator import names
from botswain_operator.spec import Bot

Manifest = dict[str, Any]


def digest(value: object) -> str:
    """Sixteen hex digits that stand for a JSON value."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def metadata(bot: Bot, name: str, part: str | None = None, *, owned: bool = True) -> Manifest:
    """Name, labels and owner of a child. An owned child goes with its bot, whether or not the operator runs."""
    found: Manifest = {
        "name": name,
        "namespace": bot.namespace,
        "labels": names.labels(bot.name, part),
        "annotations": {},
    }
    if owned:
        found["ownerReferences"] = [
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": bot.name,
                "uid": bot.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return found


def seal(manifest: Manifest) -> Manifest:
    """The manifest with its own hash among the annotations."""
    manifest["metadata"].setdefault("annotations", {})[names.HASH] = digest(manifest)
    return manifest


def without_nothing(mapping: Mapping[str, Any]) -> Manifest:
    """The mapping without keys that hold None, [] or {}: to apply such a key would be to own it."""
    return {key: value for key, value in mapping.items() if value not in (None, [], {}, ())}
