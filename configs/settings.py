"""TOML files to frozen settings; an unknown key, a wrong type or a band that does not rise is refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator

from configs.certainty import Explanation as Explanation
from configs.certainty import SeedStability as SeedStability
from configs.console_pages import ConsolePages as ConsolePages
from configs.customers import CustomerRules as CustomerRules
from configs.customers import customer_problems
from configs.errors import ConfigError, listed, nearest
from configs.frozen import Band as Band  # this module is the door to all settings
from configs.frozen import Count, Frozen, Positive, Share
from configs.governance import Governance as Governance
from configs.governance import Retention as Retention
from configs.governance import Stated as Stated
from configs.policy import Decision as Decision
from configs.policy import Grade as Grade
from configs.policy import Policy as Policy
from configs.policy import policy_problems, unused
from configs.watching import Early as Early
from configs.watching import Notices as Notices
from configs.watching import Retraining as Retraining
from configs.watching import Schedule as Schedule
from configs.watching import Worth as Worth

HERE = Path(__file__).parent
Group = Literal["financial", "operating", "behavioral", "bureau", "management", "column"]
Jurisdiction = Literal["eu", "us", "cn", "uk"]
Risk = Literal["rises", "falls", "unknown"]
TableName = Literal[
    "customers",
    "statements",
    "financials",
    "invoices",
    "investigations",
    "questionnaires",
    "facts",
    "protected",
    "declined",
]


class Stores(Frozen):
    """Where things are kept, as URLs."""

    tracking: str
    studies: str
    ledger: str
    bundles: str
    artifacts: str


class Privacy(Frozen):
    """How personal records are kept."""

    master_key: str


class Data(Frozen):
    """How much of a table may be bad."""

    quarantine_share: Share


class Training(Frozen):
    """How a model is tuned, split and fitted."""

    seed: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=0)]
    workers: Count
    scheduler: str
    folds: Annotated[int, Field(ge=2, le=20)]
    trials: Count
    survivors: Annotated[float, Field(gt=0, le=1)]
    timeout_seconds: Positive
    max_rounds: Count
    early_stopping_rounds: Count
    maximum_leaves: Annotated[int, Field(ge=100)]
    stability_weight: Annotated[float, Field(ge=0)]
    test_share: Annotated[float, Field(gt=0, lt=0.9)]
    out_of_time_share: Annotated[float, Field(gt=0, lt=0.9)]
    windows: Annotated[tuple[Count, ...], Field(strict=False)]
    minimum_defaults: Count

    def shares_study(self) -> bool:
        """Whether more than one process works on a study."""
        return self.workers > 1 or self.scheduler != ""


class Gate(Frozen):
    """What a challenger must show before it may be promoted."""

    minimum_auc: Share
    maximum_auc_drop: Share
    calibration_slope: Band
    calibration_ratio: Band
    maximum_overfit: Share


class Fairness(Frozen):
    """When the fairness report speaks up, and how far the search for alternatives goes."""

    smallest_cell: Count
    significance: Annotated[float, Field(gt=0, lt=1)]
    impact_ratio_watch: Share
    impact_ratio_flag: Share
    score_difference_watch: Positive
    score_difference_flag: Positive
    gap_watch: Share
    gap_flag: Share
    calibration_ratio: Band
    proxy_auc: Share
    proxy_rows: Count
    candidates: Count
    without_proxies: Annotated[int, Field(ge=0)]
    maximum_auc_drop: Share
    bootstrap_draws: Annotated[int, Field(ge=100)]
    search_seconds: Positive
    choice_required: bool

    @model_validator(mode="after")
    def _flags_lie_beyond_watches(self) -> Fairness:
        if self.impact_ratio_flag > self.impact_ratio_watch:
            raise ValueError("impact_ratio_flag must not lie above impact_ratio_watch")
        if self.score_difference_flag < self.score_difference_watch or self.gap_flag < self.gap_watch:
            raise ValueError("a flag must not lie below its watch")
        return self


class RejectInference(Frozen):
    """How the default rate of declined applicants is bracketed."""

    bands: Annotated[int, Field(ge=2, le=100)]
    parcelling_factors: Band
    folds: Annotated[int, Field(ge=2, le=20)]


class ValidationPolicy(Frozen):
    """When a test of the validation report is amber or red, and how many rows it needs to say anything."""

    p_amber: Share
    p_red: Share
    traffic_amber: Share
    traffic_red: Share
    auc_amber: Share
    auc_red: Share
    slope: Band
    calibration_error_amber: Positive
    calibration_error_red: Positive
    calibration_bins: Annotated[int, Field(ge=2, le=100)]
    bootstrap_draws: Annotated[int, Field(ge=50)]
    seed: Annotated[int, Field(ge=0)]
    asset_correlation: Annotated[float, Field(gt=0, lt=1)]
    concentration: Share
    psi_bins: Annotated[int, Field(ge=2, le=100)]
    psi_amber: Positive
    psi_red: Positive
    psi_confidence: Annotated[float, Field(gt=0.5, lt=1)]
    minimum_rows: Count
    minimum_defaults: Count
    minimum_periods: Annotated[int, Field(ge=2)]
    top_features: Count
    sensitivity_rows: Count


class Serving(Frozen):
    """The service."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    workers: Count
    body_limit_kilobytes: Count
    ledger_batch: Count
    anchor: str
    checkpoint_records: Count
    checkpoint_seconds: Positive
    language: Literal["en", "zh"]
    reasons: Annotated[int, Field(ge=1, le=4)]
    queue: Count
    deadline_seconds: Positive
    requests_per_second: Annotated[float, Field(ge=0)]
    burst: Count
    batch_limit: Count
    batch_body_limit_kilobytes: Count
    fallback: Literal["refuse", "scorecard"]
    trial_seconds: Positive
    sources: Mapping[str, Annotated[tuple[str, ...], Field(strict=False, min_length=1)]]


