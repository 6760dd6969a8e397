"""Quantities as Kubernetes writes them, by their value: it stores 1000m as 1 and 1024Mi as 1Gi."""

from __future__ import annotations

import re
from decimal import Decimal

_FORM = re.compile(r"([+-]?[0-9.]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]+))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def value_of(quantity: object) -> Decimal | None:
    """The value of `500m`, `1Gi`, `1e3` or 2; None if it is no quantity."""
    match = _FORM.fullmatch(str(quantity))
    if match is None or isinstance(quantity, bool):
        return None
    number, suffix, exponent = match.groups()
    try:
        found = Decimal(number)
    except ArithmeticError:
        return None
    if exponent:
        return found.scaleb(int(exponent))
    return found * 2 ** _BINARY[suffix] if suffix in _BINARY else found.scaleb(_DECIMAL.get(suffix or "", 0))
