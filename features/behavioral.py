"""Behaviour: how the customer uses credit, pays statements and pays invoices."""

from __future__ import annotations

from functools import partial

from features.declaration import Expression, Feature, StreamReference, feature

behavioral = partial(feature, "behavioral")


@behavioral(
    unit="ratio",
    risk="rises",
    reason="Balances are high against the credit limit",
    reason_zh="余额占授信额度的比例偏高",
)
def utilisation_last(statements: StreamReference) -> Expression:
    """Balance over credit limit in the last statement."""
    return (statements.balance / statements.credit_limit).last()


@behavioral(
    unit="ratio",
    risk="rises",
    reason="Balances are high against the credit limit",
    reason_zh="余额占授信额度的比例偏高",
)
def utilisation_mean_3m(statements: StreamReference) -> Expression:
    """Mean monthly balance over credit limit, 3 months."""
    return (statements.balance / statements.credit_limit).mean(3)


@behavioral(
    unit="ratio",
    risk="rises",
    reason="Balances are high against the credit limit",
    reason_zh="余额占授信额度的比例偏高",
)
def utilisation_mean_6m(statements: StreamReference) -> Expression:
    """Mean monthly balance over credit limit, 6 months."""
    return (statements.balance / statements.credit_limit).mean(6)


@behavioral(
    unit="ratio",
    risk="rises",
    reason="Balances are high against the credit limit",
    reason_zh="余额占授信额度的比例偏高",
)
def utilisation_mean_12m(statements: StreamReference) -> Expression:
    """Mean monthly balance over credit limit, 12 months."""
    return (statements.balance / statements.credit_limit).mean(12)


@behavioral(
    unit="ratio",
    risk="rises",
    reason="The credit limit was nearly used up in a recent month",
    reason_zh="近期某月授信额度几乎用尽",
)
def utilisation_max_6m(statements: StreamReference) -> Expression:
    """Highest monthly balance over credit limit, 6 months."""
    return (statements.balance / statements.credit_limit).max(6)


@behavioral(
    unit="ratio",
    risk="rises",
    reason="Balances are high against the credit limit",
    reason_zh="余额占授信额度的比例偏高",
)
def utilisation_min_6m(statements: StreamReference) -> Expression:
    """Lowest monthly balance over credit limit, 6 months."""
    return (statements.balance / statements.credit_limit).min(6)


@behavioral(
    unit="ratio",
    risk="unknown",
    reason="Balances swing from month to month",
    reason_zh="余额月度波动较大",
    low=0,
)
def utilisation_deviation_6m(statements: StreamReference) -> Expression:
    """Standard deviation of monthly balance over credit limit, 6 months."""
    return (statements.balance / statements.credit_limit).deviation(6)


@behavioral(
    unit="ratio a month",
    risk="rises",
    reason="Use of the credit limit is growing",
    reason_zh="授信额度使用率持续上升",
)
def utilisation_slope_6m(statements: StreamReference) -> Expression:
    """Change of balance over credit limit a month, least squares over 6 months."""
    return (statements.balance / statements.credit_limit).slope(6)


@behavioral(
    unit="currency",
    risk="unknown",
    reason="The balance owed",
    reason_zh="当前欠款余额",
)
def balance_last(statements: StreamReference) -> Expression:
    """Balance of the last statement."""
    return statements.balance.last()


@behavioral(
    unit="currency",
    risk="unknown",
    reason="The balance owed",
    reason_zh="近期平均欠款余额",
)
def balance_mean_6m(statements: StreamReference) -> Expression:
    """Mean monthly balance, 6 months."""
    return statements.balance.mean(6)


@behavioral(
    unit="share a month",
    risk="unknown",
    reason="The balance is growing",
    reason_zh="欠款余额持续增长",
)
def balance_change_6m(statements: StreamReference) -> Expression:
    """Slope of the balance over its mean, 6 months: growth a month."""
    return statements.balance.slope(6) / statements.balance.mean(6)


