"""`python -m chaos`: a run for each layout; the last line on standard output is one JSON object. Exit code 0 when ok, else 1."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from chaos.layouts import LAYOUTS
from chaos.plans import FAULTS
from chaos.runs import Terms, run, say
from chaos.verdicts import percentile

_SUMS = ("issued", "answered_once", "lost", "doubled", "out_of_order", "kills", "identifies", "resumes")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seed", type=int, help="decides the plan and the load; without it one is drawn")
    parser.add_argument("--layout", action="append", choices=list(LAYOUTS), help="default: all, one after the other")
    parser.add_argument("--steps", type=int, default=250, help="faults in each run (%(default)s)")
    parser.add_argument("--rate", type=float, default=12.0, help="messages a second (%(default)s)")
    parser.add_argument(
        "--spacing", type=float, default=6.0, help="messages between two faults, on average (%(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=190.0, help="after which no fault begins any more (%(default)s)"
    )
    parser.add_argument(
        "--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS), help="only these (default: all)"
    )
    parser.add_argument("--keep-logs", action="store_true", help="keep the logs of a run that was ok, too")
    return parser.parse_args(arguments)


def total(seed: int, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several runs as one."""
    gaps = [gap for result in results for gap in result["handover_ms"]]
    faults: Counter[str] = Counter()
    for result in results:
        faults.update(result["faults"])
    return {
        "ok": all(result["ok"] for result in results),
        "seed": seed,
        **{name: sum(result[name] for result in results) for name in _SUMS},
        "handover_p99_ms": percentile(gaps, 0.99),
        "faults": dict(sorted(faults.items())),
        "runs": [{key: value for key, value in result.items() if key != "faults"} for result in results],
    }


async def main(options: argparse.Namespace) -> int:
    """Run them."""
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    results = []
    for name in options.layout or LAYOUTS:
        say(f"chaos: {name}, SEED={seed}")
        amounts = (options.steps, options.rate, options.spacing, options.seconds)
        terms = Terms(LAYOUTS[name], seed, *amounts, faults=tuple(options.faults), keep_logs=options.keep_logs)
        result = await run(terms)
        results.append(result)
        say(json.dumps(result, ensure_ascii=False))
    summary = total(seed, results)
    print(json.dumps(summary, ensure_ascii=False), flush=True)
    return 0 if summary["ok"] else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parse(None))))
