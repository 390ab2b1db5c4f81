"""A book of customers under review, kept as files as a lender has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.customers import CustomerRules, ReviewRules, Trigger
from configs.settings import Product
from features.contracts import to_day
from features.portfolio import Tally
from features.simulate import Portfolio
from features.sources import Source, open_source
from monitoring.customers.review import Previous, make_question, review
from monitoring.customers.reviewed import Reviewed
from serving.ledger import Ledger
from serving.score import Scorer, make_scorer
from tests.monitoring.customers.kept import joined

RULES = ReviewRules(
    exposure_feature="balance_last",
    triggers=(Trigger(name="past_due_30", feature="days_past_due_last", operator=">=", bound=30, grade="E"),),
)
FIRST, SECOND = 9, 12


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return Ledger(f"sqlite:///{tmp_path}/ledger.db")


@pytest.fixture
def product(shipped: Callable[[str], Product]) -> Product:
    """The shipped product of a supplier who sells on invoice."""
    return shipped("trade_credit")


@pytest.fixture(scope="session")
def book_folder(unchanged: Portfolio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw tables of 400 customers."""
    folder = tmp_path_factory.mktemp("book")
    ids = set(unchanged.customer_id[:400])
    for name, table in unchanged.tables.items():
        table[table["customer_id"].isin(ids)].to_parquet(folder / f"{name}.parquet", index=False)
    return folder


@pytest.fixture(scope="session")
def book_source(book_folder: Path) -> Source:
    """The same as a source."""
    return open_source([str(book_folder)])


@pytest.fixture(scope="session")
def day_of_month(unchanged: Portfolio) -> Callable[[int], int]:
    """The last day of a month of the simulation, in days since 1970."""
    return lambda month: to_day(unchanged.month_ends[month].date())


@pytest.fixture(scope="session")
def scorer(world) -> Scorer:
    """The champion under a product with rules for its customers."""
    product = world.product.model_copy(update={"customers": CustomerRules(review=RULES)})
    return make_scorer(world.bundle, product)


@pytest.fixture(scope="session")
def reviewed_at(scorer: Scorer, book_source: Source, day_of_month: Callable[[int], int]) -> Callable[..., Reviewed]:
    """The book reviewed at the end of a month."""

    def made(month: int, previous: Previous | None = None, customers_each: int = 50_000) -> Reviewed:
        asked = make_question(scorer, day_of_month(month), previous)
        parts = review(asked, book_source, Tally("the book", 0.0), lambda *_: None, customers_each)
        return joined(parts)

    return made
