"""Training sets damaged at random: a clear error, or a model whose every PD is one; never a breakdown, never silence.

Thirty every day, of which every fifth goes on to the fit; 2,000 in the campaign, all to the end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from configs.errors import CreditloopError
from configs.settings import Training, load_settings
from features.flat import read_flat
from tests.campaign.trials import FIRST_SEED, Trials
from training import dataset, pipeline

Damage = Callable[[np.random.Generator, list[list[str]]], str]


def sound(rng: np.random.Generator) -> list[list[str]]:
    """A flat table that trains: header and 300 rows of cells."""
    debt, income = rng.normal(size=(2, 300))
    bad = rng.random(300) < expit(-0.7 + 1.5 * debt - income)
    towns = rng.choice(["Bonn", "Köln", "Ulm"], 300)
    rows = zip(debt.round(3).astype(str), income.round(3).astype(str), towns, bad.astype(int).astype(str), strict=True)
    return [["debt", "income", "town", "bad"], *map(list, rows)]


def _cells(rng: np.random.Generator, table: list[list[str]]) -> str:
    value = str(rng.choice(["", "inf", "-inf", "nan", "NULL", "1e400", "x", "-", "999999999", "1,5", "\x00", "0x1f"]))
    column, share = int(rng.integers(4)), rng.choice([0.003, 0.1, 1.0])
    for row in table[1:]:
        if rng.random() < share and column < len(row):
            row[column] = value
    return f"{value!r} in a share {share} of {table[0][column]}"


def _cut_rows(rng: np.random.Generator, table: list[list[str]]) -> str:
    kept = int(rng.choice([0, 1, 2, 5, 30, 60, 150]))
    del table[1 + kept :]
    return f"{kept} rows kept"


def _ragged(rng: np.random.Generator, table: list[list[str]]) -> str:
    row = table[int(rng.integers(len(table)))]
    row.append("more") if rng.random() < 0.5 else row.pop()
    return "a row of another length"


def _header(rng: np.random.Generator, table: list[list[str]]) -> str:
    place, name = int(rng.integers(4)), str(rng.choice(["", "bad", "debt", " ", "Ünïcode €", "customer_id", "as_of"]))
    table[0][place] = name
    return f"column {place} named {name!r}"


def _one_class(rng: np.random.Generator, table: list[list[str]]) -> str:
    keep = int(rng.integers(0, 4))
    bads = [row for row in table[1:] if row[-1] == "1"]
    for row in bads[keep:]:
        row[-1] = "0"
    return f"{keep} defaults"


def _repeated(rng: np.random.Generator, table: list[list[str]]) -> str:
    table.extend(list(row) for row in table[1:] * int(rng.integers(1, 4)))
    return "rows repeated"


def _label_leaks(rng: np.random.Generator, table: list[list[str]]) -> str:
    for row in table[1:]:
        row[0] = row[-1]
    return "the label as a feature"


def _constant(rng: np.random.Generator, table: list[list[str]]) -> str:
    for row in table[1:]:
        row[:3] = ["1", "1", "Ulm"]
    return "features that never change"


def _many_levels(rng: np.random.Generator, table: list[list[str]]) -> str:
    for number, row in enumerate(table[1:]):
        row[2] = f"town {number}"
    return "a category that names the rows"


DAMAGES: tuple[Damage, ...] = (
    *(_cells, _cells, _cells, _cut_rows, _ragged, _header, _one_class, _repeated),
    *(_label_leaks, _constant, _many_levels),
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Training:
    small = {"trials": 1, "folds": 2, "threads": 1, "max_rounds": 15, "minimum_defaults": 15}
    return load_settings(tmp_path_factory.mktemp("home"), {"training": small}).training


def outcome_of(path: Path, settings: Training, fits: bool) -> str:
    """What training says of a file: the error in words, or that it made a model of PDs; `fits` False: would make."""
    try:
        flat = read_flat(path, "bad", "damaged", None, None, None)
        split = dataset.split(dataset.assemble(flat.product, flat.tables, 20_000), settings)
        if not fits:
            return "rows to train on"
        model = pipeline.make(split, settings, "sqlite:///:memory:", "study", lambda *_: None)
    except CreditloopError as error:
        return f"refused: {error}"
    pds = model.default_probability(split.test.matrix)
    assert np.isfinite(pds).all()
    assert ((pds >= 0) & (pds <= 1)).all()
    return "a model"


def test_a_damaged_training_set_is_refused_in_words_or_trains(settings: Training, tmp_path: Path) -> None:
    told = _tried(Trials(30, FIRST_SEED), 5, settings, tmp_path)
    refused = [one for one in told if one.startswith("refused")]
    assert all(len(one) > len("refused: ") + 20 for one in refused)
    assert 0 < len(refused) < len(told)


@pytest.mark.campaign
def test_thousands_of_damaged_training_sets(settings: Training, tmp_path: Path, trials: Trials) -> None:
    told = _tried(trials, 1, settings, tmp_path)
    trials.found(refused=sum(one.startswith("refused") for one in told), trained=told.count("a model"))


def _tried(trials: Trials, fit_each: int, settings: Training, folder: Path) -> list[str]:
    """What came of so many tables, each n-th of them trained to the end."""
    told: list[str] = []
    for number in trials:
        rng = np.random.default_rng([trials.seed, number])
        table = sound(rng)
        done = [damage(rng, table) for damage in rng.choice(np.array(DAMAGES, object), int(rng.integers(1, 3)))]
        path = folder / f"{number}.csv"
        raw = "\n".join(map(",".join, table)).encode() + b"\n"
        if rng.random() < 0.1:
            at = int(rng.integers(len(raw)))
            raw, done = raw[:at] + rng.bytes(3) + raw[at:], [*done, "three bytes put in"]
        path.write_bytes(raw)
        try:
            told.append(outcome_of(path, settings, fits=number % fit_each == 0))
        except Exception as error:
            pytest.fail(f"table {number}, {'; '.join(done)}: {type(error).__name__}: {error}")
    return told