@behavioral(
    unit="currency",
    risk="falls",
    reason="The credit limits granted so far are low",
    reason_zh="已获授信额度较低",
    low=0,
)
def credit_limit_last(statements: StreamReference) -> Expression:
    """Credit limit of the last statement, all accounts."""
    return statements.credit_limit.last()


@behavioral(
    unit="currency",
    risk="falls",
    reason="The last payment was small",
    reason_zh="最近一次还款金额较小",
    low=0,
)
def amount_paid_last(statements: StreamReference) -> Expression:
    """Amount paid in the last statement month."""
    return statements.amount_paid.last()


@behavioral(
    unit="currency",
    risk="falls",
    reason="Payments are small",
    reason_zh="还款金额偏小",
    low=0,
)
def amount_paid_mean_6m(statements: StreamReference) -> Expression:
    """Mean amount paid a month, 6 months."""
    return statements.amount_paid.mean(6)


@behavioral(
    unit="currency",
    risk="falls",
    reason="No large payment was made recently",
    reason_zh="近期没有较大额还款",
    low=0,
)
def amount_paid_max_6m(statements: StreamReference) -> Expression:
    """Largest amount paid in a month, 6 months."""
    return statements.amount_paid.max(6)


@behavioral(
    unit="currency",
    risk="falls",
    reason="Some recent months saw hardly any payment",
    reason_zh="近期部分月份几乎没有还款",
    low=0,
)
def amount_paid_min_6m(statements: StreamReference) -> Expression:
    """Smallest amount paid in a month, 6 months."""
    return statements.amount_paid.min(6)


@behavioral(
    unit="ratio",
    risk="falls",
    reason="Payments are small against the credit limit",
    reason_zh="还款金额相对授信额度偏小",
    low=0,
)
def paid_to_limit_6m(statements: StreamReference) -> Expression:
    """Mean monthly amount paid over credit limit, 6 months."""
    return (statements.amount_paid / statements.credit_limit).mean(6)


@behavioral(
    unit="ratio",
    risk="falls",
    reason="Payments fall short of what was due",
    reason_zh="还款低于应还金额",
    low=0,
)
def payment_ratio_last(statements: StreamReference) -> Expression:
    """Amount paid over amount due, last month with something due."""
    return (statements.amount_paid / statements.amount_due).last()


@behavioral(
    unit="ratio",
    risk="falls",
    reason="Payments fall short of what was due",
    reason_zh="还款低于应还金额",
    low=0,
)
def payment_ratio_mean_3m(statements: StreamReference) -> Expression:
    """Mean of amount paid over amount due, 3 months."""
    return (statements.amount_paid / statements.amount_due).mean(3)


@behavioral(
    unit="ratio",
    risk="falls",
    reason="Payments fall short of what was due",
    reason_zh="还款低于应还金额",
    low=0,
)
def payment_ratio_min_6m(statements: StreamReference) -> Expression:
    """Lowest amount paid over amount due, 6 months."""
    return (statements.amount_paid / statements.amount_due).min(6)


@behavioral(
    unit="ratio",
    risk="falls",
    reason="Payments fall short of what was due",
    reason_zh="还款低于应还金额",
    low=0,
)
def paid_share_6m(statements: StreamReference) -> Expression:
    """All paid over all due, 6 months."""
    return statements.amount_paid.total(6) / statements.amount_due.total(6)


@behavioral(
    unit="months",
    risk="rises",
    reason="In some months nothing was paid",
    reason_zh="部分月份未还款",
    low=0,
    high=6,
)
def months_without_payment_6m(statements: StreamReference) -> Expression:
    """Months with an amount due and nothing paid, 6 months."""
    return statements.unpaid.positives(6)


@behavioral(
    unit="days",
    risk="rises",
    reason="Recent payments were late",
    reason_zh="近期还款逾期",
    low=0,
)
def days_past_due_last(statements: StreamReference) -> Expression:
    """Days past due in the last statement, the worst account."""
    return statements.days_past_due.last()


