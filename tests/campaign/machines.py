"""Random sequences of steps on a real part, a plain model of it beside: hypothesis state machines, counted."""

from __future__ import annotations

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.campaign.trials import Trials

STEPS = 25


def walk(machine: type[RuleBasedStateMachine], trials: Trials) -> None:
    """Run as many sequences of up to STEPS steps as there are trials; each that ends is one."""

    class Counted(machine):  # type: ignore[valid-type,misc]
        def teardown(self) -> None:
            super().teardown()
            trials.done()

    chosen = settings(
        max_examples=trials.count,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(trials.seed)(Counted), settings=chosen)
