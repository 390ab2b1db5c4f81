"""Less discriminatory alternatives: models as good as the chosen one that treat groups more alike, out of the trials.

Each is fitted on the same training rows and judged on the same others, the chosen one too; the test stays untouched.
Nothing here changes the model: it is shown, and a person chooses and says why (choice.py). Lights and bounds are
policy, not regulation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from configs.settings import Fairness as Bounds
from configs.settings import Grade, Training
from training import fit
from training.calibrate import platt
from training.dataset import Dataset
from training.fairness import approved_by_policy, plain
from training.folds import fold_of
from training.impact import adverse_pair, impact_differences, impact_ratios, nearness, pareto_front
from training.tune import Tuned
from training.validate import Interval, auc_difference, auc_interval

Progress = Callable[[int, int], None]
"""Called after each refit with (candidates judged, candidates wanted)."""
CHOSEN = "chosen"
_UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to refit: its parameters and trees, and the features taken from it."""

    name: str
    params: Mapping[str, Any]
    rounds: int
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """One model by one attribute, beside the chosen one.

    `impact_ratio` is of the group named by the attribute; `lowest_impact_ratio` the least of all its groups, either
    way. `must_be_shown`: not inferior in AUC, and nearer to equal approval by an interval above 0, or nobody can say:
    where a group is approved by nobody there is no ratio.
    """

    name: str
    without: tuple[str, ...]
    rounds: int
    params: Mapping[str, Any]
    auc: Interval
    auc_difference: Interval
    approve_rate: float
    impact_ratio: float
    impact_difference: Interval
    lowest_impact_ratio: float
    on_front: bool
    must_be_shown: bool


