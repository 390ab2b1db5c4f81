"""After a retraining: the shadow, promotion within limits that persons approved, the watch, the way back."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from configs.errors import ConfigError, Refusal
from configs.settings import Settings, load_settings
from configs.watching import Automatic
from monitoring import rounds
from monitoring.outcomes.early import Estimate
from monitoring.retraining import aftercare, limits, shadow
from serving import approval, champion
from serving.decide import Question, decide, ledger_body
from serving.ledger import Entry, Ledger, canonical
from serving.score import Scorer, make_scorer
from training import bundle as bundles
from training.bundle import Bundle, Parts
from training.signature import public_key, signing_key
from training.validate import Interval

NAME, ASKED = "consumer_platform", 24
MADE, TODAY, AT = "2025-01-10T00:00:00+00:00", dt.date(2025, 2, 1), "2025-02-01T05:00:00+00:00"
APPROVED = {"approved_by": ["A. Risk", "B. Model"], "approved_until": dt.date(2025, 12, 31)}
WIDE = {"maximum_swap_share": 1.0, "maximum_limit_change": 1.0}


@dataclass(frozen=True)
class House:
    """A home with the champion and a model like it whose PDs are higher; nothing is in its ledger yet."""

    settings: Settings
    champion: Bundle
    other: Bundle
    questions: tuple[Question, ...]


@pytest.fixture(scope="module")
def house(world, tmp_path_factory: pytest.TempPathFactory) -> House:
    """The world's champion in a home of its own, and the same trees with an intercept 1.2 higher, really signed."""
    home = tmp_path_factory.mktemp("aftercare")
    shutil.copytree(world.home / "signing", home / "signing")
    folder = champion.bundle_folder(home, NAME, world.bundle.version)
    shutil.copytree(world.bundle.folder, folder)
    settings = load_settings(home)
    signer = signing_key(settings.signing)
    mine = bundles.load(folder, (public_key(signer),))
    raised = replace(mine.calibration, intercept=mine.calibration.intercept + 1.2)
    parts = replace(_parts(mine), calibration=raised)
    other = bundles.load(bundles.write(parts, home / "bundles" / NAME, "2025-01-09", signer), (public_key(signer),))
    return House(settings, mine, other, tuple(_questions(world)))


def _parts(mine: Bundle, **evidence: Any) -> Parts:
    """What a version like `mine` is made of, with more evidence in training.json."""
    return Parts(
        product=NAME,
        program=mine.program,
        booster=mine.booster,
        calibration=mine.calibration,
        scale=mine.scale,
        reference=mine.reference(),
        predictions=mine.predictions(),
        golden=mine.golden()[0],
        validation=mine.validation,
        training={**mine.training, **evidence},
    )


def _questions(world) -> list[Question]:
    """What customers of the watched day would send."""
    as_of = world.portfolio.month_ends[9]
    found = []
    for customer in world.portfolio.customer_id[world.portfolio.standing(9)][:ASKED]:
        records = {}
        for name, event in (("customers", "since"), ("statements", "month")):
            rows = world.portfolio.tables[name]
            rows = rows[(rows["customer_id"] == customer) & (rows[event] <= as_of)].drop(columns="customer_id")
            told = rows.assign(**{event: rows[event].dt.strftime("%Y-%m-%d")}).astype(object)
            records[name] = told.where(pd.notna(told), None).to_dict("records")
        day = as_of.date()
        found.append(
            Question(customer_id=customer, as_of=day, requested_amount=None, language="en", reasons=4, records=records)
        )
    return found


@pytest.fixture
def ledger(house: House, tmp_path: Path) -> Ledger:
    """A ledger in which the champion was promoted."""
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    champion.promote(made, house.champion, None, "a test", "the first", "2024-12-01T00:00:00+00:00")
    return made


