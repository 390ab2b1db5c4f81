"""creditloop.toml: every setting of the house in one frozen value, and the door to all settings and products.

A part is described in the file of its topic; here parts are only mounted. An unknown key, a wrong type or a band that
does not rise is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import model_validator

from configs.certainty import Explanation, SeedStability
from configs.console_pages import ConsolePages
from configs.errors import ConfigError
from configs.frozen import Band, Frozen
from configs.governance import Governance, Retention
from configs.judging import Fairness, Gate, RejectInference, ValidationPolicy
from configs.keeping import Privacy, Signing, Stores
from configs.policy import Decision, Grade, Policy
from configs.product import ColumnSpec, Freshness, Group, Outcome, Product, Risk, Scaling, plain_name
from configs.product_files import flat_product, load_product, product_name, product_names, product_toml
from configs.serving import Serving
from configs.toml_files import HERE, parse, read_toml
from configs.training import Data, Training
from configs.watching import Early, Monitoring, Notices, Retraining, Schedule, Worth

__all__ = [
    "HERE",
    "Band",
    "ColumnSpec",
    "Decision",
    "Explanation",
    "Fairness",
    "Freshness",
    "Gate",
    "Grade",
    "Group",
    "Monitoring",
    "Outcome",
    "Policy",
    "Product",
    "RejectInference",
    "Risk",
    "Scaling",
    "SeedStability",
    "Serving",
    "Settings",
    "Signing",
    "Training",
    "ValidationPolicy",
    "flat_product",
    "home_folder",
    "load_product",
    "load_settings",
    "parse",
    "plain_name",
    "product_name",
    "product_names",
    "product_toml",
    "read_toml",
]


class Settings(Frozen):
    """The whole of creditloop.toml, and the home folder it was resolved against."""

    home: Path
    stores: Stores
    signing: Signing
    privacy: Privacy
    governance: Governance
    retention: Retention
    data: Data
    training: Training
    gate: Gate
    fairness: Fairness
    reject_inference: RejectInference
    validation: ValidationPolicy
    serving: Serving
    monitoring: Monitoring
    early: Early
    worth: Worth
    retraining: Retraining
    schedule: Schedule
    notices: Notices
    explanation: Explanation
    seed_stability: SeedStability
    console: ConsolePages

    @model_validator(mode="after")
    def _the_budget_is_of_the_schedule(self) -> Settings:
        planned = -(-365 // self.schedule.every_days)
        if self.monitoring.runs_a_year < planned:
            raise ValueError(
                f"monitoring.runs_a_year {self.monitoring.runs_a_year} is less than the {planned} runs of "
                f"schedule.every_days {self.schedule.every_days}: chance would alarm more often than the page says"
            )
        return self


def home_folder() -> Path:
    """$CREDITLOOP_HOME, or ./var."""
    return Path(os.environ.get("CREDITLOOP_HOME") or "var").resolve()


def load_settings(home: Path, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The shipped settings, `home`/creditloop.toml laid over them, then `overrides` (same shape)."""
    values = read_toml(HERE / "creditloop.toml")
    source = str(HERE / "creditloop.toml")
    own = home / "creditloop.toml"
    if own.exists():
        values, source = _laid_over(values, read_toml(own)), str(own)
    if "home" in values:
        raise ConfigError(f"{source}: home: unknown key; the home folder is $CREDITLOOP_HOME")
    values = _laid_over(values, overrides or {})
    for section in ("stores", "signing", "privacy", "serving"):
        if isinstance(places := values[section], dict):
            values[section] = {
                key: place.replace("{home}", str(home)) if isinstance(place, str) else place
                for key, place in places.items()
            }
    return parse(Settings, {**values, "home": home}, source)


def _laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged
