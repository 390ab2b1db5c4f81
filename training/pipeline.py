"""The whole story of a model in one function: from checked tables to a registered challenger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.settings import Product, Settings
from configs.whole import whole
from features.contracts import Columns, iso
from training import bundle as bundles
from training import dataset, depot, explain, gate, report, sections, tune, window
from training.bundle import Bundle
from training.dataset import Dataset, Split
from training.judgement import Judgement, gains, judge, require_columns
from training.model import Model, make, study_name
from training.record import describe_run
from training.scaling import Scale, make_scale
from training.signature import public_key, signing_key
from training.validate import Interval, Validation

_REFERENCE_ROWS = 20_000
_GOLDEN_ROWS = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training gives back: the challenger, its numbers, the gate's answer, where to look."""

    bundle: Bundle
    validation: Validation
    verdict: gate.Verdict
    against_champion: Interval | None
    run_id: str
    page: Path


def train(
    product: Product,
    tables: Mapping[str, Columns],
    settings: Settings,
    now: int,
    champion: Bundle | None,
    progress: tune.Progress,
    stage: Callable[[str], None],
) -> Outcome:
    """Train a challenger on what had matured by `now` and let the gate judge it against the champion.

    `stage` is told what happens next, `progress` each trial. Raises DataError where the data cannot train a model,
    ConfigError where nothing could be registered at the end, InputError where the champion reads
    columns that are no longer declared.
    """
    from training import registry  # MLflow takes seconds to import: only who trains pays

    registry.require_client(settings.stores.artifacts)
    if champion is not None:
        require_columns(champion.program, champion.version, product)
    stage("build features and labels")
    data = dataset.assemble(product, tables, now)
    stage("look how far back outcomes still teach")
    back = window.choose(data, settings.training)
    split = dataset.split(back.of(data), settings.training)
    stage(f"tune on {len(split.train):,} rows, {len(data.program.features)} features")
    family = f"{product.name} {split.train.program.digest}"
    name = study_name(split, settings.training)
    long_run = product.calibration.long_run_default_rate
    model = make(split, settings.training, settings.stores.studies, name, progress, long_run, family)
    known = {"training_window": back.to_json()}
    reference = _reference(split, model)
    return published(product, tables, data, split, model, reference, champion, settings, now, stage, known)


