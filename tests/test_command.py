"""The command as a person meets it: every step in order in one home, and every mistake answered in one message."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import gc
import hashlib
import io
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import creditloop
from configs.governance import SUPPLIED_BY
from configs.settings import load_product, load_settings, product_toml
from features import faults
from serving import access, key_record
from serving.ledger import Entry, Ledger, open_ledger
from training.signature import sign, signing_key

NAME = "consumer_platform"
SETTINGS = "[training]\ntrials = 1\nthreads = 1\nfolds = 2\nmax_rounds = 150\n"
NOW, AS_OF = "2025-12-31", "2024-12-31"


@dataclass(frozen=True)
class Ran:
    """What one command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as strict JSON."""

        def refuse(name: str) -> None:
            raise ValueError(f"{name} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


KEYS: dict[str, list[str]] = {}


def key_of(home: Path, name: str, role: str) -> str:
    """The key of a person in `home`, or in the home it was copied from; made where there is none yet."""
    there = access.load_keys(home)
    for key in KEYS.get(name, []):
        if access.person(there, key) is not None:
            return key
    KEYS.setdefault(name, []).append(access.create_key(home, name, role))
    return KEYS[name][-1]


def run(home: Path, *words: object, role: str = "approver") -> Ran:
    """Run one command in this process, at home in `home`, with a key of whoever stands after --by."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patched.setenv("CREDITLOOP_HOME", str(home))
        if "--by" in words and home.exists():
            name = str(words[words.index("--by") + 1])
            patched.setenv("CREDITLOOP_KEY", key_of(home, name, role))
        try:
            code = creditloop.main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


def tree(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file, but for the ledger's side files, which SQLite makes to read it."""
    gc.collect()  # a ledger that an earlier command of this process left open is written back when it is closed
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(("-wal", "-shm"))
    }


