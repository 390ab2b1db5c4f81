"""What a customer can do about a score: each lever moves the features that one and the same act moves.

Only acts in a customer's own hand are here: to owe less, to pay on time, to hand in a newer report. To be older, to
earn more or to have no court record is no advice. A lever goes the way in which risk falls, so its features need a
known direction of risk. Nothing here changes a feature's value: the program hash does not cover it, and a model version
outlives a better wording. What was advised is replayed under `digest`, which a decision keeps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from configs.settings import ColumnSpec
from features.declaration import Constant, Expression, Feature, Operation

Unit = Literal["percent", "days", "months", "times", "money", "number"]


@dataclass(frozen=True, slots=True)
class Lever:
    """One act: the features it moves, as far as which goal, in which steps, and how the customer is told.

    A goal g brings each feature to g x its scale or better. `act`: levers of one act are never advised together.
    `least` and `most` are goals beyond which nobody is sent. The sentence holds {goal}.
    """

    name: str
    act: str
    features: tuple[tuple[str, float], ...]
    unit: Unit
    step: float
    told: str
    told_zh: str
    least: float = -np.inf
    most: float = np.inf


def _lever(
    name: str,
    act: str,
    features: str,
    unit: Unit,
    told: str,
    told_zh: str,
    step: float | None = None,
    least: float = 0.0,
    most: float = np.inf,
) -> Lever:
    """`features` are names, each with `*scale` behind it where a goal of 1 is not its 1."""
    steps: dict[Unit, float] = {"percent": 0.01, "times": 0.1, "money": 10.0}
    pairs = (item.partition("*") for item in features.split())
    scaled = tuple((feature, float(scale or 1)) for feature, _, scale in pairs)
    return Lever(name, act, scaled, unit, step or steps.get(unit, 1.0), told, told_zh, least, most)


LEVERS: tuple[Lever, ...] = (
    _lever(
        "utilisation",
        "owe less",
        "utilisation_last utilisation_mean_3m utilisation_mean_6m utilisation_mean_12m utilisation_max_6m "
        "utilisation_min_6m",
        "percent",
        "Keep the balance at or below {goal} of the credit limit",
        "将余额保持在授信额度的{goal}以内",
    ),
    _lever(
        "balance_to_inflow",
        "owe less",
        "balance_to_inflow_6m",
        "times",
        "Bring the balance down to {goal} the money that comes in each month",
        "将余额降至月均资金流入的{goal}",
    ),
    _lever(
        "days_late",
        "pay on time",
        "days_past_due_last days_past_due_previous days_past_due_max_3m days_past_due_max_6m days_past_due_mean_6m",
        "days",
        "Let no payment be later than {goal}",
        "每次还款逾期不超过{goal}",
    ),
    _lever(
        "months_late",
        "pay on time",
        "months_late_3m months_late_6m",
        "months",
        "Be late in no more than {goal}",
        "逾期月份不超过{goal}",
    ),
    _lever(
        "months_without_payment",
        "pay on time",
        "months_without_payment_6m",
        "months",
        "Leave no more than {goal} without a payment",
        "未还款月份不超过{goal}",
    ),
    _lever(
        "payment_ratio",
        "pay what is due",
        "payment_ratio_last payment_ratio_mean_3m payment_ratio_min_6m paid_share_6m paid_share_12m",
        "percent",
        "Pay at least {goal} of what falls due each month",
        "每月至少偿还应还金额的{goal}",
    ),
    _lever(
        "amount_paid",
        "pay more",
        "amount_paid_last amount_paid_mean_6m amount_paid_max_6m amount_paid_min_6m",
        "money",
        "Pay at least {goal} a month",
        "每月至少还款{goal}",
    ),
    _lever(
        "paid_to_limit",
        "pay more",
        "paid_to_limit_6m",
        "percent",
        "Pay at least {goal} of the credit limit a month",
        "每月还款至少达到授信额度的{goal}",
    ),
    _lever(
        "outflow_to_inflow",
        "spend less",
        "outflow_to_inflow_6m",
        "percent",
        "Keep the money that goes out at or below {goal} of what comes in",
        "将支出控制在收入的{goal}以内",
    ),
    _lever(
        "disputes",
        "settle disputes",
        "disputed_share_12m",
        "percent",
        "Let no more than {goal} of invoices be disputed",
        "有争议发票的比例不超过{goal}",
    ),
    _lever(
        "days_beyond_terms",
        "pay invoices on time",
        "days_beyond_terms_mean_6m days_beyond_terms_max_12m",
        "days",
        "Pay each invoice no later than {goal} after its due date",
        "每张发票最迟在到期后{goal}内付款",
    ),
    _lever(
        "late_amount",
        "pay invoices on time",
        "late_amount_share_6m late_amount_share_12m",
        "percent",
        "Pay late no more than {goal} of what is invoiced",
        "逾期支付的发票金额不超过{goal}",
    ),
    _lever(
        "overdue_amount",
        "settle what is overdue",
        "overdue_amount",
        "money",
        "Bring overdue invoices down to {goal}",
        "将逾期未付发票降至{goal}",
    ),
    _lever(
        "overdue_share",
        "settle what is overdue",
        "open_share_overdue",
        "percent",
        "Bring overdue invoices down to {goal} of what is open",
        "将逾期发票占未结金额的比例降至{goal}",
    ),
    _lever(
        "overdue_sales",
        "settle what is overdue",
        "overdue_to_monthly_sales",
        "times",
        "Bring overdue invoices down to {goal} the purchases of a month",
        "将逾期发票降至月均采购额的{goal}",
    ),
    _lever(
        "oldest_overdue",
        "settle what is overdue",
        "oldest_overdue_days",
        "days",
        "Settle every invoice that is overdue for more than {goal}",
        "结清逾期超过{goal}的发票",
        least=1.0,
    ),
    _lever(
        "open_sales",
        "settle open invoices",
        "open_days_of_sales open_to_monthly_sales*0.03287671232876712",  # 12 months in 365 days
        "days",
        "Bring open invoices down to {goal} of purchases",
        "将未结发票降至相当于{goal}的采购额",
    ),
    _lever(
        "debt_to_assets",
        "lower debt",
        "debt_ratio",
        "percent",
        "Bring debt down to {goal} of assets",
        "将负债降至资产的{goal}",
    ),
    _lever(
        "debt_to_equity",
        "lower debt",
        "debt_to_equity",
        "times",
        "Bring debt down to {goal} own funds",
        "将负债降至自有资本的{goal}",
    ),
    _lever(
        "own_funds",
        "lower debt",
        "equity_ratio",
        "percent",
        "Raise own funds to {goal} of assets",
        "将自有资本提高到资产的{goal}",
    ),
    _lever(
        "short_term_debt",
        "turn short-term debt into long-term debt",
        "short_term_debt_share",
        "percent",
        "Bring debt that falls due within a year down to {goal} of all debt",
        "将一年内到期的负债降至总负债的{goal}",
    ),
    _lever(
        "current_ratio",
        "keep means at hand",
        "current_ratio",
        "times",
        "Raise current assets to {goal} short-term debt",
        "将流动资产提高到短期负债的{goal}",
    ),
    _lever(
        "quick_ratio",
        "keep means at hand",
        "quick_ratio",
        "times",
        "Raise current assets without stock to {goal} short-term debt",
        "将扣除存货后的流动资产提高到短期负债的{goal}",
    ),
    _lever(
        "cash_ratio",
        "keep means at hand",
        "cash_ratio",
        "percent",
        "Raise cash to {goal} of short-term debt",
        "将现金提高到短期负债的{goal}",
    ),
    _lever(
        "receivable_days",
        "collect faster",
        "receivable_days",
        "days",
        "Have your own customers pay within {goal}",
        "将应收账款周转天数降至{goal}",
    ),
    _lever(
        "inventory_days",
        "hold less stock",
        "inventory_days",
        "days",
        "Bring stock down to {goal} of sales",
        "将存货周转天数降至{goal}",
    ),
    _lever(
        "report",
        "hand in a newer report",
        "days_since_report",
        "days",
        "Hand in a financial report whose period ended no longer than {goal} ago",
        "提交期末距今不超过{goal}的财务报表",
    ),
    _lever(
        "references",
        "name references",
        "trade_references_24m",
        "number",
        "Name trade references, so that at least {goal} can be asked",
        "提供贸易推荐人，使可征询的数量达到{goal}",
    ),
    _lever(
        "inquiries_3m",
        "ask for credit less often",
        "inquiries_3m",
        "number",
        "Let no more than {goal} inquiries about credit be made",
        "信贷查询次数不超过{goal}",
    ),
    _lever(
        "inquiries_12m",
        "ask for credit less often",
        "inquiries_12m",
        "number",
        "Let no more than {goal} inquiries about credit be made",
        "信贷查询次数不超过{goal}",
    ),
)


def levers_of(features: Sequence[Feature], columns: Sequence[ColumnSpec], never: Sequence[str]) -> tuple[Lever, ...]:
    """The levers that move some of a model's `features`: the house's, and those its product declares on flat columns.

    Without those in `never` (levers or features), and without features whose direction of risk is not known, or that
    are a category.
    """
    movable = {item.name for item in features if item.direction and not item.categories} - set(never)
    own = [_of_column(column) for column in columns if column.advice is not None]
    found = []
    for lever in (*LEVERS, *own):
        moved = tuple(pair for pair in lever.features if pair[0] in movable)
        if moved and lever.name not in never:
            found.append(replace(lever, features=moved))
    return tuple(found)


def _of_column(column: ColumnSpec) -> Lever:
    told = column.advice or ""
    return Lever(
        name=column.name,
        act=column.name,
        features=((column.name, 1.0),),
        unit="number",
        step=column.advice_step,
        told=told,
        told_zh=column.advice_zh or told,
    )


def months_of(formula: Expression) -> int:
    """The longest window that a feature looks back over, in months; 0 where it looks at the last fact or at all."""
    if isinstance(formula, Operation):
        return max(months_of(formula.left), months_of(formula.right))
    return 0 if isinstance(formula, Constant) else int(getattr(formula, "months", 0))


def digest(levers: Sequence[Lever]) -> str:
    """SHA-256 of all that is declared: the same levers advise the same."""
    plain = [{key: str(value) for key, value in asdict(lever).items()} for lever in levers]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
