"""Credit investigation: court, tax and news events, inquiries and trade references, by recency, severity and amount."""

from __future__ import annotations

from functools import partial

from features.declaration import Expression, Feature, StreamReference, feature

bureau = partial(feature, "bureau")


@bureau(
    unit="count",
    risk="rises",
    reason="Court records were found recently",
    reason_zh="近期发现法院记录",
    low=0,
)
def court_events_12m(investigations: StreamReference) -> Expression:
    """Investigation events of type court, 12 months."""
    return investigations.court.positives(12)


@bureau(
    unit="count",
    risk="rises",
    reason="Court records were found",
    reason_zh="发现法院记录",
    low=0,
)
def court_events_36m(investigations: StreamReference) -> Expression:
    """Investigation events of type court, 36 months."""
    return investigations.court.positives(36)


@bureau(
    unit="level",
    risk="rises",
    reason="Court records of high severity were found",
    reason_zh="发现严重的法院记录",
    low=0,
    high=5,
)
def court_severity_36m(investigations: StreamReference) -> Expression:
    """Highest severity of an event of type court, 36 months."""
    return investigations.court_severity.max(36)


@bureau(
    unit="currency",
    risk="rises",
    reason="Court records over large amounts were found",
    reason_zh="法院记录涉及金额较大",
    low=0,
)
def court_amount_36m(investigations: StreamReference) -> Expression:
    """Amounts in events of type court, 36 months."""
    return investigations.court_amount.total(36)


@bureau(
    unit="days",
    risk="falls",
    reason="Court records lie only a short time back",
    reason_zh="距上次法院记录时间较短",
    low=0,
)
def days_since_court_event(investigations: StreamReference) -> Expression:
    """Days since the last event of type court; missing if there was none."""
    return investigations.court.days_since_positive()


@bureau(
    unit="count",
    risk="rises",
    reason="Tax arrears or penalties were found recently",
    reason_zh="近期发现税务欠缴或处罚",
    low=0,
)
def tax_events_12m(investigations: StreamReference) -> Expression:
    """Investigation events of type tax, 12 months."""
    return investigations.tax.positives(12)


@bureau(
    unit="count",
    risk="rises",
    reason="Tax arrears or penalties were found",
    reason_zh="发现税务欠缴或处罚",
    low=0,
)
def tax_events_36m(investigations: StreamReference) -> Expression:
    """Investigation events of type tax, 36 months."""
    return investigations.tax.positives(36)


@bureau(
    unit="level",
    risk="rises",
    reason="Tax arrears or penalties of high severity were found",
    reason_zh="发现严重的税务欠缴或处罚",
    low=0,
    high=5,
)
def tax_severity_36m(investigations: StreamReference) -> Expression:
    """Highest severity of an event of type tax, 36 months."""
    return investigations.tax_severity.max(36)


@bureau(
    unit="currency",
    risk="rises",
    reason="Tax arrears or penalties over large amounts were found",
    reason_zh="税务欠缴或处罚涉及金额较大",
    low=0,
)
def tax_amount_36m(investigations: StreamReference) -> Expression:
    """Amounts in events of type tax, 36 months."""
    return investigations.tax_amount.total(36)


@bureau(
    unit="days",
    risk="falls",
    reason="Tax arrears or penalties lie only a short time back",
    reason_zh="距上次税务欠缴或处罚时间较短",
    low=0,
)
def days_since_tax_event(investigations: StreamReference) -> Expression:
    """Days since the last event of type tax; missing if there was none."""
    return investigations.tax.days_since_positive()


@bureau(
    unit="count",
    risk="rises",
    reason="Negative news were found recently",
    reason_zh="近期发现负面新闻",
    low=0,
)
def news_events_12m(investigations: StreamReference) -> Expression:
    """Investigation events of type news, 12 months."""
    return investigations.news.positives(12)


@bureau(
    unit="count",
    risk="rises",
    reason="Negative news were found",
    reason_zh="发现负面新闻",
    low=0,
)
def news_events_36m(investigations: StreamReference) -> Expression:
    """Investigation events of type news, 36 months."""
    return investigations.news.positives(36)


