"""The interpretable scorecard of a model version, so loaded that it can answer where the model itself cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lightgbm as lgb
import numpy as np

from configs.errors import BundleError
from training import bundle as bundles
from training.bundle import MANIFEST, Bundle
from training.calibrate import Calibration
from training.scorecard import Scorecard, scorecard_from_json

SUFFIX = "/scorecard"
_OF_THE_MODEL = ("model.txt", "calibration.json", "golden.json")  # may be damaged: the scorecard needs none of them


@dataclass(frozen=True, slots=True)
class Fallback(Bundle):
    """A version of which the scorecard answers. It has no booster: who asks for it gets an AttributeError.

    Its raw score is the scorecard's log-odds, which need no calibration; its validation is the scorecard's.
    """

    booster: lgb.Booster = field(init=False)
    scorecard: Scorecard

    def raw_score(self, matrix: np.ndarray, threads: int = 1) -> np.ndarray:
        """Log-odds of default, (rows,)."""
        return self.scorecard.log_odds(matrix)


def load_fallback(folder: Path, trusted: Sequence[str]) -> Fallback:
    """The scorecard of the version in `folder`, where everything is whole but what the model alone needs.

    Raises BundleError where it is not, nobody of `trusted` signed it, or the version holds no scorecard.
    """
    manifest = bundles.checked_manifest(folder, trusted, but=_OF_THE_MODEL)
    training = bundles.read_json(folder / "training.json")
    if "scorecard" not in training:
        raise BundleError(f"{folder}: this version holds no scorecard to fall back to")
    return Fallback(
        version=folder.name + SUFFIX,
        product=manifest["product"],
        folder=folder,
        program=bundles.own_program(folder),
        calibration=Calibration(0.0, 1.0),
        scale=bundles.scale_in(folder),
        validation=training["scorecard"]["validation"],
        training={},
        digest=bundles.file_digest(folder / MANIFEST),
        scorecard=scorecard_from_json(training["scorecard"]["scorecard"]),
    )
