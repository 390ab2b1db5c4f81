"""The scorecard in the place of a model that cannot be loaded: only where the settings say so, and never in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy.special import expit, logit

from configs.errors import BundleError
from configs.settings import Product, Settings, load_settings
from serving import access, champion, live, loading, operations
from serving.api import DecideRequest
from serving.decide import Question, advise, decide
from serving.live import Live
from serving.loading import Loading, fallback_scorer
from serving.replay import replay
from serving.score import Scorer, make_scorer
from training.bundle import Bundle
from training.fallback import Fallback, load_fallback
from training.scorecard import Scorecard, scorecard_from_json
from training.signature import trusted_in

NAME = "consumer_platform"


@pytest.fixture(scope="module")
def card(bundle: Bundle) -> Fallback:
    return load_fallback(bundle.folder, trusted_in(bundle.folder.parents[2]))


@pytest.fixture(scope="module")
def degraded(card: Fallback, product: Product) -> Scorer:
    return make_scorer(card, product)


@pytest.fixture(scope="module")
def rows(bundle: Bundle) -> np.ndarray:
    return bundle.reference()[list(bundle.program.names)].to_numpy(np.float64)[:200]


def question(body: dict[str, Any]) -> Question:
    request = msgspec.json.decode(json.dumps(body), type=DecideRequest)
    assert request.as_of is not None
    return Question(
        customer_id=request.customer_id,
        as_of=request.as_of,
        requested_amount=None,
        language="en",
        reasons=4,
        records=body["records"],
        rules=1,
    )


def test_what_is_stored_is_the_scorecard_to_the_last_bit(card: Fallback) -> None:
    assert scorecard_from_json(json.loads(json.dumps(card.scorecard.to_json()))) == card.scorecard


def test_the_points_of_its_table_are_the_points_it_gives(card: Fallback, degraded: Scorer, rows: np.ndarray) -> None:
    """The table is what people read: each row's points are those of the attributes it falls into."""
    table: dict[str, list[float]] = {}
    for line in card.scorecard.table(card.scale):
        table.setdefault(line["feature"], []).append(line["points"])
    points = np.zeros(len(rows))
    for column, one in zip(card.scorecard.columns, card.scorecard.characteristics, strict=True):
        woe = one.woe(rows[:, column])
        for place, held in enumerate(one.bins):
            first = next(n for n, other in enumerate(one.bins) if other.woe == held.woe)  # bins alike give alike
            points[(woe == held.woe) & (place == first)] += table[one.feature][place]
    assert np.abs(degraded.scored(rows).points - points).max() < 1e-9


def test_its_pds_are_its_own_and_its_validation_too(card: Fallback, degraded: Scorer, rows: np.ndarray) -> None:
    told = degraded.scored(rows).default_probability
    assert np.array_equal(told, expit(card.scorecard.log_odds(rows)))
    assert card.validation["auc"]["value"] > 0.5


def test_what_it_contributes_sums_to_its_log_odds_and_is_nothing_for_what_it_does_not_read(
    card: Fallback, degraded: Scorer, rows: np.ndarray
) -> None:
    found = degraded.contributions(rows)
    assert np.abs(found.sum(axis=1) - card.scorecard.log_odds(rows)).max() < 1e-12
    unread = sorted(set(range(rows.shape[1])) - set(card.scorecard.columns))
    assert not found[:, unread].any()
    alone = np.vstack([degraded.contributions(row[None]) for row in rows[:20]])
    assert alone.tobytes() == found[:20].tobytes()


def test_its_answer_says_what_it_is(degraded: Scorer, bundle: Bundle, bodies: list[dict[str, Any]]) -> None:
    decisions = set()
    for body in bodies[:20]:
        answer, evidence = decide(degraded, question(body), "d")
        decisions.add(answer.decision)
        assert answer.model == f"{bundle.version}/scorecard"
        assert answer.flags[-1] == "degraded:model"
        assert evidence["explained_by"] == "scorecard"
        assert answer.pd_interval is None
        assert all(set(reason.features) <= {c.feature for c in scorecard(degraded).characteristics}
                   for reason in answer.reasons)  # fmt: skip
        assert abs(logit(answer.default_probability) - sum(evidence["contributions"])) < 1e-9
    assert "approve" in decisions  # the flag refers nobody: whoever set the fallback wanted decisions
    assert not advise(degraded, question(bodies[0])).advice


