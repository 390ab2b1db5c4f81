"""Tuning: the same study each time, taken up where it stopped, folds by customer. Optuna and its SQLite are real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest

from configs.errors import ConfigError, Refusal
from configs.settings import Settings, Training
from training import crew, study
from training.dataset import Dataset
from training.folds import QUICK, Folds, Judged, Rows
from training.tune import Tuned, search

TRIALS = 6
KILLED_IN = 3  # the trial in which the process dies: so many are finished before


@pytest.fixture(scope="session")
def data(numbers: Callable[..., Dataset]) -> Dataset:
    return numbers(600)


@pytest.fixture(scope="session")
def quick(small_settings: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Training:
    return small_settings(
        tmp_path_factory.mktemp("tune"), trials=TRIALS, folds=3, max_rounds=25, threads=1, stability_weight=0.0
    ).training


def tuned(data: Dataset, settings: Training, folder: Path, told: list[int] | None = None) -> Tuned:
    return search(
        data,
        settings,
        f"sqlite:///{folder}/optuna.db",
        "study",
        lambda done, _, __: told.append(done) if told is not None else None,
    )


@pytest.fixture(scope="session")
def whole(data: Dataset, quick: Training, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """A study that ran from beginning to end."""
    return tuned(data, quick, tmp_path_factory.mktemp("whole"))


def test_the_same_seed_finds_the_same_parameters(data: Dataset, quick: Training, whole: Tuned, tmp_path: Path) -> None:
    assert tuned(data, quick, tmp_path) == whole


def test_another_seed_tries_other_parameters(data: Dataset, quick: Training, whole: Tuned, tmp_path: Path) -> None:
    other = tuned(data, quick.model_copy(update={"seed": 8, "trials": 3}), tmp_path)
    assert other.trials[2]["feature_fraction"] != whole.trials[2]["feature_fraction"]


def test_no_two_trials_try_the_same(whole: Tuned) -> None:
    assert len({trial["lambda_l2"] for trial in whole.trials}) == TRIALS


def test_the_best_is_the_least_loss_of_all_complete_trials(whole: Tuned) -> None:
    losses = [trial["log_loss"] for trial in whole.trials if trial["state"] == "complete"]
    assert whole.log_loss == min(losses)


def test_the_first_trials_are_the_known_good_starts(whole: Tuned) -> None:
    assert whole.trials[0].items() >= study._FIRST_TRIAL.items()
    assert whole.trials[1].items() >= study._SECOND_TRIAL.items()


def test_every_trial_learns_at_the_quick_rate(whole: Tuned) -> None:
    assert {trial["learning_rate"] for trial in (*whole.trials, whole.params)} == {QUICK["learning_rate"]}


def test_the_known_good_start_asks_no_more_of_a_leaf_than_the_rows_can_fill(whole: Tuned) -> None:
    assert whole.trials[0]["min_data_in_leaf"] == 20  # a thirtieth of 600 rows


def test_with_many_rows_the_known_good_start_fills_leaves_of_sixty(
    numbers: Callable[..., Dataset], quick: Training, tmp_path: Path
) -> None:
    one = quick.model_copy(update={"trials": 1, "max_rounds": 2})
    assert tuned(numbers(3000), one, tmp_path).params["min_data_in_leaf"] == 60


def test_trees_are_counted_within_the_rounds_allowed(whole: Tuned, quick: Training) -> None:
    assert 1 <= whole.rounds <= quick.max_rounds


def test_a_finished_study_runs_nothing_again(data: Dataset, quick: Training, tmp_path: Path) -> None:
    few = quick.model_copy(update={"trials": 2})
    first = tuned(data, few, tmp_path)
    told: list[int] = []
    assert tuned(data, few, tmp_path, told) == first
    assert told == []


def test_a_study_asked_for_more_runs_only_what_is_missing(
    data: Dataset, quick: Training, whole: Tuned, tmp_path: Path
) -> None:
    tuned(data, quick.model_copy(update={"trials": 2}), tmp_path)
    told: list[int] = []
    assert tuned(data, quick, tmp_path, told) == whole
    assert told == [3, 4, 5, 6]


@pytest.fixture(scope="session")
def killed(data: Dataset, quick: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study whose process was killed with -9 in the middle of a trial."""
    folder = tmp_path_factory.mktemp("killed")
    arrays = {"matrix": data.matrix, "defaulted": data.defaulted, "as_of": data.as_of}
    np.savez(folder / "data.npz", customer_id=data.customer_id.astype(str), **arrays)
    (folder / "settings.json").write_text(quick.model_dump_json(), encoding="utf-8")
    child = subprocess.run([sys.executable, "-c", _CHILD, str(folder)], capture_output=True, text=True, timeout=100)
    assert child.returncode == -signal.SIGKILL, child.stderr
    return folder


