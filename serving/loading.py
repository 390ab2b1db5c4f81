"""How a model version gets into a serving process: tried elsewhere first, and again after a pause; nobody waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from configs.errors import ConfigError, Refusal
from configs.settings import Product, Settings
from serving import champion, metrics
from serving.backoff import Backoff
from serving.ledger import Ledger
from serving.score import Scorer, make_scorer
from serving.throwaway import Trial
from training.fallback import load_fallback
from training.signature import trusted_in


@dataclass(frozen=True, slots=True)
class Unloadable:
    """A version that should answer and cannot be loaded: since when this is known, and why."""

    version: str
    at: str
    reason: str


class Loading:
    """The versions on their way into this process, one for each `slot`; and those that `failed`, by slot.

    `utc_now` tells the time that is said of a failure.
    """

    def __init__(self, settings: Settings, utc_now: Callable[[], str]) -> None:
        self._settings = settings
        self._utc_now = utc_now
        self._backoff = Backoff()
        self._trials: dict[str, tuple[str, Trial]] = {}
        self.failed: dict[str, Unloadable] = {}

    def first(self, ledger: Ledger, product: Product, now: float) -> Scorer:
        """What answers from the start, when there is no last good: the champion; where it cannot be loaded and
        serving.fallback is "scorecard", its scorecard.

        Only with that setting is the champion tried elsewhere first: without, a process that dies does not start.
        Raises as `champion.champion_scorer` does.
        """
        if self._settings.serving.fallback == "refuse":
            return champion.champion_scorer(ledger, self._settings.home, product)
        promotion = champion.require(ledger, product.name)
        begun = trial(self._settings, product, promotion.version)
        try:
            begun.passed(wait=True)
            return champion.champion_scorer(ledger, self._settings.home, product)
        except (ConfigError, Refusal):  # the product file or the ledger is at fault, not the model
            raise
        except Exception as error:  # whatever is wrong with the model, its scorecard may be whole
            self._fail(product.name, promotion.record_id, promotion.version, product, now, error)
            return fallback_scorer(self._settings.home, product, promotion.version)
        finally:
            begun.end()

    def fresh(
        self, slot: str, record_id: str, version: str, product: Product, now: float, load: Callable[[], Scorer]
    ) -> Scorer | None:
        """The scorer of the version that a record names, once it passed its trial; None while it is on trial or waits.

        `now` are seconds of a clock that only rises. Raises whatever its trial or `load` raises, and then waits.
        """
        if not self._backoff.due(slot, record_id, now):
            return None
        try:
            if self._trials.get(slot, ("",))[0] != record_id:
                self._end(slot)
                self._trials[slot] = record_id, trial(self._settings, product, version)
            if not self._trials[slot][1].passed():
                return None
            scorer = load()
        except Exception as error:
            self._fail(slot, record_id, version, product, now, error)
            raise
        self.forget(slot)
        return scorer

    def forget(self, slot: str) -> None:
        """Nothing is to be loaded for `slot`, or it is loaded."""
        self._end(slot)
        self._backoff.worked(slot)
        self.failed.pop(slot, None)

    def close(self) -> None:
        """End every trial."""
        for slot in list(self._trials):
            self._end(slot)

    def _fail(self, slot: str, record_id: str, version: str, product: Product, now: float, error: Exception) -> None:
        self._end(slot)
        self._backoff.failed(slot, record_id, now)
        self.failed[slot] = Unloadable(version, self._utc_now(), str(error))
        metrics.load_failed(product.name)

    def _end(self, slot: str) -> None:
        if slot in self._trials:
            self._trials.pop(slot)[1].end()


def trial(settings: Settings, product: Product, version: str) -> Trial:
    """Begin to try a version."""
    return Trial(settings.home, product, version, settings.serving.trial_seconds)


def fallback_scorer(home: Path, product: Product, version: str) -> Scorer:
    """The scorecard of a version under a policy. Raises BundleError where it is not whole."""
    return make_scorer(load_fallback(champion.bundle_folder(home, product.name, version), trusted_in(home)), product)
