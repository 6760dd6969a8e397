"""What benchmarks share: a figure and its aim, processor time and memory of a process, and the way results are told."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil


@dataclass(kw_only=True)
class Figure:
    """One figure. `at_most`: less is better. `aim` None: told, not judged. `beside`: figures that explain it."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    at_most: bool = False
    beside: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        if self.aim is None:
            return None
        return self.value <= self.aim if self.at_most else self.value >= self.aim

    def in_words(self) -> str:
        """A line, and one for each figure beside it."""
        judged = ""
        if self.aim is not None:
            judged = f" aim {'≤' if self.at_most else '≥'} {self.aim:g}: {'met' if self.met else 'MISSED'}"
        lines = [f"{self.name:36} {self.value:12,.2f} {self.unit:24}{judged}"]
        lines += [f"{'':36} {value!s:>12} {name.replace('_', ' ')}" for name, value in self.beside.items()]
        return "\n".join(lines)


def report(benchmark: str, figures: Sequence[Figure], **about: Any) -> None:
    """The figures for people on standard error, then one JSON line on standard output."""
    for figure in figures:
        print(figure.in_words(), file=sys.stderr)
    told = {figure.name: {**asdict(figure), "value": round(figure.value, 3), "met": figure.met} for figure in figures}
    print(json.dumps({"benchmark": benchmark, "cpus": os.cpu_count(), **about, "figures": told}), flush=True)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, in seconds."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def memory_mib(pid: int, field_name: str = "VmRSS") -> float:
    """A size in /proc/<pid>/status; VmHWM is the largest VmRSS so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(field_name))
    return int(line.split()[1]) / 1024
