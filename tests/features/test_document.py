"""The reference pages: what stands in docs/ is what the declarations say, and the worked example was worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.catalogue import DECLARED
from features.document import example_values, pages


@pytest.fixture(scope="module")
def values() -> dict[str, float]:
    return example_values()


@pytest.mark.parametrize("name", ["data.md", "features.md"])
def test_the_page_in_docs_is_what_the_declarations_say(name: str, repository: Path) -> None:
    written = (repository / "docs" / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run: creditloop features document"


def test_every_feature_has_a_row_with_its_reason_in_both_languages() -> None:
    page = pages()["features.md"]
    for item in DECLARED:
        assert f"| `{item.name}` |" in page
        assert f"{item.reason} / {item.reason_zh}" in page


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("debt_ratio", 500 / 800),
        ("revenue_growth", 1200 / 1000 - 1),
        # 0.717 x 100/800 + 0.847 x 120/800 + 3.107 x 120/800 + 0.420 x 300/500 + 0.998 x 1200/800
        ("altman_z_private", 2.431725),
        # 6.56 x 100/800 + 3.26 x 120/800 + 6.72 x 120/800 + 1.05 x 300/500
        ("altman_z_emerging", 2.947),
        ("utilisation_mean_3m", (0.5 + 0.7 + 0.6) / 3),
        ("paid_share_6m", (80 + 50 + 0 + 120) / (80 + 100 + 140 + 120)),
        ("months_without_payment_6m", 1),
        ("rolls_12m", 2),
        ("cures_12m", 1),
        ("days_beyond_terms_mean_6m", (-5 + 15) / 2),
        ("late_amount_share_6m", 200 / 300),
        ("oldest_overdue_days", 16),
        ("open_days_of_sales", 300 / 600 * 365),
        ("invoice_concentration_12m", (100**2 + 200**2 + 300**2) / 600**2),
        ("court_events_12m", 1),
        ("tax_events_12m", 0),
        ("days_since_court_event", 212),
        ("management_level", (4 + 3 + 3 + 2 + 4) / 5),
        ("management_weakest_level", 2),
    ],
)
def test_the_worked_numbers_are_right(values: dict[str, float], name: str, by_hand: float) -> None:
    assert values[name] == pytest.approx(by_hand, rel=1e-12)


def test_what_the_example_does_not_say_is_missing(values: dict[str, float]) -> None:
    assert np.isnan(values["governance_change"])
