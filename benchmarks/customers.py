"""Customers managed by the system against fixed limits and grade-only rules, over 36 simulated months, seed by seed.

Every seed makes other companies, trains a champion on others again, and lives 36 months under each policy. The system
is the house itself: `review_part` moves grades, limits and terms, the indicators of the product warn (a critical one
freezes sales), the queue of `overdue` says whom to call. `fixed_2_months` grants two months of purchases on 30 days
when a customer is first seen, for good; `fixed_4_months` four. `grade_only` follows each month's PD through masterscale
and policy: no hysteresis, steps, triggers, warnings or trade rules. `without_...` is the system less one of its parts.
What the world is made of: `customers_world`. Differences are paired by seed.

Run: python -m benchmarks.customers [--seeds 20] [--first 0] [--jobs 2]. Seeds in the result are not run anew.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.customers_seed import MONTHS, POLICIES, QUEUES, one
from benchmarks.customers_world import Economics
from benchmarks.resumed import Found, add_seeds, interval, runs, words


def summary(runs: Found) -> dict[str, Any]:
    """Means over seeds with their 95 % intervals (Student's t), differences paired by seed."""
    measures = ("sales_kept", "bad_debt", "funding", "profit")
    levels = {
        policy: {name: interval([run["policies"][policy][name] for run in runs]) for name in measures}
        for policy in POLICIES
    }
    gains = {
        f"managed - {rival}": {
            name: interval([run["policies"]["managed"][name] - run["policies"][rival][name] for run in runs])
            for name in measures
        }
        for rival in POLICIES[1:]
    }
    uplift = {
        f"value_at_risk - {rival}": interval(
            [run["collections"]["value_at_risk"] - run["collections"][rival] for run in runs]
        )
        for rival in QUEUES[1:]
    }
    names = [one["name"] for one in runs[0]["warnings"]]
    warnings = {
        name: {
            key: interval([run["warnings"][place][key] for run in runs if run["warnings"][place][key] is not None])
            for key in ("precision", "lift", "recall", "lead_days")
        }
        for place, name in enumerate(names)
    }
    saved = {name: interval([run["collections"][name] for run in runs]) for name in QUEUES}
    return {
        "seeds": len(runs),
        "policies": levels,
        "paired": gains,
        "warnings": warnings,
        "collections": {"saved": saved, "paired": uplift},
    }


def told(found: Mapping[str, Any]) -> str:
    """The summary in lines."""
    lines = [f"{found['seeds']} seeds, {MONTHS} months; mean and 95 %"]
    for part in ("policies", "paired", "warnings"):
        for name, values in found[part].items():
            lines.append(f"{name:<28} " + " | ".join(f"{key} {words(one)}" for key, one in values.items()))
    for part in ("saved", "paired"):
        lines += [f"calls: {name:<28} {words(one)}" for name, one in found["collections"][part].items()]
    return "\n".join(lines)


def main() -> None:
    """Run what is missing of the seeds wanted; the result is kept after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_seeds(parser, 20, 0)
    parser.add_argument("--customers", type=int, default=1000, help="of each seed (%(default)s)")
    for name, value in asdict(Economics()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=value, help="(%(default)s)")
    arguments = parser.parse_args()
    if arguments.one is not None:
        how = Economics(**{name: getattr(arguments, name) for name in asdict(Economics())})
        print(json.dumps(one(arguments.one, arguments.customers, how)))
        return
    for found in runs("benchmarks.customers", arguments.into or "customers", arguments, summary):
        if found:
            print(told(summary(found)), flush=True)


if __name__ == "__main__":
    main()