def scorecard(scorer: Scorer) -> Scorecard:
    assert isinstance(scorer.bundle, Fallback)
    return scorer.bundle.scorecard


def test_no_booster_is_to_be_had_of_it(card: Fallback) -> None:
    with pytest.raises(AttributeError):
        card.booster  # noqa: B018


@pytest.fixture
def home(tmp_path: Path, furnish: Callable[[Path], Settings], bundle: Bundle) -> Path:
    """A home whose champion's model text was damaged."""
    settings = furnish(tmp_path)
    access.create_key(settings.home, "tests", "score")
    model = champion.bundle_folder(settings.home, NAME, bundle.version) / "model.txt"
    model.write_text(model.read_text()[:1000])
    return settings.home


def serving(home: Path, fallback: str) -> Settings:
    return load_settings(home, {"serving": {"fallback": fallback}})


def test_unless_the_settings_say_so_there_is_no_fallback(home: Path) -> None:
    assert load_settings(home).serving.fallback == "refuse"
    with pytest.raises(BundleError, match="do not use this version"):
        Live(load_settings(home), (NAME,))


@pytest.mark.parametrize("name", ["training.json", "scaling.json", "features.json", "reference.parquet"])
def test_a_scorecard_that_is_not_whole_itself_answers_nothing(
    home: Path, product: Product, bundle: Bundle, name: str
) -> None:
    path = champion.bundle_folder(home, NAME, bundle.version) / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BundleError, match="do not use"):
        fallback_scorer(home, product, bundle.version)


def test_the_scorecard_answers_on_record_until_the_model_is_whole_again(
    home: Path,
    bundle: Bundle,
    body: dict[str, Any],
    passed: type,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[[Callable[[], bool]], bool],
) -> None:
    monkeypatch.setattr(live, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(loading, "trial", lambda *_: passed())
    house = Live(serving(home, "scorecard"), (NAME,))

    def ask() -> str:
        request = msgspec.json.decode(json.dumps(body), type=DecideRequest)
        answer, record = house.ask(*house.answering(house.scorers[NAME], house.question(request)), None)
        record.result(timeout=30)
        return answer.model

    assert ask() == f"{bundle.version}/scorecard"
    told = operations._card(house, house.scorers[NAME])
    assert (told.degraded, told.promoted_by, told.unloadable[0].model) == (True, "tests", bundle.version)
    model = champion.bundle_folder(home, NAME, bundle.version) / "model.txt"
    model.write_bytes((bundle.folder / "model.txt").read_bytes())
    assert eventually(lambda: not house.scorers[NAME].flags)
    assert ask() == bundle.version
    assert not operations._card(house, house.scorers[NAME]).unloadable
    found = list(replay(house.ledger, home))
    house.close()
    assert [one.equal for one in found] == [True, True]


def test_a_champion_that_kills_whoever_reads_it_starts_as_its_scorecard(
    home: Path, product: Product, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deadly:
        def passed(self, wait: bool = False) -> bool:
            raise BundleError("the process that tried it was ended by SIGSEGV")

        def end(self) -> None:
            pass

    model = champion.bundle_folder(home, NAME, bundle.version) / "model.txt"
    model.write_bytes((bundle.folder / "model.txt").read_bytes())
    monkeypatch.setattr(loading, "trial", lambda *_: Deadly())
    settings = serving(home, "scorecard")
    made = Loading(settings, lambda: "2026-01-31T00:00:00+00:00")
    from serving.ledger import open_ledger

    ledger = open_ledger(settings)
    assert made.first(ledger, product, 0.0).bundle.version == f"{bundle.version}/scorecard"
    assert "SIGSEGV" in made.failed[NAME].reason
    assert made.failed[NAME].at == "2026-01-31T00:00:00+00:00"
    ledger.close()
