"""When longer payment terms pay: margin on what is sold more against funding and loss on what is owed more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from configs.customers import TermsRules

DAYS = 365.0


def worth(before: np.ndarray, after: np.ndarray, annual_loss_rate: np.ndarray, rules: TermsRules) -> np.ndarray:
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
    earned: np.ndarray, before: np.ndarray, annual_loss_rate: np.ndarray, offered: Sequence[int], rules: TermsRules
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
