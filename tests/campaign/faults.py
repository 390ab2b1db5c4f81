"""The faults that are tried on purpose, R1 to R20, how often, and what must hold whatever happens.

One entry, one test of this folder. A row of the plan that no test here tries says what stands in for it (OTHERWISE).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: its row in the plan, how many times it is promised to be tried, the promise, the test that tries it.

    `minutes`: processor minutes of all trials, for whoever plans a run; rough.
    """

    name: str
    row: str
    told: str
    count: int
    of: str
    promise: str
    test: str
    minutes: float


_SERVICE, _RECORD, _WINDOWS = "test_service_faults.py", "test_record_faults.py", "test_damaged_windows.py"
_OUTCOMES, _PROMOTIONS = "test_damaged_outcomes.py", "test_promotions.py"

_LISTED = (
    Fault(
        "malformed", "R1", "malformed requests", 10_000, "requests",
        "no 5xx, no answer that is no number, the service lives",
        f"{_SERVICE}::test_no_malformed_request_is_a_5xx_or_an_answer_that_is_no_number", 4,
    ),
    Fault(
        "raw-bytes", "R1", "damaged bytes on the wire, half-closed sockets", 2_000, "connections",
        "no 5xx, the service answers afterwards",
        f"{_SERVICE}::test_no_bytes_on_the_wire_end_the_service_or_make_it_fail", 1,
    ),
    Fault(
        "kill-service", "R2", "kill -9 of the service under load", 200, "kills",
        "no acknowledged decision is lost, the chain holds",
        f"{_SERVICE}::test_kill_9_loses_no_acknowledged_decision", 25,
    ),
    Fault(
        "kill-promotion", "R3", "kill -9 while champions are promoted", 200, "kills",
        "one valid champion each time, a linear history",
        f"{_PROMOTIONS}::test_a_promotion_killed_anywhere_leaves_one_valid_champion", 12,
    ),
    Fault(
        "kill-training", "R3", "kill -9 while a model is trained and registered", 200, "kills",
        "nothing half made is visible, a rerun finishes",
        "test_killed_training.py::test_a_training_killed_anywhere_leaves_nothing_half_made_and_a_rerun_finishes", 120,
    ),
    Fault(
        "damaged-bundle", "R5", "damaged model versions", 350, "versions",
        "refused in words, no process dies, no wrong PD",
        "test_damaged_bundles.py::test_a_damaged_version_is_refused_and_kills_nobody", 1,
    ),
    Fault(
        "full-disk", "R6", "a disk that fills up and is freed", 200, "disks",
        "503 meanwhile, nothing acknowledged is lost, well again within 5 s",
        f"{_RECORD}::test_a_full_disk_loses_nothing_that_was_acknowledged_and_the_service_recovers", 10,
    ),
    Fault(
        "one-key", "R8", "one idempotency key, ten times at once", 1_000, "keys",
        "one decision, equal bytes",
        f"{_SERVICE}::test_one_key_is_one_decision_however_often_and_at_once_it_is_asked", 3,
    ),
    Fault(
        "two-services", "R8", "one key asked of two services of two workers", 5_000, "keys",
        "one answer for one key, the chain holds, all replay",
        f"{_RECORD}::test_many_workers_and_services_on_one_ledger_lose_and_part_nothing", 8,
    ),
    Fault(
        "racers", "R9", "four racers for the pointer, one an author who approves alone", 10_000, "rounds",
        "one winner each round, no self-approval",
        f"{_PROMOTIONS}::test_of_racing_promoters_one_wins_each_round_and_no_author_approves", 10,
    ),
    Fault(
        "overload", "R10", "twenty times the load", 3, "rounds",
        "0.9 of the peak, the rest refused with 503, well again within 5 s",
        f"{_SERVICE}::test_twenty_times_the_load_keeps_nine_tenths_of_the_peak", 6,
    ),
    Fault(
        "outcomes", "R11", "outcomes late, twice, contradicting, from the future, of nobody", 1_000, "sets",
        "each counted under its name, none used that is unsound",
        f"{_OUTCOMES}::test_every_damaged_set_of_outcomes_is_counted_to_the_last_one", 3,
    ),
    Fault(
        "flipped-later", "R11", "1 to 10 % of outcomes flipped after they were used", 1_000, "sets",
        "95 % of the retrainings are stopped",
        f"{_OUTCOMES}::test_outcomes_flipped_after_they_were_used_stop_a_retraining", 1,
    ),
    Fault(
        "poisoned", "R11", "1 to 10 % of outcomes flipped from the start, half of the sets aimed", 1_000, "sets",
        "none: the share that the gate stops is told",
        f"{_OUTCOMES}::test_what_the_gate_catches_of_outcomes_that_were_poisoned_from_the_start", 5,
    ),
    Fault(
        "damaged-training", "R12", "damaged training sets", 2_000, "sets",
        "a clear error or a model of sound PDs, never a breakdown",
        "test_damaged_training.py::test_thousands_of_damaged_training_sets", 40,
    ),
    Fault(
        "damaged-windows", "R13", "damaged windows for the monitor", 2_000, "windows",
        "a report always, the faulty column is red, no sound one is",
        f"{_WINDOWS}::test_a_damaged_window_gives_a_report_in_which_its_column_is_red", 60,
    ),
    Fault(
        "tamper", "R14", "tampered logs", 100_000, "logs",
        "all are found and the place is named",
        f"{_RECORD}::test_every_tampered_log_is_found_and_the_place_is_named", 6,
    ),
    Fault(
        "replay", "R15", "decisions replayed: two versions, scorecard, kill switch, canary", 100_000, "decisions",
        "equal to the last bit",
        f"{_RECORD}::test_every_replay_is_equal_to_the_last_bit", 12,
    ),
    Fault(
        "kill-point", "R3", "kill -9 at each system call that writes: keys, records, checkpoints", 200, "kills",
        "what was acknowledged is there, all is whole, a rerun finishes",
        "test_fault_points.py::test_a_kill_at_any_write_leaves_a_whole_home_and_a_rerun_finishes", 5,
    ),
    Fault(
        "disk-error", "R6", "EIO, ENOSPC, EDQUOT at a write or a sync of the ledger", 200, "errors",
        "nothing acknowledged is lost, the ledger goes on",
        "test_fault_points.py::test_a_write_that_fails_is_acknowledged_to_nobody_and_the_ledger_goes_on", 6,
    ),
    Fault(
        "database-restart", "R17", "PostgreSQL ended (politely, at once, kill -9) and started under load",
        500, "restarts", "nothing acknowledged is lost, 503 meanwhile, well again, one answer for one key",
        "test_database_restart.py::test_a_database_that_restarts_under_load_loses_nothing_that_was_acknowledged", 30,
    ),
    Fault(
        "clock", "R7", "the service's clock set back and forth by hours, days, a year, over leap day and summer time",
        100, "jumps",
        "the record's order is its own, a key has its first answer, nobody is refused, a promotion is followed",
        "test_clock.py::test_a_clock_that_jumps_changes_no_order_and_refuses_nobody", 3,
    ),
    Fault(
        "soak", "R16", "a steady load while champions are promoted and rolled back", 60, "seconds",
        "nobody is refused, no answer mixes two versions, memory and open files stay",
        "test_soak.py::test_a_steady_load_with_swaps_refuses_nobody_and_grows_no_longer", 3,
    ),
    Fault(
        "parity", "R19", "one customer on one day, scored from tables and asked over HTTP", 1_000_000, "rows",
        "one PD, to the last bit",
        "test_parity.py::test_a_row_of_a_book_and_a_request_have_one_pd", 90,
    ),
    Fault(
        "schema", "R1", "requests that fit the service's description, and such that do not (schemathesis)",
        5_000, "requests", "answers as described, what breaks the schema is refused, no 5xx but 503 with Retry-After",
        "test_schema.py::test_the_service_answers_as_its_description_says", 5,
    ),
    Fault(
        "ledger-machine", "R14", "random sequences on the ledger beside a plain list", 2_000, "sequences",
        "append, batches, keys, swaps, checkpoints, erasure and tampering as the list says",
        "test_ledger_machine.py::test_the_ledger_does_what_a_plain_list_would", 10,
    ),
    Fault(
        "champion-machine", "R9", "random sequences of approvals, findings, promotions, rollbacks", 2_000, "sequences",
        "a champion exactly where the rules, in plain sets, say so",
        "test_champion_machine.py::test_a_version_is_champion_exactly_where_the_rules_say_so", 20,
    ),
    Fault(
        "outcome-machine", "R11", "random sequences of outcomes, corrections, days that go by", 2_000, "sequences",
        "an outcome is used exactly where the plain rules say so",
        "test_outcome_machine.py::test_an_outcome_is_used_exactly_where_the_plain_rules_say_so", 10,
    ),
)  # fmt: skip