def commands(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands(inner, (*path, name))


@dataclass(frozen=True)
class Flow:
    """A home in which every step was done once, in order."""

    home: Path
    book: Path
    ran: dict[str, Ran]

    @property
    def version(self) -> str:
        """The version that was trained first."""
        return str(self.ran["train"].json["version"])


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """Doctor to replay, as the README tells it."""
    home = tmp_path_factory.mktemp("home")
    (home / "creditloop.toml").write_text(SETTINGS)
    book, product = home.parent / f"{home.name}-book", ("--product", NAME)
    ran: dict[str, Ran] = {}

    def step(name: str, *words: object) -> None:
        ran[name] = run(home, *words, "--json")

    step("doctor", "doctor")
    step("features", "features", "list", *product)
    step("simulate", "data", "simulate", *product, "--customers", 4000, "--seed", 3, "--out", book)
    step("check", "data", "check", *product, "--data", book)
    step("no model", "models", "list")
    step("no champion", "serve", *product)
    step("train", "train", *product, "--data", book, "--now", NOW)
    version = ran["train"].json["version"]
    step("no verdict", "retrain", *product, "--data", book)
    said = ("--by", "a test", "--reason", "first", "--despite-gate", "a test")
    step("promote", "models", "promote", *product, version, *said)
    step("list", "models", "list")
    step("verify model", "models", "verify", version)
    step("no key", "serve", *product)
    step("key", "keys", "create", "shop", "--role", "score")
    step("score", "score", *product, "--data", book, "--as-of", AS_OF, "--out", home / "scores.csv")
    step("monitor", "monitor", "run", *product, "--data", book, "--as-of", AS_OF, "--now", NOW, "--no-evidently")
    step("watch ledger", "monitor", "run", *product, "--no-evidently")
    anyway = ("--anyway", "a test", "--by", "Dan", "--json")
    ran["retrain"] = run(home, "retrain", *product, "--data", book, "--now", NOW, *anyway, role="developer")
    step("verify", "decisions", "verify")
    step("replay", "decisions", "replay")
    return Flow(home, book, ran)


@pytest.mark.parametrize("path", list(commands(creditloop._parser())), ids=" ".join)
def test_every_command_tells_what_it_does(path: Sequence[str], tmp_path: Path) -> None:
    ran = run(tmp_path, *path, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("usage: creditloop")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    "step",
    [
        *("doctor", "features", "simulate", "check", "no model", "promote", "list", "verify model"),
        *("key", "score", "verify", "replay"),
    ],
)
def test_each_step_is_done_and_says_so_in_json(flow: Flow, step: str) -> None:
    assert flow.ran[step].code == 0, flow.ran[step].err
    assert flow.ran[step].json


@pytest.mark.parametrize("step", ["train", "retrain"])
def test_the_exit_code_of_a_training_is_the_gates_answer(flow: Flow, step: str) -> None:
    assert flow.ran[step].code == (0 if flow.ran[step].json["gate"]["passed"] else 1)


def test_the_exit_code_of_the_monitor_says_whether_somebody_must_act(flow: Flow) -> None:
    remedy = flow.ran["monitor"].json["verdict"]["remedy"]
    assert flow.ran["monitor"].code == (0 if remedy in ("nothing", "wait") else 1)


def test_every_simulated_table_holds_its_contract(flow: Flow) -> None:
    assert flow.ran["check"].json["rows"]["customers"] == 4000


def test_every_feature_is_told(flow: Flow) -> None:
    told = flow.ran["features"].json["features"]
    assert all(feature["meaning"] and feature["unit"] and feature["reason"] for feature in told)


def test_the_promoted_version_is_the_champion(flow: Flow) -> None:
    models = flow.ran["list"].json["models"]
    assert [(model["version"], model["champion"]) for model in models] == [(flow.version, True)]


def test_every_customer_is_scored(flow: Flow) -> None:
    scores = pd.read_csv(flow.home / "scores.csv")
    assert len(scores) == flow.ran["score"].json["rows"] == 4000
    assert scores["default_probability"].between(0, 1).all()


def test_the_monitor_wrote_the_page_it_names(flow: Flow) -> None:
    assert Path(flow.ran["monitor"].json["page"]).is_file()


def test_a_ledger_without_decisions_waits(flow: Flow) -> None:
    ran = flow.ran["watch ledger"]
    assert (ran.code, ran.json["verdict"]["remedy"]) == (0, "wait")


def test_the_key_is_given_once_and_not_kept(flow: Flow) -> None:
    key = flow.ran["key"].json["key"]
    assert key.startswith("cl_")
    assert key not in (flow.home / "keys.json").read_text()


def test_the_ledger_holds_what_was_done(flow: Flow) -> None:
    # a key, two trainings, a promotion, two verdicts with their evidence, a retraining
    assert flow.ran["verify"].json["records"] == 9


def test_nothing_is_left_unfinished(flow: Flow) -> None:
    assert [path for path in tree(flow.home) if "unfinished" in path] == []


def test_without_a_champion_nobody_is_served(flow: Flow) -> None:
    ran = flow.ran["no champion"]
    assert (ran.code, ran.out) == (1, "")
    assert f"{NAME} has no champion yet: creditloop models promote --product {NAME} VERSION" in ran.err


def test_without_a_key_nobody_is_served(flow: Flow) -> None:
    ran = flow.ran["no key"]
    assert (ran.code, ran.out) == (2, "")
    assert "no API key exists that may ask" in ran.err
    assert "creditloop keys create NAME --role score" in ran.err


def test_without_a_verdict_nothing_is_retrained(flow: Flow) -> None:
    assert flow.ran["no verdict"].code == 1
    assert "run creditloop monitor run first" in flow.ran["no verdict"].err


def test_a_person_may_go_back_to_an_earlier_champion_and_forth_again(flow: Flow) -> None:
    second = flow.ran["retrain"].json["version"]
    words = ("models", "promote", "--product", NAME)
    said = ("--by", "a test", "--reason", "to and fro", "--despite-gate", "a test")
    turns = [run(flow.home, *words, version, *said).code for version in (second, flow.version) * 2]
    assert turns == [0, 0, 0, 0]


def test_a_version_that_failed_the_gate_needs_a_reason_on_record(flow: Flow, tmp_path: Path) -> None:
    home = tmp_path / "strict"
    home.mkdir()
    (home / "creditloop.toml").write_text(SETTINGS + "[gate]\nminimum_auc = 0.99\n")
    trained = run(home, "train", "--product", NAME, "--data", flow.book, "--now", NOW, "--json")
    words = ("models", "promote", "--product", NAME, trained.json["version"], "--by", "me", "--reason", "it is good")
    refused, promoted = run(home, *words), run(home, *words, "--despite-gate", "the board said so", "--json")
    assert (trained.code, refused.code, promoted.code) == (1, 1, 0)
    assert "did not pass the gate (auc" in refused.err
    assert promoted.json["reason"] == "it is good; despite the gate: the board said so"


def test_a_dead_feed_stops_the_loop(flow: Flow, tmp_path: Path) -> None:
    shutil.copytree(flow.book, tmp_path / "book")
    statements = pd.read_parquet(tmp_path / "book" / "statements.parquet")
    dead = faults.dead_feed(statements, "inflow", "month", pd.Timestamp("2022-01-01"))
    dead.to_parquet(tmp_path / "book" / "statements.parquet")
    shutil.copytree(flow.home, tmp_path / "home")
    product = ("--product", NAME, "--data", tmp_path / "book", "--now", NOW)
    watched = run(tmp_path / "home", "monitor", "run", *product, "--as-of", AS_OF, "--no-evidently")
    retrained = run(tmp_path / "home", "retrain", *product)
    assert (watched.code, retrained.code) == (1, 1)
    assert "Fix the data" in watched.out
    assert "Fix the data" in retrained.err


def test_a_changed_ledger_is_told_by_its_record(flow: Flow, tmp_path: Path) -> None:
    shutil.copytree(flow.home, tmp_path / "home")
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / "ledger.db")) as ledger:
        ledger.execute("DROP TRIGGER records_no_UPDATE")
        ((place,),) = ledger.execute("SELECT min(seq) FROM records WHERE kind = 'verdict'")
        ledger.execute("UPDATE records SET at = 'yesterday' WHERE seq = ?", (place,))
        ledger.commit()
    ran = run(tmp_path / "home", "decisions", "verify")
    assert ran.code == 1
    assert f"record {place} (verdict" in ran.err