class Monitoring(Frozen):
    """When the monitor speaks up."""

    psi_bins: Annotated[int, Field(ge=2, le=100)]
    psi_watch: Positive
    psi_act: Positive
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    missing_jump: Share
    outside_share: Share
    freshness_days: Count
    row_count_ratio: Band
    fine_bins: Annotated[int, Field(ge=10, le=500)]
    runs_a_year: Count
    false_alarms_a_year: Positive
    power: Annotated[float, Field(gt=0.5, lt=1)]
    money_rows: Count
    money_draws: Annotated[int, Field(ge=100)]
    money_share: Share
    seed: Annotated[int, Field(ge=0)]
    minimum_rows: Count
    minimum_defaults: Count
    vintage_coverage: Share
    auc_drop: Share
    calibration_slope: Band
    calibration_ratio: Band
    evidently_rows: Count
    evidently_columns: Count


class Signing(Frozen):
    """The key that signs model versions (a PEM file), and the public keys whose versions are loaded."""

    private_key: str
    trusted: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...], Field(strict=False)]


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


class Outcome(Frozen):
    """The definition of default: what counts as bad, and when we may know it.

    Past due by `days_past_due` or more is a default if the amount exceeds both thresholds of materiality. A default
    lasts until `probation_months` after its cure. Past due by `indeterminate_days_past_due` or more, but not in
    default, is neither good nor bad.
    """

    window_months: Count
    days_past_due: Count
    materiality_amount: Annotated[float, Field(ge=0)] = 0.0
    materiality_share: Share = 0.0
    probation_months: Annotated[int, Field(ge=0)] = 0
    indeterminate_days_past_due: Count | None = None

    @model_validator(mode="after")
    def _band_lies_below_default(self) -> Outcome:
        band = self.indeterminate_days_past_due
        if band is not None and band >= self.days_past_due:
            raise ValueError(f"indeterminate_days_past_due {band} must lie below days_past_due {self.days_past_due}")
        return self


class Calibration(Frozen):
    """The level of PDs: that of the rows which calibrate, or the long-run default rate where one is given."""

    long_run_default_rate: Annotated[float, Field(gt=0, lt=1)] | None = None


class Scaling(Frozen):
    """Points: `base_points` at odds of `base_odds` goods to one bad, `points_to_double_odds` more at twice that."""

    base_points: Positive
    base_odds: Positive
    points_to_double_odds: Positive


class ColumnSpec(Frozen):
    """A flat column of the `facts` table that becomes a feature of its own.

    `advice` (a sentence with {goal}) says that a customer can change it, in steps of `advice_step`.
    """

    name: str
    kind: Literal["number", "category"] = "number"
    risk: Risk = "unknown"
    unit: str = ""
    reason: str = ""
    reason_zh: str = ""
    advice: Annotated[str | None, unused()] = None
    advice_zh: Annotated[str | None, unused()] = None
    advice_step: Annotated[float, unused(1.0, gt=0)] = 1.0

    @model_validator(mode="after")
    def _advice_has_a_direction(self) -> ColumnSpec:
        if self.advice is None:
            return self
        if self.risk == "unknown" or self.kind == "category":
            raise ValueError(f"{self.name}: advice needs a number whose risk rises or falls")
        if any("{goal}" not in told for told in (self.advice, self.advice_zh or self.advice)):
            raise ValueError(f"{self.name}: advice is a sentence with {{goal}} where the number belongs")
        return self


class Freshness(Frozen):
    """The most days that may lie between the newest event of a table and the day it is checked at; absent: any."""

    statements: Count | None = None
    financials: Count | None = None
    invoices: Count | None = None
    investigations: Count | None = None
    questionnaires: Count | None = None
    facts: Count | None = None