_CHILD = textwrap.dedent(f"""
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    from configs.settings import ColumnSpec, Training
    from features.catalogue import column_features, compile_program
    from training import folds, tune
    from training.dataset import Dataset

    folder = Path(sys.argv[1])
    kept = np.load(folder / "data.npz")
    specs = [ColumnSpec(name=n, risk=r) for n, r in (("debt", "rises"), ("income", "falls"), ("noise", "unknown"))]
    specs.append(ColumnSpec(name="town", kind="category"))
    program = compile_program(tuple(column_features(specs, {{"town": ["Bonn", "Köln", "Ulm"]}})))
    data = Dataset(
        program, kept["matrix"], kept["defaulted"], kept["customer_id"].astype(object), kept["as_of"], 0
    )
    settings = Training.model_validate_json((folder / "settings.json").read_text(encoding="utf-8"))
    trained, train = [0], folds.lgb.train

    def dies(*arguments, **named):
        trained[0] += 1
        if finished and finished[-1] == {KILLED_IN}:
            os.kill(os.getpid(), signal.SIGKILL)
        return train(*arguments, **named)

    finished = []
    folds.lgb.train = dies
    url = f"sqlite:///{{folder}}/optuna.db"
    tune.search(data, settings, url, "study", lambda done, wanted, best: finished.append(done))
""")


@pytest.fixture(scope="session")
def resumed(data: Dataset, quick: Training, killed: Path) -> tuple[Tuned, list[int]]:
    """That study taken up again, and the trials that this took."""
    told: list[int] = []
    return tuned(data, quick, killed, told), told


def test_a_study_killed_in_the_middle_runs_only_the_trials_that_are_missing(resumed: tuple[Tuned, list[int]]) -> None:
    assert resumed[1] == [4, 5, 6]


def test_the_trial_that_was_killed_stays_on_record(resumed: tuple[Tuned, list[int]]) -> None:
    assert [trial["state"] for trial in resumed[0].trials].count("running") == 1


def test_a_study_that_was_killed_ends_where_it_would_have_ended(resumed: tuple[Tuned, list[int]], whole: Tuned) -> None:
    found = resumed[0]
    assert (found.params, found.rounds, found.log_loss) == (whole.params, whole.rounds, whole.log_loss)


def test_a_study_killed_in_its_first_trial_still_starts_from_the_known_good_one(
    data: Dataset, quick: Training, tmp_path: Path
) -> None:
    # What a kill leaves: the first trial, running for ever.
    opened = optuna.create_study(storage=f"sqlite:///{tmp_path}/optuna.db", study_name="study", direction="minimize")
    opened.ask()
    resumed = tuned(data, quick.model_copy(update={"trials": 1}), tmp_path)
    assert resumed.params.items() >= study._FIRST_TRIAL.items()


def test_no_customer_is_on_both_sides_of_a_fold(data: Dataset, quick: Training) -> None:
    for learned, judged in Folds(Rows.of(data), quick).pairs:
        assert not set(_customers(data, learned.get_data())) & set(_customers(data, judged.get_data()))


def test_the_folds_judge_every_row_once(data: Dataset, quick: Training) -> None:
    folds = Folds(Rows.of(data), quick).pairs
    judged = np.concatenate([judged.get_data() for _, judged in folds])
    assert sorted(map(bytes, judged)) == sorted(map(bytes, data.matrix))


def _customers(data: Dataset, matrix: np.ndarray) -> list[str]:
    owner = {bytes(row): customer for row, customer in zip(data.matrix, data.customer_id, strict=True)}
    return [owner[bytes(row)] for row in matrix]


def test_a_trial_that_lags_behind_is_recorded_as_pruned(
    data: Dataset, quick: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.0] * 3 * 4 + [2.0] * 3)  # four trials to know a median by, then one worse than it
    monkeypatch.setattr(Folds, "_judge", lambda *_: Judged(next(losses), 5, np.zeros(200)))
    trials = tuned(data, quick.model_copy(update={"trials": 5}), tmp_path).trials
    assert [trial["state"] for trial in trials] == ["complete"] * 4 + ["pruned"]


