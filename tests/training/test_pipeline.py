"""The pipeline: from tables to a challenger, the same bytes each time, and nothing half made where data are bad."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from configs.errors import DataError
from configs.settings import Product, Settings
from features import matrix
from features.catalogue import compile_program
from features.contracts import to_day
from features.flat import FlatTable, read_flat
from features.load import check_tables
from features.simulate import Portfolio
from training import dataset, fit, judgement, pipeline
from training.bundle import load
from training.calibrate import Chosen, calibration_from_json
from training.dataset import Dataset
from training.scorecard import make_scorecard
from training.signature import trusted_keys
from training.validate import auc_difference, validate
from training.verify import verify

TrainAgain = Callable[..., Any]


@pytest.fixture(scope="session")
def again(
    lender: Any,
    trained: Any,
    train_again: TrainAgain,
    small_settings: Callable[..., Settings],
    in_mlflow: Callable[[Settings], Settings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """The same lender trained once more, in another home, against the first model as champion."""
    settings = in_mlflow(small_settings(tmp_path_factory.mktemp("second")))
    return train_again(lender, settings, trained.outcome.bundle)


@pytest.fixture(scope="session")
def parts_of(lender: Any, trained: Any) -> dataset.Split:
    return dataset.split(dataset.assemble(lender.product, lender.tables, lender.now), trained.settings.training)


def test_training_ends_with_a_model_that_knows_something(trained: Any) -> None:
    assert trained.outcome.validation.auc.low > 0.55


def test_the_bundle_lies_where_serving_looks_for_it(trained: Any, lender: Any) -> None:
    bundle = trained.outcome.bundle
    assert bundle.folder == trained.settings.home / "bundles" / lender.product.name / bundle.version


def test_the_page_lies_among_the_reports(trained: Any) -> None:
    page = trained.outcome.page
    assert page.parent.parent == trained.settings.home / "reports"
    assert trained.outcome.bundle.version in page.read_text(encoding="utf-8")


def test_the_page_of_a_real_model_needs_no_network(trained: Any) -> None:
    text = trained.outcome.page.read_text(encoding="utf-8")
    assert re.findall(r"https?://|<script|<link", text) == []


def test_the_version_holds_every_trial_the_pruned_ones_too(trained: Any) -> None:
    told = trained.outcome.bundle.training
    assert len(told["every_trial"]) == told["trials"] > 0
    assert {"number", "state", "log_loss", "learning_rate"} <= set(told["every_trial"][0])


def test_every_trial_is_told_as_it_ends(trained: Any) -> None:
    assert [told[:2] for told in trained.progress] == [(1, 2), (2, 2)]


def test_the_stages_are_told_before_they_begin(trained: Any) -> None:
    assert [stage.split()[0] for stage in trained.stages] == [
        "build",
        "look",
        "tune",
        "validate",
        "prove",
        "measure",
        "write",
    ]


def test_the_same_inputs_give_the_same_model_text(trained: Any, again: Any) -> None:
    first, second = (run.outcome.bundle.folder / "model.txt" for run in (trained, again))
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("name", ["calibration.json", "golden.json", "reference.parquet"])
def test_the_same_inputs_give_the_same_file(trained: Any, again: Any, name: str) -> None:
    first, second = (run.outcome.bundle.folder / name for run in (trained, again))
    assert second.read_bytes() == first.read_bytes()


def test_the_same_inputs_give_the_same_validation_but_for_the_champion(trained: Any, again: Any) -> None:
    first, second = (copy.deepcopy(run.outcome.bundle.validation) for run in (trained, again))
    assert second["tests"].pop()["name"] == "swap_set"
    assert first.pop("swap_sets") == []
    assert len(second.pop("swap_sets")) == 4
    assert second == first


def test_the_report_of_a_real_model_derives_again_to_the_last_bit(trained: Any, again: Any) -> None:
    for run in (trained, again):
        assert verify(run.outcome.bundle)[1] == ()


def test_the_rows_that_validate_are_the_rows_of_the_test(trained: Any, parts_of: dataset.Split, lender: Any) -> None:
    bundle, test = trained.outcome.bundle, parts_of.test
    values = matrix.build(bundle.program, lender.tables, test.customer_id, test.as_of)
    auc = roc_auc_score(test.defaulted, bundle.default_probability(values))
    assert trained.outcome.validation.auc.value == pytest.approx(auc, abs=1e-12)
    assert trained.outcome.validation.rows == len(test)


def test_the_bundle_that_was_written_validates_as_it_was_judged(trained: Any, parts_of: dataset.Split) -> None:
    bundle = trained.outcome.bundle
    judged = validate(bundle.default_probability(parts_of.test.matrix), parts_of.test.defaulted, bundle.scale)
    assert repr(judged) == repr(trained.outcome.validation)  # to the last digit; missing equals missing


def test_without_a_champion_nothing_is_compared(trained: Any) -> None:
    assert trained.outcome.against_champion is None
    assert trained.outcome.bundle.training["auc_against_champion"] is None


def test_a_champion_is_compared_on_the_rows_of_the_test(again: Any) -> None:
    # The champion is the same model: beyond doubt no difference.
    difference = again.outcome.against_champion
    assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)
    assert again.outcome.bundle.training["auc_against_champion"] == dataclasses.asdict(difference)


def test_the_calibration_in_use_is_on_record_with_what_it_was_chosen_among(trained: Any) -> None:
    bundle = trained.outcome.bundle
    told = bundle.training["calibration"]
    assert calibration_from_json(told["calibration"]) == bundle.calibration
    assert [one["kind"] for one in told["candidates"]][:2] == ["intercept", "platt"]


def test_a_scorecard_is_held_beside_the_model_on_the_rows_of_the_test(trained: Any, parts_of: dataset.Split) -> None:
    bundle, test = trained.outcome.bundle, parts_of.test
    told = bundle.training["scorecard"]
    card = make_scorecard(parts_of.train, trained.settings.training.seed)
    ours, theirs = bundle.default_probability(test.matrix), card.default_probability(test.matrix)
    expected = auc_difference(ours, theirs, test.defaulted.astype(bool))
    assert told["model_minus_scorecard"] == dataclasses.asdict(expected)
    assert told["model_is_better"] == (expected.low > 0)
    assert {line["feature"] for line in told["table"]} <= set(bundle.program.names)


def test_every_declared_direction_is_proved_and_on_record(trained: Any) -> None:
    told = trained.outcome.bundle.training["monotone"]
    assert told["holds"]
    directed = [item.name for item in trained.outcome.bundle.program.features if item.direction]
    assert [finding["feature"] for finding in told["findings"]] == directed


def test_a_champion_has_its_check_at_the_gate(again: Any) -> None:
    assert "not_worse_than_champion" in [check.name for check in again.outcome.verdict.checks]


def test_a_champion_is_scored_by_its_own_features(trained: Any, parts_of: dataset.Split, lender: Any) -> None:
    # A champion that reads its features in another order, as after a change of the catalogue.
    turned, test = tuple(reversed(parts_of.train.program.features)), parts_of.test
    booster = fit.fit(parts_of.train.matrix[:, ::-1], parts_of.train.defaulted, turned, {}, 5, seed=1, threads=1)
    champion = dataclasses.replace(trained.outcome.bundle, program=compile_program(turned), booster=booster)
    pds = np.random.default_rng(1).random(len(test))
    expected = auc_difference(pds, fit.raw_score(booster, test.matrix[:, ::-1]), test.defaulted.astype(bool))
    of_champion = judgement.champion_default_probability(champion, test, lender.tables)
    assert judgement.against(of_champion, test, pds) == expected


def test_no_row_of_the_test_taught_the_model(trained: Any, parts_of: dataset.Split) -> None:
    assert not set(parts_of.train.customer_id) & set(parts_of.test.customer_id)
    assert trained.outcome.bundle.training["parts"]["train"]["rows"] == len(parts_of.train)


def test_out_of_fold_the_level_of_the_training_rows_is_right(trained: Any, parts_of: dataset.Split) -> None:
    told = trained.outcome.bundle.reference()["_default_probability"][: len(parts_of.train)]
    assert told.mean() == pytest.approx(parts_of.train.defaulted.mean(), abs=1e-6)


def test_the_model_tells_the_level_of_rows_it_never_saw(trained: Any, parts_of: dataset.Split) -> None:
    # Customers of the same months who are no part of the training: the final trees are not those that were calibrated.
    told, test = trained.outcome.bundle.default_probability(parts_of.test.matrix), parts_of.test
    error = np.sqrt((told * (1 - told)).sum()) / len(test)
    assert abs(told.mean() - test.defaulted.mean()) < 4 * error


def test_pds_agree_with_the_truth_the_simulation_knows(
    trained: Any, portfolio: Portfolio, parts_of: dataset.Split
) -> None:
    truth = portfolio.outcomes([0, 3, 6, 9, 11])
    known = {
        (customer, to_day(day)): pd_
        for customer, day, pd_ in zip(truth["customer_id"], truth["as_of"], truth["true_pd"], strict=True)
    }
    test = parts_of.test
    true_pd = np.array([known[customer, day] for customer, day in zip(test.customer_id, test.as_of, strict=True)])
    told = trained.outcome.bundle.default_probability(test.matrix)
    assert np.corrcoef(np.log(told), np.log(true_pd))[0, 1] > 0.5


def test_the_reference_is_the_rows_of_both_parts(trained: Any, parts_of: dataset.Split) -> None:
    reference = trained.outcome.bundle.reference()
    held = np.concatenate([parts_of.train.matrix, parts_of.test.matrix])
    np.testing.assert_array_equal(reference[list(trained.outcome.bundle.program.names)].to_numpy(), held)


def test_the_reference_holds_pds_labels_and_days_in_step(trained: Any, parts_of: dataset.Split) -> None:
    bundle = trained.outcome.bundle
    reference = bundle.reference()
    told = bundle.default_probability(parts_of.test.matrix)
    held = (parts_of.train, parts_of.test)
    assert reference["_default_probability"].to_numpy()[len(parts_of.train) :].tobytes() == told.tobytes()
    assert reference["_defaulted"].tolist() == [bad for part in held for bad in part.defaulted]
    assert reference["_as_of"].tolist() == [day for part in held for day in part.as_of]


def test_the_reference_tells_training_rows_as_trees_that_never_saw_them(trained: Any, parts_of: dataset.Split) -> None:
    bundle, train = trained.outcome.bundle, parts_of.train
    told = bundle.reference()["_default_probability"].to_numpy()[: len(train)]
    known = bundle.default_probability(train.matrix)
    assert roc_auc_score(train.defaulted, told) < roc_auc_score(train.defaulted, known) - 0.02


def test_a_reference_of_many_rows_is_thinned_evenly(
    trained: Any, parts_of: dataset.Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_REFERENCE_ROWS", 50)
    chosen = Chosen(trained.outcome.bundle.calibration, (), None)
    out_of_fold = np.linspace(0, 1, len(parts_of.train))
    model = pipeline.Model(trained.outcome.bundle.booster, {}, chosen, None, out_of_fold)  # type: ignore[arg-type]
    reference = pipeline._reference(parts_of, model)
    assert len(reference) == 50
    assert set(reference["_as_of"]) > set(parts_of.test.as_of)


def test_the_record_holds_what_a_rerun_needs(trained: Any, lender: Any) -> None:
    run = trained.outcome.bundle.training["run"]
    assert run["data_sha256"] == dataset.digest(lender.tables)
    assert run["product_sha256"] == lender.product.digest()
    assert run["settings"]["training"]["seed"] == 7


def test_the_record_counts_the_outcomes_that_had_to_wait(trained: Any, lender: Any) -> None:
    outcomes = lender.tables["outcomes"]
    waiting = (outcomes["as_of"] == outcomes["as_of"].max()).sum()
    assert trained.outcome.bundle.training["immature_outcomes"] == waiting


def test_a_gate_that_says_no_still_leaves_the_challenger_to_be_looked_at(trained: Any) -> None:
    assert load(trained.outcome.bundle.folder, trusted_keys(trained.settings.signing)).training["gate"] == json.loads(
        json.dumps(trained.outcome.verdict.to_json())
    )


@pytest.mark.parametrize(
    ("name", "value"), [("matrix", 1.5), ("defaulted", None), ("customer_id", "somebody else"), ("as_of", 20_000)]
)
def test_a_study_is_shared_by_the_same_rows_only(trained: Any, parts_of: dataset.Split, name: str, value: Any) -> None:
    changed = getattr(parts_of.train, name).copy()
    changed[0] = value if value is not None else 1 - changed[0]
    other = dataclasses.replace(parts_of, train=dataclasses.replace(parts_of.train, **{name: changed}))
    names = {pipeline.study_name(split, trained.settings.training) for split in (parts_of, other)}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("changes", "shared"),
    [({"trials": 9}, True), ({"timeout_seconds": 9.0}, True), ({"threads": 1}, True), ({"seed": 9}, False)],
)
def test_a_study_is_taken_up_with_more_time_but_not_with_another_seed(
    trained: Any, parts_of: dataset.Split, changes: dict[str, Any], shared: bool
) -> None:
    before = trained.settings.training
    after = before.model_copy(update=changes)
    assert (pipeline.study_name(parts_of, before) == pipeline.study_name(parts_of, after)) is shared


def flat(folder: Path, columns: dict[str, list[Any]]) -> FlatTable:
    path = folder / "flat.csv"
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return read_flat(path, "bad", "tiny", None, None, None)


def tiny(rows: int = 500, seed: int = 1) -> dict[str, list[Any]]:
    rng = np.random.default_rng(seed)
    debt = rng.normal(size=rows)
    town = rng.choice(["Bonn", "Köln", "Ulm"], rows)
    bad = rng.random(rows) < expit(-1 + 1.5 * debt + (town == "Ulm"))
    return {"debt": debt.round(3).tolist(), "town": town.tolist(), "bad": bad.astype(int).tolist()}


@pytest.fixture
def run(
    train_again: TrainAgain,
    small_settings: Callable[..., Settings],
    in_mlflow: Callable[[Settings], Settings],
    tmp_path: Path,
) -> Callable[[FlatTable], Any]:
    """Train on a flat table in a home of its own."""

    def train(table: FlatTable) -> Any:
        settings = in_mlflow(small_settings(tmp_path / "home"))
        return train_again(_Inputs(table.product, table.tables, 20_000), settings, None)

    return train


@dataclasses.dataclass(frozen=True)
class _Inputs:
    product: Product
    tables: Any
    now: int


def test_a_tiny_flat_table_trains_from_end_to_end(run: Callable[[FlatTable], Any], tmp_path: Path) -> None:
    made = run(flat(tmp_path, tiny())).outcome
    assert made.validation.auc.value > 0.65
    assert made.bundle.training["split"] == "by customer"


def test_a_table_that_foretells_nothing_is_trained_and_refused(run: Callable[[FlatTable], Any], tmp_path: Path) -> None:
    columns = {"always": [1.0] * 500, "bad": tiny()["bad"]}
    verdict = run(flat(tmp_path, columns)).outcome.verdict
    assert [check.name for check in verdict.checks if not check.passed] == ["auc"]


def test_a_column_that_gives_the_label_away_is_trained_without_a_breakdown(
    run: Callable[[FlatTable], Any], tmp_path: Path
) -> None:
    bad = tiny()["bad"]
    made = run(flat(tmp_path, {"leak": bad, "bad": bad})).outcome
    assert made.validation.auc.value == 1.0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"debt": [1, 2, 3, 4], "bad": [0, 0, 0, 0]}, "expected two values"),
        ({"debt": [1, 2, "inf", 4], "bad": [0, 1, 0, 1]}, "infinite"),
        ({"debt": [1, 2, 3, 4], "bad": [0, 1, "", 1]}, "missing"),
        ({"debt": [1, 2, 3, 4], "bad": [0, 1, 0, 1]}, "train rows: .* at least 20 of each class"),
        ({"debt": ["", "", "", ""], "bad": [0, 1, 0, 1]}, "every feature is missing"),
    ],
)
def test_data_that_cannot_train_a_model_leave_the_home_as_it_was(
    run: Callable[[FlatTable], Any], tmp_path: Path, columns: dict[str, list[Any]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        run(flat(tmp_path, columns))
    assert list(tmp_path.glob("home/*")) == []


def test_a_single_class_among_matured_outcomes_leaves_the_home_as_it_was(
    lender: Any, portfolio: Portfolio, train_again: TrainAgain, small_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    outcomes = portfolio.outcomes([0, 3]).drop(columns="true_pd").assign(defaulted=0)
    tables = check_tables({**portfolio.tables, "outcomes": outcomes}, lender.product, "simulation")
    with pytest.raises(DataError, match="the label has a single class"):
        train_again(dataclasses.replace(lender, tables=tables), small_settings(tmp_path / "home"), None)
    assert list(tmp_path.glob("home/*")) == []


def test_making_a_model_needs_no_home(
    numbers: Callable[..., Dataset], small_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = small_settings(tmp_path / "home", trials=1).training
    split = dataset.split(numbers(1200), settings)
    model = pipeline.make(split, settings, "sqlite:///:memory:", "study", lambda *_: None)
    assert validate(model.default_probability(split.test.matrix), split.test.defaulted, _ONE_GRADE).auc.value > 0.6
    assert list(tmp_path.glob("home/*")) == []


_ONE_GRADE = pipeline.Scale(600.0, 28.0, ("A",), ())
