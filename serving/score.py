"""Raw records of one customer, or tables of many, to PD, points, grade and contributions: the one scorer."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import msgspec
import numpy as np

from configs.errors import ConfigError
from configs.settings import Grade, Product
from features import matrix
from features.contracts import Columns, Table, to_day
from features.load import table_contract
from features.records import columns_of_records, rows_type
from serving import advice, doubts, knock_outs
from serving.adviser import Adviser, make_adviser
from serving.reasons import Grouping, grouping_of, principal_reasons
from serving.shap import Explainer, make_explainer
from serving.trees import NotCovered
from training.bundle import Bundle
from training.fallback import Fallback
from training.interval import PDInterval, Uncertainty, uncertainty_from_json
from training.scorecard import Scorecard

log = logging.getLogger("creditloop.serving")
Explanation = Literal["quadrature", "lightgbm", "scorecard"]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scored rows: `values` (rows, features), the others (rows,); `grade` is the position on the masterscale."""

    values: np.ndarray
    raw_score: np.ndarray
    default_probability: np.ndarray
    points: np.ndarray
    grade: np.ndarray

    def row(self, place: int) -> Scores:
        """Those of one row alone, still arrays."""
        return Scores(*(getattr(self, field.name)[place : place + 1] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model version under a policy: what a request of this product may hold, and how it is scored.

    `policy_reads` says where the features that the policy looks at lie in a row. `explainer` is None where LightGBM
    has to explain the model itself, many times slower, and the scorecard where that answers; `adviser` is None then,
    both times. `uncertainty` is None of a version made before it was measured. `expected_tables` are those that
    practically every customer has, with the places of their features, `grouping` which features are one reason.
    """

    bundle: Bundle
    product: Product
    tables: dict[str, Table]
    records: type[msgspec.Struct]
    grades: tuple[Grade, ...]
    policy_reads: dict[str, int]
    policy_digest: str
    explainer: Explainer | Scorecard | None
    adviser: Adviser | None
    uncertainty: Uncertainty | None
    expected_tables: dict[str, np.ndarray]
    grouping: Grouping

    @property
    def explained_by(self) -> Explanation:
        """Whose contributions these are: the two agree, but not in every bit."""
        if isinstance(self.explainer, Scorecard):
            return "scorecard"
        return "lightgbm" if self.explainer is None else "quadrature"

    @property
    def flags(self) -> tuple[str, ...]:
        """What every answer says of the model itself; no reason to refer."""
        return (doubts.DEGRADED,) if isinstance(self.bundle, Fallback) else ()

    def columns(self, records: Any, customer_id: str, as_of: int) -> dict[str, Columns]:
        """A request's records (of type `records`) as checked tables. Raises DataError."""
        found = {}
        for name, table in self.tables.items():
            rows = getattr(records, name)
            if rows is not None and len(rows):
                found[name] = columns_of_records(table, rows, customer_id, as_of)
        return found

    def score(self, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: np.ndarray) -> Scores:
        """Features, PD, points and grade of each (customer_id, as_of): one row or millions, the same bits."""
        return self.scored(matrix.build(self.bundle.program, tables, customer_id, as_of))

    def scored(self, values: np.ndarray) -> Scores:
        """PD, points and grade of rows of the matrix (rows, features)."""
        by = self.explainer
        raw_score = by.raw_scores(values) if isinstance(by, Explainer) else self.bundle.raw_score(values)
        log_odds = self.bundle.calibration.log_odds(raw_score)
        default_probability = self.bundle.calibration.default_probability(raw_score)
        scale = self.bundle.scale
        return Scores(
            values,
            raw_score,
            default_probability,
            scale.points(log_odds),
            scale.grade_index(default_probability),
        )

    def contributions(self, values: np.ndarray) -> np.ndarray:
        """TreeSHAP contributions (rows, features + 1) to the raw score, the last column the average; of a scorecard,
        what its points say.

        One row has the bits it has among many.
        """
        if self.explainer is not None:
            return self.explainer.contributions(values)
        return np.asarray(self.bundle.booster.predict(values, pred_contrib=True, num_threads=1))

    def doubts(
        self, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: np.ndarray, values: np.ndarray
    ) -> list[tuple[str, ...]]:
        """For each customer the flags of tables that are missing or stale, from its facts and its row of features.

        Each customer is asked about once; tables that the model does not read cause no doubt.
        """
        read = {name: table for name, table in tables.items() if name in self.tables}
        return self.doubts_by_age(values, doubts.ages(self.product.freshness, read, customer_id, as_of))

    def doubts_by_age(self, values: np.ndarray, age: np.ndarray) -> list[tuple[str, ...]]:
        """The same from rows of features and of `doubts.ages`."""
        missing = doubts.degraded(self.expected_tables, values)
        old = doubts.stale(self.product.freshness, age)
        return [(*one, *other) for one, other in zip(missing, old, strict=True)]

    @property
    def advised_by(self) -> dict[str, Any]:
        """What advice rests on besides model and policy: how it is found, and what is declared as changeable."""
        return {"version": advice.VERSION, "levers": None if self.adviser is None else self.adviser.digest}

    def interval(self, raw_score: float) -> PDInterval | None:
        """The interval around the PD of a raw score, where this version has one."""
        if self.uncertainty is None:
            return None
        return self.uncertainty.around(float(self.bundle.calibration.log_odds(np.array([raw_score]))[0]))

    def points_factor(self, contributions: np.ndarray) -> float:
        """Points lost for each unit of raw score, on the way from the average customer to this one, (features + 1,).

        Where the calibration is no line this is the slope of the secant, so that the points of all contributions
        still sum to what the customer has less than the average.
        """
        average, score = float(contributions[-1]), float(contributions.sum())
        return self.bundle.scale.factor * self.bundle.calibration.slope_between(average, score)


def make_scorer(bundle: Bundle, product: Product) -> Scorer:
    """Join a model version and a product's policy. Raises ConfigError where they do not belong together."""
    names = tuple(grade.name for grade in product.grades)
    bounds = tuple(grade.pd_below for grade in product.grades if grade.pd_below is not None)
    if (names, bounds) != (bundle.scale.names, bundle.scale.pd_below):
        raise ConfigError(
            f"{product.name}: the masterscale of the product file is not the one {bundle.version} was validated "
            "with; train again, or bring the grades back"
        )
    feature = product.policy.capacity_feature
    if feature is not None and feature not in bundle.program.names:
        raise ConfigError(f"{product.name}: policy.capacity_feature {feature!r} is no feature of {bundle.version}")
    tables = {name: table_contract(name, product) for name in bundle.program.tables}
    fields: list[Any] = [(name, rows_type(table), None) for name, table in tables.items()]
    records = msgspec.defstruct("Records", fields, frozen=True, kw_only=True, forbid_unknown_fields=True)
    explainer = bundle.scorecard if isinstance(bundle, Fallback) else _explainer(bundle)
    reference = bundle.reference()
    return Scorer(
        bundle=bundle,
        product=product,
        tables=tables,
        records=records,
        grades=product.grades,
        policy_reads=knock_outs.places(product.policy, bundle.program.names),
        policy_digest=product.digest(),
        explainer=explainer,
        adviser=make_adviser(bundle, product, explainer.trees, reference) if isinstance(explainer, Explainer) else None,
        uncertainty=uncertainty_from_json(bundle.training.get("pd_interval")),
        grouping=grouping_of(bundle.program.features, bundle.training.get("reasons")),
        expected_tables=doubts.expected_tables(bundle.program.features, reference, product.policy.expected_tables),
    )


def warm(scorer: Scorer) -> None:
    """Run the whole path once, so that no first caller waits for a compiler."""
    scores = scorer.score({}, np.array(["warm"], object), np.array([to_day(dt.date(2000, 1, 1))], np.int32))
    contributions = scorer.contributions(scores.values)[0, :-1]
    principal_reasons(contributions, scorer.bundle.program.features, 1.0, 1, "en", scorer.grouping)


def _explainer(bundle: Bundle) -> Explainer | None:
    """The fast explainer, once it explained the golden rows as LightGBM does; this also compiles it for the first."""
    try:
        explainer = make_explainer(bundle.booster)
        explainer.check(bundle.booster, bundle.golden()[0])
    except NotCovered as why:
        log.warning("%s: LightGBM explains this model itself, many times slower: %s", bundle.version, why)
        return None
    return explainer
