"""How sure a version is of what it says: the interval of its PDs, the noise of its reasons, and which of them are one.

Whom a model was taught by is chance. Fitted again on customers drawn with replacement, the same model gives the same
customer other contributions; a reason whose points are no more than that difference says nothing about the customer.
And two sentences whose contributions rise and fall together say one thing twice: they are one reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from configs.settings import Explanation, Settings
from features.declaration import Feature
from training import fit, interval, refits, seeds
from training.dataset import Split
from training.model import Model
from training.scaling import Scale


def certainty(split: Split, model: Model, scale: Scale, settings: Settings) -> dict[str, Any]:
    """Sections of training.json: `reasons`, `seed_stability`, and `pd_interval` where the rows can tell it."""
    train, test, wanted = split.train, split.test, settings.explanation
    band = interval.measure(train, model.out_of_fold, wanted)
    drawn = refits.on_other_customers(train, model, settings.training, wanted.refits)
    seeded = refits.under_other_seeds(train, model, settings.training, settings.seed_stability.seeds)
    features = train.program.features
    sentences = list(dict.fromkeys(feature.reason for feature in features))
    explained = test.matrix[np.linspace(0, len(test) - 1, min(len(test), wanted.rows)).astype(int)]
    boosters = (model.booster, *drawn, *seeded)
    added = refits.side_by_side(
        lambda one: refits.contributions(one, explained, features, sentences), boosters, settings.training.threads
    )
    of_seeds = 1 + len(drawn)
    found = reasons(added[0], added[1:of_seeds], features, wanted)
    groups = [[sentences.index(sentence) for sentence in group] for group in found["groups"]]
    own, *others = [_said(one, test.matrix, model, by, groups) for one, by in zip(boosters, added, strict=True)]
    by_customers = seeds.spread(own, others[: of_seeds - 1], test.defaulted, scale)
    by_seed = seeds.spread(own, others[of_seeds - 1 :], test.defaulted, scale)
    return {
        "pd_interval": None if band is None else band.to_json(),
        "reasons": found,
        "seed_stability": seeds.stability(by_seed, by_customers, settings.seed_stability),
    }


def _said(
    booster: lgb.Booster, rows: np.ndarray, model: Model, added: np.ndarray, groups: Sequence[Sequence[int]]
) -> seeds.Scored:
    """PDs of `rows` under the model's own calibration, and what each group of sentences adds."""
    default_probability = model.calibration.default_probability(fit.raw_score(booster, rows, 1))
    return seeds.Scored(default_probability, np.column_stack([added[:, group].sum(1) for group in groups]))


def reasons(
    own: np.ndarray, others: Sequence[np.ndarray], features: Sequence[Feature], settings: Explanation
) -> dict[str, Any]:
    """`groups`, sentences that are one reason; `least`, what each group must add to the log-odds to be named.

    `own` are the model's contributions to the same rows, `others` those of its refits: (rows, sentences), sentences in
    the order of their first feature. The least is `noise_gate` times the root mean square of the difference.
    """
    sentences = list(dict.fromkeys(feature.reason for feature in features))
    groups = grouped(own, _families(features, sentences), settings.together)
    least = np.zeros(len(groups))
    if others:
        moved = [[(other - own)[:, group].sum(1) for group in groups] for other in others]
        least = settings.noise_gate * np.sqrt(np.square(moved).mean((0, 2)))
    return {
        "groups": [[sentences[place] for place in group] for group in groups],
        "least": [float(one) for one in least],
    }


def _families(features: Sequence[Feature], sentences: Sequence[str]) -> list[str]:
    family = {feature.reason: feature.group for feature in reversed(features)}
    return [family[sentence] for sentence in sentences]


def grouped(contributions: np.ndarray, families: Sequence[str], together: float) -> list[list[int]]:
    """Sentences (columns) of one family of which every two correlate by `together` or more: complete linkage.

    A sentence that never adds anything different stands alone; so does a flat column, whose family is none.
    """
    moves = contributions.std(0) > 0
    groups = [[place] for place, family in enumerate(families) if not moves[place] or family == "column"]
    for family in dict.fromkeys(families):
        places = [p for p, own in enumerate(families) if own == family and moves[p] and family != "column"]
        if len(places) == 1:
            groups.append(places)
        if len(places) > 1:
            apart = np.clip(1 - np.corrcoef(contributions[:, places].T), 0, 2)
            np.fill_diagonal(apart, 0)
            tree = linkage(squareform(apart, checks=False), method="complete")
            label = fcluster(tree, 1 - together, criterion="distance")
            groups += [[p for p, own in zip(places, label, strict=True) if own == one] for one in np.unique(label)]
    return sorted(groups)
