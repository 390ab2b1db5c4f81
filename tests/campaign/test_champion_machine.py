"""Who becomes champion, beside plain sets and a stack: approvals, findings, waivers, promotion, rollback."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from configs.errors import InputError, Refusal
from configs.settings import load_product, load_settings
from serving import approval, authorship, champion, events, finding, promoting, waiver
from serving.ledger import Ledger
from tests.campaign.machines import walk
from tests.campaign.trials import Trials
from training.bundle import Bundle

NAME, LETTERS, PERSONS = "consumer_platform", "abc", ("Ada", "Ben", "Cyd", "Dan")
PASSED = {"passed": True, "checks": []}
FAILED = {"passed": False, "checks": [{"name": "auc", "passed": False}]}
WHICH, WHO = st.sampled_from(LETTERS), st.sampled_from(PERSONS)
BLOCKING = ("high",)


def version(letter: str) -> Bundle:
    """A version as the rules see one; the gate did not pass `c`."""
    nothing: dict[str, Any] = dict.fromkeys(("folder", "program", "booster", "calibration", "scale", "validation"))
    gate = FAILED if letter == "c" else PASSED
    return Bundle(version=f"{NAME}-{letter}", product=NAME, training={"gate": gate}, digest=letter * 64, **nothing)


class ChampionMachine(RuleBasedStateMachine):
    """What the rules of promotion say, kept in sets and a stack, and the ledger must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        home = Path(self.folder.name)
        rules = {"approvals": 1, "identity": "keys", "blocking_severity": BLOCKING[0]}
        self.settings, self.product = load_settings(home, {"governance": rules}), load_product(NAME, home)
        self.policy = self.product.digest()
        self.ledger = Ledger(f"sqlite:///{home}/ledger.db")
        self.day, self.said = dt.date(2026, 1, 5), 0
        self.author: dict[str, str] = {}
        self.words: dict[str, dict[str, str]] = {letter: {} for letter in LETTERS}
        self.open: dict[str, tuple[str, str, dt.date]] = {}  # of a finding's id: version, severity, due
        self.waived: list[tuple[str, dt.date]] = []  # of `c`: by whom, until
        self.retired: set[str] = set()
        self.stack: list[str] = []
        self.made: list[str] = []

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    @property
    def at(self) -> str:
        return f"{self.day}T09:00:00+00:00"

    def blocked(self, letter: str) -> bool:
        about = [(severity, due) for which, severity, due in self.open.values() if which == letter]
        return any(severity in BLOCKING or due < self.day for severity, due in about)

    def may(self, letter: str, by: str) -> bool:
        """Whether `by` may promote the version: the rules in plain words."""
        said, maker = self.words[letter], self.author.get(letter)
        waived = any(who != by and self.day <= until for who, until in self.waived)
        agreed = {who for who, word in said.items() if word == "approve"} - {by, maker}
        passed = letter != "c" or waived
        unstopped = not self.blocked(letter) and "reject" not in said.values() and letter not in self.retired
        return bool(passed and unstopped and agreed and maker is not None)

    def promoted(self, letter: str) -> None:
        self.made.append(letter)
        if not self.stack or self.stack[-1] != letter:
            self.stack.append(letter)

    @initialize(makers=st.lists(WHO, min_size=3, max_size=3), by=st.sets(WHO, min_size=2, max_size=3))
    def most_is_said_already(self, makers: list[str], by: set[str]) -> None:
        """Else hardly a sequence would come to a promotion."""
        for letter, maker in zip(LETTERS, makers, strict=True):
            self.train(letter, maker)
            for who in sorted(by - {maker}):
                self.say(letter, who, "approve")
        self.waive("c", min(by - {makers[2]}), 2)
        for letter in LETTERS:
            self.promote(letter, makers[0])

    @rule(letter=WHICH, by=WHO)
    def train(self, letter: str, by: str) -> None:
        authorship.record(self.ledger, version(letter), by, self.at)
        self.author.setdefault(letter, by)
        assert authorship.author(self.ledger, version(letter).version) == self.author[letter]

    @rule(letter=WHICH, by=WHO, word=st.sampled_from(["approve", "approve", "approve", "reject"]))
    def say(self, letter: str, by: str, word: approval.Word) -> None:
        self.said += 1
        told = (self.policy, word, by, f"reason {self.said}", self.at)
        if word == "approve" and self.author.get(letter) == by:
            with pytest.raises(Refusal, match="does not approve it"):
                approval.record(self.ledger, version(letter), *told)
            return
        approval.record(self.ledger, version(letter), *told)
        self.words[letter][by] = word

    @rule(letter=WHICH, by=WHO, severity=st.sampled_from(["low", "medium", "high"]), days=st.integers(0, 20))
    def find(self, letter: str, by: str, severity: Any, days: int) -> None:
        self.said += 1
        due = self.day + dt.timedelta(days)
        made = finding.add(self.ledger, version(letter), severity, due, f"finding {self.said}", by, self.at)
        self.open[made.id] = letter, severity, due

    @precondition(lambda self: self.open)
    @rule(by=WHO, data=st.data())
    def close(self, by: str, data: Any) -> None:
        which = data.draw(st.sampled_from(sorted(self.open)))
        if self.author.get(self.open[which][0]) == by:
            with pytest.raises(Refusal, match="does not close"):
                finding.close(self.ledger, NAME, which, "mended", by, self.at)
            return
        finding.close(self.ledger, NAME, which, "mended", by, self.at)
        del self.open[which]
        with pytest.raises(Refusal, match="was closed by"):
            finding.close(self.ledger, NAME, which, "again", "Zoe", self.at)

    @rule(letter=WHICH, by=WHO, days=st.integers(0, 10))
    def waive(self, letter: str, by: str, days: int) -> None:
        until = self.day + dt.timedelta(days)
        self.said += 1
        told = (self.policy, by, f"reason {self.said}", until, 30, self.at)
        if letter != "c" or self.author.get(letter) == by:
            with pytest.raises(Refusal, match=r"passed the gate|does not waive"):
                waiver.record(self.ledger, version(letter), *told)
            return
        waiver.record(self.ledger, version(letter), *told)
        self.waived.append((by, until))

    @rule(letter=WHICH, by=WHO)
    def retire(self, letter: str, by: str) -> None:
        self.said += 1
        told = (NAME, version(letter).version, "retirement", by, f"reason {self.said}", self.at)
        if letter in self.retired or (self.stack and self.stack[-1] == letter):
            with pytest.raises(Refusal, match=r"is the champion|was retired by"):
                events.record(self.ledger, *told)
            return
        events.record(self.ledger, *told)
        self.retired.add(letter)

    @rule(letter=WHICH, by=WHO)
    def promote(self, letter: str, by: str) -> None:
        told = (self.ledger, self.settings, version(letter), self.product, by, "better", self.at)
        if not self.may(letter, by):
            with pytest.raises(Refusal):
                promoting.promote(*told)
            return
        promoting.promote(*told)
        self.promoted(letter)

    @rule(letter=WHICH)
    def nobody_promotes_alone_without_a_name(self, letter: str) -> None:
        with pytest.raises(InputError):
            promoting.promote(self.ledger, self.settings, version(letter), self.product, " ", "better", self.at)

    @rule(letter=WHICH, by=WHO)
    def what_is_said_while_it_is_weighed_stops_it(self, letter: str, by: str) -> None:
        weighed_at, _ = self.ledger.head()
        expected = champion.current(self.ledger, NAME)
        self.say(letter, by, "reject")
        with pytest.raises(Refusal):
            champion.promote(self.ledger, version(letter), expected, "Ada", "better", self.at, weighed_at=weighed_at)

    @precondition(lambda self: len(self.made) > 1)
    @rule(letter=WHICH, data=st.data())
    def who_saw_an_earlier_champion_is_too_late(self, letter: str, data: Any) -> None:
        earlier = data.draw(st.sampled_from(champion.history(self.ledger, NAME)[:-1]))
        with pytest.raises(Refusal):
            champion.promote(self.ledger, version(letter), earlier, "Ada", "better", self.at)

    @rule(by=WHO)
    def roll_back(self, by: str) -> None:
        """As champion.rollback, which then loads the bytes: there are none here."""
        if len(self.stack) < 2:
            with pytest.raises(Refusal, match="no former champion"):
                champion.former(self.ledger, NAME)
            return
        expected, back = champion.current(self.ledger, NAME), champion.former(self.ledger, NAME)
        letter = back.version[-1]
        assert expected is not None
        assert letter == self.stack[-2]
        told = (self.ledger, version(letter), expected, by, "worse than it seemed", self.at, expected.record_id)
        if letter in self.retired:
            with pytest.raises(Refusal, match="was retired by"):
                champion.promote(*told)
            return
        champion.promote(*told)
        self.made.append(letter)
        self.stack.pop()

    @rule(days=st.integers(-4, 7))
    def time_goes_by(self, days: int) -> None:
        """Or the clock is set back."""
        self.day += dt.timedelta(days)

    @invariant()
    def who_may_promote_what_is_as_the_rules_say(self) -> None:
        by = PERSONS[self.ledger.head()[0] % len(PERSONS)]
        for letter in sorted(set(LETTERS) - self.retired):
            told = (self.ledger, self.settings, version(letter), self.product, by, self.at)
            if self.may(letter, by):
                promoting.require(*told)
            else:
                with pytest.raises(Refusal):
                    promoting.require(*told)

    @invariant()
    def there_is_the_champion_that_the_model_names(self) -> None:
        now, history = champion.current(self.ledger, NAME), champion.history(self.ledger, NAME)
        assert [one.version[-1] for one in history] == self.made
        assert [one.previous for one in history] == [None, *(one.version for one in history)][: len(history)]
        assert (now.version[-1] if now else None) == (self.stack[-1] if self.stack else None)
        found = {one.id for one in finding.findings(self.ledger, NAME) if one.state == "open"}
        assert found == self.open.keys()


@pytest.mark.campaign(daily=3)
def test_a_version_is_champion_exactly_where_the_rules_say_so(trials: Trials) -> None:
    walk(ChampionMachine, trials)
