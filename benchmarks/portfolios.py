"""The four public portfolios on which models are compared: what ours reads, and the published columns beside it.

Columns that may not decide about credit are kept apart: in the main comparison neither ours nor a rival reads them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from configs.settings import Product, load_product
from features import uci_default
from features.contracts import Columns, to_day
from features.files import read_file
from features.flat import read_flat
from features.load import load
from features.sources import open_source
from training import dataset
from training.dataset import Dataset

_LABEL = "defaulted"
_NOW = to_day(dt.date(2026, 1, 1))
_TAIWAN_LABEL = "default payment next month"
_TAIWAN_DENIED = ["SEX", "MARRIAGE", "AGE"]
# Names of the 20 attributes and the label as UCI documents them (Statlog German Credit Data, Hofmann, 1994).
_GERMAN = [
    *("status", "duration", "credit_history", "purpose", "amount", "savings", "employment", "installment_rate"),
    *("personal_status_and_sex", "other_debtors", "residence_since", "property", "age", "other_installment_plans"),
    *("housing", "existing_credits", "job", "dependents", "telephone", "foreign_worker", "bad"),
]
_GERMAN_DENIED = ["personal_status_and_sex", "age", "foreign_worker"]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """`data`: what our model reads; `raw` and `denied`: the published columns in the same order of rows."""

    name: str
    data: Dataset
    raw: pd.DataFrame
    denied: pd.DataFrame


def taiwan(folder: Path) -> Portfolio:
    """UCI credit cards: ours reads the features of the catalogue."""
    with TemporaryDirectory() as home:
        product = load_product("uci_default", Path(home))
        source = folder / "uci_default_taiwan"
        data = _assembled(product, load(open_source([str(source)], product.reader), product).tables)
    published = uci_default.read_published(source).set_index("ID").loc[data.customer_id.astype(int)]
    columns = published.drop(columns=_TAIWAN_LABEL).astype({"EDUCATION": "category"}).reset_index(drop=True)
    return Portfolio("taiwan", data, columns.drop(columns=_TAIWAN_DENIED), columns[_TAIWAN_DENIED])


def german(folder: Path) -> Portfolio:
    """Statlog German credit: ours reads the flat columns."""
    published = pd.read_csv(folder / "german" / "german.data", sep="\t", names=_GERMAN)
    return _flat("german", published.rename(columns={"bad": _LABEL}), _GERMAN_DENIED)


def polish(folder: Path, year: int) -> Portfolio:
    """Polish companies, whether bankrupt after 6 - `year` years: ours reads the 64 ratios as flat columns."""
    published = read_file(folder / "polish_bankruptcy" / f"{year}year.arff")
    return _flat(f"polish_{year}", published.rename(columns={published.columns[-1]: _LABEL}), [])


def _flat(name: str, published: pd.DataFrame, denied: list[str]) -> Portfolio:
    """As `creditloop train --csv` reads a flat table; text columns are categories for the rivals too."""
    with TemporaryDirectory() as home:
        path = Path(home) / f"{name}.csv"
        published.drop(columns=denied).to_csv(path, index=False)
        flat = read_flat(path, _LABEL, name, None, None, None)
    data = _assembled(flat.product, flat.tables)
    place = np.array([int(name.removeprefix("row-")) - 1 for name in data.customer_id])
    columns = published.iloc[place].drop(columns=_LABEL).reset_index(drop=True)
    text = columns.select_dtypes(exclude="number").columns
    columns = columns.astype(dict.fromkeys(text, "category")).rename(columns=_numbered(columns, denied))
    return Portfolio(name, data, columns.drop(columns=denied), columns[denied])


def _numbered(columns: pd.DataFrame, denied: list[str]) -> dict[str, str]:
    """Names every rival takes: XGBoost and LightGBM refuse brackets and colons."""
    return {name: f"column_{place}" for place, name in enumerate(columns.columns, 1) if name not in denied}


def _assembled(product: Product, tables: dict[str, Columns]) -> Dataset:
    return dataset.assemble(product, tables, _NOW)


PORTFOLIOS: dict[str, Callable[[Path], Portfolio]] = {
    "german": german,
    "polish_1": lambda folder: polish(folder, 1),
    "polish_5": lambda folder: polish(folder, 5),
    "taiwan": taiwan,
}