@pytest.fixture
def answer(world, ledger: Ledger, house: House) -> Callable[..., None]:
    """Let a model answer the questions from `first` to `last`, each a day after the other, into the ledger."""

    def answered(model: Bundle, first: int = 0, last: int = ASKED) -> None:
        scorer = make_scorer(model, world.product)
        for place, question in enumerate(house.questions[first:last], first):
            made, evidence = decide(scorer, question, f"d-{model.version[-6:]}-{place}")
            at = (dt.datetime(2025, 1, 11, 12, tzinfo=dt.UTC) + dt.timedelta(place // 2)).isoformat()
            body = ledger_body(question, made, evidence)
            ledger.append([Entry(made.decision_id, "decision", NAME, question.customer_id, at, body)])

    return answered


@pytest.fixture
def retrained(ledger: Ledger, house: House) -> Callable[..., None]:
    """Record a retraining that made the other model; what it holds may be changed."""

    def made(**changed: Any) -> None:
        body = {
            "called_by": "verdict-x: the level is off",
            "remedy": "recalibrate",
            "champion": house.champion.version,
            "challenger": house.other.version,
            "gate": {"passed": True, "checks": []},
            "worth": {"low": 20_000.0, "cost": 10_000.0},
            "now": "2025-01-10",
            **changed,
        }
        ledger.append([Entry("retraining-1", "retraining", NAME, house.other.version, MADE, canonical(body))])

    return made


def _settings(house: House, automatic: dict[str, Any] | None = None, **retraining: Any) -> Settings:
    """The settings of the house with other limits."""
    given = {"shadow_days": 10, "shadow_decisions": 20, **retraining, "automatic": automatic or {}}
    return load_settings(house.settings.home, {"retraining": given})


def _scorer(world, model: Bundle) -> Scorer:
    return make_scorer(model, world.product)


def test_the_shadow_decides_what_the_champion_decided_once_each(world, ledger, house, answer) -> None:
    answer(house.champion, last=16)
    other = _scorer(world, house.other)
    assert shadow.follow(ledger, house.champion.version, other, 0, AT) == 16
    assert shadow.follow(ledger, house.champion.version, other, 0, AT) == 0
    answer(house.champion, first=16)
    assert shadow.follow(ledger, house.champion.version, other, 0, AT) == ASKED - 16
    found = shadow.compare(ledger, NAME, house.champion.version, house.other.version)
    assert found is not None
    assert (found.decisions, found.failed, found.days) == (ASKED, 0, 12)
    assert ledger.verify()[0] == 1 + ASKED + 2


def test_the_same_trees_rank_alike_and_higher_pds_grant_less(world, ledger, house, answer) -> None:
    answer(house.champion)
    shadow.follow(ledger, house.champion.version, _scorer(world, house.other), 0, AT)
    found = shadow.compare(ledger, NAME, house.champion.version, house.other.version)
    assert found is not None
    assert found.rank_correlation == pytest.approx(1.0)
    assert found.shadow_mean_pd > 1.5 * found.mean_pd
    assert found.swapped_in == 0
    assert found.swapped_out > 0
    assert found.limit_change < -0.1


def test_a_model_in_its_own_shadow_agrees_with_itself(world, ledger, house, answer) -> None:
    answer(house.champion)
    shadow.follow(ledger, house.champion.version, _scorer(world, house.champion), 0, AT)
    found = shadow.compare(ledger, NAME, house.champion.version, house.champion.version)
    assert found is not None
    assert (found.swap_share, found.limit_change, found.regraded) == (0.0, 0.0, 0)
    assert found.shadow_mean_pd == found.mean_pd


def test_before_a_decision_there_is_nothing_to_compare(ledger, house) -> None:
    assert shadow.compare(ledger, NAME, house.champion.version, house.other.version) is None


def test_decisions_that_the_shadow_cannot_read_are_counted(world, ledger, house, answer) -> None:
    answer(house.champion, last=2)
    strange = {**house.questions[3].records, "invoices": [{"invoice_id": "1"}]}
    body = canonical(
        {
            "question": {"customer_id": "x", "as_of": "2023-10-31", "requested_amount": None, "language": "en",
                         "reasons": 4, "records": strange},
            "answer": {"model": house.champion.version},
        }
    )  # fmt: skip
    ledger.append([Entry("d-strange", "decision", NAME, "x", AT, body)])
    shadow.follow(ledger, house.champion.version, _scorer(world, house.other), 0, AT)
    found = shadow.compare(ledger, NAME, house.champion.version, house.other.version)
    assert found is not None
    assert (found.decisions, found.failed) == (2, 1)


def test_no_challenger_waits_without_a_retraining_or_once_it_is_champion(world, ledger, house, retrained) -> None:
    assert aftercare.follow_challenger(ledger, world.product, house.settings, AT) is None
    retrained()
    assert aftercare.follow_challenger(ledger, world.product, house.settings, AT) is not None
    champion.promote(ledger, house.other, champion.current(ledger, NAME), "a test", "a person", AT)
    assert aftercare.follow_challenger(ledger, world.product, house.settings, AT) is None


def test_as_shipped_nothing_is_promoted_without_a_person(world, ledger, house, retrained, answer) -> None:
    retrained()
    answer(house.champion)
    standing = aftercare.follow_challenger(ledger, world.product, house.settings, AT)
    assert standing is not None
    assert not standing.ready
    with pytest.raises(Refusal, match=r"approved: 0, wanted two persons.*creditloop models promote"):
        aftercare.promote_within_limits(ledger, world.product, standing, house.settings, AT)
    assert champion.current(ledger, NAME).version == house.champion.version


def test_within_limits_that_two_persons_approved_the_challenger_is_promoted(
    world, ledger, house, retrained, answer
) -> None:
    retrained()
    answer(house.champion)
    settings = _settings(house, {**APPROVED, **WIDE})
    standing = aftercare.follow_challenger(ledger, world.product, settings, AT)
    assert standing is not None
    made = aftercare.promote_within_limits(ledger, world.product, standing, settings, AT)
    assert champion.current(ledger, NAME) == made
    assert made.version == house.other.version
    assert made.by.startswith("limits approved by A. Risk, B. Model until 2025-12-31 (")
    assert "swap_share" in made.reason


def test_what_a_person_rejected_is_not_promoted_without_one_and_the_round_tells_it(
    world, ledger, house, retrained, answer
) -> None:
    retrained()
    answer(house.champion)
    settings = _settings(house, {**APPROVED, **WIDE})
    approval.record(ledger, house.other, world.product.digest(), "reject", "C. Validator", "thin test", AT)
    standing, _, happened = rounds.follow(ledger, world.product, settings, None, AT)
    assert standing is not None
    assert standing.ready
    assert [kind for kind, _ in happened] == ["failed"]
    assert "was rejected (C. Validator: thin test)" in happened[0][1]
    assert champion.current(ledger, NAME).version == house.champion.version


def test_where_a_choice_among_alternatives_is_required_nothing_is_promoted_without_it(world, ledger, house) -> None:
    found = {"alternatives": {"must_be_shown": ["trial 3"], "attributes": []}}
    folder, signer = house.settings.home / "bundles" / NAME, signing_key(house.settings.signing)
    shown = bundles.write(_parts(house.champion, **found), folder, "2025-01-08", signer)
    settings = load_settings(house.settings.home, {"fairness": {"choice_required": True}})
    with pytest.raises(Refusal, match=r"\(trial 3\), and nobody chose"):
        aftercare.promote_within_limits(ledger, world.product, aftercare.Standing(shown.name, None, ()), settings, AT)


@pytest.mark.parametrize(
    ("automatic", "retraining", "body", "lacking"),
    [
        ({**APPROVED, **WIDE, "approved_until": dt.date(2025, 1, 31)}, {}, {}, "approved"),
        ({**APPROVED, **WIDE, "remedies": []}, {}, {}, "remedy"),
        ({**APPROVED, **WIDE}, {}, {"remedy": "person"}, "remedy"),
        ({**APPROVED, **WIDE}, {}, {"remedy": "retrain"}, "remedy"),
        ({**APPROVED, **WIDE}, {}, {"gate": {"passed": False, "checks": []}}, "gate"),
        ({**APPROVED, **WIDE}, {}, {"worth": {"low": 9_000.0, "cost": 10_000.0}}, "pays"),
        ({**APPROVED, **WIDE}, {}, {"worth": None}, "pays"),
        ({**APPROVED, **WIDE}, {"shadow_decisions": 1000}, {}, "shadow_decisions"),
        ({**APPROVED, **WIDE}, {"shadow_days": 20}, {}, "shadow_days"),
        ({**APPROVED, **WIDE, "maximum_swap_share": 0.0}, {}, {}, "swap_share"),
        ({**APPROVED, **WIDE, "maximum_limit_change": 0.01}, {}, {}, "limit_change"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_thing_lacking_is_enough_to_need_a_person(
    world, ledger, house, retrained, answer, automatic, retraining, body, lacking: str
) -> None:
    retrained(**body)
    answer(house.champion)
    settings = _settings(house, automatic, **retraining)
    standing = aftercare.follow_challenger(ledger, world.product, settings, AT)
    assert standing is not None
    assert [check.name for check in standing.checks if not check.passed] == [lacking]


@pytest.mark.parametrize("names", [["A. Risk"], ["A. Risk", "a. risk "]])
def test_one_person_alone_approves_no_limits(house, names: list[str]) -> None:
    with pytest.raises(ConfigError, match="at least two different persons"):
        _settings(house, {**APPROVED, "approved_by": names})


def test_the_signature_changes_with_the_limits(house) -> None:
    one, other = (_settings(house, {**APPROVED, "maximum_swap_share": share}) for share in (0.05, 0.06))
    assert limits.signed(one.retraining.automatic) != limits.signed(other.retraining.automatic)


def _promoted(ledger: Ledger, house: House) -> None:
    champion.promote(ledger, house.other, champion.current(ledger, NAME), "a person", "seemed good", MADE)


def test_a_new_champion_that_decides_otherwise_is_rolled_back_within_limits(world, ledger, house, answer) -> None:
    _promoted(ledger, house)
    answer(house.other)
    settings = _settings(house, APPROVED, breach={"minimum_decisions": 20, "maximum_swap_share": 0.05})
    watched = aftercare.watch_champion(ledger, world.product, settings, None, AT)
    assert watched is not None
    assert "decisions are not what" in watched.breaches[0]
    made = aftercare.roll_back(ledger, world.product, watched, settings, AT)
    assert (made.version, made.undoes) == (house.champion.version, watched.promotion.record_id)
    assert made.by.startswith(limits.PREFIX)
    assert (
        aftercare.watch_champion(ledger, world.product, settings, None, AT) is None
    )  # what was rolled back to is known


@pytest.mark.parametrize("automatic", [{}, {**APPROVED, "roll_back": False}], ids=["nobody approved", "not allowed"])
def test_without_limits_a_breach_is_told_and_nothing_is_moved(world, ledger, house, answer, automatic) -> None:
    _promoted(ledger, house)
    answer(house.other)
    settings = _settings(house, automatic, breach={"minimum_decisions": 20, "maximum_swap_share": 0.05})
    watched = aftercare.watch_champion(ledger, world.product, settings, None, AT)
    assert watched is not None
    with pytest.raises(Refusal, match="creditloop models rollback"):
        aftercare.roll_back(ledger, world.product, watched, settings, AT)
    assert champion.current(ledger, NAME).version == house.other.version


def test_a_new_champion_that_keeps_to_its_bounds_stays(world, ledger, house, answer) -> None:
    _promoted(ledger, house)
    answer(house.other)
    settings = _settings(house, APPROVED, breach={"minimum_decisions": 20, "maximum_swap_share": 1.0})
    watched = aftercare.watch_champion(ledger, world.product, settings, None, AT)
    assert watched is not None
    assert watched.breaches == ()
    with pytest.raises(Refusal, match="no breach"):
        aftercare.roll_back(ledger, world.product, watched, settings, AT)


def test_after_its_time_a_champion_is_watched_no_more(world, ledger, house) -> None:
    _promoted(ledger, house)
    assert aftercare.watch_champion(ledger, world.product, house.settings, None, "2025-12-01T00:00:00+00:00") is None


@pytest.mark.parametrize(
    ("low", "high", "breached"),
    [(1.6, 2.4, ["more_defaults"]), (1.2, 1.9, []), (0.2, 0.4, ["fewer_defaults"]), (0.8, 1.1, [])],
)
def test_defaults_beyond_what_it_foretells_are_a_breach(house, low: float, high: float, breached: list[str]) -> None:
    promoted = champion.Promotion("p", "new", "", "old", "a person", "why", MADE)
    ratio = Interval((low + high) / 2, low, high)
    came = Estimate("", 3, 1000, 0.04, ratio, ratio)
    found = limits.breaches(promoted, None, came, house.settings.retraining.breach, TODAY)
    assert list(found) == breached


def test_few_decisions_breach_nothing(house) -> None:
    promoted = champion.Promotion("p", "new", "", "old", "a person", "why", MADE)
    ratio = Interval(5.0, 4.0, 6.0)
    came = Estimate("", 3, 10, 0.04, ratio, ratio)
    assert limits.breaches(promoted, None, came, house.settings.retraining.breach, TODAY) == {}


def test_a_breach_is_on_record_once_and_another_one_beside_it(tmp_path: Path) -> None:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    promoted = champion.Promotion("p", "new", "", "old", "a person", "why", MADE)
    for told in ({"swapped": "9 of 20"}, {"swapped": "12 of 30"}, {"more_defaults": "3 times"}):
        aftercare.record_breach(made, NAME, aftercare.Watched(promoted, None, told), AT)
    assert [record.body()["breaches"] for record in made.records("breach", NAME)] == [["9 of 20"], ["3 times"]]


@pytest.fixture
def settings_without(house, tmp_path: Path) -> Callable[[Bundle], Settings]:
    """The settings of a copy of the house in which the files of a version are gone."""

    def gone(version: Bundle) -> Settings:
        home = Path(shutil.copytree(house.settings.home, tmp_path / "home"))
        shutil.rmtree(champion.bundle_folder(home, NAME, version.version))
        watched = {"retraining": {"breach": {"minimum_decisions": 20}, "automatic": APPROVED}}
        return load_settings(home, watched)

    return gone


def test_where_the_former_champion_is_gone_outcomes_still_watch_the_new_one_and_the_round_tells_it(
    world, ledger, house, answer, settings_without, monkeypatch
) -> None:
    _promoted(ledger, house)
    answer(house.other)
    settings = settings_without(house.champion)
    _, watched, happened = rounds.follow(ledger, world.product, settings, None, AT)
    assert watched is not None
    assert (watched.compared, watched.breaches) == (None, ())
    assert [kind for kind, _ in happened] == ["failed"]
    assert happened[0][1].startswith(f"{house.champion.version} cannot decide beside the new champion: ")
    monkeypatch.setattr(limits, "breaches", lambda *_: {"more_defaults": "defaults are 3.00 times what it foretells"})
    _, watched, happened = rounds.follow(ledger, world.product, settings, None, AT)
    assert [kind for kind, _ in happened] == ["failed", "failed"]  # nor is there anything to go back to
    assert champion.current(ledger, NAME).version == house.other.version
    assert ledger.latest("breach", NAME) is not None


def test_where_the_challenger_is_gone_the_round_tells_it(
    world, ledger, house, retrained, answer, settings_without
) -> None:
    retrained()
    answer(house.champion)
    standing, _, happened = rounds.follow(ledger, world.product, settings_without(house.other), None, AT)
    assert standing is None
    assert [kind for kind, _ in happened] == ["failed"]
    assert house.other.version in happened[0][1]


def test_nobody_approved_means_not_in_force() -> None:
    shipped = Automatic(
        approved_by=(),
        approved_until=dt.date(2999, 1, 1),
        remedies=("recalibrate",),
        maximum_swap_share=1.0,
        maximum_limit_change=1.0,
        roll_back=True,
    )
    assert not limits.in_force(shipped, TODAY)
