"""The simulated portfolio: the same bytes each time, and a truth that its own outcomes bear out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from features.check import check_frame
from features.contracts import TABLES
from features.simulate import HISTORY_MONTHS, Portfolio, Scenario, chain, simulate

PERSONS = Scenario(customers=300, seed=11, months=24)
COMPANIES = dataclasses.replace(PERSONS, companies=True)


@pytest.fixture(scope="module")
def persons() -> Portfolio:
    return simulate(PERSONS)


@pytest.fixture(scope="module")
def companies() -> Portfolio:
    return simulate(COMPANIES)


@pytest.fixture(scope="module")
def many() -> Portfolio:
    """Enough customers to hold a rate against its truth; more hazard, so that there are defaults to count."""
    return simulate(Scenario(customers=20_000, seed=3, months=2, base_hazard=-5.0))


def test_the_same_scenario_gives_the_same_bytes(companies: Portfolio) -> None:
    again = simulate(COMPANIES)
    for name, frame in companies.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], frame, check_exact=True)
    assert again.true_pd.tobytes() == companies.true_pd.tobytes()


def test_another_seed_gives_another_portfolio(persons: Portfolio) -> None:
    other = simulate(dataclasses.replace(PERSONS, seed=12))
    assert other.true_pd.tobytes() != persons.true_pd.tobytes()


@pytest.mark.parametrize("month", [0, 1])
def test_the_default_rate_agrees_with_the_true_pd(many: Portfolio, month: int) -> None:
    seen = many.outcomes([month])
    pd_, n = seen["true_pd"], len(seen)
    error = np.sqrt((pd_ * (1 - pd_)).sum()) / n
    assert abs(seen["defaulted"].mean() - pd_.mean()) < 4 * error


@pytest.mark.parametrize("tenth", range(10))
def test_the_true_pd_is_true_in_every_tenth_of_the_customers(many: Portfolio, tenth: int) -> None:
    seen = many.outcomes([0]).sort_values("true_pd")
    part = seen.iloc[tenth * len(seen) // 10 : (tenth + 1) * len(seen) // 10]
    pd_ = part["true_pd"]
    assert abs((part["defaulted"] - pd_).sum()) < 4 * np.sqrt((pd_ * (1 - pd_)).sum())


def test_without_weights_the_true_pd_is_that_worked_by_hand() -> None:
    # Without weights the hazard is the same for all: 1 - (1 - h) ** 12.
    flat = Scenario(10, 1, months=1, discipline_weight=0.0, income_weight=0.0, base_hazard=-4.0, new_share=0.0)
    months = np.arange(1, 13)
    hazard = 1 / (1 + np.exp(4.0 + 0.25 * np.sin(2 * np.pi * months / 48)))
    np.testing.assert_allclose(simulate(flat).true_pd, 1 - np.prod(1 - hazard), rtol=1e-12)


def test_the_concept_change_moves_the_truth_only_of_windows_it_reaches() -> None:
    changed = simulate(dataclasses.replace(PERSONS, concept_change_month=18, income_weight_after=2.0))
    plain = simulate(PERSONS)
    there = ~np.isnan(plain.true_pd[:, 5]) & ~np.isnan(changed.true_pd[:, 5])
    np.testing.assert_array_equal(changed.true_pd[there, 5], plain.true_pd[there, 5])
    assert not np.array_equal(changed.true_pd[:, 6], plain.true_pd[:, 6], equal_nan=True)


@pytest.mark.parametrize(("states", "persistence"), [(3, 0.5), (9, 0.0), (25, 0.97)])
def test_the_chain_has_unit_variance_and_the_given_autocorrelation(states: int, persistence: float) -> None:
    values, transition = chain(states, persistence)
    weights = np.linalg.matrix_power(transition, 4096)[0]
    assert weights @ values == pytest.approx(0, abs=1e-9)
    assert weights @ values**2 == pytest.approx(1, rel=1e-9)
    assert (weights * values) @ transition @ values == pytest.approx(persistence, rel=1e-9, abs=1e-9)


def test_the_chain_goes_somewhere_from_every_state() -> None:
    transition = chain(25, 0.97)[1]
    assert (transition >= 0).all()
    np.testing.assert_allclose(transition.sum(1), 1, rtol=1e-12)


def test_the_chain_of_two_states_is_worked_by_hand() -> None:
    values, transition = chain(2, 0.5)
    assert values.tolist() == [-1.0, 1.0]
    np.testing.assert_allclose(transition, [[0.75, 0.25], [0.25, 0.75]])


def last_day_of_default(portfolio: Portfolio) -> pd.Series:
    """The end of the month of default by customer, of those that default within the table."""
    months = len(portfolio.month_ends)
    who = np.flatnonzero(portfolio.default_month < months)
    return pd.Series(portfolio.month_ends[portfolio.default_month[who]], portfolio.customer_id[who])


@pytest.mark.parametrize(
    ("table", "date"),
    [
        ("statements", "month"),
        ("financials", "period_end"),
        ("invoices", "issued"),
        ("investigations", "date"),
        ("questionnaires", "date"),
    ],
)
def test_nobody_has_rows_from_the_month_of_default_on(companies: Portfolio, table: str, date: str) -> None:
    frame = companies.tables[table]
    default = frame["customer_id"].map(last_day_of_default(companies))
    assert default.notna().any()
    first_day = default.dt.to_period("M").dt.start_time
    assert not (frame[date] >= first_day).any()


def test_nobody_has_statements_before_joining(persons: Portfolio) -> None:
    since = persons.tables["customers"].set_index("customer_id")["since"]
    statements = persons.tables["statements"]
    assert (statements["month"] >= statements["customer_id"].map(since)).all()


def test_nobody_stands_good_after_default_or_before_joining(persons: Portfolio) -> None:
    month = np.arange(len(persons.month_ends))
    wanted = (persons.joined_month[:, None] <= month) & (persons.default_month[:, None] > month)
    np.testing.assert_array_equal(~np.isnan(persons.true_pd), wanted)


def test_an_outcome_is_a_default_in_the_months_of_its_window(persons: Portfolio) -> None:
    at, seen = persons.standing(3), persons.outcomes([3])
    wanted = (persons.default_month[at] > 3) & (persons.default_month[at] <= 3 + persons.window_months)
    assert seen["defaulted"].tolist() == wanted.astype(int).tolist()


def test_behaviour_is_known_for_a_year_before_the_first_month(persons: Portfolio) -> None:
    first = persons.tables["statements"]["month"].min()
    assert first == persons.month_ends[0] - pd.offsets.MonthEnd(HISTORY_MONTHS)


def test_some_customers_join_later(persons: Portfolio) -> None:
    assert 0.1 < (persons.joined_month > 0).mean() < 0.3


@pytest.mark.parametrize("which", ["persons", "companies"])
def test_every_table_keeps_its_contract(which: str, request: pytest.FixtureRequest) -> None:
    portfolio: Portfolio = request.getfixturevalue(which)
    for name, frame in portfolio.tables.items():
        assert len(check_frame(TABLES[name], frame, which)["customer_id"]) == len(frame)


def test_only_companies_have_reports_invoices_and_questionnaires(persons: Portfolio, companies: Portfolio) -> None:
    assert set(persons.tables) == {"customers", "statements", "investigations"}
    assert set(companies.tables) == {*persons.tables, "financials", "invoices", "questionnaires"}


def test_a_report_is_known_four_months_after_its_year(companies: Portfolio) -> None:
    reports = companies.tables["financials"]
    assert (reports["known_time"] == reports["period_end"] + pd.DateOffset(months=4)).all()


def test_a_report_adds_up(companies: Portfolio) -> None:
    reports = companies.tables["financials"]
    gap = reports["total_assets"] - reports["total_liabilities"] - reports["equity"]
    assert gap.abs().max() < 0.02  # each is rounded to cents


def test_weak_discipline_shows_in_what_can_be_seen(persons: Portfolio) -> None:
    statements = persons.tables["statements"]
    late = statements.groupby("customer_id")["days_past_due"].mean()
    at = persons.standing(12)
    risk = pd.Series(persons.true_pd[at, 12], persons.customer_id[at])
    assert late.reindex(risk.index).corr(risk, method="spearman") > 0.4
