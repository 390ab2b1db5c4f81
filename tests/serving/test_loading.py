"""Loading: a new version is tried in a process of its own; whatever that dies of, the last good model answers on."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from configs.errors import BundleError
from configs.settings import Product, Settings, load_settings
from serving import access, champion, live, loading, metrics, operations
from serving.api import DecideRequest
from serving.live import Live
from serving.loading import Loading
from serving.throwaway import Trial
from training import bundle as bundles
from training.bundle import Bundle
from training.signature import public_key, signing_key, trusted_in

NAME = "consumer_platform"
AT = "2026-01-31T00:00:00+00:00"


@dataclass
class Torn:
    """A booster whose text was torn: well signed, and deadly to whoever reads it."""

    booster: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.booster, name)

    def model_to_string(self) -> str:
        whole: str = self.booster.model_to_string()
        return whole[: len(whole) // 2]


@pytest.fixture(scope="module")
def torn(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed version whose model text ends in the middle, in a home of its own."""
    parts = bundles.Parts(
        product=bundle.product,
        program=bundle.program,
        booster=Torn(bundle.booster),  # type: ignore[arg-type]
        calibration=bundle.calibration,
        scale=bundle.scale,
        reference=bundle.reference(),
        predictions=bundle.predictions(),
        golden=bundle.golden()[0],
        validation=bundle.validation,
        training=bundle.training,
    )
    home = tmp_path_factory.mktemp("torn")
    key = signing_key(load_settings(home).signing)
    return bundles.write(parts, home / "bundles" / NAME, "2026-03-01", key)


def trusted(torn: Path) -> tuple[str, ...]:
    return (public_key(signing_key(load_settings(torn.parents[2]).signing)),)


def home_of(bundle: Bundle) -> Path:
    return bundle.folder.parents[2]


def told(trial: Trial) -> str:
    try:
        trial.passed(wait=True)
    except BundleError as error:
        return str(error)
    finally:
        trial.end()
    return "passed"


def test_a_sound_version_passes(bundle: Bundle, product: Product) -> None:
    trial = Trial(home_of(bundle), product, bundle.version, 120.0)
    assert not trial.passed()  # it takes its time, and nobody waits for it
    assert told(trial) == "passed"


def test_what_does_not_come_to_an_end_is_ended(bundle: Bundle, product: Product) -> None:
    assert "was not through after 0.2 s" in told(Trial(home_of(bundle), product, bundle.version, 0.2))


def test_what_the_kernel_kills_for_want_of_memory_is_named(bundle: Bundle, product: Product) -> None:
    trial = Trial(home_of(bundle), product, bundle.version, 120.0)
    os.kill(trial._process.pid, signal.SIGKILL)
    assert "was ended by SIGKILL" in told(trial)


def test_a_refusal_comes_out_in_its_own_words(bundle: Bundle, product: Product) -> None:
    assert "this is not a model version" in told(Trial(home_of(bundle), product, "never-made", 120.0))


def test_ending_a_trial_leaves_no_process(bundle: Bundle, product: Product) -> None:
    trial = Trial(home_of(bundle), product, bundle.version, 120.0)
    trial.end()
    assert trial._process.returncode == -signal.SIGKILL


@pytest.fixture
def house(
    tmp_path: Path, torn: Path, furnish: Callable[[Path], Settings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Live]:
    """A running service, and the torn version in its home, signed by a key that it trusts."""
    settings = furnish(tmp_path)
    access.create_key(settings.home, "tests", "score")
    shutil.copytree(torn, champion.bundle_folder(settings.home, NAME, torn.name))
    known = [*trusted_in(settings.home), *trusted(torn)]
    (settings.home / "creditloop.toml").write_text(f"[signing]\ntrusted = {json.dumps(known)}\n")
    monkeypatch.setattr(live, "_POLL_SECONDS", 0.02)
    made = Live(load_settings(settings.home), (NAME,))
    yield made
    made.close()


def test_a_version_that_kills_whoever_reads_it_leaves_the_last_good_answering_and_is_told(
    house: Live,
    torn: Path,
    bundle: Bundle,
    body: dict[str, Any],
    eventually: Callable[[Callable[[], bool]], bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    digest = bundles.file_digest(torn / bundles.MANIFEST)
    promoted = type("Promoted", (), {"version": torn.name, "product": NAME, "digest": digest})
    champion.promote(house.ledger, promoted, champion.current(house.ledger, NAME), "tests", "why", AT)  # type: ignore[arg-type]
    assert eventually(lambda: NAME in house.loading.failed)
    assert eventually(lambda: "keeping the last good" in caplog.text)
    assert "was ended by SIG" in caplog.text
    request = msgspec.json.decode(json.dumps(body), type=DecideRequest)
    answer, record = house.ask(*house.answering(house.scorers[NAME], house.question(request)), None)
    record.result(timeout=30)
    assert answer.model == bundle.version
    card = operations._card(house, house.scorers[NAME])
    assert [(one.model, "was ended by SIG" in one.reason) for one in card.unloadable] == [(torn.name, True)]
    assert f'creditloop_loads_failed_total{{product="{NAME}"}}'.encode() in metrics.exposition()
    champion.rollback(house.ledger, house.settings.home, house.scorers[NAME].product, "tests", "it kills", AT)
    assert eventually(lambda: not house.loading.failed)


class Slow:
    """A trial that goes on until it is told."""

    def __init__(self) -> None:
        self.over, self.ended = False, False

    def passed(self, wait: bool = False) -> bool:
        return self.over

    def end(self) -> None:
        self.ended = True


def test_a_trial_that_goes_on_is_waited_for_by_nobody_and_ended_when_another_version_is_wanted(
    tmp_path: Path, product: Product, scorer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Slow] = []
    monkeypatch.setattr(loading, "trial", lambda *_: begun.append(Slow()) or begun[-1])
    made = Loading(load_settings(tmp_path), lambda: "")

    def fresh(record_id: str) -> Any:
        return made.fresh(NAME, record_id, "v", product, time.monotonic(), lambda: scorer)

    assert fresh("one") is None
    assert fresh("one") is None
    assert len(begun) == 1
    assert fresh("two") is None
    assert begun[0].ended
    begun[1].over = True
    assert fresh("two") is scorer
    assert begun[1].ended
