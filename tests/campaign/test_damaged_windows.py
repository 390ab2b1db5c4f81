"""Windows damaged at random (R13): a report always comes, the faulty column is red in it, and no sound one is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from configs.settings import Product, Settings, load_settings
from features.flat import read_flat
from features.load import check_tables
from features.outcome import Labels
from monitoring import watch
from monitoring.drift.reference import Reference, reference_of
from monitoring.drift.windows import Window, from_frame, from_tables
from serving.score import make_scorer
from tests.campaign.trials import Trials
from training import pipeline
from training.bundle import Bundle

pytestmark = pytest.mark.campaign
NUMBERS = ("debt", "income", "age_months", "visits")
DAY = 20_000


def sound(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """Columns on scales of their own, with gaps, counts and a category."""
    frame = pd.DataFrame(
        {
            "debt": rng.beta(2, 4, rows).round(4),
            "income": (2000 * rng.lognormal(sigma=0.5, size=rows)).round(2),
            "age_months": rng.integers(24, 400, rows).astype(float),
            "visits": rng.poisson(4, rows).astype(float),
            "town": rng.choice(["Bonn", "Köln", "Ulm"], rows),
        }
    )
    frame.loc[rng.random(rows) < 0.05, "visits"] = np.nan
    return frame


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    small = {"trials": 1, "folds": 2, "threads": 1, "max_rounds": 30, "minimum_defaults": 15}
    return load_settings(home, {"training": small, "explanation": {"refits": 0}})


@pytest.fixture(scope="module")
def model(home: Path, settings: Settings) -> tuple[Bundle, Product, Reference]:
    """A model really trained on a flat table, and its reference."""
    frame = sound(np.random.default_rng(1), 3000)
    bad = expit(-3 + 3 * frame["debt"] - (frame["income"] - 2000) / 2000) > np.random.default_rng(2).random(3000)
    frame.assign(bad=bad.astype(int)).to_csv(home / "flat.csv", index=False)
    flat = read_flat(home / "flat.csv", "bad", "damaged", None, None, None)
    made = pipeline.train(flat.product, flat.tables, settings, DAY, None, lambda *_: None, lambda _: None)
    return made.bundle, flat.product, reference_of(made.bundle, settings.monitoring)


Damage = Callable[[np.random.Generator, pd.DataFrame], tuple[str, str]]
"""Damages the frame in place; the column and the check that must be red, or empty words where none may be."""


def _missing(rng: np.random.Generator, frame: pd.DataFrame) -> tuple[str, str]:
    name = str(rng.choice(NUMBERS))
    frame.loc[rng.random(len(frame)) < rng.choice([0.5, 1.0]), name] = np.nan
    return name, "missing"


def _infinite(rng: np.random.Generator, frame: pd.DataFrame) -> tuple[str, str]:
    name = str(rng.choice(NUMBERS))
    frame.loc[rng.random(len(frame)) < rng.choice([0.1, 0.75, 1.0]), name] = rng.choice([np.inf, -np.inf])
    return name, "range"


def _constant(rng: np.random.Generator, frame: pd.DataFrame) -> tuple[str, str]:
    name = str(rng.choice(NUMBERS))
    frame[name] = float(frame[name].fillna(1.0).iloc[0])
    return name, "constant"


def _words(rng: np.random.Generator, frame: pd.DataFrame) -> tuple[str, str]:
    name = str(rng.choice(NUMBERS))
    frame[name] = frame[name].map(lambda value: f"EUR {value}")
    return name, "type"


def _unit(rng: np.random.Generator, frame: pd.DataFrame) -> tuple[str, str]:
    name = str(rng.choice(NUMBERS))
    frame[name] *= rng.choice([100.0, 1000.0, 0.01])
    return name, "unit"


def _swapped(_: np.random.Generator, frame: pd.DataFrame) -> tuple[str, str]:
    frame[["debt", "income"]] = frame[["income", "debt"]].to_numpy()
    return "debt", "unit"


def _dropped(rng: np.random.Generator, frame: pd.DataFrame) -> tuple[str, str]:
    name = str(rng.choice(NUMBERS))
    frame.drop(columns=name, inplace=True)  # noqa: PD002
    return name, "absent"


def _reordered(rng: np.random.Generator, frame: pd.DataFrame) -> tuple[str, str]:
    """Columns are told by their names, so nothing is wrong with another order."""
    for name in rng.permutation(NUMBERS):
        frame[name] = frame.pop(name)
    return "", ""


def _towns(rng: np.random.Generator, frame: pd.DataFrame) -> tuple[str, str]:
    frame.loc[rng.random(len(frame)) < 0.2, "town"] = "Atlantis"
    return "town", "category"


DAMAGES: tuple[Damage, ...] = (
    *(_missing, _infinite, _constant, _words, _unit, _swapped, _dropped, _reordered, _towns),
)


def _window(bundle: Bundle, product: Product, frame: pd.DataFrame) -> Window:
    """As a matrix of others where only numbers matter; through the tables where a category may be new."""
    named = frame.assign(customer_id=[f"c{number}" for number in range(len(frame))])
    if frame["town"].isin(["Bonn", "Köln", "Ulm"]).all():
        codes = {town: float(code) for code, town in enumerate(_categories(bundle))}
        return from_frame(bundle, named.assign(town=frame["town"].map(codes)), DAY)
    facts = check_tables({"facts": named.assign(date="1970-01-01")}, product, "test")
    return from_tables(make_scorer(bundle, product), facts, DAY)


def _categories(bundle: Bundle) -> tuple[str, ...]:
    return next(feature.categories for feature in bundle.program.features if feature.name == "town")


def test_a_damaged_window_gives_a_report_in_which_its_column_is_red(
    model: tuple[Bundle, Product, Reference], settings: Settings, trials: Trials
) -> None:
    bundle, product, reference = model
    for number in trials:
        rng = np.random.default_rng([trials.seed, number])
        rows = int(rng.choice([0, 1, 40, 300, 1000, 1000, 1000]))
        frame = sound(rng, rows)
        name, check = rng.choice(np.array(DAMAGES, object))(rng, frame) if rows else ("", "")
        bad = rng.random(rows) < rng.choice([0.0, 0.05, 1.0])
        window = _window(bundle, product, frame) if rows else from_frame(bundle, frame.assign(customer_id=[]), DAY)
        labels = Labels(window.customer_id, window.as_of, bad.astype(np.int8), 0)
        told = f"window {number}: {rows} rows, {check or 'nothing'} in {name or 'no column'}"
        rest = (bundle, labels, settings)
        if number % 50:
            found = watch.examine(window, window, reference, *rest, lambda _: None, None, product)
        else:  # now and then to the page
            found = watch.run(window, *rest, DAY, False, lambda _: None, None, product)
        red = {finding.subject for finding in found.findings if finding.level == "red"}
        if rows >= settings.monitoring.minimum_rows:
            assert (name in red) == bool(name), f"{told}: {found.findings}"
            assert found.verdict.remedy == "fix_data" or not name, told
        else:
            assert found.verdict.remedy == "wait", told
        assert red <= ({name, "income"} if check == "unit" and name == "debt" else {name}), f"{told}: {found.findings}"
