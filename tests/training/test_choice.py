"""A person's choice among alternatives: of a model that was judged, with a reason, and one for each refusal owed."""

from __future__ import annotations

from typing import Any

import pytest

from configs.errors import InputError, Refusal
from training.alternatives import CHOSEN
from training.choice import Choice, choose

BETTER = "chosen without postcode"
FOUND: dict[str, Any] = {
    "must_be_shown": [BETTER],
    "attributes": [{"models": [{"name": CHOSEN}, {"name": BETTER}, {"name": "trial 3"}]}],
}


def test_a_refusal_of_what_had_to_be_shown_is_explained() -> None:
    with pytest.raises(Refusal, match="refused without a reason: chosen without postcode"):
        choose(FOUND, CHOSEN, "best AUC", {})
    with pytest.raises(Refusal, match="refused without a reason: chosen without postcode"):
        choose(FOUND, "trial 3", "best AUC", {BETTER: "  "})
    why = {BETTER: "postcode shows flood risk"}
    assert choose(FOUND, CHOSEN, "best AUC", why) == Choice(CHOSEN, "best AUC", why)


def test_the_alternative_itself_may_be_taken() -> None:
    assert choose(FOUND, BETTER, "level AUC, nearer to equal approval", {}).model == BETTER


@pytest.mark.parametrize(
    ("model", "reason", "refusals", "told"),
    [
        ("trial 9", "x", {}, "no model 'trial 9' was judged; did you mean 'trial 3'"),
        (CHOSEN, "x", {"postcode": "flood"}, "no model 'postcode' was judged"),
        (BETTER, " ", {}, "with its reason"),
    ],
)
def test_a_choice_of_nothing_or_for_no_reason_is_refused(
    model: str, reason: str, refusals: dict[str, str], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        choose(FOUND, model, reason, refusals)
