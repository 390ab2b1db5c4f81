"""Signs that a dataset knows what it could not have known, or that its parts are not strangers to each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import chi2
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from features import matrix
from features.check import take
from features.contracts import TABLES, Columns
from training import fit
from training.dataset import Dataset, Split

Severity = Literal["red", "amber"]
"""Red: the model must not be used. Amber: somebody has to say why it is right. Policy, not regulation."""

_AUC = 0.9
_INFORMATION_VALUE = 0.5
_SHIFT_AUC = 0.7
_BINS = 20
_SHIFT_ROWS = 20_000
_FUTURE_ROWS = 500
_TELLING = re.compile(
    r"(^|_)(label|target|outcome|default|defaulted|bad|chargeoff|charged_off|charge_off|writeoff|written_off|write_off"
    r"|recovery|recoveries|recovered|loss|lgd|future|next|after|post|final|settlement|settled|cured)(_|$)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One suspicion: what was checked, on what (a feature, or two parts), what was measured beside its bound."""

    check: str
    severity: Severity
    subject: str
    measured: float
    bound: float
    told: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def inspect(split: Split, tables: Mapping[str, Columns], seed: int, threads: int) -> tuple[Finding, ...]:
    """Every check there is on the parts of `split` and the tables they were made from."""
    return (
        *foretelling(split.train),
        *identifiers(split.train),
        *telling_names(split.train),
        *overlap(split),
        *repeated(split),
        *shifted(split, seed, threads),
        *future_facts(split.train, tables, seed),
    )


