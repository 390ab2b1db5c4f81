"""Grades as a rating system: do they rank, do customers stay in them, does anything crowd? ECB (2019), section 2.5."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import kendalltau, norm, rankdata


def auc_of_grades(rows: np.ndarray, defaults: np.ndarray) -> tuple[float, float]:
    """AUC of the grades, best to worst, and its variance, from rows and defaults by grade (grades,) (ECB 2.5.4.1).

    The variance is that of the placements over their number, bads and goods apart; infinite with one of either.
    """
    bads, goods = defaults.astype(float), (rows - defaults).astype(float)
    m, n = bads.sum(), goods.sum()
    of_bads = (np.cumsum(goods) - goods / 2) / n
    of_goods = (np.cumsum(bads[::-1])[::-1] - bads / 2) / m
    auc = float((bads * of_bads).sum() / m)
    if m < 2 or n < 2:
        return auc, math.inf
    spread_bads = (bads * (of_bads - auc) ** 2).sum() / (m - 1)
    spread_goods = (goods * (of_goods - auc) ** 2).sum() / (n - 1)
    return auc, float(spread_bads / m + spread_goods / n)


def auc_fall(initial: float, current: float, variance: float) -> tuple[float, float]:
    """S and p of AUC now below AUC at initial validation, which is taken as fixed (ECB 2.5.4.1): p = 1 - Phi(S).

    Missing where the variance is 0 or unknown.
    """
    if not 0 < variance < math.inf:
        return math.nan, math.nan
    statistic = (initial - current) / math.sqrt(variance)
    return statistic, float(norm.sf(statistic))


def migrations(customer_id: np.ndarray, as_of: np.ndarray, grade: np.ndarray, grades: int) -> np.ndarray:
    """Customers by first and last grade (grades, grades): those judged at two dates or more, each counted once."""
    order = np.lexsort((as_of, customer_id))
    ids, days, graded = customer_id[order], as_of[order], grade[order]
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])) if len(ids) else np.empty(0, int)
    ends = np.append(starts[1:], len(ids)) - 1 if len(ids) else starts
    moved = days[ends] > days[starts]
    table = np.zeros((grades, grades), np.int64)
    np.add.at(table, (graded[starts[moved]], graded[ends[moved]]), 1)
    return table


def migration_bandwidths(table: np.ndarray) -> tuple[float, float]:
    """Matrix weighted bandwidths of moves to worse grades (upper) and to better (lower) (ECB 2.5.5.1).

    Each move weighs by its grades over the widest move its start allows: 0 for moves by none, 1 for all the way
    to an end. Missing where nobody moved that way.
    """
    place = np.arange(len(table))
    distance = np.abs(place[:, None] - place[None, :])
    widest = np.maximum(len(table) - 1 - place, place)[:, None]

    def weighted(moves: np.ndarray) -> float:
        most = float((widest * moves).sum())
        return float((distance * moves).sum()) / most if most else math.nan

    return weighted(np.triu(table, 1)), weighted(np.tril(table, -1))


def migration_z(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z and p (grades, grades) of a move being likelier than the one a step shorter (ECB 2.5.5.2): small p, unstable.

    z = (p_next - p_ij) / sqrt((p_ij (1 - p_ij) + p_next (1 - p_next) + 2 p_ij p_next) / N_i), `next` a step nearer
    to the diagonal. Missing on the diagonal and where neither move was made.
    """
    size = len(table)
    rows = table.sum(1, keepdims=True)
    share = table / np.maximum(rows, 1)
    place = np.arange(size)
    nearer = np.clip(place[None, :] - np.sign(place[None, :] - place[:, None]), 0, size - 1)
    following = np.take_along_axis(share, nearer, axis=1)
    variance = share * (1 - share) + following * (1 - following) + 2 * share * following
    tested = (place[:, None] != place[None, :]) & (variance > 0)
    z = np.full(table.shape, np.nan)
    np.divide((following - share) * np.sqrt(rows), np.sqrt(variance), out=z, where=tested)
    return z, norm.cdf(z)


def variation(weight: np.ndarray) -> float:
    """Coefficient of variation of the grades' shares: sqrt(K sum((R_i - 1/K)^2)); 0 when even (ECB 2.5.5.3)."""
    share = weight / weight.sum()
    return float(np.sqrt(len(share) * ((share - 1 / len(share)) ** 2).sum()))


def herfindahl(weight: np.ndarray) -> float:
    """Concentration in grades: 1 + ln((CV^2 + 1) / K) / ln K, 0 when even, 1 when all in one (ECB 2.5.5.3)."""
    grades = len(weight)
    return float(1 + np.log((variation(weight) ** 2 + 1) / grades) / np.log(grades))


def concentration_rise(initial: np.ndarray, current: np.ndarray) -> float:
    """p of the grades being no more concentrated now than at initial validation, by rows or exposure (ECB 2.5.5.3).

    1 - Phi(sqrt(K - 1) (CV_now - CV_then) / sqrt(CV_now^2 (1/2 + CV_now^2))); missing where they are even now.
    """
    now = variation(current)
    if now == 0:
        return math.nan
    apart = math.sqrt(len(current) - 1) * (now - variation(initial))
    return float(norm.sf(apart / math.sqrt(now**2 * (0.5 + now**2))))


def kendall_tau(rows: np.ndarray, defaults: np.ndarray) -> tuple[float, float]:
    """Kendall's tau-b of grade and default rate over the filled grades, and its two-sided p; missing below two."""
    filled = rows > 0
    if filled.sum() < 2:
        return math.nan, math.nan
    rates = rankdata(defaults[filled] / rows[filled])
    found = kendalltau(np.arange(len(rates)), rates)
    return float(found.statistic), float(found.pvalue)
