"""How far back outcomes teach: all of them, unless the newest say that older ones mislead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from configs.settings import Settings, Training, load_settings
from features.catalogue import compile_program, features_named
from training import window
from training.dataset import Dataset, is_test

MONTH = 365.25 / 12


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Training:
    home = tmp_path_factory.mktemp("window")
    loaded: Settings = load_settings(home, {"training": {"folds": 3, "threads": 1, "windows": [12, 6]}})
    return loaded.training


def history(turned_after: int, seed: int = 5, months: int = 24, customers: int = 500) -> Dataset:
    """Quarterly questions about the same customers; after so many months the other of two features tells the risk."""
    rng = np.random.default_rng(seed)
    dates = np.repeat(np.arange(0, months, 3), customers)
    first, second = rng.standard_normal((2, len(dates)))
    log_odds = -2.0 + 1.5 * np.where(dates < turned_after, first, second)
    names = ("days_past_due_max_6m", "utilisation_mean_6m")
    program = compile_program(
        features_named([{"name": name, "group": "", "categories": (), "risk": None} for name in names])
    )
    return Dataset(
        program,
        np.column_stack([first, second]),
        (rng.random(len(dates)) < 1 / (1 + np.exp(-log_odds))).astype(np.int8),
        np.array([f"C{number % customers:04d}" for number in range(len(dates))], object),
        (19_000 + dates * MONTH).round().astype(np.int32),
        0,
    )


def test_all_history_teaches_where_nothing_changed(settings: Training) -> None:
    data = history(turned_after=99)
    found = window.choose(data, settings)
    assert len(found.of(data)) == len(data)
    assert [one.months for one in found.tried] == [None, 12, 6]


def test_after_a_change_of_the_world_only_what_came_after_it_teaches(settings: Training) -> None:
    data = history(turned_after=15)
    found = window.choose(data, settings)
    inside = found.of(data)
    assert inside.as_of.min() > 19_000 + 11 * MONTH
    whole = found.tried[0]
    assert whole.worse_by > 1.645 * whole.standard_error


def test_customers_of_the_test_side_have_no_part_in_it(settings: Training) -> None:
    data = history(turned_after=15)
    tests = is_test(data, settings)
    flipped = replace(data, defaulted=np.where(tests, 1 - data.defaulted, data.defaulted).astype(np.int8))
    assert [one.log_loss for one in window.choose(flipped, settings).tried] == [
        one.log_loss for one in window.choose(data, settings).tried
    ]


def test_nothing_is_tried_where_no_shorter_history_is_asked_for_or_fills_every_part(settings: Training) -> None:
    data = history(turned_after=15)
    never = settings.model_copy(update={"windows": ()})
    assert window.choose(data, never) == window.TrainingWindow(int(data.as_of.min()))
    demanding = settings.model_copy(update={"minimum_defaults": 500})
    assert window.choose(data, demanding).tried == ()
    one_day = data.take(np.flatnonzero(data.as_of == data.as_of.max()))
    assert len(window.choose(one_day, settings).of(one_day)) == len(one_day)


def test_the_same_rows_give_the_same_answer_whatever_the_threads(settings: Training) -> None:
    data = history(turned_after=15)
    both = settings.model_copy(update={"threads": 2})
    assert window.choose(data, both) == window.choose(data, settings)