def red(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that no model may be promoted with."""
    return tuple(finding for finding in findings if finding.severity == "red")


def foretelling(data: Dataset) -> list[Finding]:
    """Features that alone foretell default too well: AUC above 0.9 (red), information value above 0.5 (amber).

    The AUC is of default rates by bin, learned on one half of the customers and judged on the other, so neither
    many categories nor few defaults raise it by chance; missing is a bin of its own. The information value
    (Kullback 1959; Siddiqi 2006, ch. 6) is flagged only if chance explains less than 0.5 of it: it is a PSI between
    goods and bads, so chi-squared with bins - 1 degrees of freedom times (1/goods + 1/bads) bounds it.
    """
    findings = []
    bad = data.defaulted.astype(bool)
    half = np.unique(data.kin().astype(str), return_inverse=True)[1] % 2
    for place, name in enumerate(data.program.names):
        bins = _bins(data.matrix[:, place])
        auc = _foretold(bins, bad, half)
        value, by_chance = information_value(bins, bad)
        if auc > _AUC:
            told = f"{name} alone foretells default with an AUC of {auc:.3f}: it may be known only afterwards"
            findings.append(Finding("single_feature_auc", "red", name, auc, _AUC, told))
        elif value - by_chance > _INFORMATION_VALUE:
            told = f"{name} alone has an information value of {value:.2f}: strong enough to ask when it is known"
            findings.append(Finding("information_value", "amber", name, value, _INFORMATION_VALUE, told))
    return findings


def _bins(values: np.ndarray) -> np.ndarray:
    """The bin of each value, (rows,): as few values as bins stand alone, more are cut at quantiles; 0 is missing."""
    missing = np.isnan(values)
    distinct = np.unique(values[~missing])
    if len(distinct) > _BINS:
        distinct = np.unique(np.quantile(values[~missing], np.linspace(0, 1, _BINS + 1), method="lower")[:-1])
    return np.where(missing, 0, np.searchsorted(distinct, values, side="right"))


def _foretold(bins: np.ndarray, bad: np.ndarray, half: np.ndarray) -> float:
    """Mean AUC over both halves of the default rates by bin that the other half taught."""
    aucs = []
    for judged in (half == 0, half == 1):
        learned = ~judged
        if len(set(bad[judged])) < 2 or not learned.any():
            return 0.5
        counts = np.bincount(bins[learned], minlength=bins.max() + 1)
        bads = np.bincount(bins[learned], bad[learned], minlength=bins.max() + 1)
        rate = (bads + bad[learned].mean()) / (counts + 1)
        aucs.append(float(roc_auc_score(bad[judged], rate[bins[judged]])))
    return float(np.mean(aucs))


def information_value(bins: np.ndarray, bad: np.ndarray) -> tuple[float, float]:
    """Sum over bins of (share of goods - share of bads) x ln of their ratio, half a row added to each count; and
    what chance alone exceeds in one of twenty tables."""
    found = np.stack([np.bincount(bins[group], minlength=bins.max() + 1) for group in (~bad, bad)])
    counts = found[:, found.sum(0) > 0] + 0.5
    goods, bads = counts / counts.sum(1, keepdims=True)
    chance = chi2.ppf(0.95, max(counts.shape[1] - 1, 1)) * (1 / max((~bad).sum(), 1) + 1 / max(bad.sum(), 1))
    return float(((goods - bads) * np.log(goods / bads)).sum()), float(chance)


def identifiers(data: Dataset) -> list[Finding]:
    """Features that number or name the customers: a category with nearly as many levels as there are customers (red),
    whole numbers nearly all distinct that lie as densely as a count (amber)."""
    findings = []
    customers = len(np.unique(data.customer_id.astype(str)))
    for place, item in enumerate(data.program.features):
        values = data.matrix[:, place]
        distinct = np.unique(values[~np.isnan(values)])
        if not len(distinct):
            continue
        share = min(len(distinct) / customers, 1.0)
        dense = distinct[-1] - distinct[0] < 10 * len(distinct) and (distinct == np.floor(distinct)).all()
        if item.categories and share > 0.5:
            told = f"{item.name} has {len(distinct)} levels for {customers} customers: it names them"
            findings.append(Finding("identifier", "red", item.name, share, 0.5, told))
        elif not item.categories and share > 0.95 and dense:
            told = f"{item.name} is a whole number of its own for nearly every customer: it may number them"
            findings.append(Finding("identifier", "amber", item.name, share, 0.95, told))
    return findings


def telling_names(data: Dataset) -> list[Finding]:
    """Flat columns whose name speaks of the outcome or of later (amber); declared features say themselves what they
    are."""
    return [
        Finding("name", "amber", item.name, 1.0, 0.0, f"{item.name} is named like an outcome or like something later")
        for item in data.program.features
        if item.group == "column" and _TELLING.search(item.name)
    ]


def overlap(split: Split) -> list[Finding]:
    """Customers and groups that stand in both parts (red): there must be none."""
    findings = []
    for what, of in (("customers", lambda part: part.customer_id), ("groups", Dataset.kin)):
        common = len(np.intersect1d(of(split.train).astype(str), of(split.test).astype(str)))
        if common:
            told = f"{common} {what} stand in train and test"
            findings.append(Finding(f"overlap_of_{what}", "red", "train, test", float(common), 0.0, told))
    return findings


def repeated(split: Split) -> list[Finding]:
    """Rows whose every feature and label stand in the training part too (amber above one in a hundred).

    Rows are compared by their bytes. Coarse features repeat by nature; a copied file repeats under other ids.
    """
    share = float(np.isin(_fingerprints(split.test), _fingerprints(split.train)).mean())
    if share <= 0.01:
        return []
    told = f"{share:.1%} of the test rows stand in train too, feature by feature and with the same label"
    return [Finding("repeated_rows", "amber", "train, test", share, 0.01, told)]


def _fingerprints(data: Dataset) -> np.ndarray:
    rows = np.ascontiguousarray(np.column_stack([data.matrix, data.defaulted]) + 0.0)
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()


def shifted(split: Split, seed: int, threads: int) -> list[Finding]:
    """Whether a model can tell training rows from test rows (adversarial validation): AUC above 0.7 is a shift (amber).

    Judged out of fold, folds by customer, on at most 20,000 rows.
    """
    auc = adversarial_auc(split.train, split.test, seed, threads)
    if auc <= _SHIFT_AUC:
        return []
    told = f"a model tells train from test rows with an AUC of {auc:.3f}: the test is of another population"
    return [Finding("adversarial_validation", "amber", "train, test", auc, _SHIFT_AUC, told)]


def adversarial_auc(train: Dataset, test: Dataset, seed: int, threads: int) -> float:
    """Out-of-fold AUC of 40 small trees that guess which of the two parts a row comes from; 0.5 if rows are few."""
    rng = np.random.default_rng(seed)
    parts = [part.take(rng.permutation(len(part))[: _SHIFT_ROWS // 2]) for part in (train, test)]
    values = np.concatenate([part.matrix for part in parts])
    is_test = np.repeat(np.array([0, 1], np.int8), [len(part) for part in parts])
    kin = np.concatenate([part.kin() for part in parts]).astype(str)
    if min(len(np.unique(part.kin().astype(str))) for part in parts) < 30:
        return 0.5
    features = train.program.features
    params = {
        "num_leaves": 8,
        "learning_rate": 0.1,
        "min_data_in_leaf": 20,
        "monotone_constraints": [0] * len(features),
    }
    guessed = np.zeros(len(values))
    for learn, judge in StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(values, is_test, kin):
        booster = fit.fit(values[learn], is_test[learn], features, params, 40, seed, threads)
        guessed[judge] = fit.raw_score(booster, values[judge], threads)
    return float(roc_auc_score(is_test, guessed))


def future_facts(data: Dataset, tables: Mapping[str, Columns], seed: int) -> list[Finding]:
    """Features that change when all facts later than as_of are taken away (red), on at most 500 rows.

    A proof by construction: for each as_of the features are built again from tables that hold only what had
    happened and was known by then, and must come out bit for bit the same.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(data))[:_FUTURE_ROWS])
    sample = data.take(chosen)
    own = {name: take(table, _of(sample.customer_id, table)) for name, table in tables.items()}
    again = np.empty_like(sample.matrix)
    for as_of in np.unique(sample.as_of):
        rows = sample.as_of == as_of
        known = {name: take(table, _by_then(name, table, int(as_of))) for name, table in own.items()}
        again[rows] = matrix.build(data.program, known, sample.customer_id[rows], sample.as_of[rows])
    changed = (again.view(np.int64) != sample.matrix.view(np.int64)) & ~(np.isnan(again) & np.isnan(sample.matrix))
    return [
        Finding(
            "future_facts", "red", name, float(share), 0.0, f"{name} uses facts later than as_of in {share:.1%} of rows"
        )
        for name, share in zip(data.program.names, changed.mean(0), strict=True)
        if share
    ]


def _of(customer_id: np.ndarray, table: Columns) -> np.ndarray:
    customers = table["customer_id"]
    return np.asarray(np.isin(customers.values.astype(str), customer_id.astype(str))[customers.codes])


def _by_then(name: str, table: Columns, as_of: int) -> np.ndarray:
    event = table[TABLES[name].event if name in TABLES else "date"]
    return np.asarray((event <= as_of) & (table["known_time"] <= as_of))
