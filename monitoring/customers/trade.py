"""When longer payment terms, and a limit that they need, pay: margin on sales against funding and expected loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from configs.customers import TradeRules

DAYS = 365.0


def worth(before: np.ndarray, after: np.ndarray, annual_loss_rate: np.ndarray, rules: TradeRules) -> np.ndarray:
    """What terms of `after` days earn a year more than `before`, as a share of yearly sales, (rows,).

    margin x more sales - (funding rate + annual PD x loss given default) x more debtors, where sales rise by
    `sales_gain` for 30 days more and debtors are sales x (terms + late days) / 365: the incremental analysis of credit
    standards and credit period (Gitman and Zutter, Principles of Managerial Finance, "changing credit terms"), with the
    loss on all that is owed more. With a margin of 0.1, a gain of 0.08, funding 0.06, PD 0.02 and LGD 0.45, from 30 to
    60 days and sales of 120,000: 960 of margin against 0.069 x 11,441.10 = 789.44, so 170.56.
    """
    more = rules.sales_gain * (after - before) / 30
    debtors = ((1 + more) * (after + rules.late_days) - (before + rules.late_days)) / DAYS
    return np.asarray(rules.margin_share * more - (rules.funding_rate + annual_loss_rate) * debtors)


def extended(
    earned: np.ndarray, before: np.ndarray, annual_loss_rate: np.ndarray, offered: Sequence[int], rules: TradeRules
) -> np.ndarray:
    """The payment days after a review, (rows,): the longest that are `offered`, earned, and pay.

    Terms shorten at once. Whoever had none before gets what is earned. As what longer terms cost rises with the PD and
    what a grade earns falls, a higher PD never ends with longer terms for the same customer before.
    """
    terms = np.where(before > 0, np.minimum(earned, before), earned)
    for days in sorted(set(offered)):
        longer = (before > 0) & (days > before) & (days <= earned)
        pays = worth(before.astype(np.float64), np.full(len(before), float(days)), annual_loss_rate, rules) > 0
        terms = np.where(longer & pays, days, terms)
    return terms.astype(np.int16)


def needed(purchases: np.ndarray, terms: np.ndarray, annual_loss_rate: np.ndarray, rules: TradeRules) -> np.ndarray:
    """The limit that purchases (currency a month) on `terms` days need, 0 where it would not pay, (rows,).

    need = purchases x (terms + late days) / 30 x headroom; it pays where the margin of a year's purchases exceeds
    funding and expected loss of that much credit. A customer who buys for 10,000 a month on 30 days and pays 15 days
    late needs 15,000, with a headroom of 1.25 18,750. Neither rises with the PD: terms do not, nor does what pays.
    """
    months = (np.maximum(terms, 0) + rules.late_days) / 30 * rules.headroom
    pays = 12 * rules.margin_share > (rules.funding_rate + annual_loss_rate) * months
    need = np.floor(np.nan_to_num(purchases, nan=0.0) * months)
    return np.where(pays & (terms > 0), np.maximum(need, 0.0), 0.0)
