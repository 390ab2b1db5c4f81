"""The sections about conduct: there where the product lists the tables, and made of the right rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from configs.settings import Settings
from features.check import check_frame
from features.contracts import TABLES
from training import conduct, dataset
from training.dataset import Dataset
from training.tune import Tuned

PARAMS = {"learning_rate": 0.1, "num_leaves": 4}
TRIALS = ({"number": 0, "state": "complete", "log_loss": 0.3, **PARAMS, "num_leaves": 6},)


def with_groups(lender: Any, **tables: Any) -> Any:
    """The lender with these tables listed and brought."""
    product = lender.product.model_copy(update={"tables": (*lender.product.tables, *tables)})
    brought = {name: table for name, table in tables.items() if table is not None}
    return replace(lender, product=product, tables={**lender.tables, **brought})


def sexes(lender: Any) -> Any:
    customers = lender.tables["customers"]["customer_id"].distinct()
    group = np.where(np.arange(len(customers)) % 3 == 0, "female", "male")
    frame = pd.DataFrame({"customer_id": customers, "recorded": "2020-01-01", "attribute": "sex", "group": group})
    return check_frame(TABLES["protected"], frame, "here")


def sections_of(lender: Any, settings: Settings, stages: list[str] | None = None) -> dict[str, Any]:
    data = dataset.assemble(lender.product, lender.tables, lender.now)
    split = dataset.split(data, settings.training)

    def predict(matrix: np.ndarray) -> np.ndarray:
        return np.linspace(0.01, 0.5, len(matrix))

    heard = (stages if stages is not None else []).append
    tuned = Tuned(PARAMS, 10, 0.29, TRIALS)
    return conduct.sections(
        lender.product, lender.tables, data, split, predict, tuned, settings, lender.now, lambda told: heard(told)
    )


@pytest.fixture
def settings(tmp_path: Path, small_settings: Callable[..., Settings]) -> Settings:
    return small_settings(tmp_path)


def test_a_product_without_the_tables_has_no_such_section(lender: Any, settings: Settings) -> None:
    assert sections_of(lender, settings) == {}


def test_a_listed_table_that_is_absent_is_refused(lender: Any, settings: Settings) -> None:
    with pytest.raises(DataError, match="lists the table 'protected'"):
        sections_of(with_groups(lender, protected=None), settings)


def test_groups_are_compared_on_the_test_rows_each_customer_once(
    lender: Any, tmp_path: Path, small_settings: Callable[..., Settings]
) -> None:
    stages: list[str] = []
    settings = small_settings(tmp_path, out_of_time_share=0.6)  # three dates, so that customers stand there again
    found = sections_of(with_groups(lender, protected=sexes(lender)), settings, stages)
    test: Dataset = dataset.split(dataset.assemble(lender.product, lender.tables, lender.now), settings.training).test
    assert set(found) == {"fairness", "alternatives"}
    assert found["fairness"]["rows"] == len(np.unique(test.customer_id)) < len(test)
    assert [group["group"] for group in found["fairness"]["attributes"][0]["groups"]] == ["male", "female"]
    assert [proxy["attribute"] for proxy in found["fairness"]["proxies"]] == ["sex"]
    assert found["alternatives"]["attributes"][0]["models"][1]["name"] == "trial 0"
    assert stages[0] == "compare groups, look for proxies"
    json.dumps(found, allow_nan=False)


def test_the_declined_are_held_against_all_accepted_rows(lender: Any, settings: Settings) -> None:
    outcomes = lender.tables["outcomes"]
    accepted = np.arange(len(outcomes["as_of"])) % 5 > 0
    kept = {
        name: column.take(accepted) if name == "customer_id" else column[accepted] for name, column in outcomes.items()
    }
    out = {name: outcomes[name] for name in ("customer_id", "as_of", "known_time")}
    declined = {
        name: column.take(~accepted) if name == "customer_id" else column[~accepted] for name, column in out.items()
    }
    other = with_groups(replace(lender, tables={**lender.tables, "outcomes": kept}), declined=declined)
    found = sections_of(other, settings)["reject_inference"]
    assert found["accepted"] == len(dataset.assemble(other.product, other.tables, other.now))
    assert found["declined"] == pytest.approx(found["accepted"] / 4, rel=0.1)


def test_the_sections_stand_in_the_bundle(
    lender: Any,
    settings: Settings,
    in_mlflow: Callable[[Settings], Settings],
    train_again: Callable[..., Any],
) -> None:
    made = train_again(with_groups(lender, protected=sexes(lender)), in_mlflow(settings), None)
    assert made.outcome.bundle.training["fairness"]["basis"] == "policy, not regulation"
    assert made.outcome.bundle.training["alternatives"]["basis"] == "policy, not regulation"
