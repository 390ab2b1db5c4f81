"""A round of the monitor for those who read it: sentences, JSON, gauges."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict

from monitoring.rounds import Round
from monitoring.telling.gauges import Gauge


def measured(made: Round, at: str) -> list[Gauge]:
    """The round as gauges for Prometheus."""
    report, product = made.report, {"product": made.report.product}
    seconds = dt.datetime.fromisoformat(at).timestamp()
    found = [
        Gauge("monitor_last_run_timestamp_seconds", "when the monitor ran last", seconds, product),
        Gauge("monitor_verdict", "1: the verdict in force", 1, {**product, "remedy": report.verdict.remedy}),
        Gauge("monitor_score_psi", "PSI of the PDs against training", report.score.psi, product),
        Gauge("monitor_notices_undelivered", "of this run", sum(bool(one.error) for one in made.told), product),
    ]
    found += [
        Gauge("monitor_outcomes", "outcomes by what became of them", count, {**product, "state": state})
        for state, count in made.arrivals.counts().items()
    ]
    if made.early is not None and made.early.together is not None:
        ratio = made.early.together.observed_to_expected
        found += [
            Gauge("monitor_early_observed_to_expected", "from early outcomes", value, {**product, "bound": bound})
            for bound, value in asdict(ratio).items()
        ]
    if made.preview is not None and made.preview.refit is not None:
        refit = made.preview.refit
        found += [
            Gauge("monitor_refit_worth", "in currency, over the horizon", value, {**product, "bound": bound})
            for bound, value in (("value", refit.value), ("low", refit.low), ("cost", refit.cost))
        ]
    return found


def to_json(made: Round) -> dict[str, object]:
    """What the round found beside the report."""
    return {
        "outcomes": made.arrivals.counts(),
        "early": None if made.early is None else made.early.to_json(),
        "preview": None if made.preview is None else asdict(made.preview),
        "challenger": None if made.standing is None else asdict(made.standing),
        "new_champion": None if made.watched is None else asdict(made.watched),
        "happened": [sentence for _, sentence in made.happened],
        "notices": [{"channel": one.channel, "error": one.error} for one in made.told],
    }


def lines(made: Round) -> list[str]:
    """The round in sentences, beside the verdict: what is known apart from what is estimated."""
    counts = {name: count for name, count in made.arrivals.counts().items() if count}
    told = ["outcomes   " + (", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none")]
    if made.early is not None and made.early.together is not None:
        rate, ratio = made.early.together.default_rate, made.early.together.observed_to_expected
        told.append(
            f"estimated  {made.early.together.rows:,} open decisions come to {rate.value:.2%} defaults "
            f"({rate.low:.2%} to {rate.high:.2%}), {ratio.value:.2f} times what the PDs expect"
        )
    if made.preview is not None and made.preview.refit is not None:
        refit = made.preview.refit
        told.append(
            f"a refit    is worth {refit.value:,.0f} ({refit.low:,.0f} at least) in {refit.horizon_months} months; "
            f"a change costs {refit.cost:,.0f}: {'it pays' if refit.pays else 'it does not pay'}"
        )
    if made.standing is not None:
        lacking = [check.name for check in made.standing.checks if not check.passed]
        told.append(f"challenger {made.standing.version} in the shadow; a person promotes it, or: {', '.join(lacking)}")
    told += [f"{kind:<10} {sentence}" for kind, sentence in made.happened]
    return told + [f"NOT told   {one.channel}: {one.error}; kept" for one in made.told if one.error]
