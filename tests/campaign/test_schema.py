"""The running service against its own description (R1): schemathesis makes requests that fit it, and others."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.campaign.trials import Trials

PROBES = ("/livez", "/readyz", "/healthz", "/metrics")


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_service_answers_as_its_description_says(running: Any, trials: Trials) -> None:
    """No 5xx but a 503 with the time to come again; a status, type and form that are described; what breaks the schema
    is refused.
    """
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.core.parameters import ParameterLocation
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        negative_data_rejection,
        response_schema_conformance,
        status_code_conformance,
    )

    described = running.score.get("/docs.json").json()
    found = [one.ok() for one in schemathesis.openapi.from_dict(described).get_all_operations()]
    operations = [one for one in found if one.path not in PROBES]
    headers = {"Authorization": running.clients["admin"].headers["Authorization"]}
    statuses, checks = Counter[int](), [status_code_conformance, content_type_conformance, response_schema_conformance]

    def further(case: Any) -> list[Any]:
        """What breaks the schema is refused: told of bodies alone, for a parameter nobody knows is nobody's fault.

        Of a batch each question has a status of its own: a bad one is refused in an answer that is a 200.
        """
        body = case.meta.components.get(ParameterLocation.BODY)
        broken = body is not None and body.mode == GenerationMode.NEGATIVE and not case.path.endswith("/batch")
        return [negative_data_rejection] if broken else []

    def holds(case: Any) -> None:
        answer = case.call(base_url=running.address, headers=headers, timeout=60)
        statuses[answer.status_code] += 1
        trials.done()
        if answer.status_code == 503:
            assert answer.headers["retry-after"]
            return
        assert answer.status_code < 500, (case.method, case.path, answer.text[:500])
        case.validate_response(answer, checks=[*checks, *further(case)])

    bounds = settings(
        max_examples=max(1, trials.count // (2 * len(operations))),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            drawn = st.builds(holds, operation.as_strategy(generation_mode=mode))
            seed(trials.seed)(bounds(given(drawn)(lambda _: None)))()
    trials.found(operations=len(operations), statuses=dict(sorted(statuses.items())))
    assert running.process.poll() is None