@behavioral(
    unit="days",
    risk="rises",
    reason="Recent payments were late",
    reason_zh="近期还款逾期",
    low=0,
)
def days_past_due_previous(statements: StreamReference) -> Expression:
    """Days past due in the statement before the last."""
    return statements.days_past_due.previous()


@behavioral(
    unit="days",
    risk="rises",
    reason="Recent payments were late",
    reason_zh="近期还款逾期",
    low=0,
)
def days_past_due_max_3m(statements: StreamReference) -> Expression:
    """Most days past due, 3 months."""
    return statements.days_past_due.max(3)


@behavioral(
    unit="days",
    risk="rises",
    reason="Recent payments were late",
    reason_zh="近期还款逾期",
    low=0,
)
def days_past_due_max_6m(statements: StreamReference) -> Expression:
    """Most days past due, 6 months."""
    return statements.days_past_due.max(6)


@behavioral(
    unit="days",
    risk="rises",
    reason="Recent payments were late",
    reason_zh="近期还款逾期",
    low=0,
)
def days_past_due_max_12m(statements: StreamReference) -> Expression:
    """Most days past due, 12 months."""
    return statements.days_past_due.max(12)


@behavioral(
    unit="days",
    risk="rises",
    reason="Recent payments were late",
    reason_zh="近期还款逾期",
    low=0,
)
def days_past_due_mean_6m(statements: StreamReference) -> Expression:
    """Mean days past due, 6 months."""
    return statements.days_past_due.mean(6)


@behavioral(
    unit="days a month",
    risk="rises",
    reason="Payments are getting later",
    reason_zh="逾期天数呈上升趋势",
)
def days_past_due_slope_6m(statements: StreamReference) -> Expression:
    """Change of days past due a month, least squares over 6 months."""
    return statements.days_past_due.slope(6)


@behavioral(
    unit="months",
    risk="rises",
    reason="Payments were late in several months",
    reason_zh="多个月份出现逾期",
    low=0,
    high=3,
)
def months_late_3m(statements: StreamReference) -> Expression:
    """Months with any days past due, 3 months."""
    return statements.days_past_due.positives(3)


@behavioral(
    unit="months",
    risk="rises",
    reason="Payments were late in several months",
    reason_zh="多个月份出现逾期",
    low=0,
    high=6,
)
def months_late_6m(statements: StreamReference) -> Expression:
    """Months with any days past due, 6 months."""
    return statements.days_past_due.positives(6)


@behavioral(
    unit="months",
    risk="rises",
    reason="Payments were late in several months",
    reason_zh="多个月份出现逾期",
    low=0,
    high=12,
)
def months_late_12m(statements: StreamReference) -> Expression:
    """Months with any days past due, 12 months."""
    return statements.days_past_due.positives(12)


@behavioral(
    unit="months",
    risk="rises",
    reason="A payment was a month or more late",
    reason_zh="曾逾期一个月以上",
    low=0,
    high=12,
)
def months_over_30_days_12m(statements: StreamReference) -> Expression:
    """Months 30 or more days past due, 12 months."""
    return statements.over_30_days.positives(12)


@behavioral(
    unit="months",
    risk="rises",
    reason="A payment was two months or more late",
    reason_zh="曾逾期两个月以上",
    low=0,
    high=12,
)
def months_over_60_days_12m(statements: StreamReference) -> Expression:
    """Months 60 or more days past due, 12 months."""
    return statements.over_60_days.positives(12)


@behavioral(
    unit="days",
    risk="falls",
    reason="A late payment lies only a short time back",
    reason_zh="距上次逾期时间较短",
    low=0,
)
def days_since_late(statements: StreamReference) -> Expression:
    """Days since the last statement with any days past due; missing if there was none."""
    return statements.days_past_due.days_since_positive()


@behavioral(
    unit="currency a month",
    risk="falls",
    reason="Money coming in is low",
    reason_zh="资金流入偏低",
    low=0,
)
def inflow_mean_6m(statements: StreamReference) -> Expression:
    """Mean monthly inflow, 6 months."""
    return statements.inflow.mean(6)


