"""The worked cases of docs/cases: every command parses, and those of the story run, one after the other."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import creditloop
from configs.settings import load_product, load_settings
from features import load
from features.contracts import to_day
from features.simulate import Scenario, simulate
from serving import champion
from serving.ledger import open_ledger
from serving.live import utc_now
from training import pipeline

CASES = ("consumer_platform", "bank_lending")


def commands(repository: Path, name: str, block: str) -> list[list[str]]:
    text = (repository / "docs" / "cases" / f"{name}.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"```{block}\n(.*?)```", text, flags=re.DOTALL)
    return [shlex.split(line) for line in "".join(blocks).splitlines()]


@pytest.fixture
def home_of(world, repository: Path, book_folder: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A home with the product of a case, its champion, and a `book` in the folder it is called from."""

    def made(name: str) -> Path:
        home = tmp_path / "home"
        if name == world.product.name:
            shutil.copytree(world.home, home)
            (tmp_path / "book").symlink_to(book_folder)
        _with_rules(repository, home, name)
        if name != world.product.name:
            _with_champion(home, tmp_path / "book", name)
        return home

    return made


def _with_rules(repository: Path, home: Path, name: str) -> None:
    rules = (repository / "docs" / "cases" / f"{name}.rules.toml").read_text(encoding="utf-8")
    shipped = (repository / "configs" / "products" / f"{name}.toml").read_text(encoding="utf-8")
    (home / "products").mkdir(parents=True, exist_ok=True)
    assert not (home / "creditloop.toml").exists()
    shutil.copy(repository / "docs" / "cases" / "named.toml", home / "creditloop.toml")
    (home / "products" / f"{name}.toml").write_text(shipped + rules, encoding="utf-8")


def _with_champion(home: Path, book: Path, name: str) -> None:
    settings = load_settings(home, {"training": {"trials": 1, "max_rounds": 60, "folds": 2, "threads": 1}})
    product = load_product(name, home)
    portfolio = simulate(Scenario(1500, 5, months=22))
    book.mkdir()
    ids = set(portfolio.customer_id[:300])
    for table, frame in portfolio.tables.items():
        frame[frame["customer_id"].isin(ids)].to_parquet(book / f"{table}.parquet", index=False)
    outcomes = portfolio.outcomes(range(0, 9, 4)).drop(columns="true_pd")
    tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")
    now = to_day(portfolio.month_ends[20].date())
    bundle = pipeline.train(product, tables, settings, now, None, lambda *_: None, lambda _: None).bundle
    champion.promote(open_ledger(settings), bundle, None, "ann", "validated", utc_now())


@pytest.mark.parametrize("name", CASES)
def test_setting_a_case_up_is_told_in_commands_there_are(repository: Path, name: str) -> None:
    told = commands(repository, name, "setup")
    ours = [words[1:] for words in told if words[0] == "creditloop"]
    assert [words[0] for words in ours] == ["data", "train", "models"]
    for words in ours:
        creditloop._parser().parse_args(words)
    (joined,) = [words for words in told if words[0] == "cat"]
    assert all((repository / path).exists() for path in joined[1:3])


@pytest.mark.parametrize("name", CASES)
def test_the_story_of_a_case_runs(
    name: str,
    home_of: Callable[[str], Path],
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CREDITLOOP_HOME", str(home_of(name)))
    (tmp_path / "docs").symlink_to(repository / "docs")
    monkeypatch.chdir(tmp_path)
    named = {"CUSTOMER": "P00000003"}
    codes = {}
    for words in commands(repository, name, "run"):
        spoken = [named.get(word, word) for word in words[1:]]
        capsys.readouterr()
        code = creditloop.main([*spoken, *([] if spoken[0] == "score" else ["--json"])])
        out, err = capsys.readouterr()
        assert code in ((0, 1) if spoken[1] in ("watchlist", "requests") else (0,)), (spoken, err)
        answer = json.loads(out) if out.startswith("{") else {}
        codes[" ".join(spoken[:2])] = answer
        if spoken[1] == "watchlist":
            named["WARNING"] = next(one["id"] for one in answer["warnings"] if one["level"] == "critical")
        if spoken[1] == "request":
            named["REQUEST"] = answer["id"]
    if name == "consumer_platform":
        changed = codes["customers export"]["customers"]
        assert changed > 0
        assert len((tmp_path / "changed.csv").read_text(encoding="utf-8").splitlines()) == changed + 1
    else:
        assert codes["customers review"]["occasions"]["carried"] > 0
        assert codes["customers import"]["new"] == 0
        assert codes["customers grant"]["new"]
        assert (tmp_path / "offers.csv").stat().st_size > 0
