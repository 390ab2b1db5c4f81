"""A book of any size scored into a file, part by part: in bounded memory, here or on Dask, resumed where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from configs.errors import InputError
from configs.lock import only_one
from configs.whole import whole
from features import distribute, portfolio
from features.book import all_customers
from features.portfolio import CUSTOMERS_EACH, Tally
from features.sources import open_source
from serving.batch import scored_frame
from serving.doubts import rows_and_ages
from serving.score import Scorer

_TALLY = b"creditloop.tally"  # where a part keeps what was counted up to it


@dataclass(frozen=True, slots=True)
class Scored:
    """How many customers a file holds, by decision; how many an earlier run had scored; what was set aside."""

    customers: int
    decisions: dict[str, int]
    resumed: int
    set_aside: tuple[str, ...]


def score_book(
    scorer: Scorer,
    places: Sequence[str],
    as_of: int,
    out: Path,
    quarantine_share: float,
    scheduler: str | None = None,
    customers_each: int = CUSTOMERS_EACH,
) -> Scored:
    """Score every customer of `places` at `as_of` (days since 1970) into `out`, .csv or .parquet, by customer.

    Each part is kept beside `out` until the whole is: a rerun of the same question scores what is missing. A question
    is another where model, policy, day, customers or files are. Raises InputError for another ending, DataError as
    `load` does, and Refusal where another process writes the same file.
    """
    if out.suffix not in (".csv", ".parquet"):
        raise InputError(f"{out}: expected a name ending in .csv or .parquet")
    product = scorer.product.model_copy(update={"tables": scorer.bundle.program.tables})
    source = open_source(places, product.reader)
    customers = all_customers(source, product)
    folder = out.with_name(f".{out.name}.parts")
    with only_one(out.with_name(f".{out.name}.lock"), f"{out}: another process is writing it"):
        _begin(folder, _question(scorer, places, as_of, customers))
        left = np.flatnonzero(~np.isin(customers, _customers_of(folder)))
        tally = _tally(folder, source.told(), quarantine_share)
        days, program = np.full(len(left), as_of, np.int32), scorer.bundle.program
        build = partial(rows_and_ages, product.freshness)
        asked = (product, customers[left], days, tally, customers_each, customers, build)
        if scheduler is None:
            built = portfolio.matrices(program, source, *asked)
        else:
            built = distribute.matrices(scheduler, program, places, *asked)
        with tqdm(total=len(customers), initial=len(customers) - len(left), unit="customer", disable=None) as bar:
            for rows, made in built:
                _keep(folder, left[rows[0]], _scored_part(scorer, customers[left[rows]], made), tally)
                bar.update(len(rows))
        decisions = _join(folder, out)
        shutil.rmtree(folder)
    return Scored(len(customers), decisions, len(customers) - len(left), tuple(tally.told()))


def _scored_part(scorer: Scorer, customers: np.ndarray, made: np.ndarray) -> pd.DataFrame:
    values, age = (np.ascontiguousarray(part) for part in np.split(made, [len(scorer.bundle.program.features)], axis=1))
    return scored_frame(scorer, customers, scorer.scored(values), scorer.doubts_by_age(values, age))


def _keep(folder: Path, first: int, frame: pd.DataFrame, tally: Tally) -> None:
    """A part with what was counted up to it: one file, so that neither is there without the other."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    counted = {_TALLY: json.dumps(tally.counts())}
    with whole(folder / f"part-{first:012d}.parquet") as unfinished:
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **counted}), unfinished)


def _question(scorer: Scorer, places: Sequence[str], as_of: int, customers: np.ndarray) -> dict[str, Any]:
    files = [path for place in places if "://" not in place for path in sorted(Path(place).rglob("*"))]
    return {
        "form": 2,  # what is left of an earlier release, which kept its counts apart, goes
        "model": scorer.bundle.version,
        "policy": scorer.policy_digest,
        "as_of": as_of,
        "places": list(places),
        "files": [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in files if path.is_file()],
        "customers": hashlib.sha256("\0".join(customers).encode()).hexdigest(),
    }


def _begin(folder: Path, question: dict[str, Any]) -> None:
    """What is left there of another question goes."""
    path = folder / "question.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) == question:
        return
    if folder.exists():
        shutil.rmtree(folder)
    with whole(path) as unfinished:
        unfinished.write_text(json.dumps(question), encoding="utf-8")


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def _customers_of(folder: Path) -> np.ndarray:
    ids = [pq.read_table(path, columns=["customer_id"]).column(0).to_pylist() for path in _parts(folder)]
    return np.array([name for part in ids for name in part], object)


def _tally(folder: Path, source: str, quarantine_share: float) -> Tally:
    """What the parts that are there were counted to: the largest counts, as each holds those of all before it."""
    tally = Tally(source, quarantine_share)
    counted = [json.loads(pq.read_schema(path).metadata[_TALLY]) for path in _parts(folder)]
    tally.add(max(counted, key=lambda counts: sum(rows for _, rows in counts.values()), default={}))
    return tally


def _join(folder: Path, out: Path) -> dict[str, int]:
    """Write the parts into `out`, in order; how many customers got which decision."""
    parts = _parts(folder)
    schemas = [pq.read_schema(path).remove_metadata() for path in parts]
    schema = pa.unify_schemas(schemas, promote_options="permissive") if parts else None
    decisions: Counter[str] = Counter()
    with whole(out) as unfinished:
        written = _into_csv(parts, unfinished) if out.suffix == ".csv" else _into_parquet(parts, schema, unfinished)
        for decided in written:
            decisions.update(decided)
    return dict(decisions)


def _into_csv(parts: Sequence[Path], unfinished: Path) -> Iterator[list[str]]:
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        for number, path in enumerate(parts):
            frame = pd.read_parquet(path)
            frame.to_csv(file, index=False, header=number == 0)
            yield frame["decision"].tolist()


def _into_parquet(parts: Sequence[Path], schema: pa.Schema | None, unfinished: Path) -> Iterator[list[str]]:
    if schema is None:
        return
    with pq.ParquetWriter(unfinished, schema) as writer:
        for path in parts:
            table = pq.read_table(path).cast(schema)
            writer.write_table(table)
            yield table.column("decision").to_pylist()