@behavioral(
    unit="ratio",
    risk="rises",
    reason="Money coming in is irregular",
    reason_zh="资金流入不稳定",
    low=0,
)
def inflow_variation_6m(statements: StreamReference) -> Expression:
    """Standard deviation of monthly inflow over its mean, 6 months."""
    return statements.inflow.deviation(6) / statements.inflow.mean(6)


@behavioral(
    unit="share a month",
    risk="falls",
    reason="Money coming in is shrinking",
    reason_zh="资金流入持续减少",
)
def inflow_change_6m(statements: StreamReference) -> Expression:
    """Slope of monthly inflow over its mean, 6 months."""
    return statements.inflow.slope(6) / statements.inflow.mean(6)


@behavioral(
    unit="ratio",
    risk="rises",
    reason="More money goes out than comes in",
    reason_zh="支出大于收入",
    low=0,
)
def outflow_to_inflow_6m(statements: StreamReference) -> Expression:
    """All outflow over all inflow, 6 months."""
    return statements.outflow.total(6) / statements.inflow.total(6)


@behavioral(
    unit="months",
    risk="rises",
    reason="What is owed is high against the money coming in",
    reason_zh="欠款相对收入偏高",
)
def balance_to_inflow_6m(statements: StreamReference) -> Expression:
    """Mean balance over mean monthly inflow, 6 months."""
    return statements.balance.mean(6) / statements.inflow.mean(6)


@behavioral(
    unit="count a month",
    risk="falls",
    reason="The account is little used",
    reason_zh="账户使用频率较低",
    low=0,
)
def transactions_mean_3m(statements: StreamReference) -> Expression:
    """Mean transactions a month, 3 months."""
    return statements.transactions.mean(3)


@behavioral(
    unit="days",
    risk="falls",
    reason="The account history is short",
    reason_zh="账户历史较短",
    low=0,
)
def days_on_book(statements: StreamReference) -> Expression:
    """Days since the first statement known, a year at most: older books all count as old."""
    return statements.rows.days_since_first().at_most(365)


@behavioral(
    unit="days",
    risk="unknown",
    reason="Recent account behaviour is not known",
    reason_zh="缺少近期账户行为记录",
    low=0,
)
def days_since_statement(statements: StreamReference) -> Expression:
    """Days since the last statement: how old the newest behaviour is."""
    return statements.rows.days_since_last()


@behavioral(
    unit="days",
    risk="falls",
    reason="The business relation is young",
    reason_zh="合作时间较短",
    low=0,
)
def days_as_customer(customers: StreamReference) -> Expression:
    """Days since the customer was first served, five years at most."""
    return customers.rows.days_since_first().at_most(1825)


@behavioral(
    unit="currency a month",
    risk="falls",
    reason="Business with us is small",
    reason_zh="与我方交易量较小",
    low=0,
)
def invoiced_monthly_12m(invoices: StreamReference) -> Expression:
    """Amount invoiced a month, mean over 12 months."""
    return invoices.amount.total(12) / 12


@behavioral(
    unit="count",
    risk="falls",
    reason="Few invoices were issued",
    reason_zh="开票次数较少",
    low=0,
)
def invoices_12m(invoices: StreamReference) -> Expression:
    """Invoices issued in 12 months."""
    return invoices.rows.count(12)


@behavioral(
    unit="share",
    risk="rises",
    reason="Invoices are often disputed",
    reason_zh="发票争议较多",
    low=0,
    high=1,
)
def disputed_share_12m(invoices: StreamReference) -> Expression:
    """Share of invoices disputed, 12 months."""
    return invoices.disputed.mean(12)


@behavioral(
    unit="days",
    risk="rises",
    reason="Invoices are paid after their due date",
    reason_zh="发票付款晚于到期日",
)
def days_beyond_terms_mean_6m(paid_invoices: StreamReference) -> Expression:
    """Mean days from due date to payment of invoices paid in 6 months; negative is early."""
    return paid_invoices.days_beyond_terms.mean(6)


