"""Reads the one kind of body that helm sends as protobuf, a Secret (k8s.io/api/core/v1/generated.proto), by its wire format."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

MAGIC = b"k8s\x00"


def decode(raw: bytes) -> dict[str, Any]:
    """The object in an envelope `runtime.Unknown`: only its kind for what is no Secret (options of a delete, say)."""
    envelope = dict(_fields(raw.removeprefix(MAGIC)))
    type_meta = dict(_fields(envelope[1]))
    kind = type_meta.get(2, b"").decode()
    body: dict[str, Any] = {"apiVersion": type_meta.get(1, b"").decode(), "kind": kind}
    return {**body, **_secret(envelope.get(2, b""))} if kind == "Secret" else body


def _secret(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {"metadata": {}, "data": {}}
    for number, value in _fields(raw):
        if number == 1:
            found["metadata"] = _metadata(value)
        elif number == 2:
            entry = dict(_fields(value))
            found["data"][entry[1].decode()] = base64.b64encode(entry.get(2, b"")).decode()
        elif number == 3:
            found["type"] = value.decode()
    return found


def _metadata(raw: bytes) -> dict[str, Any]:
    names = {1: "name", 2: "generateName", 3: "namespace", 5: "uid", 6: "resourceVersion"}
    found: dict[str, Any] = {}
    for number, value in _fields(raw):
        if number in names and value:
            found[names[number]] = value.decode()
        elif number in (11, 12):
            entry = dict(_fields(value))
            found.setdefault("labels" if number == 11 else "annotations", {})[entry[1].decode()] = entry.get(
                2, b""
            ).decode()
    return found


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field; bytes for what has a length, numbers for the rest."""
    position = 0
    while position < len(raw):
        key, position = _varint(raw, position)
        if key & 7 == 2:
            length, position = _varint(raw, position)
            yield key >> 3, raw[position : position + length]
            position += length
        elif key & 7 == 0:
            value, position = _varint(raw, position)
            yield key >> 3, value
        else:
            position += 8 if key & 7 == 1 else 4


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
