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
from scipy.special import logit

from configs.settings import Explanation, Settings
from features.declaration import Feature
from training import fit, interval
from training.dataset import Split
from training.model import Model


def certainty(split: Split, model: Model, settings: Settings) -> dict[str, Any]:
    """The sections of training.json that serving reads: `reasons`, and `pd_interval` where the rows can tell it."""
    train, test, wanted = split.train, split.test, settings.explanation
    band = interval.measure(logit(model.out_of_fold), train.defaulted, train.customer_id, wanted.pd_confidence)
    refits = [_refit(split, model, settings, number) for number in range(wanted.refits)]
    rows = test.matrix[np.linspace(0, len(test) - 1, min(len(test), wanted.rows)).astype(int)]
    return {
        "pd_interval": None if band is None else band.to_json(),
        "reasons": reasons(model.booster, refits, rows, split.train.program.features, wanted),
    }


def reasons(
    booster: lgb.Booster,
    refits: Sequence[lgb.Booster],
    rows: np.ndarray,
    features: Sequence[Feature],
    settings: Explanation,
) -> dict[str, Any]:
    """`groups`, sentences that are one reason; `least`, what each group must add to the log-odds to be named.

    Measured on `rows` (rows, features). The least is `noise_gate` times the root mean square of the difference between
    a refit's contribution and the model's own.
    """
    sentences = list(dict.fromkeys(feature.reason for feature in features))
    own = _by_sentence(booster, rows, features, sentences)
    groups = grouped(own, _families(features, sentences), settings.together)
    least = np.zeros(len(groups))
    if refits:
        others = [_by_sentence(one, rows, features, sentences) for one in refits]
        moved = [[(other - own)[:, group].sum(1) for group in groups] for other in others]
        least = settings.noise_gate * np.sqrt(np.square(moved).mean((0, 2)))
    return {
        "groups": [[sentences[place] for place in group] for group in groups],
        "least": [float(one) for one in least],
    }


def _families(features: Sequence[Feature], sentences: Sequence[str]) -> list[str]:
    family = {feature.reason: feature.group for feature in reversed(features)}
    return [family[sentence] for sentence in sentences]


def _by_sentence(
    booster: lgb.Booster, rows: np.ndarray, features: Sequence[Feature], sentences: Sequence[str]
) -> np.ndarray:
    """Contributions in log-odds of default, (rows, sentences)."""
    contributions = np.asarray(booster.predict(rows, pred_contrib=True))[:, :-1]
    belongs = np.array([[feature.reason == sentence for sentence in sentences] for feature in features], float)
    return contributions @ belongs


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


def _refit(split: Split, model: Model, settings: Settings, number: int) -> lgb.Booster:
    """The same model on as many customers, drawn with replacement."""
    train, seed = split.train, settings.training.seed + 1 + number
    customers, customer = np.unique(train.customer_id.astype(str), return_inverse=True)
    drawn = np.random.default_rng(seed).integers(0, len(customers), len(customers))
    rows = np.repeat(np.arange(len(train)), np.bincount(drawn, minlength=len(customers))[customer])
    return fit.fit(
        train.matrix[rows],
        train.defaulted[rows],
        train.program.features,
        dict(model.params),
        model.booster.current_iteration(),
        seed,
        settings.training.threads,
    )