@dataclass(frozen=True, slots=True)
class AttributeSearch:
    """All models by one attribute, the chosen first, by which `group` is approved no more often than `against`."""

    attribute: str
    group: str
    against: str
    models: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The search: `rows` judged, `tried` refits, `left_out` those the time did not suffice for."""

    rows: int
    tried: int
    left_out: tuple[str, ...]
    attributes: tuple[AttributeSearch, ...]
    bounds: Mapping[str, Any]

    def must_be_shown(self) -> tuple[str, ...]:
        """The names of the models a reviewer must see, and explain the refusal of."""
        found = (model.name for part in self.attributes for model in part.models if model.must_be_shown)
        return tuple(dict.fromkeys(found))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"basis": "policy, not regulation", "must_be_shown": [*self.must_be_shown()], **plain(asdict(self))}

    def table(self) -> list[dict[str, str]]:
        """One row of words for each model and attribute."""
        return [_row(part, model) for part in self.attributes for model in part.models]


def candidates_of(tuned: Tuned, proxies: Sequence[str], bounds: Bounds) -> tuple[Candidate, ...]:
    """The best complete trials but the chosen one, and the chosen model without each of `proxies`.

    Trees are what the trial stopped at where the record has `rounds`; otherwise those at which learning rate x trees
    equals the chosen model's (the two trade off: Friedman, 2001, section 5).
    """
    complete = sorted(
        (t for t in tuned.trials if t["log_loss"] is not None), key=lambda t: (t["log_loss"], t["number"])
    )
    others = [(t, params) for t in complete if (params := _params(t, tuned)) != tuned.params][: bounds.candidates]
    trials = [Candidate(f"trial {t['number']}", params, _rounds(t, tuned)) for t, params in others]
    reduced = [Candidate(f"{CHOSEN} without {name}", tuned.params, tuned.rounds, (name,)) for name in proxies]
    return (*trials, *reduced)


def chosen_of(tuned: Tuned) -> Candidate:
    """The model the tuner chose."""
    return Candidate(CHOSEN, tuned.params, tuned.rounds)


def sides(train: Dataset, settings: Training) -> tuple[Dataset, Dataset]:
    """Rows to fit on and rows to judge by: the folds of the tuner, the first of which is held back."""
    first = fold_of(train.kin(), train.defaulted, settings.folds, settings.seed) == 0
    return train.take(np.flatnonzero(~first)), train.take(np.flatnonzero(first))


def _params(trial: Mapping[str, Any], tuned: Tuned) -> dict[str, Any]:
    return {name: trial[name] for name in tuned.params}


def _rounds(trial: Mapping[str, Any], tuned: Tuned) -> int:
    own = trial.get("rounds")
    return int(own) if own else max(1, round(tuned.rounds * tuned.params["learning_rate"] / trial["learning_rate"]))


def search(
    train: Dataset,
    held_back: Dataset,
    chosen: Candidate,
    candidates: Sequence[Candidate],
    groups: Mapping[str, np.ndarray],
    grades: Sequence[Grade],
    bounds: Bounds,
    seed: int,
    threads: int,
    progress: Progress,
    clock: Callable[[], float] = time.monotonic,
) -> Alternatives:
    """Refit each candidate on `train` and hold it against the chosen one, refitted alike, on `held_back`.

    `groups` are those of the held-back rows, by attribute. After `search_seconds` no refit starts. An attribute with
    fewer than two groups of `smallest_cell` rows is left out.
    """
    deadline = clock() + bounds.search_seconds
    models = [(chosen, _refit(train, held_back, chosen, seed, threads))]
    left_out: list[str] = []
    for done, candidate in enumerate(candidates, start=1):
        if clock() < deadline:
            models.append((candidate, _refit(train, held_back, candidate, seed, threads)))
        else:
            left_out.append(candidate.name)
        progress(done, len(candidates))
    approved = np.column_stack([approved_by_policy(default_probability, grades) for _, default_probability in models])
    searched = [
        AttributeSearch(attribute, *pair, _judged(models, approved, held_back, labels, pair, bounds, seed))
        for attribute, labels in groups.items()
        if (pair := adverse_pair(approved[:, 0], labels, bounds.smallest_cell)) is not None
    ]
    limits = bounds.model_dump(include={"maximum_auc_drop", "bootstrap_draws", "smallest_cell"})
    return Alternatives(len(held_back), len(models) - 1, tuple(left_out), tuple(searched), limits)


def _refit(train: Dataset, held_back: Dataset, candidate: Candidate, seed: int, threads: int) -> np.ndarray:
    """PDs of the held-back rows (rows,). A feature taken away is missing everywhere, so that no tree can use it."""
    taken = [place for place, name in enumerate(train.program.names) if name in candidate.without]
    learned, judged = train.matrix.copy(), held_back.matrix.copy()
    learned[:, taken] = judged[:, taken] = np.nan
    features = train.program.features
    booster = fit.fit(learned, train.defaulted, features, candidate.params, candidate.rounds, seed, threads)
    raw_score = fit.raw_score(booster, judged, threads)
    return platt(raw_score, held_back.defaulted).default_probability(raw_score)


def _judged(
    models: Sequence[tuple[Candidate, np.ndarray]],
    approved: np.ndarray,
    held_back: Dataset,
    labels: np.ndarray,
    pair: tuple[str, str],
    bounds: Bounds,
    seed: int,
) -> tuple[Alternative, ...]:
    bad, chosen = held_back.defaulted.astype(bool), models[0][1]
    group, against = (labels == name for name in pair)
    ratios = [
        _rate_ratio(approved[group, place].mean(), approved[against, place].mean()) for place in range(len(models))
    ]
    gains = impact_differences(approved, group, against, held_back.customer_id, bounds.bootstrap_draws, seed)
    aucs = [auc_interval(default_probability, bad) for _, default_probability in models]
    front = pareto_front([auc.value for auc in aucs], [nearness(ratio) for ratio in ratios])
    found = []
    for place, (candidate, default_probability) in enumerate(models):
        difference = auc_difference(default_probability, chosen, bad)
        others = impact_ratios(approved[:, place], labels, bounds.smallest_cell).values()
        found.append(
            Alternative(
                name=candidate.name,
                without=candidate.without,
                rounds=candidate.rounds,
                params=candidate.params,
                auc=aucs[place],
                auc_difference=difference,
                approve_rate=float(approved[:, place].mean()),
                impact_ratio=ratios[place],
                impact_difference=gains[place],
                lowest_impact_ratio=min(map(nearness, others)),
                on_front=front[place],
                must_be_shown=place > 0
                and difference.low > -bounds.maximum_auc_drop
                and (gains[place].low > 0 or math.isnan(gains[place].low)),
            )
        )
    return tuple(found)


def _rate_ratio(rate: float, base: float) -> float:
    return float(rate / base) if base else math.nan


def _row(part: AttributeSearch, model: Alternative) -> dict[str, str]:
    def told(found: Interval) -> str:
        between = _UNKNOWN if math.isnan(found.low) else f"{found.low:+.4f} to {found.high:+.4f}"
        return _UNKNOWN if math.isnan(found.value) else f"{found.value:+.4f} ({between})"

    return {
        "attribute": f"{part.attribute}: {part.group} against {part.against}",
        "model": model.name,
        "AUC": f"{model.auc.value:.4f}",
        "AUC minus chosen": told(model.auc_difference),
        "approved": f"{model.approve_rate:.1%}",
        "impact ratio": _UNKNOWN if math.isnan(model.impact_ratio) else f"{model.impact_ratio:.3f}",
        "nearer to 1 by": told(model.impact_difference),
        "on the front": "yes" if model.on_front else "",
        "must be shown": "yes" if model.must_be_shown else "",
    }
