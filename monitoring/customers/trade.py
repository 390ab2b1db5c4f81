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


def needed(
    purchases: np.ndarray, terms: np.ndarray, annual_loss_rate: np.ndarray, offered: Sequence[int], rules: TradeRules
) -> np.ndarray:
    """The limit that purchases (currency a month) on `terms` days need, 0 where none would pay, (rows,).

    need = purchases x (terms + late days) / 30 x headroom. It pays where a year's margin exceeds funding of what is
    owed on average and the expected loss of the whole limit. Whoever buys for 10,000 a month on 30 days and pays 15
    days late owes 15,000 and needs, with a headroom of 1.25, 18,750: 12 x 0.1 of margin against 1.5 x 0.06 of funding
    pay up to a loss rate of (1.2 - 0.09) / 1.875 = 0.592. Where the need of the terms does not pay that of the
    longest shorter ones that are `offered` does, so that a higher PD, with shorter terms, never has a higher limit.
    """
    bought = np.nan_to_num(purchases, nan=0.0)
    limit = np.zeros(len(bought))
    for days in sorted({days for days in offered if days > 0}):
        owed = (days + rules.late_days) / 30
        months = owed * rules.headroom
        pays = 12 * rules.margin_share > rules.funding_rate * owed + annual_loss_rate * months
        limit = np.where((terms >= days) & pays, np.floor(bought * months), limit)
    return limit
