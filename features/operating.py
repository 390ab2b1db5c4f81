"""Operations: growth, margins, their steadiness, and the course of trade with us."""

from __future__ import annotations

from functools import partial

from features.declaration import Expression, Feature, StreamReference, feature

operating = partial(feature, "operating")


@operating(
    unit="share a month",
    risk="falls",
    reason="Business is shrinking",
    reason_zh="业务规模收缩",
)
def revenue_slope_36m(financials: StreamReference) -> Expression:
    """Slope of yearly revenue over its mean, 36 months: growth a month."""
    return financials.revenue.slope(36) / financials.revenue.mean(36)


@operating(
    unit="ratio",
    risk="rises",
    reason="Revenue swings from year to year",
    reason_zh="营业收入年度波动较大",
    low=0,
)
def revenue_variation_60m(financials: StreamReference) -> Expression:
    """Standard deviation of yearly revenue over its mean, 60 months."""
    return financials.revenue.deviation(60) / financials.revenue.mean(60)


@operating(
    unit="ratio",
    risk="falls",
    reason="The operating margin is low",
    reason_zh="经营利润率偏低",
)
def operating_margin(financials: StreamReference) -> Expression:
    """EBIT over revenue."""
    return (financials.ebit / financials.revenue).last()


@operating(
    unit="ratio a month",
    risk="falls",
    reason="The operating margin is shrinking",
    reason_zh="经营利润率持续下降",
)
def operating_margin_slope_36m(financials: StreamReference) -> Expression:
    """Change of EBIT over revenue a month, 36 months."""
    return (financials.ebit / financials.revenue).slope(36)


@operating(
    unit="ratio",
    risk="rises",
    reason="The operating margin is unsteady",
    reason_zh="经营利润率不稳定",
    low=0,
)
def operating_margin_deviation_60m(financials: StreamReference) -> Expression:
    """Standard deviation of EBIT over revenue, 60 months."""
    return (financials.ebit / financials.revenue).deviation(60)


@operating(
    unit="ratio",
    risk="rises",
    reason="Costs take most of revenue",
    reason_zh="成本占收入比例较高",
)
def cost_ratio(financials: StreamReference) -> Expression:
    """Cost of sales over revenue."""
    return (financials.cost_of_sales / financials.revenue).last()


@operating(
    unit="ratio a month",
    risk="rises",
    reason="Costs are growing against revenue",
    reason_zh="成本率持续上升",
)
def cost_ratio_slope_36m(financials: StreamReference) -> Expression:
    """Change of cost of sales over revenue a month, 36 months."""
    return (financials.cost_of_sales / financials.revenue).slope(36)


@operating(
    unit="ratio",
    risk="falls",
    reason="Revenue is back at its lowest",
    reason_zh="营业收入处于近年低位",
    low=0,
)
def revenue_to_worst_year_60m(financials: StreamReference) -> Expression:
    """Revenue of the last report over the lowest of 60 months."""
    return financials.revenue.last() / financials.revenue.min(60)


@operating(
    unit="share",
    risk="falls",
    reason="Business with us is shrinking",
    reason_zh="与我方交易量下降",
    low=-1,
    high=3,
)
def invoiced_growth_3m(invoices: StreamReference) -> Expression:
    """Invoicing of 3 months, times four, over that of 12 months, less one."""
    return invoices.amount.total(3) * 4 / invoices.amount.total(12) - 1


@operating(
    unit="count",
    risk="falls",
    reason="Few invoices were issued lately",
    reason_zh="近期开票较少",
    low=0,
)
def invoices_3m(invoices: StreamReference) -> Expression:
    """Invoices issued in 3 months."""
    return invoices.rows.count(3)


@operating(
    unit="currency",
    risk="unknown",
    reason="The usual size of orders",
    reason_zh="平均订单金额",
    low=0,
)
def invoice_size_mean_12m(invoices: StreamReference) -> Expression:
    """Mean amount of an invoice, 12 months."""
    return invoices.amount.mean(12)


@operating(
    unit="ratio",
    risk="unknown",
    reason="Orders differ much in size",
    reason_zh="订单金额差异较大",
    low=0,
)
def invoice_size_variation_12m(invoices: StreamReference) -> Expression:
    """Standard deviation of invoice amounts over their mean, 12 months."""
    return invoices.amount.deviation(12) / invoices.amount.mean(12)


@operating(
    unit="share",
    risk="rises",
    reason="Business rests on a single order",
    reason_zh="交易集中于单笔订单",
    low=0,
    high=1,
)
def largest_invoice_share_12m(invoices: StreamReference) -> Expression:
    """Largest invoice over all invoicing, 12 months."""
    return invoices.amount.max(12) / invoices.amount.total(12)


@operating(
    unit="index",
    risk="rises",
    reason="Business rests on few orders",
    reason_zh="交易集中于少数订单",
    low=0,
    high=1.000001,
)
def invoice_concentration_12m(invoices: StreamReference) -> Expression:
    """Herfindahl index of invoice amounts, 12 months: 1 is a single invoice, 1/n is n equal ones."""
    return invoices.amount_squared.total(12) / (invoices.amount.total(12) * invoices.amount.total(12))


@operating(
    unit="ratio",
    risk="unknown",
    reason="The share of purchases made from us",
    reason_zh="向我方采购的占比",
    low=0,
)
def purchases_to_cost_of_sales(invoices: StreamReference, financials: StreamReference) -> Expression:
    """Invoicing by us of 12 months over cost of sales of the last report: how much it depends on us."""
    return invoices.amount.total(12) / financials.cost_of_sales.last()


@operating(
    unit="days",
    risk="rises",
    reason="No order was placed for some time",
    reason_zh="较长时间没有下单",
    low=0,
)
def days_since_invoice(invoices: StreamReference) -> Expression:
    """Days since the last invoice was issued."""
    return invoices.rows.days_since_last()


@operating(
    unit="days",
    risk="falls",
    reason="The trade relation is young",
    reason_zh="贸易往来时间较短",
    low=0,
)
def days_as_buyer(invoices: StreamReference) -> Expression:
    """Days since the first invoice known, a year at most."""
    return invoices.rows.days_since_first().at_most(365)


@operating(
    unit="ratio",
    risk="rises",
    reason="Money comes in at few times of the year",
    reason_zh="资金流入季节性较强",
    low=0,
)
def inflow_peak_12m(statements: StreamReference) -> Expression:
    """Highest monthly inflow over the mean of 12 months: how seasonal money comes in."""
    return statements.inflow.max(12) / statements.inflow.mean(12)


@operating(
    unit="share",
    risk="falls",
    reason="Money coming in is shrinking",
    reason_zh="资金流入持续减少",
)
def inflow_growth_3m(statements: StreamReference) -> Expression:
    """Mean monthly inflow of 3 months over that of 12 months, less one."""
    return statements.inflow.mean(3) / statements.inflow.mean(12) - 1


@operating(
    unit="ratio",
    risk="unknown",
    reason="Money going out is irregular",
    reason_zh="资金流出不稳定",
    low=0,
)
def outflow_variation_6m(statements: StreamReference) -> Expression:
    """Standard deviation of monthly outflow over its mean, 6 months."""
    return statements.outflow.deviation(6) / statements.outflow.mean(6)


FEATURES: tuple[Feature, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Feature))
