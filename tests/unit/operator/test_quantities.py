"""Quantities by their value."""

from __future__ import annotations

from decimal import Decimal

import pytest
from botswain_operator.quantities import value_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1000m", "1"),
        ("1", 1),
        ("1024Mi", "1Gi"),
        ("0.5", "500m"),
        ("1e3", "1k"),
        ("1E3", 1000),
        ("1.5Gi", "1536Mi"),
        ("100000u", "100m"),
        ("2M", "2000k"),
    ],
)
def test_same_value_in_two_forms(one: object, other: object) -> None:
    """However it is written, the value is the same."""
    assert value_of(one) == value_of(other) is not None


def test_decimal_and_binary_suffixes_differ() -> None:
    """M is a million, Mi is 1024 * 1024, m a thousandth."""
    assert [value_of(f"1{suffix}") for suffix in ("M", "Mi", "m")] == [10**6, 2**20, Decimal("0.001")]


@pytest.mark.parametrize("text", ["", "many", "1.2.3", "1Zi", "Mi", True, None])
def test_anything_else_is_none(text: object) -> None:
    """What is no quantity has no value."""
    assert value_of(text) is None
