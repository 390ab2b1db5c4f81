"""Financial position: solvency, profitability, efficiency and cash, out of reports known at as_of."""

from __future__ import annotations

from functools import partial

from features.declaration import Expression, Feature, StreamReference, feature

financial = partial(feature, "financial")


@financial(
    unit="ratio",
    risk="rises",
    reason="Debt is high against assets",
    reason_zh="负债占资产比例偏高",
    low=0,
)
def debt_ratio(financials: StreamReference) -> Expression:
    """Total liabilities over total assets."""
    return (financials.total_liabilities / financials.total_assets).last()


@financial(
    unit="ratio a month",
    risk="rises",
    reason="Debt is growing against assets",
    reason_zh="资产负债率持续上升",
)
def debt_ratio_slope_36m(financials: StreamReference) -> Expression:
    """Change of total liabilities over total assets a month, 36 months."""
    return (financials.total_liabilities / financials.total_assets).slope(36)


@financial(
    unit="ratio",
    risk="falls",
    reason="Own funds are low",
    reason_zh="自有资本偏低",
)
def equity_ratio(financials: StreamReference) -> Expression:
    """Equity over total assets."""
    return (financials.equity / financials.total_assets).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Short-term debts are barely covered",
    reason_zh="短期偿债能力不足",
    low=0,
)
def current_ratio(financials: StreamReference) -> Expression:
    """Current assets over current liabilities."""
    return (financials.current_assets / financials.current_liabilities).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Short-term debts are barely covered without selling stock",
    reason_zh="扣除存货后短期偿债能力不足",
)
def quick_ratio(financials: StreamReference) -> Expression:
    """Current assets without inventory over current liabilities."""
    return (financials.current_assets.last() - financials.inventory.last()) / financials.current_liabilities.last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Cash is short",
    reason_zh="现金不足",
    low=0,
)
def cash_ratio(financials: StreamReference) -> Expression:
    """Cash over current liabilities."""
    return (financials.cash / financials.current_liabilities).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Working capital is low",
    reason_zh="营运资金偏低",
)
def working_capital_to_assets(financials: StreamReference) -> Expression:
    """Current assets less current liabilities, over total assets (Altman 1968, X1)."""
    return (financials.current_assets.last() - financials.current_liabilities.last()) / financials.total_assets.last()


@financial(
    unit="times",
    risk="falls",
    reason="Earnings barely cover interest",
    reason_zh="利润难以覆盖利息",
)
def interest_cover(financials: StreamReference) -> Expression:
    """EBIT over interest; missing without interest."""
    return (financials.ebit / financials.interest).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Profit is low",
    reason_zh="盈利能力偏低",
)
def return_on_assets(financials: StreamReference) -> Expression:
    """Net income over total assets."""
    return (financials.net_income / financials.total_assets).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Operating profit is low",
    reason_zh="经营利润偏低",
)
def ebit_to_assets(financials: StreamReference) -> Expression:
    """EBIT over total assets (Altman 1968, X3)."""
    return (financials.ebit / financials.total_assets).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="The profit margin is low",
    reason_zh="净利率偏低",
)
def net_margin(financials: StreamReference) -> Expression:
    """Net income over revenue."""
    return (financials.net_income / financials.revenue).last()


@financial(
    unit="ratio a month",
    risk="falls",
    reason="The profit margin is shrinking",
    reason_zh="净利率持续下降",
)
def net_margin_slope_36m(financials: StreamReference) -> Expression:
    """Change of net margin a month, 36 months."""
    return (financials.net_income / financials.revenue).slope(36)


@financial(
    unit="ratio",
    risk="falls",
    reason="The gross margin is low",
    reason_zh="毛利率偏低",
)
def gross_margin(financials: StreamReference) -> Expression:
    """Revenue less cost of sales, over revenue."""
    return (financials.revenue.last() - financials.cost_of_sales.last()) / financials.revenue.last()