def published(
    product: Product,
    tables: Mapping[str, Columns],
    data: Dataset,
    split: Split,
    model: Model,
    reference: pd.DataFrame,
    champion: Bundle | None,
    settings: Settings,
    now: int,
    stage: Callable[[str], None],
    known: Mapping[str, Any],
) -> Outcome:
    """Judge a made model on the test rows, let the gate answer, write the version and register it as a challenger.

    `known` are sections of training.json that are known already; how sure PDs and reasons are is measured where it does
    not say (the trees are new).
    """
    from training import registry  # MLflow takes seconds to import: only who registers pays

    stage(f"validate on {len(split.test):,} rows")
    scale = make_scale(product.scaling, product.grades)
    judged = judge(product, tables, data, split, model, reference, scale, champion, settings, now, stage)
    if "pd_interval" not in known:
        stage("measure how sure its PDs and reasons are")
        known = {**known, **explain.certainty(split, model, scale, settings)}
    run = describe_run(product, settings, dataset.digest(tables), iso(now))
    summary = {**_summary(split, model, run), **judged.evidence, **known}
    stage("write the bundle, log to MLflow")
    signer = signing_key(settings.signing)
    parts = _parts(product, split, model, scale, reference, judged, summary)
    folder = bundles.write(parts, settings.home / "bundles" / product.name, iso(now), signer)
    made = bundles.load(folder, (public_key(signer),))
    if settings.stores.bundles:
        depot.push(folder, settings.stores.bundles)
    page, plots = _page(made, model, judged, split.test.defaulted)
    path = settings.home / "reports" / product.name / f"{made.version}.html"
    with whole(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    record = registry.Run(
        _params(summary), _metrics(judged.test), model.tuned.trials, plots, page, judged.verdict.to_json()
    )
    run_id = registry.register(made, record, settings)
    return Outcome(made, judged.test, judged.verdict, judged.against_champion, run_id, path)


def _page(made: Bundle, model: Model, judged: Judgement, defaulted: np.ndarray) -> tuple[str, Mapping[str, Any]]:
    trials = [trial["log_loss"] for trial in model.tuned.trials]
    plots = report.figures(judged.default_probability, defaulted, judged.report, gains(model.booster), trials)
    told, shown = _told(made.training), sections.sections(made)
    return report.render(made.version, judged.report, judged.verdict.to_json(), told, plots, shown), plots


def _summary(
    split: Split,
    model: Model,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    parts = {"train": split.train, "test": split.test}
    return {
        "run": dict(run),
        "split": "out of time and by customer" if split.by_time else "by customer",
        "parts": {
            name: {
                "rows": len(part),
                "defaults": int(part.defaulted.sum()),
                "customers": len(np.unique(part.customer_id)),
                "from": iso(part.as_of.min()),
                "to": iso(part.as_of.max()),
            }
            for name, part in parts.items()
        },
        "immature_outcomes": split.train.immature,
        "outcomes": split.train.clock.to_json(),
        "params": dict(model.params),
        "rounds": model.booster.num_trees(),
        "folds_log_loss": model.tuned.log_loss,
        "trials": len(model.tuned.trials),
        "every_trial": list(model.tuned.trials),
        "started_from": model.tuned.started_from,
    }


def _parts(
    product: Product,
    split: Split,
    model: Model,
    scale: Scale,
    reference: pd.DataFrame,
    judged: Judgement,
    summary: Mapping[str, Any],
) -> bundles.Parts:
    return bundles.Parts(
        product=product.name,
        program=split.train.program,
        booster=model.booster,
        calibration=model.calibration,
        scale=scale,
        reference=reference,
        predictions=judged.predictions,
        golden=split.test.matrix[:_GOLDEN_ROWS],
        validation=judged.report,
        training=summary,
    )


def _reference(split: Split, model: Model) -> pd.DataFrame:
    """Rows with PDs by trees that never saw them, so that these are spread as those of new customers will be.

    Of many rows every n-th is taken: the first would be training rows alone.
    """
    train, test = split.train, split.test
    rows = len(train) + len(test)
    taken = np.linspace(0, rows - 1, min(rows, _REFERENCE_ROWS)).astype(int)
    values = np.concatenate([train.matrix, test.matrix])[taken]
    frame = pd.DataFrame(values, columns=list(train.program.names))
    pds = np.concatenate([model.out_of_fold, model.default_probability(test.matrix)])
    judged = {
        "default_probability": pds[taken],
        "defaulted": np.concatenate([train.defaulted, test.defaulted])[taken],
        "as_of": np.concatenate([train.as_of, test.as_of])[taken],
    }
    return frame.assign(**{f"_{name}": column for name, column in judged.items()})


def _told(summary: Mapping[str, Any]) -> dict[str, str]:
    run = summary["run"]
    parts = summary["parts"]
    return {
        "split": summary["split"],
        **{
            f"{name} rows": f"{p['rows']:,} ({p['defaults']:,} defaults), {p['from']} to {p['to']}"
            for name, p in parts.items()
        },
        "outcomes not matured": f"{summary['immature_outcomes']:,}",
        "trees": str(summary["rounds"]),
        "parameters": json.dumps(summary["params"]),
        "data SHA-256": run["data_sha256"],
        "product SHA-256": run["product_sha256"],
        "git commit": f"{run['git_commit']}{'' if run['git_clean'] else ' with uncommitted changes'}",
        "libraries": json.dumps(run["libraries"]),
    }


def _params(summary: Mapping[str, Any]) -> dict[str, Any]:
    run = summary["run"]
    facts = {key: run[key] for key in ("now", "data_sha256", "product_sha256", "lock_sha256", "git_commit")}
    rows = {f"{name}_rows": part["rows"] for name, part in summary["parts"].items()}
    return {**summary["params"], "rounds": summary["rounds"], "split": summary["split"], **rows, **facts}


def _metrics(test: Validation) -> dict[str, float]:
    return {
        "auc": test.auc.value,
        "auc_low": test.auc.low,
        "auc_high": test.auc.high,
        "gini": test.gini,
        "ks": test.ks,
        "log_loss": test.log_loss,
        "brier": test.brier,
        "calibration_slope": test.calibration_slope.value,
        "observed_to_expected": test.observed_to_expected.value,
    }
