"""What the tests of training share: small settings, a simulated portfolio, one model trained from end to end."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from threadpoolctl import threadpool_limits

from configs.settings import ColumnSpec, Product, Settings, load_settings
from features import load
from features.catalogue import column_features, compile_program
from features.contracts import Columns, to_day
from features.declaration import Feature
from features.simulate import Portfolio, Scenario, simulate
from training import examine, fit, gate, pipeline, registry
from training.bundle import Parts
from training.calibrate import Calibration
from training.dataset import Dataset, Split
from training.folds import Folds, Rows
from training.monotone import certify
from training.scaling import Scale, make_scale
from training.signature import PrivateKey
from training.validate import auc_difference, validate

SMALL = {
    "seed": 7,
    "threads": 1,
    "folds": 2,
    "trials": 2,
    "max_rounds": 40,
    "early_stopping_rounds": 10,
    "minimum_defaults": 20,
}
EASY = {"minimum_rows": 50, "minimum_defaults": 10, "bootstrap_draws": 50, "sensitivity_rows": 100}
NOW = dt.date(2024, 12, 31)  # a year after the last of five as_of dates
DIRECTIONS = {"debt": "rises", "income": "falls", "noise": "unknown"}


@dataclass(frozen=True)
class Inputs:
    """What `pipeline.train` takes of a lender."""

    product: Product
    tables: dict[str, Columns]
    now: int


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Unless a test asks for more: on a busy machine threads wait for each other longer than they work."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def small_settings() -> Callable[..., Settings]:
    """Settings that train in seconds, with a home folder of one's own."""

    def settings(home: Path, gate: dict[str, Any] | None = None, **training: Any) -> Settings:
        home.mkdir(parents=True, exist_ok=True)
        return load_settings(home, {"training": {**SMALL, **training}, "gate": gate or {}})

    return settings


@pytest.fixture(scope="session")
def portfolio() -> Portfolio:
    """2,500 persons over two years, risky enough that two years have defaults to learn from."""
    return simulate(Scenario(customers=2500, seed=5, months=24, base_hazard=-5.4))


@pytest.fixture(scope="session")
def lender(portfolio: Portfolio, shipped: Callable[[str], Product]) -> Inputs:
    """The simulated lender: outcomes of six months, the last of which has not matured."""
    product = shipped("consumer_platform")
    outcomes = portfolio.outcomes([0, 3, 6, 9, 11, 15]).drop(columns="true_pd")
    tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")
    return Inputs(product, tables, to_day(NOW))


@pytest.fixture(scope="session")
def mlflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one home whose MLflow store all tests write to: making its schema takes seconds."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="session")
def in_mlflow(mlflow_home: Path) -> Iterator[Callable[[Settings], Settings]]:
    """The settings given, with runs kept in the shared store; where MLflow looks is put back at the end."""
    before = registry.mlflow.get_tracking_uri()
    url = f"sqlite:///{mlflow_home}/mlflow.db"
    yield lambda settings: settings.model_copy(update={"stores": settings.stores.model_copy(update={"tracking": url})})
    registry.mlflow.set_tracking_uri(before)


@pytest.fixture(scope="session")
def trained(
    lender: Inputs,
    tmp_path_factory: pytest.TempPathFactory,
    small_settings: Callable[..., Settings],
    in_mlflow: Callable[[Settings], Settings],
) -> Trained:
    """A model of the simulated lender, the first of its product."""
    settings = in_mlflow(small_settings(tmp_path_factory.mktemp("first")))
    return train(lender, settings, None)


@dataclass(frozen=True)
class Trained:
    """An outcome of the pipeline, with the settings and what it told on the way."""

    outcome: pipeline.Outcome
    settings: Settings
    stages: list[str]
    progress: list[tuple[int, int, float]]


def train(lender: Inputs, settings: Settings, champion: Any) -> Trained:
    """The pipeline with everything it tells written down."""
    stages: list[str] = []
    told: list[tuple[int, int, float]] = []
    outcome = pipeline.train(
        lender.product,
        lender.tables,
        settings,
        lender.now,
        champion,
        lambda *seen: told.append(seen),
        stages.append,
    )
    return Trained(outcome, settings, stages, told)


@pytest.fixture(scope="session")
def train_again() -> Callable[..., Trained]:
    """`train`, for tests that need another run."""
    return train


@pytest.fixture(scope="session")
def numbers() -> Callable[..., Dataset]:
    """A made-up dataset of four dates: debt raises risk, income lowers it, noise does nothing; missing values too."""
    return _numbers