@financial(
    unit="times a year",
    risk="falls",
    reason="Assets bring little revenue",
    reason_zh="资产周转率偏低",
    low=0,
)
def asset_turnover(financials: StreamReference) -> Expression:
    """Revenue over total assets (Altman 1968, X5)."""
    return (financials.revenue / financials.total_assets).last()


@financial(
    unit="days",
    risk="rises",
    reason="Customers pay this company slowly",
    reason_zh="应收账款周转较慢",
    low=0,
)
def receivable_days(financials: StreamReference) -> Expression:
    """Receivables over revenue, in days of 365."""
    return financials.receivables.last() / financials.revenue.last() * 365


@financial(
    unit="days",
    risk="rises",
    reason="Stock moves slowly",
    reason_zh="存货周转较慢",
    low=0,
)
def inventory_days(financials: StreamReference) -> Expression:
    """Inventory over cost of sales, in days of 365."""
    return financials.inventory.last() / financials.cost_of_sales.last() * 365


@financial(
    unit="ratio",
    risk="falls",
    reason="Operations bring little cash against debt",
    reason_zh="经营现金流相对负债偏低",
)
def operating_cash_to_debt(financials: StreamReference) -> Expression:
    """Operating cash flow over total liabilities (Beaver 1966)."""
    return (financials.operating_cash_flow / financials.total_liabilities).last()


@financial(
    unit="share",
    risk="falls",
    reason="Revenue is not growing",
    reason_zh="营业收入未增长",
)
def revenue_growth(financials: StreamReference) -> Expression:
    """Revenue over that of the year before, less one."""
    return financials.revenue.last() / financials.revenue.previous() - 1


@financial(
    unit="currency a year",
    risk="falls",
    reason="The company is small",
    reason_zh="企业规模较小",
    low=0,
)
def revenue_last(financials: StreamReference) -> Expression:
    """Revenue of the last report."""
    return financials.revenue.last()


@financial(
    unit="currency",
    risk="falls",
    reason="The company is small",
    reason_zh="企业规模较小",
    low=0,
)
def total_assets_last(financials: StreamReference) -> Expression:
    """Total assets of the last report."""
    return financials.total_assets.last()


@financial(
    unit="days",
    risk="rises",
    reason="Financial reports are old",
    reason_zh="财务报表较旧",
    low=0,
)
def days_since_report(financials: StreamReference) -> Expression:
    """Days since the period of the last report known: how old the newest report is."""
    return financials.total_assets.days_since_last()


@financial(
    unit="ratio",
    risk="rises",
    reason="Debt is high against own funds",
    reason_zh="负债相对自有资本偏高",
    low=0,
)
def debt_to_equity(financials: StreamReference) -> Expression:
    """Total liabilities over equity; missing where equity is gone."""
    return (financials.total_liabilities / financials.equity).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Profit is low against own funds",
    reason_zh="净资产收益率偏低",
)
def return_on_equity(financials: StreamReference) -> Expression:
    """Net income over equity; missing where equity is gone."""
    return (financials.net_income / financials.equity).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Cash is short",
    reason_zh="现金不足",
    low=0,
)
def cash_to_assets(financials: StreamReference) -> Expression:
    """Cash over total assets."""
    return (financials.cash / financials.total_assets).last()


@financial(
    unit="ratio",
    risk="unknown",
    reason="Much is tied up in receivables",
    reason_zh="应收账款占比较高",
    low=0,
)
def receivables_to_assets(financials: StreamReference) -> Expression:
    """Receivables over total assets."""
    return (financials.receivables / financials.total_assets).last()


@financial(
    unit="ratio",
    risk="unknown",
    reason="Much is tied up in stock",
    reason_zh="存货占比较高",
    low=0,
)
def inventory_to_assets(financials: StreamReference) -> Expression:
    """Inventory over total assets."""
    return (financials.inventory / financials.total_assets).last()


@financial(
    unit="share",
    risk="rises",
    reason="Most debt falls due soon",
    reason_zh="短期负债占比较高",
    low=0,
)
def short_term_debt_share(financials: StreamReference) -> Expression:
    """Current liabilities over total liabilities."""
    return (financials.current_liabilities / financials.total_liabilities).last()