def test_a_rewritten_ledger_is_found_against_its_checkpoints(flow: Flow, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(flow.home, home)
    signed = run(home, "decisions", "checkpoint", "--json")
    assert (signed.code, Path(signed.json["file"]).parent) == (0, home / "anchors")
    met = run(home, "decisions", "verify", "--json")
    assert (met.code, met.json["checkpoints"], met.json["head"]) == (0, 1, signed.json["head"])
    with contextlib.closing(Ledger(f"sqlite:///{home}/ledger.db")) as ledger:
        entries = [record.entry for record in ledger.records()]
    (home / "ledger.db").unlink()
    with contextlib.closing(Ledger(f"sqlite:///{home}/ledger.db")) as ledger:
        ledger.append([replace(entries[0], at="2020-01-01"), *entries[1:]])
    found, again = run(home, "decisions", "verify"), run(home, "decisions", "checkpoint")
    assert (found.code, again.code) == (1, 1)
    assert "record 1, or one after it up to" in found.err
    assert "nothing was signed" in again.err


def test_one_command_goes_back_to_the_former_champion(flow: Flow, tmp_path: Path) -> None:
    home, product, second = tmp_path / "home", ("--product", NAME), flow.ran["retrain"].json["version"]
    shutil.copytree(flow.home, home)
    said = ("--by", "a test", "--reason", "better", "--despite-gate", "a test")
    for version in (flow.version, second):
        run(home, "models", "promote", *product, version, *said)
    back = run(home, "models", "rollback", *product, "--by", "the risk officer", "--reason", "it errs", "--json")
    assert (back.code, back.json["version"], back.json["by"]) == (0, flow.version, "the risk officer")
    told = run(home, "models", "history", *product, "--json").json["history"]
    assert [item["version"] for item in told][-2:] == [second, flow.version]
    live = run(home, "models", "what-was-live", *product, "--at", told[-2]["at"], "--json")
    assert (live.code, live.json["version"]) == (0, second)
    assert run(home, "models", "what-was-live", *product, "--at", "2020-01-01").code == 1


def test_where_the_house_wants_four_eyes_nobody_promotes_alone(flow: Flow, tmp_path: Path) -> None:
    home, words = tmp_path / "home", ("--product", NAME, flow.ran["retrain"].json["version"])
    shutil.copytree(flow.home, home)
    with (home / "creditloop.toml").open("a", encoding="utf-8") as settings:
        settings.write("\n[governance]\napprovals = 1\n")
    promote = ("models", "promote", *words, "--by", "Ada", "--reason", "better")
    if not flow.ran["retrain"].json["gate"]["passed"]:
        until = str(dt.datetime.now(dt.UTC).date() + dt.timedelta(days=9))
        run(home, "models", "waive", *words, "--by", "Rae", "--reason", "a test", "--until", until, role="risk")
    alone = run(home, *promote)
    assert (alone.code, "needs the approval of 1 beside Ada" in alone.err) == (1, True)
    own = run(home, "models", "approve", *words, "--by", "Dan", "--reason", "mine", role="approver")
    assert (own.code, "Dan has the role developer; approve needs one of" in own.err) == (1, True)
    said = run(home, "models", "approve", *words, "--by", "Ben", "--reason", "read the report", "--json")
    assert [one["by"] for one in said.json["standing"]] == ["Ben"]
    assert run(home, *promote).code == 0


def test_a_damaged_version_does_not_hide_the_others(flow: Flow, tmp_path: Path) -> None:
    shutil.copytree(flow.home, tmp_path / "home")
    (tmp_path / "home" / "bundles" / NAME / flow.version / "model.txt").write_text("tree")
    models = {row["version"]: row for row in run(tmp_path / "home", "models", "list", "--json").json["models"]}
    assert "do not use" in models.pop(flow.version)["unusable"]
    assert all("auc" in row for row in models.values())
    assert "UNUSABLE" in run(tmp_path / "home", "models", "list").out


def test_a_key_is_listed_and_revoked(tmp_path: Path) -> None:
    run(tmp_path, "keys", "create", "shop", "--role", "score")
    (row,) = run(tmp_path, "keys", "list", "--json").json["keys"]
    assert run(tmp_path, "keys", "revoke", row["id"]).code == 0
    assert run(tmp_path, "keys", "list", "--json").json["keys"] == []
    with contextlib.closing(open_ledger(load_settings(tmp_path))) as ledger:
        assert [(one.act, one.name, one.role) for one in key_record.changes(ledger, 9)] == [
            ("revoked", "shop", "score"),
            ("made", "shop", "score"),
        ]


def test_a_key_is_revoked_though_the_ledger_cannot_be_opened_and_that_is_told(tmp_path: Path) -> None:
    run(tmp_path, "keys", "create", "shop", "--role", "score")
    (tmp_path / "creditloop.toml").write_text('[stores]\nledger = "postgresql+pg8000://nobody@127.0.0.1:1/none"\n')
    ran = run(tmp_path, "keys", "revoke", "shop")
    assert (ran.code, "the key of shop is revoked, but that is not on record" in ran.err) == (2, True)
    assert access.load_keys(tmp_path) == {}
    assert run(tmp_path, "keys", "create", "other", "--role", "score").code == 2
    assert access.load_keys(tmp_path) == {}


def test_what_is_on_record_about_a_customer_is_exported_and_erased(tmp_path: Path) -> None:
    with contextlib.closing(open_ledger(load_settings(tmp_path))) as ledger:
        ledger.append([Entry("d1", "decision", NAME, "Ada", "2026-01-31", b'{"limit":1}', personal=True)])
    said = ("--by", "the officer", "--reason")
    told = json.loads(run(tmp_path, "decisions", "export", "Ada", "--by", "an auditor", role="auditor").out)
    assert (told["id"], told["body"]) == ("d1", {"limit": 1})
    erased = run(tmp_path, "decisions", "erase", "Ada", *said, "a wish", "--json", role="risk")
    assert (erased.code, erased.json["records"]) == (0, 2)  # the decision, and that it was looked at
    assert run(tmp_path, "decisions", "export", "Ada", "--by", "an auditor", role="auditor").code == 1
    assert run(tmp_path, "decisions", "erase", "Ada", *said, "y", role="risk").code == 2
    assert run(tmp_path, "decisions", "verify").code == 0


def test_the_papers_of_a_version_are_written_signed_and_say_what_is_missing(flow: Flow, tmp_path: Path) -> None:
    home, product = Path(shutil.copytree(flow.home, tmp_path / "home")), ("--product", NAME)
    told = run(home, "governance", "write", *product, flow.version, "--out", tmp_path / "out", "--json")
    folder = Path(told.json["index"]).parent
    document = json.loads((folder / "governance.json").read_text())
    assert [paper["number"] for paper in document["artefacts"]] == list(range(1, 13))
    assert {path.suffix for path in folder.iterdir()} == {".html", ".md", ".json", ".sig", ""}
    assert len(list(folder.glob("*.html"))) == len(list(folder.glob("*.md"))) == 13
    lacking = run(home, "governance", "check", *product, "--version", flow.version, "--json")
    assert (lacking.code, lacking.json["missing"]) == (1, document["missing"])
    assert {one["field"] for one in document["missing"]} == set(SUPPLIED_BY)
    inventory = (folder / "01_inventory_card.html").read_text()
    assert inventory.count("to be supplied by") == len(document["artefacts"][0]["missing"]) == 12
    assert run(home, "governance", "verify", folder).code == 0
    checked = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=False)
    assert checked.returncode == 0
    for name in ("extra.html", ".hidden.html"):
        (folder / name).write_text("approved by all")
        assert f"{name}: is none of the papers that were signed" in run(home, "governance", "verify", folder).err
        (folder / name).unlink()
    (folder / "01_inventory_card.html").write_text(inventory.replace("to be supplied by", "supplied by"))
    page = run(home, "governance", "verify", folder)
    assert (page.code, "01_inventory_card.html: missing, or not as it was signed" in page.err) == (2, True)
    (folder / "01_inventory_card.html").write_text(inventory)
    changed = (folder / "governance.json").read_text().replace('"status": "', '"status": "no ', 1)
    (folder / "governance.json").write_text(changed)
    assert run(home, "governance", "verify", folder).code == 2


