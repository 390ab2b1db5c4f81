"""Outcomes as they come, beside a plain dictionary: late, twice, contradicting, corrected, of nobody."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from configs.errors import InputError, Refusal
from configs.settings import Outcome
from features.contracts import to_day
from monitoring.outcomes.arrivals import gather
from monitoring.outcomes.claims import recorded
from serving.ledger import Entry, Ledger, canonical
from serving.outcomes import record_outcome
from tests.campaign.machines import walk
from tests.campaign.trials import Trials

PRODUCT, DEFINITION = "consumer_platform", Outcome(window_months=12, days_past_due=90)
ASKED, CLOSES = dt.date(2024, 1, 31), dt.date(2025, 1, 31)
DECISIONS = {"d1": "ann", "d2": "bob", "d3": "bob"}  # two of one customer about one day
DAYS = [ASKED - dt.timedelta(1), ASKED, dt.date(2024, 7, 1), CLOSES, dt.date(2025, 3, 1), dt.date(2026, 1, 1)]


@dataclass(frozen=True)
class Said:
    """An outcome as told: default or not by `on`; told on `told`."""

    bad: bool
    on: dt.date
    told: dt.date


class OutcomeMachine(RuleBasedStateMachine):
    """What is on record of each decision, and what of it may be used today, worked out in plain words."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger(f"sqlite:///{self.folder.name}/ledger.db")
        for name, customer in DECISIONS.items():
            body = canonical({"answer": {"customer_id": customer, "as_of": ASKED.isoformat()}})
            self.ledger.append([Entry(name, "decision", PRODUCT, customer, f"{ASKED}T10:00:00+00:00", body)])
        self.today = ASKED
        self.said: dict[str, Said] = {}
        self.foreign = 0
        self.unsound: list[str] = []

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    @property
    def at(self) -> str:
        return f"{self.today}T12:00:00+00:00"

    @initialize(days=st.sampled_from([0, 160, 400, 800]))
    def begin(self, days: int) -> None:
        self.today += dt.timedelta(days)

    @rule(
        name=st.sampled_from(list(DECISIONS)),
        bad=st.booleans(),
        on=st.sampled_from(DAYS),
        correction=st.sampled_from([None, None, "a clerk's slip"]),
    )
    def tell(self, name: str, bad: bool, on: dt.date, correction: str | None) -> None:
        told = (self.ledger, name, bad, on, self.at, correction)
        before = self.said.get(name)
        if not ASKED <= on <= self.today:
            with pytest.raises(InputError, match="expected a day from"):
                record_outcome(*told)
        elif before is not None and (before.bad, before.on) == (bad, on):
            assert not record_outcome(*told).new
        elif before is not None and correction is None:
            with pytest.raises(Refusal, match="record a correction"):
                record_outcome(*told)
        elif before is None and correction is not None:
            with pytest.raises(InputError, match="no outcome yet"):
                record_outcome(*told)
        else:
            assert record_outcome(*told).new
            self.said[name] = Said(bad, on, self.today)

    @rule(bad=st.booleans(), days=st.lists(st.sampled_from(DAYS), min_size=2, max_size=2, unique=True))
    def tell_of_two_decisions_about_one_customer(self, bad: bool, days: list[dt.date]) -> None:
        for name, on in zip(("d2", "d3"), days, strict=True):
            self.tell(name, bad, on, None)

    @rule(bad=st.booleans())
    def tell_of_nobody(self, bad: bool) -> None:
        with pytest.raises(InputError, match="no decision"):
            record_outcome(self.ledger, "d9", bad, self.today, self.at)

    @rule(kind=st.sampled_from(["unknown", "future", "before"]))
    def somebody_else_writes_what_we_would_refuse(self, kind: str) -> None:
        name = "d9" if kind == "unknown" else "d1"
        on = {"unknown": self.today, "future": self.today + dt.timedelta(9), "before": ASKED - dt.timedelta(9)}[kind]
        body = {"decision_id": name, "defaulted": True, "on": on.isoformat(), "corrects": None, "reason": None}
        self.foreign += 1
        # About a subject of its own: what stands in the ledger about d1 is not what `record_outcome` finds.
        entry = Entry(f"f{self.foreign}", "outcome", PRODUCT, f"foreign {name}", self.at, canonical(body))
        self.ledger.append([entry])
        self.unsound.append(kind)

    @rule(days=st.sampled_from([1, 30, 153, 366]))
    def time_goes_by(self, days: int) -> None:
        self.today = min(self.today + dt.timedelta(days), dt.date(2027, 1, 1))

    def usable(self) -> tuple[dict[str, bool], int, int, int]:
        """Of each customer whose outcome may be used whether it is bad; how many wait, repeat, contradict."""
        used, waiting, repeated, clashing = {}, 0, 0, 0
        for customer in sorted(set(DECISIONS.values())):
            told = [self.said[name] for name, who in DECISIONS.items() if who == customer and name in self.said]
            bads, goods = [one for one in told if one.bad], [one for one in told if not one.bad]
            if any(good.on >= bad.on for bad in bads for good in goods):
                clashing += len(told)
                continue
            repeated += max(0, len(told) - 1)
            if not told:
                continue
            in_window = bool(bads) and min(one.on for one in bads) <= CLOSES
            watched = max(one.on for one in told)
            if self.today < CLOSES or not (in_window or watched >= CLOSES):
                waiting += 1
            elif bads and min(one.on for one in bads) == ASKED:
                continue  # in default when asked: neither good nor bad, and it does not wait
            else:
                used[customer] = in_window
        return used, waiting, repeated, clashing

    @invariant()
    def what_may_be_used_is_what_the_plain_rules_say(self) -> None:
        about = {name: (customer, to_day(ASKED)) for name, customer in DECISIONS.items()}
        now = to_day(self.today)
        found = recorded(self.ledger, PRODUCT, about, now)
        arrivals = gather(found, None, found.asked, DEFINITION, now, now)
        used, waiting, repeated, clashing = self.usable()
        labels = dict(zip(arrivals.labels.customer_id, arrivals.labels.defaulted.astype(bool), strict=True))
        assert labels == used
        counts = arrivals.counts()
        assert (counts["repeated"], counts["contradiction"]) == (repeated, clashing)
        wanted = {kind: self.unsound.count(kind) for kind in ("unknown", "future", "before")}
        assert {kind: counts[kind] for kind in wanted} == wanted
        assert arrivals.waiting == waiting


@pytest.mark.campaign(daily=5)
def test_an_outcome_is_used_exactly_where_the_plain_rules_say_so(trials: Trials) -> None:
    walk(OutcomeMachine, trials)