def _features() -> tuple[Feature, ...]:
    specs = [ColumnSpec(name=name, risk=risk) for name, risk in DIRECTIONS.items()]
    town = ColumnSpec(name="town", kind="category")
    return tuple(column_features([*specs, town], {"town": ["Bonn", "Köln", "Ulm"]}))


def _numbers(rows: int = 1200, seed: int = 3, rows_each: int = 2) -> Dataset:
    rng = np.random.default_rng(seed)
    customers = np.arange(rows) // rows_each
    values = np.column_stack([rng.normal(size=(rows, 3)), rng.integers(0, 3, rows).astype(float)])
    risk = -1.4 + 1.2 * values[:, 0] - 0.8 * values[:, 1] + 0.5 * (values[:, 3] == 1)
    values[rng.random((rows, 4)) < 0.05] = np.nan
    return Dataset(
        program=compile_program(_features()),
        matrix=values,
        defaulted=(rng.random(rows) < expit(risk)).astype(np.int8),
        customer_id=np.array([f"c{number}" for number in customers], object),
        as_of=np.resize(np.array([0, 31, 59, 90], np.int32), rows),
        immature=0,
    )


@pytest.fixture(scope="session")
def scale(shipped: Callable[[str], Product]) -> Scale:
    """The scale of the shipped trade credit product."""
    product = shipped("trade_credit")
    return make_scale(product.scaling, product.grades)


@pytest.fixture(scope="session")
def signer() -> PrivateKey:
    """The key that signs what tests write."""
    return PrivateKey.from_private_bytes(b"creditloop: a key known to all .")


@pytest.fixture(scope="session")
def parts(numbers: Callable[..., Dataset], scale: Scale) -> Parts:
    """What a small, real bundle is made of."""
    data = numbers(600)
    booster = fit.fit(data.matrix, data.defaulted, data.program.features, {"num_leaves": 4}, 12, seed=1, threads=1)
    calibration = Calibration(0.1, 1.1)
    default_probability = calibration.default_probability(fit.raw_score(booster, data.matrix))
    reference = pd.DataFrame(data.matrix, columns=list(data.program.names)).assign(
        _default_probability=default_probability, _defaulted=data.defaulted, _as_of=data.as_of
    )
    return Parts(
        product="made_up",
        program=data.program,
        booster=booster,
        calibration=calibration,
        scale=scale,
        reference=reference,
        predictions=examine.predictions(data, default_probability, None, ("debt",)),
        golden=data.matrix[:16],
        validation=validate(default_probability, data.defaulted, scale).to_json(),
        training={"gate": {"passed": True, "checks": []}},
    )


@pytest.fixture(scope="session")
def examined(
    parts: Parts,
    numbers: Callable[..., Dataset],
    shipped: Callable[[str], Product],
    tmp_path_factory: pytest.TempPathFactory,
) -> Parts:
    """The same small model, validated in full on rows it never saw against a champion that knows debt alone."""
    settings = load_settings(tmp_path_factory.mktemp("home"), {"validation": EASY})
    policy = settings.validation

    def default_probability(values: np.ndarray) -> np.ndarray:
        return parts.calibration.default_probability(fit.raw_score(parts.booster, values))

    train, test = numbers(600), numbers(1600, seed=5)
    pds = default_probability(test.matrix)
    out_of_fold = Folds(Rows.of(train), settings.training).out_of_fold({"num_leaves": 4}, 12)
    champion = expit(np.nan_to_num(test.matrix[:, 0]) - 1.4)
    gains = {"debt": 0.6, "income": 0.3, "town": 0.1, "noise": 0.0}
    product = shipped("trade_credit")
    split = Split(train, test, by_time=False)
    initial = parts.calibration.default_probability(out_of_fold)
    facts = examine.gather(split, initial, gains, parts.scale, product, training_auc=0.8, policy=policy)
    rows = examine.predictions(test, pds, champion, facts.top_features)
    features = parts.program.features
    moved = examine.moves(parts.reference, features, facts, default_probability, parts.scale, policy)
    difference = auc_difference(pds, champion, test.defaulted.astype(bool))
    certificate = certify(parts.booster, parts.program.features)
    numbers_ = validate(pds, test.defaulted, parts.scale)
    verdict = gate.judge(numbers_, facts.training_auc, difference, settings.gate, certificate, ())
    return dataclasses.replace(
        parts,
        predictions=rows,
        validation=examine.examine(rows, facts, moved, parts.scale, policy),
        training={
            "gate": verdict.to_json(),
            "auc_against_champion": dataclasses.asdict(difference),
            "monotone": certificate.to_json(),
            "leakage": [],
            "run": {"settings": settings.model_dump(mode="json", exclude={"home", "stores"})},
        },
    )
