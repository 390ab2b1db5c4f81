"""One file to one frame: parquet, CSV with any usual separator, ARFF; a clear error where it cannot be read."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from configs.errors import CreditloopError, DataError


def read_file(path: Path) -> pd.DataFrame:
    """One parquet, CSV (any usual separator) or ARFF file as a frame; DataError where it cannot be read."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; expected a header line and rows")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".arff":
            return _read_arff(path)
        return pd.read_csv(path, sep=_separator(path), low_memory=False, dtype_backend="numpy_nullable")
    except CreditloopError:
        raise
    except (ValueError, OSError, NotImplementedError, StopIteration) as error:  # pandas, pyarrow and scipy
        raise DataError(f"{path}: not readable as {path.suffix.lstrip('.') or 'CSV'}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return str(error) or "it ends too early"


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace", newline="") as lines:
        head = lines.readline()
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