@behavioral(
    unit="days",
    risk="rises",
    reason="Invoices are paid after their due date",
    reason_zh="发票付款晚于到期日",
)
def days_beyond_terms_max_12m(paid_invoices: StreamReference) -> Expression:
    """Most days from due date to payment, invoices paid in 12 months."""
    return paid_invoices.days_beyond_terms.max(12)


@behavioral(
    unit="days a month",
    risk="rises",
    reason="Invoices are paid later and later",
    reason_zh="发票付款越来越晚",
)
def days_beyond_terms_slope_12m(paid_invoices: StreamReference) -> Expression:
    """Change of days beyond terms a month, least squares over 12 months."""
    return paid_invoices.days_beyond_terms.slope(12)


@behavioral(
    unit="share",
    risk="rises",
    reason="Invoices are paid after their due date",
    reason_zh="发票付款晚于到期日",
    low=0,
    high=1,
)
def late_amount_share_6m(paid_invoices: StreamReference) -> Expression:
    """Share of the amount paid in 6 months that was paid late."""
    return paid_invoices.late_amount.total(6) / paid_invoices.amount.total(6)


@behavioral(
    unit="months",
    risk="rises",
    reason="A lot is owed against the usual trade",
    reason_zh="未结金额相对交易量偏高",
    low=0,
)
def open_to_monthly_sales(open_invoices: StreamReference, invoices: StreamReference) -> Expression:
    """Open invoices over mean monthly invoicing of 12 months: days of sales outstanding over 30."""
    return open_invoices.amount.total() / (invoices.amount.total(12) / 12)


@behavioral(
    unit="currency",
    risk="rises",
    reason="Invoices are overdue now",
    reason_zh="存在逾期未付发票",
    low=0,
)
def overdue_amount(overdue_invoices: StreamReference) -> Expression:
    """Open invoices past their due date."""
    return overdue_invoices.amount.total()


@behavioral(
    unit="months",
    risk="rises",
    reason="Invoices are overdue now",
    reason_zh="存在逾期未付发票",
    low=0,
)
def overdue_to_monthly_sales(overdue_invoices: StreamReference, invoices: StreamReference) -> Expression:
    """Overdue invoices over mean monthly invoicing of 12 months."""
    return overdue_invoices.amount.total() / (invoices.amount.total(12) / 12)


@behavioral(
    unit="days",
    risk="rises",
    reason="An invoice has been overdue for long",
    reason_zh="发票长期逾期未付",
    low=0,
)
def oldest_overdue_days(overdue_invoices: StreamReference) -> Expression:
    """Days the oldest open invoice is overdue; missing if none is."""
    return overdue_invoices.amount.days_since_first() + 1


@behavioral(
    unit="months",
    risk="rises",
    reason="Payments slipped further behind in several months",
    reason_zh="多个月份逾期加重",
    low=0,
    high=12,
)
def rolls_12m(statements: StreamReference) -> Expression:
    """Months in which days past due rose over the month before, 12 months."""
    return statements.days_past_due.rises(12)


@behavioral(
    unit="months",
    risk="unknown",
    reason="Late payments were caught up again",
    reason_zh="逾期后曾补缴",
    low=0,
    high=12,
)
def cures_12m(statements: StreamReference) -> Expression:
    """Months in which days past due fell from the month before, 12 months."""
    return statements.days_past_due.falls(12)


@behavioral(
    unit="share",
    risk="rises",
    reason="Recent payments were late",
    reason_zh="近期还款逾期",
    low=0,
    high=1,
)
def share_of_months_late_24m(statements: StreamReference) -> Expression:
    """Share of the months of 24 with any days past due."""
    return statements.days_past_due.positives(24) / statements.days_past_due.count(24)