FAULTS: tuple[Fault, ...] = tuple(sorted(_LISTED, key=lambda fault: int(fault.row[1:])))

OTHERWISE: dict[str, str] = {
    "R4": "no serving process asks MLflow or the registry (`mlflow` is imported in `training/registry.py` alone, which"
    " `tests/test_architecture.py` holds); it starts from the signed version in its home and keeps the last good one"
    " (`tests/serving/test_live.py`, `test_loading.py`); a store of versions that is down or sends other bytes:"
    " `tests/training/test_depot.py`, `tests/serving/test_shared_versions.py`",
    "R18": "a home of an earlier release opens, verifies, replays 5 of 5: `tests/serving/test_upgrade.py`, in every run"
    " of the suite; there is one earlier release",
    "R20": "docs/dependencies.md: what is locked by SHA-256, why, under which licence; nothing here asks a registry of"
    " vulnerabilities",
}


def named(words: list[str]) -> list[Fault]:
    """The faults that `words` name, by name or by row, in the order of the plan; all of them for none.

    Raises KeyError with the first word that names none.
    """
    for word in words:
        if word not in {known for fault in FAULTS for known in (fault.name, fault.row)}:
            raise KeyError(word)
    return [fault for fault in FAULTS if not words or {fault.name, fault.row} & set(words)]


def of_test(name: str) -> Fault:
    """The fault that a test tries, by the name of its function."""
    return next(fault for fault in FAULTS if fault.test.partition("::")[2] == name)
