"""One file to one frame: parquet, CSV with any usual separator, ARFF; a clear error where it cannot be read."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from configs.errors import CreditloopError, DataError


def read_file(path: Path, text: Iterable[str] = ()) -> pd.DataFrame:
    """One parquet, CSV (any usual separator) or ARFF file as a frame; DataError where it cannot be read.

    The columns named in `text` are not taken for numbers in a CSV: 007 is not 7.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; expected a header line and rows")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".arff":
            return _read_arff(path)
        return _read_csv(path, text)
    except CreditloopError:
        raise
    except (ValueError, OSError, NotImplementedError, StopIteration) as error:  # pandas, pyarrow and scipy
        raise DataError(f"{path}: not readable as {path.suffix.lstrip('.') or 'CSV'}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return str(error) or "it ends too early"


def _read_csv(path: Path, text: Iterable[str]) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        head = lines.readline()
    separator = _separator(head)
    names = next(csv.reader([head], delimiter=separator), [])
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:  # pandas would call the second x.1
        raise DataError(f"{path}: the header names a column twice: {', '.join(twice)}")
    kinds = dict.fromkeys(text, "string")
    frame = pd.read_csv(path, sep=separator, low_memory=False, dtype=kinds, dtype_backend="numpy_nullable")
    if not isinstance(frame.index, pd.RangeIndex):  # pandas would shift every column by one
        raise DataError(f"{path}: the rows have more fields than the header ({len(names)})")
    return frame


def _separator(head: str) -> str:
    try:
        return csv.Sniffer().sniff(head, delimiters=",;\t|").delimiter
    except csv.Error:
        return ","


def _read_arff(path: Path) -> pd.DataFrame:
    from scipy.io import arff

    rows, _ = arff.loadarff(path)
    frame = pd.DataFrame(rows)
    for name in frame.select_dtypes(object).columns:
        text = frame[name].str.decode("utf-8")
        frame[name] = text.where(text != "?")
    return frame