@pytest.mark.parametrize(
    ("words", "version"),
    [(["v1"], "v1"), (["--version", "v1"], "v1"), ([], None)],
    ids=["as models does", "named", "none"],
)
def test_papers_are_asked_for_by_a_version_in_the_way_of_models_or_by_name(
    words: list[str], version: str | None
) -> None:
    asked = [*words, "--product", NAME], ["--product", NAME, *words]
    parse = creditloop._parser().parse_args
    assert {parse(["governance", "check", *one]).version for one in asked} == {version}


def test_papers_of_two_versions_at_once_are_refused(tmp_path: Path) -> None:
    ran = run(tmp_path, "governance", "check", "--product", NAME, "v1", "--version", "v2")
    assert ran.code == 2
    assert "not allowed with argument" in ran.err


def test_what_persons_supply_is_in_the_papers_and_changes_no_decision(flow: Flow, tmp_path: Path) -> None:
    home, product = Path(shutil.copytree(flow.home, tmp_path / "home")), ("--product", NAME)
    before = load_product(NAME, home).digest()
    said = "".join(f'{name} = "{"1" if name == "tier" else name}"\n' for name in SUPPLIED_BY)
    text = product_toml(load_product(NAME, home)) + "\n[governance]\n" + said
    (home / "products").mkdir()
    (home / "products" / f"{NAME}.toml").write_text(text)
    assert load_product(NAME, home).digest() == before
    checked = run(home, "governance", "check", *product, "--version", flow.version, "--json")
    assert (checked.code, checked.json["missing"]) == (0, [])


