"""A steady load while champions come and go (R16): nobody refused, no answer mixed, nothing grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest

from configs.settings import Settings
from serving import champion
from serving.ledger import Ledger, open_ledger
from tests.campaign.callers import Callers
from tests.campaign.trials import Trials
from training.bundle import Bundle

WARM = 0.25  # of the time, before which memory is not looked at
GROWTH_MB, FILES = 48, 8  # by which a worker may grow from then on


def workers(service: Any) -> list[int]:
    """The serving processes."""
    supervisor = service.process.pid
    return [int(pid) for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()]


def megabytes(service: Any) -> float:
    """Memory that the serving processes hold together."""
    lines = [line for pid in workers(service) for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def files(service: Any) -> int:
    """Files and sockets that the serving processes hold open together."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in workers(service))


class Swaps:
    """Promotes the other version, and goes back, whenever the service has followed the last move."""

    def __init__(self, ledger: Ledger, service: Any, versions: tuple[Bundle, Bundle]) -> None:
        self._ledger, self._service, self._versions = ledger, service, versions
        self.followed = 0
        self._promote()

    def go_on(self) -> None:
        """Make the next move if the last was followed."""
        if self._service.score.get("/v1/models").json()[0]["model"] != self._wanted.version:
            return
        self.followed += 1
        self._promote()

    def _promote(self) -> None:
        now = champion.current(self._ledger, self._versions[0].product)
        assert now is not None
        self._wanted = next(one for one in self._versions if one.version != now.version)
        champion.promote(self._ledger, self._wanted, now, "tests", "to and fro", "2026-03-01T00:00:00+00:00")


@pytest.mark.campaign
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read where Linux shows it")
def test_a_steady_load_with_swaps_refuses_nobody_and_grows_no_longer(
    tmp_path: Path,
    furnish: Callable[[Path], Settings],
    start: Callable[[Settings], AbstractContextManager[Any]],
    bodies: list[dict[str, Any]],
    bundle: Bundle,
    successor: Bundle,
    trials: Trials,
) -> None:
    settings, grown = furnish(tmp_path), []
    with start(settings) as service, closing(open_ledger(settings)) as ledger:
        with Callers(service, bodies, count=6, pause=0.02) as callers:
            callers.wait_for(20)
            swaps, began = Swaps(ledger, service, (bundle, successor)), time.monotonic()
            for second in trials:
                time.sleep(max(0.0, began + second + 1 - time.monotonic()))
                swaps.go_on()
                if second >= WARM * trials.count:
                    grown.append((megabytes(service), files(service)))
        assert service.process.poll() is None
        ledger.verify()
    (first_mb, first_files), (last_mb, last_files) = grown[0], grown[-1]
    answers = list(callers.acknowledged.values())
    trials.found(
        answers=callers.statuses[200],
        swaps_followed=swaps.followed,
        megabytes=[round(first_mb), round(max(mb for mb, _ in grown)), round(last_mb)],
        open_files=[first_files, last_files],
    )
    assert (set(callers.statuses), dict(callers.broken)) == ({200}, {})
    assert swaps.followed or trials.count < 60
    assert mixed(answers) == []
    assert last_mb <= first_mb + GROWTH_MB
    assert last_files <= first_files + FILES


def mixed(answers: list[dict[str, Any]]) -> list[str]:
    """Customers of whom one version gave two PDs, or two versions gave one: the successor's are all higher."""
    told: dict[str, dict[str, set[float]]] = {}
    for one in answers:
        told.setdefault(one["customer_id"], {}).setdefault(one["model"], set()).add(one["default_probability"])
    return [
        customer
        for customer, by_model in told.items()
        if any(len(pds) > 1 for pds in by_model.values()) or len(set.union(*by_model.values())) < len(by_model)
    ]