class Product(Frozen):
    """One lending business: its tables, features, outcome, masterscale and policy."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    title: str
    currency: str
    reader: Literal["tables", "uci_default"] = "tables"
    tables: tuple[TableName, ...]
    groups: tuple[Group, ...]
    jurisdictions: tuple[Jurisdiction, ...] = ()
    deny: tuple[str, ...] = ()
    outcome: Outcome
    freshness: Freshness = Freshness()
    calibration: Calibration = Calibration()
    scaling: Scaling
    policy: Policy
    grades: tuple[Grade, ...]
    columns: tuple[ColumnSpec, ...] = ()
    customers: Annotated[CustomerRules, Field(exclude_if=lambda rules: rules == CustomerRules())] = CustomerRules()
    governance: Annotated[Stated, Field(exclude=True)] = Stated()  # decides nothing, so it is no part of the digest

    @model_validator(mode="before")
    @classmethod
    def _lists_to_tuples(cls, value: object) -> object:
        # TOML has lists only; strict mode wants the tuple that keeps a product hashable and frozen.
        if isinstance(value, dict):
            return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
        return value

    @model_validator(mode="after")
    def _holds_together(self) -> Product:
        problems = policy_problems(self.policy, self.grades) + column_problems(self.columns)
        problems += customer_problems(self.customers, tuple(grade.name for grade in self.grades))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def denied(self) -> frozenset[str]:
        """Names that are never features: protected attributes of its jurisdictions, and what it denies itself."""
        protected = read_toml(HERE / "protected.toml")
        plain = filter(None, map(plain_name, self.deny))
        return frozenset(self.deny).union(plain, *(protected[place]["attributes"] for place in self.jurisdictions))

    def digest(self) -> str:
        """SHA-256 over everything the file says, so a decision can name the policy it was made under."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def plain_name(name: str) -> str:
    """Lower case letters and digits, joined by underscores."""
    return re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def column_problems(columns: tuple[ColumnSpec, ...]) -> list[str]:
    """Why these flat columns cannot stand in one table: each is named once, and not like a column it has anyway."""
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    reserved = [name for name in ("customer_id", "date", "known_time") if name in names]
    return [f"columns.{name}: named twice" for name in twice] + [
        f"columns.{name}: every facts table has this column; name the feature otherwise" for name in reserved
    ]


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], values: Mapping[str, Any], source: str) -> Model:
    """`values` as `model`; ConfigError lists every problem with its key and the nearest known name."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_problem(model, detail) for detail in error.errors()]
        raise ConfigError(listed(source, problems)) from None


def _problem(model: type[BaseModel], detail: Any) -> str:
    path = [str(part) for part in detail["loc"]]
    if detail["type"] == "extra_forbidden":
        return f"{'.'.join(path)}: unknown key{nearest(path[-1], _known_keys(model, path[:-1]))}"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return f"{'.'.join(path)}: missing"
    got = "" if isinstance(detail["input"], dict) else f", got {detail['input']!r}"
    return f"{'.'.join(path)}: {message}{got}" if path else message


def _known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        if part.isdigit() or part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        inner = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        model = next((kind for kind in inner if issubclass(kind, BaseModel)), model)
    return list(model.model_fields)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict; ConfigError says what could not be read, with line and column."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from None


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


def product_names(home: Path) -> list[str]:
    """The products that `load_product` finds by name."""
    folders = (home / "products", HERE / "products")
    return sorted({path.stem for folder in folders for path in folder.glob("*.toml") if path.stem != "flat"})


def load_product(name: str, home: Path) -> Product:
    """The product `name`: a path to a TOML file, one of `home`/products, or one of those shipped."""
    path = Path(name)
    if path.suffix != ".toml":
        found = [folder / f"{name}.toml" for folder in (home / "products", HERE / "products")]
        path = next((candidate for candidate in found if candidate.exists()), path)
    if path.suffix != ".toml":
        known = product_names(home)
        raise ConfigError(f"no product {name!r}{nearest(name, known) or '.'} Known: {', '.join(known)}")
    return parse(Product, read_toml(path), str(path))


def flat_product(name: str, title: str, columns: tuple[ColumnSpec, ...]) -> Product:
    """The product of a flat table: the shipped template with this name and these columns."""
    template = read_toml(HERE / "products" / "flat.toml")
    listed_columns = [column.model_dump() for column in columns]
    return parse(Product, {**template, "name": name, "title": title, "columns": listed_columns}, "flat.toml")


def product_toml(product: Product) -> str:
    """The product as TOML text that `load_product` reads back as the same product."""
    values = product.model_dump(exclude_none=True)
    plain = {key: value for key, value in values.items() if not _is_section(value)}
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items()]
    for name, value in values.items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *(f"{key} = {_toml(item)}" for key, item in value.items())]
    for name, value in values.items():
        if _is_section(value) and not isinstance(value, dict):
            for entry in value:
                lines += ["", f"[[{name}]]", *(f"{key} = {_toml(item)}" for key, item in entry.items())]
    return "\n".join(lines) + "\n"


def _is_section(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, tuple) and bool(value) and isinstance(value[0], dict))


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)  # a TOML string, number or boolean is written as in JSON