def test_every_look_at_a_customer_is_on_record(tmp_path: Path) -> None:
    with contextlib.closing(open_ledger(load_settings(tmp_path))) as ledger:
        ledger.append([Entry("d1", "decision", NAME, "Ada", "2026-01-31", b'{"limit":1}', personal=True)])
    by = ("--by", "an auditor")
    assert run(tmp_path, "decisions", "show", "d1", *by, "--json", role="auditor").json["customer"] == "Ada"
    run(tmp_path, "decisions", "export", "Ada", *by, role="auditor")
    assert run(tmp_path, "decisions", "export", "Ada").code == 2  # nobody looks without a name
    seen = run(tmp_path, "decisions", "reads", *by, "--json", role="auditor").json["reads"]
    assert [(one["customer"], one["by"], one["what"]) for one in seen] == [
        ("Ada", "an auditor", "d1"),
        ("Ada", "an auditor", "export"),
    ]


def test_an_outcome_is_recorded_once(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        body = b'{"answer":{"as_of":"2026-01-31"}}'
        ledger.append([Entry("d1", "decision", NAME, "c", "2026-01-31T09:00:00+00:00", body)])
    words = ("decisions", "outcome", "d1", "--on", "2026-02-28")
    told = [run(tmp_path, *words, "--defaulted", "1", "--json").json["new"] for _ in range(2)]
    assert told == [True, False]
    assert run(tmp_path, *words, "--defaulted", "0").code == 1
    assert run(tmp_path, *words, "--defaulted", "0", "--correction", "a typing error").code == 0


# Mistakes: each is one message that names what is wrong and what to do, exit code 2, and nothing is half written.


def mistaken(ran: Ran, *told: str) -> None:
    assert ran.code == 2, ran
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert sum(line.startswith("creditloop") for line in ran.err.splitlines()) == 1
    for part in told:
        assert part in ran.err


@pytest.fixture
def refused(flow: Flow) -> Callable[..., None]:
    """Run a mistaken command at the home of the flow and look that it left everything as it was."""

    def refuse(*words: object, told: Sequence[str]) -> None:
        before = tree(flow.home)
        mistaken(run(flow.home, *words), *told)
        assert tree(flow.home) == before

    return refuse


FLAT = {"age": [30, 40, 50, 60], "job": ["a", "b", "a", "b"], "bad": [0, 1, 0, 1]}


@pytest.mark.parametrize(
    ("columns", "words", "told"),
    [
        ({}, ["--label", "bda"], ["column 'bda': missing", "did you mean 'bad'?"]),
        ({}, ["--label", "bad", "--id", "customer"], ["column 'customer': missing", "there are: age, job, bad"]),
        ({}, ["--label", "bad", "--time", "job"], ["column 'date', row 1: expected a date, got 'a'"]),
        ({"bad": [0, 0, 0, 0]}, ["--label", "bad"], ["expected two values (good and bad), found 1"]),
        ({"bad": [0, 1, 2, 3]}, ["--label", "bad"], ["expected two values (good and bad), found 4"]),
        ({"bad": [0, None, 0, 1]}, ["--label", "bad"], ["label 'bad', row 2: missing"]),
        ({"bad": ["x", "z", "x", "z"]}, ["--label", "bad"], ["which of x and z is a default?", "--bad VALUE"]),
        ({}, ["--label", "bad", "--bad", "2"], ["--bad '2' is not a value of 'bad': 0 or 1"]),
        ({"age": [1, np.inf, 3, 4]}, ["--label", "bad"], ["column 'age', row 2", "infinite", "leave the value out"]),
        ({"age": [1, 1, 2, 3]}, ["--label", "bad", "--id", "age"], ["row 2: repeats an earlier row"]),
        ({}, ["--label", "bad"], ["defaults among", "at least 30 of each class are needed"]),
        ({}, ["--label", "bad", "--name", "Our Shop"], ["name", "Our Shop"]),
        ({}, [], ["--csv needs --label COLUMN"]),
    ],
    ids=[
        "label misspelt",
        "no such id",
        "time that is none",
        "one class",
        "four classes",
        "label missing",
        "ambiguous label",
        "no such bad value",
        "infinity",
        "repeated ids",
        "too few defaults",
        "name with a space",
        "no label",
    ],
)
def test_a_flat_table_that_cannot_train_is_refused(
    tmp_path: Path, columns: dict[str, list], words: list[str], told: list[str]
) -> None:
    pd.DataFrame({**FLAT, **columns}).to_csv(tmp_path / "mine.csv", index=False)
    mistaken(run(tmp_path / "home", "train", "--csv", tmp_path / "mine.csv", *words), *told)
    left = {path for path in tree(tmp_path / "home") if "bundles" in path or "unfinished" in path or "mlflow" in path}
    assert left == set()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("gone.csv", None, "no such file"),
        ("empty.csv", b"", "the file is empty"),
        ("head.csv", b"age,bad\n", "no rows below the header"),
        ("ragged.csv", b"age,bad\n1,0\n1,2,3,4\n", "not readable as csv"),
        ("broken.parquet", b"PAR1 and nothing else", "not readable as parquet"),
        ("broken.arff", b"@relation x\n", "not readable as arff"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    refused, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused("train", "--csv", tmp_path / name, "--label", "bad", told=[name, told])


@pytest.mark.parametrize(
    ("table", "change", "told"),
    [
        ("statements", lambda t: t.drop(columns="balance"), ["(statements)", "column 'balance': missing"]),
        ("statements", lambda t: t.rename(columns={"balance": "balanse"}), ["did you mean 'balanse'?"]),
        ("statements", lambda t: t.assign(balance="much"), ["'balance', row 1: expected a number, got 'much'"]),
        ("statements", lambda t: t.assign(balance=np.inf), ["'balance', row 1: infinite"]),
        ("statements", lambda t: t.assign(days_past_due=-1), ["'days_past_due', row 1: outside [0, 10000], got -1"]),
        ("statements", lambda t: t.assign(month="someday"), ["'month', row 1: expected a date, got 'someday'"]),
        ("statements", lambda t: pd.concat([t, t]), ["repeats an earlier row with the same key"]),
        ("customers", lambda t: t.assign(customer_id=None), ["'customer_id', row 1: missing; a value is required"]),
        ("outcomes", lambda t: t.assign(defaulted=0.5), ["'defaulted', row 1: expected a whole number, got 0.5"]),
        ("customers", lambda t: t.head(0), ["no rows; expected at least one"]),
    ],
    ids=["column", "misspelt", "type", "infinity", "range", "date", "repeated", "nobody", "half a default", "no rows"],
)
def test_a_table_that_breaks_its_contract_is_refused(
    refused, flow: Flow, tmp_path: Path, table: str, change: Callable[[pd.DataFrame], pd.DataFrame], told: list[str]
) -> None:
    for name in ("customers", "statements", "outcomes"):
        frame = pd.read_parquet(flow.book / f"{name}.parquet").head(50)
        (change(frame) if name == table else frame).to_csv(tmp_path / f"{name}.csv", index=False)
    refused("data", "check", "--product", NAME, "--data", tmp_path, told=told)


def test_a_folder_without_a_table_is_refused(refused, tmp_path: Path) -> None:
    (tmp_path / "customer.csv").touch()
    told = [f"product {NAME!r} needs customers, statements; it holds customer", "customers.parquet or customers.csv"]
    refused("data", "check", "--product", NAME, "--data", tmp_path, told=told)


def test_data_without_outcomes_train_nothing(refused, flow: Flow, tmp_path: Path) -> None:
    for name in ("customers", "statements"):
        shutil.copy(flow.book / f"{name}.parquet", tmp_path)
    refused("train", "--product", NAME, "--data", tmp_path, told=["no outcomes table"])


def test_outcomes_that_have_not_matured_train_nothing(refused, flow: Flow) -> None:
    words = ("--product", NAME, "--data", flow.book, "--now", "2023-06-30")
    refused("train", *words, told=["none of the", "has matured by 2023-06-30", "window 12 months"])


@pytest.mark.parametrize(
    "words",
    [
        ["features", "list"],
        ["data", "check", "--data", "."],
        ["data", "simulate", "--out", "nowhere"],
        ["train", "--data", "."],
        ["models", "list"],
        ["models", "promote", "v", "--by", "a test", "--reason", "so"],
        ["serve"],
        ["score", "--data", ".", "--out", "x.csv"],
        ["monitor", "run"],
        ["retrain", "--data", "."],
        ["decisions", "replay"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_misspelt_product_is_met_with_the_nearest(refused, words: list[str]) -> None:
    refused(*words, "--product", "consumer_platfrom", told=["no product", "did you mean 'consumer_platform'?"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train"], ["say either --product NAME with --data FOLDER, or --csv FILE with --label COLUMN"]),
        (["train", "--product", NAME, "--csv", "x.csv"], ["say either --product"]),
        (["train", "--product", NAME], ["--product needs --data FOLDER", "creditloop data simulate"]),
        (["train", "--product", NAME, "--data", "nowhere"], ["nowhere: no such file or folder"]),
        (["train", "--csv", "x.csv", "--label", "y", "--trials", "0"], ["--trials", "at least 1, got '0'"]),
        (["train", "--csv", "x.csv", "--label", "y", "--trials", "many"], ["--trials", "got 'many'"]),
        (["train", "--csv", "x.csv", "--label", "y", "--now", "31.12.2025"], ["like 2026-01-31, got '31.12.2025'"]),
        (["data", "simulate", "--product", NAME, "--customers", "0", "--out", "x"], ["at least 1, got '0'"]),
        (["data", "simulate", "--product", NAME, "--seed", "-1", "--out", "x"], ["at least 0, got '-1'"]),
        (["data", "simulate", "--product", "uci_default", "--out", "x"], ["its tables cannot be simulated"]),
        (["demo", "--customers", "100"], ["--customers 100", "fewer than 2000"]),
        (["demo", "--products", "uci_default"], ["its tables cannot be simulated"]),
        (["keys", "create", "shop", "--role", "boss"], ["role 'boss'", "expected one of score, read, outcome,"]),
        (["keys", "create", "shop"], ["--role"]),
        (["serve", "--port", "none"], ["--port"]),
        (["serve", "--port", "70000"], ["serving.port", "less than or equal to 65535"]),
        (["modles"], ["invalid choice: 'modles'"]),
        ([], ["COMMAND"]),
        (["models"], ["COMMAND"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_command_put_wrongly_is_refused(refused, words: list[str], told: list[str]) -> None:
    refused(*words, told=told)


def test_an_unknown_version_is_met_with_the_nearest(refused, flow: Flow) -> None:
    words = ("models", "promote", "--product", NAME, "--by", "a test", "--reason", "so")
    refused(*words, f"{flow.version[:-1]}x", told=[f"no version '{flow.version[:-1]}x'", "did you mean"])
    refused(*words, "latest", told=["no version 'latest'", "creditloop models list"])


def test_a_version_to_verify_is_named_or_met_with_the_nearest(refused, flow: Flow) -> None:
    refused("models", "verify", told=["models verify VERSION", "--product NAME"])
    refused("models", "verify", f"{flow.version[:-1]}x", told=["no version", "did you mean"])
    refused("models", "verify", "--product", "trade_credit", told=["trade_credit has no version to verify"])


def test_all_versions_of_a_product_are_verified_by_its_name_or_path(flow: Flow, repository: Path) -> None:
    ran = run(flow.home, "models", "verify", "--product", repository / "configs" / "products" / f"{NAME}.toml")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 2
    assert ran.out.count("derive again, to the last bit") == 2


def test_the_versions_of_a_product_are_listed_by_its_path_too(flow: Flow, repository: Path) -> None:
    path = repository / "configs" / "products" / f"{NAME}.toml"
    assert run(flow.home, "models", "list", "--product", path).out.count(f"{NAME}-") == 2


def test_a_word_too_many_is_met_with_the_usage_of_the_command(tmp_path: Path) -> None:
    ran = run(tmp_path, "governance", "check", "--product", NAME, "a-version", "another")
    assert ran.code == 2
    assert ran.err.startswith("usage: creditloop governance check")
    assert "unrecognized arguments: another" in ran.err


def test_a_service_is_not_started_on_a_path_its_workers_would_not_find(refused, repository: Path) -> None:
    path = repository / "configs" / "products" / f"{NAME}.toml"
    refused("serve", "--product", path, told=["finds products by name", f"products/{NAME}.toml"])


def test_a_report_with_a_number_changed_is_answered_with_one(flow: Flow, tmp_path: Path) -> None:
    home = Path(shutil.copytree(flow.home, tmp_path / "home"))
    folder = home / "bundles" / NAME / flow.version
    told = json.loads((folder / "validation.json").read_text())
    told["tests"][0]["value"] += 0.01
    (folder / "validation.json").write_text(json.dumps(told))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["validation.json"] = hashlib.sha256((folder / "validation.json").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    sign(folder, (folder / "manifest.json").read_bytes(), signing_key(load_settings(home).signing))
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    renamed = folder.rename(folder.with_name(f"{flow.version[:-10]}{digest[:10]}"))
    ran = run(home, "models", "verify", renamed.name)
    assert (ran.code, "validation.json.tests[0].value: stored" in ran.out) == (1, True)


def test_a_promotion_needs_a_name_and_a_reason(refused, flow: Flow) -> None:
    refused("models", "promote", "--product", NAME, flow.version, told=["--reason"])


def test_a_damaged_version_is_not_promoted(flow: Flow, tmp_path: Path) -> None:
    shutil.copytree(flow.home, tmp_path / "home")
    model = tmp_path / "home" / "bundles" / NAME / flow.version / "model.txt"
    model.write_text(model.read_text().replace("tree", "bush", 1))
    ran = run(tmp_path / "home", "models", "promote", "--product", NAME, flow.version, "--by", "me", "--reason", "so")
    mistaken(ran, "model.txt", "do not use this version")


def scoring(flow: Flow, out: Path) -> list[object]:
    return ["score", "--product", NAME, "--data", flow.book, "--as-of", AS_OF, "--out", out]


def test_a_file_name_of_another_kind_is_refused(refused, flow: Flow, tmp_path: Path) -> None:
    refused(*scoring(flow, tmp_path / "scores.xlsx"), told=["expected a name ending in .csv or .parquet"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(refused, flow: Flow, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(*scoring(flow, tmp_path / "file" / "scores.csv"), told=[str(tmp_path / "file")])


def test_a_full_disk_is_told_and_leaves_no_scores(refused, flow: Flow, tmp_path: Path) -> None:
    (tmp_path / ".scores.csv.unfinished").symlink_to("/dev/full")
    refused(*scoring(flow, tmp_path / "scores.csv"), told=["No space left on device"])
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("[training]\ntrails = 3\n", ["training.trails: unknown key; did you mean 'trials'?"]),
        ("[training]\ntrials = 'many'\n", ["training.trials: Input should be a valid integer, got 'many'"]),
        ("[monitoring]\nconfidence = 1.5\n", ["monitoring.confidence", "got 1.5"]),
        ("[training\n", ["not readable as TOML"]),
        ("[stores]\nledger = 'mysql://here'\n", ["stores.ledger", "sqlite:///PATH"]),
    ],
)
def test_wrong_settings_stop_every_command_by_name(tmp_path: Path, settings: str, told: list[str]) -> None:
    (tmp_path / "creditloop.toml").write_text(settings)
    ran = run(tmp_path, "decisions", "verify")
    mistaken(ran, *told)
    assert list(tree(tmp_path)) == ["creditloop.toml"]


def test_a_masterscale_that_does_not_rise_is_refused(tmp_path: Path, repository: Path) -> None:
    text = (repository / "configs" / "products" / f"{NAME}.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("pd_below = 0.02", "pd_below = 0.005"))
    told = "grades.B.pd_below: 0.005 must rise above 0.01"
    mistaken(run(tmp_path / "home", "features", "list", "--product", path), told)


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    mistaken(run(tmp_path / "home", "doctor"), str(tmp_path / "home"))


def test_the_doctor_tells_no_password(tmp_path: Path) -> None:
    url = "postgresql+pg8000://writer:hun@ter2@db:5432/ledger"
    (tmp_path / "creditloop.toml").write_text(f'[stores]\nledger = "{url}"\n')
    told = run(tmp_path, "doctor").out
    assert "postgresql+pg8000://***@db:5432/ledger" in told
    assert "ter2" not in told


def test_the_doctor_warns_of_workers_on_a_sqlite_that_may_lose_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "creditloop.toml").write_text("[serving]\nworkers = 2\n")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    assert "2 workers share a ledger in SQLite" in run(tmp_path, "doctor").out
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    assert "warning" not in run(tmp_path, "doctor").out


def test_a_ledger_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("this is no database, however long one looks at it" * 100)
    mistaken(run(tmp_path, "decisions", "verify"), "ledger")


def test_a_person_who_stops_a_command_sees_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(creditloop, "_doctor", stopped)
    ran = run(tmp_path, "doctor")
    assert (ran.code, ran.err) == (130, "creditloop: stopped; what was tuned so far is kept, run again to go on\n")


# Real tables, with nothing declared.


@pytest.fixture(scope="module")
def shared(repository: Path) -> Path:
    """Where the real tables lie; they are not part of this repository."""
    folder = repository.parent / "shared" / "data"
    if not folder.exists():
        pytest.skip(f"{folder} is not there; its data are public but not ours to copy")
    return folder


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for flat tables."""
    home = tmp_path_factory.mktemp("flat")
    (home / "creditloop.toml").write_text(SETTINGS)
    return home


@pytest.fixture(scope="module")
def german(shared: Path, own_home: Path) -> Path:
    """German Credit as a CSV with a header; the last column is 1 for good, 2 for bad."""
    frame = pd.read_csv(shared / "german" / "german.data", sep=r"\s+", header=None)
    frame.columns = [*(f"attribute {place + 1}" for place in range(20)), "class"]
    frame.to_csv(own_home / "German Credit.csv", index=False)
    return own_home / "German Credit.csv"


@pytest.fixture(scope="module")
def german_run(german: Path, own_home: Path) -> Ran:
    """German Credit trained with nothing declared but the label."""
    return run(own_home, "train", "--csv", german, "--label", "class", "--json")


def test_german_credit_trains_with_one_line(german_run: Ran) -> None:
    # 0.7724 in five-fold cross-validation with LightGBM's defaults; 200 rows test it here.
    assert german_run.code in (0, 1), german_run.err
    auc = german_run.json["validation"]["auc"]
    assert auc["low"] < 0.7724 < auc["high"]


def test_what_was_read_out_of_the_label_is_told(german_run: Ran) -> None:
    assert "note: label 'class': '2' means default (300 of 1,000 rows)" in german_run.err


def test_the_product_file_is_named_after_the_table_and_can_be_edited(german_run: Ran, own_home: Path) -> None:
    assert str(own_home / "products" / "german_credit.toml") in german_run.err
    assert run(own_home, "features", "list", "--product", "german_credit").code == 0


def test_other_columns_under_the_same_name_are_refused(german_run: Ran, german: Path, own_home: Path) -> None:
    fewer = own_home / "fewer" / german.name
    fewer.parent.mkdir()
    pd.read_csv(german).drop(columns="attribute 1").to_csv(fewer, index=False)
    ran = run(own_home, "train", "--csv", fewer, "--label", "class")
    mistaken(ran, "declares other columns than the table has", "--name for another")


def test_the_polish_companies_train_from_their_arff(shared: Path, own_home: Path) -> None:
    ran = run(
        own_home, "train", "--csv", shared / "polish_bankruptcy" / "5year.arff", "--label", "bankruptcy", "--json"
    )
    assert ran.code in (0, 1), ran.err
    assert ran.json["validation"]["auc"]["value"] > 0.85
    assert "'1' means default (410 of 5,910 rows)" in ran.err