@financial(
    unit="ratio",
    risk="rises",
    reason="Interest takes much of revenue",
    reason_zh="利息支出占收入比例较高",
)
def interest_to_revenue(financials: StreamReference) -> Expression:
    """Interest over revenue."""
    return (financials.interest / financials.revenue).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Operations bring little cash",
    reason_zh="经营现金流偏低",
)
def cash_flow_margin(financials: StreamReference) -> Expression:
    """Operating cash flow over revenue."""
    return (financials.operating_cash_flow / financials.revenue).last()


@financial(
    unit="ratio",
    risk="falls",
    reason="Operations bring little cash against short-term debt",
    reason_zh="经营现金流难以覆盖短期负债",
)
def cash_flow_to_short_term_debt(financials: StreamReference) -> Expression:
    """Operating cash flow over current liabilities."""
    return (financials.operating_cash_flow / financials.current_liabilities).last()


@financial(
    unit="days",
    risk="rises",
    reason="Money is tied up in the business for long",
    reason_zh="营运资金占用时间较长",
    low=0,
)
def cash_cycle_days(financials: StreamReference) -> Expression:
    """Receivable days and inventory days together."""
    return (
        financials.receivables.last() / financials.revenue.last() * 365
        + financials.inventory.last() / financials.cost_of_sales.last() * 365
    )


@financial(
    unit="share",
    risk="falls",
    reason="Own funds are shrinking",
    reason_zh="自有资本减少",
)
def equity_growth(financials: StreamReference) -> Expression:
    """Equity over that of the report before, less one; missing where it was gone."""
    return financials.equity.last() / financials.equity.previous() - 1


@financial(
    unit="share",
    risk="unknown",
    reason="The balance sheet changed much",
    reason_zh="资产规模变动较大",
)
def asset_growth(financials: StreamReference) -> Expression:
    """Total assets over those of the report before, less one."""
    return financials.total_assets.last() / financials.total_assets.previous() - 1


@financial(
    unit="ratio a month",
    risk="falls",
    reason="Short-term debts are covered less and less",
    reason_zh="短期偿债能力持续下降",
)
def current_ratio_slope_36m(financials: StreamReference) -> Expression:
    """Change of current assets over current liabilities a month, 36 months."""
    return (financials.current_assets / financials.current_liabilities).slope(36)


@financial(
    unit="reports",
    risk="rises",
    reason="Losses were made in recent years",
    reason_zh="近年出现亏损",
    low=0,
)
def loss_reports_36m(financials: StreamReference) -> Expression:
    """Reports with a net loss, 36 months."""
    return financials.loss.positives(36)


@financial(
    unit="score",
    risk="falls",
    reason="The financial position as a whole is weak",
    reason_zh="整体财务状况较弱",
)
def altman_z_private(financials: StreamReference) -> Expression:
    """Z-prime of private companies (Altman, 1983): 0.717 X1 + 0.847 X2 + 3.107 X3 + 0.420 X4 + 0.998 X5."""
    return (
        (financials.current_assets.last() - financials.current_liabilities.last()) * 0.717
        + financials.retained_earnings.last() * 0.847
        + financials.ebit.last() * 3.107
        + financials.revenue.last() * 0.998
    ) / financials.total_assets.last() + financials.equity.last() / financials.total_liabilities.last() * 0.42


@financial(
    unit="score",
    risk="falls",
    reason="The financial position as a whole is weak",
    reason_zh="整体财务状况较弱",
)
def altman_z_emerging(financials: StreamReference) -> Expression:
    """Altman, Hartzell and Peck (1995) Z-double-prime without its constant: 6.56 X1 + 3.26 X2 + 6.72 X3 + 1.05 X4."""
    return (
        (financials.current_assets.last() - financials.current_liabilities.last()) * 6.56
        + financials.retained_earnings.last() * 3.26
        + financials.ebit.last() * 6.72
    ) / financials.total_assets.last() + financials.equity.last() / financials.total_liabilities.last() * 1.05


FEATURES: tuple[Feature, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Feature))
