"""Plans of faults: the seed decides them; and the faults are those that docs/delivery.md tells of."""

from __future__ import annotations

import re
from pathlib import Path

from chaos.deeds import REST_FAULTS, gateway_fault
from chaos.plans import FAULTS, GATEWAY, REST, make_plan


def test_the_seed_decides_the_plan() -> None:
    """The same again; another one for another seed."""
    first, again, other = (make_plan(seed, steps=80, spacing=5.0) for seed in (1, 1, 2))
    assert first == again != other


def test_a_long_plan_holds_every_fault() -> None:
    """Each at least once, whatever the seed."""
    for seed in range(20):
        plan = make_plan(seed, steps=len(FAULTS), spacing=5.0)
        assert {step.fault for step in plan} == set(FAULTS)


def test_every_fault_of_discord_has_its_deed() -> None:
    """What the simulator is told is known for each."""
    assert all(gateway_fault(fault)["kind"] for fault in GATEWAY)
    assert set(REST_FAULTS) == set(REST)


def test_the_document_tells_what_each_fault_does(root: Path) -> None:
    """The first column of the table in docs/delivery.md names the faults of the chaos runs, each once."""
    rows = re.findall(r"^\| (`[^|]*`) \|", (root / "docs" / "delivery.md").read_text(), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(named) == sorted(FAULTS)
