"""Ids that are made for every event."""

from __future__ import annotations

import subprocess
import sys
from uuid import UUID

import pytest
from botswain_services.tracing import new_correlation_id, new_traceparent, trace_id_of


def test_a_correlation_id_is_a_random_uuid() -> None:
    """Version 4, in the usual form, and another one each time."""
    made = [new_correlation_id() for _ in range(100)]
    assert len(set(made)) == 100
    for one in made:
        parsed = UUID(one)
        assert str(parsed) == one
        assert parsed.version == 4


def test_a_new_traceparent_is_valid() -> None:
    """It starts a trace that other parts accept."""
    assert len({trace_id_of(new_traceparent()) for _ in range(100)} - {None}) == 100


@pytest.mark.parametrize("make", ["new_correlation_id", "new_traceparent"])
def test_a_forked_process_makes_other_ids(make: str) -> None:
    """Parent and child go on from different states, though they share one at the fork."""
    code = (
        f"import os; from botswain_services import tracing; os.fork(); os.write(1, tracing.{make}().encode() + b'\\n')"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert len(made) == 2
    assert made[0] != made[1]