@behavioral(
    unit="months",
    risk="rises",
    reason="The credit limit was nearly used up in several months",
    reason_zh="多个月份授信额度几乎用尽",
    low=0,
    high=6,
)
def utilisation_over_90_months_6m(statements: StreamReference) -> Expression:
    """Months with the balance above 90 % of the limit, 6 months."""
    return statements.over_90_percent.positives(6)


@behavioral(
    unit="share a month",
    risk="unknown",
    reason="The credit limit was changed",
    reason_zh="授信额度发生变动",
)
def credit_limit_change_12m(statements: StreamReference) -> Expression:
    """Slope of the credit limit over its mean, 12 months."""
    return statements.credit_limit.slope(12) / statements.credit_limit.mean(12)


@behavioral(
    unit="ratio",
    risk="falls",
    reason="Payments fall short of what was due",
    reason_zh="还款低于应还金额",
    low=0,
)
def paid_share_12m(statements: StreamReference) -> Expression:
    """All paid over all due, 12 months."""
    return statements.amount_paid.total(12) / statements.amount_due.total(12)


@behavioral(
    unit="ratio a month",
    risk="falls",
    reason="Payments cover less and less of what is due",
    reason_zh="还款覆盖率逐步下降",
)
def payment_ratio_slope_12m(statements: StreamReference) -> Expression:
    """Change of amount paid over amount due a month, least squares over 12 months."""
    return (statements.amount_paid / statements.amount_due).slope(12)


@behavioral(
    unit="currency a month",
    risk="falls",
    reason="Money coming in is low",
    reason_zh="资金流入偏低",
    low=0,
)
def inflow_mean_12m(statements: StreamReference) -> Expression:
    """Mean monthly inflow, 12 months."""
    return statements.inflow.mean(12)


@behavioral(
    unit="currency a month",
    risk="falls",
    reason="In some month hardly any money came in",
    reason_zh="部分月份几乎没有资金流入",
    low=0,
)
def inflow_min_12m(statements: StreamReference) -> Expression:
    """Smallest monthly inflow, 12 months."""
    return statements.inflow.min(12)


@behavioral(
    unit="share a month",
    risk="falls",
    reason="The account is used less and less",
    reason_zh="账户使用逐渐减少",
)
def transactions_change_6m(statements: StreamReference) -> Expression:
    """Slope of monthly transactions over their mean, 6 months."""
    return statements.transactions.slope(6) / statements.transactions.mean(6)


@behavioral(
    unit="days",
    risk="rises",
    reason="Invoices are paid at irregular times",
    reason_zh="发票付款时间不规律",
    low=0,
)
def days_beyond_terms_deviation_12m(paid_invoices: StreamReference) -> Expression:
    """Standard deviation of days beyond terms, invoices paid in 12 months."""
    return paid_invoices.days_beyond_terms.deviation(12)


@behavioral(
    unit="share",
    risk="rises",
    reason="Invoices are paid after their due date",
    reason_zh="发票付款晚于到期日",
    low=0,
    high=1,
)
def late_amount_share_12m(paid_invoices: StreamReference) -> Expression:
    """Share of the amount paid in 12 months that was paid late."""
    return paid_invoices.late_amount.total(12) / paid_invoices.amount.total(12)


@behavioral(
    unit="days",
    risk="rises",
    reason="A lot is owed against the usual trade",
    reason_zh="未结金额相对交易量偏高",
    low=0,
)
def open_days_of_sales(open_invoices: StreamReference, invoices: StreamReference) -> Expression:
    """Days sales outstanding: open invoices over invoicing of 12 months, times 365."""
    return open_invoices.amount.total() / invoices.amount.total(12) * 365


@behavioral(
    unit="share",
    risk="rises",
    reason="Much of what is owed is overdue",
    reason_zh="未结金额中逾期占比较高",
    low=0,
    high=1,
)
def open_share_overdue(overdue_invoices: StreamReference, open_invoices: StreamReference) -> Expression:
    """Overdue over open invoices, by amount."""
    return overdue_invoices.amount.total() / open_invoices.amount.total()


FEATURES: tuple[Feature, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Feature))