@bureau(
    unit="level",
    risk="rises",
    reason="Negative news of high severity were found",
    reason_zh="发现严重的负面新闻",
    low=0,
    high=5,
)
def news_severity_36m(investigations: StreamReference) -> Expression:
    """Highest severity of an event of type news, 36 months."""
    return investigations.news_severity.max(36)


@bureau(
    unit="currency",
    risk="rises",
    reason="Negative news over large amounts were found",
    reason_zh="负面新闻涉及金额较大",
    low=0,
)
def news_amount_36m(investigations: StreamReference) -> Expression:
    """Amounts in events of type news, 36 months."""
    return investigations.news_amount.total(36)


@bureau(
    unit="days",
    risk="falls",
    reason="Negative news lie only a short time back",
    reason_zh="距上次负面新闻时间较短",
    low=0,
)
def days_since_news_event(investigations: StreamReference) -> Expression:
    """Days since the last event of type news; missing if there was none."""
    return investigations.news.days_since_positive()


@bureau(
    unit="count",
    risk="rises",
    reason="Credit was asked for often lately",
    reason_zh="近期信贷查询较多",
    low=0,
)
def inquiries_3m(investigations: StreamReference) -> Expression:
    """Credit inquiries by others, 3 months."""
    return investigations.inquiry.positives(3)


@bureau(
    unit="count",
    risk="rises",
    reason="Credit was asked for often",
    reason_zh="信贷查询较多",
    low=0,
)
def inquiries_12m(investigations: StreamReference) -> Expression:
    """Credit inquiries by others, 12 months."""
    return investigations.inquiry.positives(12)


@bureau(
    unit="ratio",
    risk="rises",
    reason="Credit is asked for more and more often",
    reason_zh="信贷查询越来越频繁",
    low=0,
)
def inquiries_speeding_up(investigations: StreamReference) -> Expression:
    """Inquiries of 3 months, times four, over those of 12 months."""
    return investigations.inquiry.positives(3) * 4 / investigations.inquiry.positives(12)


@bureau(
    unit="level",
    risk="rises",
    reason="Other suppliers report slow payment",
    reason_zh="其他供应商反映付款较慢",
    low=0,
    high=5,
)
def trade_reference_severity_24m(investigations: StreamReference) -> Expression:
    """Mean severity of what trade references report, 24 months; 0 is paid as agreed."""
    return investigations.trade_reference_severity.mean(24)


@bureau(
    unit="level",
    risk="rises",
    reason="Another supplier reports a serious delay",
    reason_zh="有供应商反映严重拖欠",
    low=0,
    high=5,
)
def trade_reference_worst_24m(investigations: StreamReference) -> Expression:
    """Worst severity of a trade reference, 24 months."""
    return investigations.trade_reference_severity.max(24)


@bureau(
    unit="count",
    risk="falls",
    reason="Few suppliers could be asked",
    reason_zh="可查询的供应商较少",
    low=0,
)
def trade_references_24m(investigations: StreamReference) -> Expression:
    """Trade references, 24 months."""
    return investigations.trade_reference.positives(24)


@bureau(
    unit="count",
    risk="rises",
    reason="Serious findings lie only a short time back",
    reason_zh="近期有严重调查发现",
    low=0,
)
def severe_events_12m(investigations: StreamReference) -> Expression:
    """Investigation events of severity 3 or more of any type, 12 months."""
    return investigations.severe.positives(12)


@bureau(
    unit="count",
    risk="rises",
    reason="Many findings are on record",
    reason_zh="调查记录较多",
    low=0,
)
def events_36m(investigations: StreamReference) -> Expression:
    """Investigation events of any type, 36 months."""
    return investigations.rows.count(36)


@bureau(
    unit="days",
    risk="unknown",
    reason="The last investigation lies far back",
    reason_zh="距上次调查时间较长",
    low=0,
)
def days_since_investigation(investigations: StreamReference) -> Expression:
    """Days since the last investigation event of any type: how old the newest finding is."""
    return investigations.rows.days_since_last()


FEATURES: tuple[Feature, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Feature))