def test_an_easy_first_fold_does_not_shield_a_trial_that_lags_behind_later(
    data: Dataset, quick: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Optuna's own pruner compares the best mean so far, here always that of the first fold.
    losses = iter([0.1, 0.5, 0.5] * 4 + [0.05, 0.9, 0.9])
    monkeypatch.setattr(Folds, "_judge", lambda *_: Judged(next(losses), 5, np.zeros(200)))
    tuned(data, quick.model_copy(update={"trials": 5}), tmp_path)
    last = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path}/optuna.db").trials[-1]
    assert (last.state.name, sorted(last.intermediate_values)) == ("PRUNED", [0, 1])


def test_a_trial_among_the_best_share_goes_on(
    data: Dataset, quick: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.5, 0.4, 0.3] * 4 + [0.49, 0.39, 0.29])
    monkeypatch.setattr(Folds, "_judge", lambda *_: Judged(next(losses), 5, np.zeros(200)))
    trials = tuned(data, quick.model_copy(update={"trials": 5}), tmp_path).trials
    assert [trial["state"] for trial in trials] == ["complete"] * 5


def test_the_loss_of_a_pruned_trial_is_not_told_as_if_of_all_folds(
    data: Dataset, quick: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first folds are easy: the pruned trial's mean so far lies below the best trial's mean of all.
    losses = iter([0.1, 0.1, 9.0] * 4 + [0.2, 0.2])
    monkeypatch.setattr(Folds, "_judge", lambda *_: Judged(next(losses), 5, np.zeros(200)))
    found = tuned(data, quick.model_copy(update={"trials": 5}), tmp_path)
    assert found.trials[-1]["state"] == "pruned"
    assert found.trials[-1]["log_loss"] is None
    assert found.log_loss == pytest.approx(9.2 / 3)


def test_no_trial_in_the_time_allowed_is_refused_with_the_way_out(
    data: Dataset, quick: Training, tmp_path: Path
) -> None:
    with pytest.raises(Refusal, match=r"no trial finished within 1e-09 s; raise training.timeout_seconds"):
        tuned(data, quick.model_copy(update={"timeout_seconds": 1e-9}), tmp_path)


def test_the_losses_are_those_of_trees_trained_without_the_judged_rows(data: Dataset, quick: Training) -> None:
    # Labels drawn at random cannot be foretold: out of fold no trial beats the entropy of the base rate by much.
    rng = np.random.default_rng(1)
    noise = data.take(np.arange(len(data)))
    noise.defaulted[:] = rng.random(len(data)) < 0.5
    objective = study.Objective(Rows.of(noise), quick)
    opened = optuna.create_study(direction="minimize")
    opened.optimize(objective, n_trials=3)
    assert opened.best_value > np.log(2) - 0.02


def test_the_objective_adds_what_the_spread_over_time_costs(
    data: Dataset, quick: Training, whole: Tuned, tmp_path: Path
) -> None:
    weighed = tuned(data, quick.model_copy(update={"stability_weight": 0.5}), tmp_path)
    opened = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path}/optuna.db")
    for trial, known in zip(opened.trials, weighed.trials, strict=True):
        if known["state"] == "complete":
            assert known["spread"] > 0
            assert trial.value == known["log_loss"] + 0.5 * known["spread"]
    assert weighed.trials[0]["log_loss"] == pytest.approx(whole.trials[0]["log_loss"], abs=1e-12)
    assert {trial["spread"] for trial in whole.trials if trial["state"] == "complete"} == {0.0}


def test_a_model_of_more_leaves_than_allowed_is_never_tried(data: Dataset, quick: Training, tmp_path: Path) -> None:
    found = tuned(data, quick.model_copy(update={"maximum_leaves": 100}), tmp_path)
    for trial in found.trials:
        assert trial["state"] == "pruned" or trial["rounds"] * trial["num_leaves"] <= 100


def family(data: Dataset, settings: Training, folder: Path, name: str, of: str | None) -> Tuned:
    return search(data, settings, f"sqlite:///{folder}/optuna.db", name, lambda *_: None, of)


def test_a_new_study_also_tries_the_best_of_the_newest_earlier_one_of_its_family(
    data: Dataset, numbers: Callable[..., Dataset], quick: Training, tmp_path: Path
) -> None:
    few = quick.model_copy(update={"trials": 3})
    first = family(data, few, tmp_path, "first", "cards")
    newer = family(data, few.model_copy(update={"seed": 8}), tmp_path, "newer", "cards")
    family(data, few.model_copy(update={"seed": 9}), tmp_path, "stranger", "loans")
    later = family(numbers(300), few, tmp_path, "later", "cards")
    assert (first.started_from, newer.started_from, later.started_from) == (None, "first", "newer")
    assert later.trials[0].items() >= study._FIRST_TRIAL.items()
    expected = {**newer.params, "min_data_in_leaf": min(newer.params["min_data_in_leaf"], 10)}  # of 300 rows
    assert later.trials[2].items() >= expected.items()


def test_a_study_without_a_family_starts_from_nothing_earlier(data: Dataset, quick: Training, tmp_path: Path) -> None:
    one = quick.model_copy(update={"trials": 1})
    family(data, one, tmp_path, "first", None)
    assert family(data, one, tmp_path, "second", None).started_from is None


def test_a_study_taken_up_again_still_starts_from_the_same(data: Dataset, quick: Training, tmp_path: Path) -> None:
    few = quick.model_copy(update={"trials": 3})
    family(data, few, tmp_path, "first", "cards")
    before = family(data, few.model_copy(update={"trials": 1}), tmp_path, "second", "cards")
    family(data, few.model_copy(update={"seed": 9}), tmp_path, "third", "cards")
    after = family(data, few, tmp_path, "second", "cards")
    assert (before.started_from, after.started_from) == ("first", "first")
    assert after.trials[2]["state"] in ("complete", "pruned")


def test_processes_that_share_a_study_finish_it_together(data: Dataset, quick: Training, tmp_path: Path) -> None:
    told: list[int] = []
    found = tuned(data, quick.model_copy(update={"workers": 2}), tmp_path, told)
    finished = [trial for trial in found.trials if trial["state"] in ("complete", "pruned")]
    assert TRIALS <= len(finished) <= TRIALS + 1  # both may take the last one
    assert told == list(range(1, TRIALS + 1))
    assert found.trials[0].items() >= study._FIRST_TRIAL.items()
    assert len({trial["lambda_l2"] for trial in finished}) == len(finished)


def test_a_study_whose_workers_are_all_killed_is_finished_by_the_one_that_asked(
    data: Dataset, quick: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "work", _dies)
    found = tuned(data, quick.model_copy(update={"workers": 2}), tmp_path)
    states = [trial["state"] for trial in found.trials]
    assert states.count("complete") + states.count("pruned") == TRIALS


def shared(url: str) -> optuna.Study:
    with study.quiet():
        return study.open_study(url, "study", 0.25, shared=True)


def _dies(data: Rows, settings: Training, place: crew.Place, number: int, parent: int) -> None:
    """A worker that is killed in its first trial."""
    shared(place[0]).ask()
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_whose_parent_is_gone_takes_no_further_trial(data: Dataset, quick: Training, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/optuna.db"
    opened = shared(url)
    crew.work(Rows.of(data), quick, (url, "study"), 0, parent=-1)
    assert opened.trials == []


def test_a_trial_whose_process_fell_silent_is_run_again(
    data: Dataset, quick: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/optuna.db"
    opened = shared(url)
    plain = optuna.load_study(study_name="study", storage=url)
    lost = plain.ask({"num_leaves": optuna.distributions.IntDistribution(4, 40, log=True)})
    opened._storage.record_heartbeat(lost._trial_id)
    monkeypatch.setattr(type(opened._storage), "_get_stale_trial_ids", lambda *_: _stale(opened))
    crew.work(Rows.of(data), quick.model_copy(update={"trials": 2}), (url, "study"), 0, os.getppid())
    trials = opened.trials
    assert trials[0].state.name == "FAIL"
    again = next(trial for trial in trials if trial.system_attrs.get("failed_trial") == 0)
    assert (again.state.name, again.params["num_leaves"]) == ("COMPLETE", lost.params["num_leaves"])


def _stale(opened: optuna.Study) -> list[int]:
    return [trial._trial_id for trial in opened.trials if trial.state.name == "RUNNING" and trial.number == 0]


def test_processes_cannot_share_a_store_in_memory(data: Dataset, quick: Training) -> None:
    shared = quick.model_copy(update={"workers": 2})
    with pytest.raises(ConfigError, match=r"training.workers = 2: processes cannot share sqlite:///:memory:"):
        search(data, shared, "sqlite:///:memory:", "study", lambda *_: None)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are told of by Linux's /proc only")
def test_a_search_leaves_no_connection_to_its_study_open(data: Dataset, quick: Training, tmp_path: Path) -> None:
    tuned(data, quick, tmp_path)
    files = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [file for file in files if tmp_path in file.parents]
