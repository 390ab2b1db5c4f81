"""Parquet by ranges of customers: only row groups that can hold them, each decoded once on a walk through a book."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from configs.errors import DataError
from features.ranges import ALL, Range

_WHOLE_GROUPS = 2**30  # rows a batch: one for each row group, so that its dictionary stands once
_NULLABLE = {kind: pd.Int64Dtype() for kind in (pa.int64(), pa.int32())}.get  # a gap must not make ids floats
_Group = tuple[str, int, int, int]


@dataclass(slots=True)
class LastGroup:
    """The row group a range ended in: the next range of a walk through the book begins with its rest."""

    group: _Group | None = None
    table: pa.Table | None = field(default=None, repr=False)


def read_parquet(path: Path, customers: Range = ALL, last: LastGroup | None = None) -> pd.DataFrame:
    """The rows of a parquet file or folder about these customers, text as categories.

    Only the row groups are decoded whose statistics say they can hold one of them; `last` spares the one that the range
    before this ended in. Raises DataError where the file cannot be read.
    """
    try:
        data = _dataset(path)
        if customers == ALL or "customer_id" not in data.schema.names:
            table = data.to_table(batch_size=_WHOLE_GROUPS)
        else:
            table = _within(data, customers, last or LastGroup())
        return table.to_pandas(
            strings_to_categorical=True,
            date_as_object=False,
            split_blocks=True,
            self_destruct=True,
            types_mapper=_NULLABLE,
        )
    except (ValueError, OSError, NotImplementedError) as error:  # pyarrow's errors are of these kinds
        raise DataError(f"{path}: not readable as parquet: {error}") from None


def customer_ids(path: Path) -> np.ndarray:
    """The distinct ids of a parquet file or folder, as text, in no order; only that column is read."""
    try:
        data = _dataset(path)
        if "customer_id" not in data.schema.names:
            return np.empty(0, object)
        column = data.to_table(columns=["customer_id"], batch_size=_WHOLE_GROUPS).column(0)
        if pa.types.is_dictionary(column.type):
            column = pa.chunked_array([chunk.dictionary for chunk in column.chunks], column.type.value_type)
    except (ValueError, OSError, NotImplementedError) as error:
        raise DataError(f"{path}: not readable as parquet: {error}") from None
    return column.unique().cast(pa.string()).drop_null().to_numpy(zero_copy_only=False).astype(object)


def _dataset(path: Path) -> arrow_dataset.FileSystemDataset:
    """The file or folder, its text columns decoded as dictionaries: the codes are all that is used of most rows."""
    schema = arrow_dataset.dataset(path, format="parquet").schema
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    return arrow_dataset.dataset(path, format=arrow_dataset.ParquetFileFormat(dictionary_columns=texts))


def _within(data: arrow_dataset.FileSystemDataset, customers: Range, last: LastGroup) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    for fragment in data.get_fragments():
        for number in _row_groups(fragment, customers):
            table = _decoded(data, fragment, number, last)
            batches += [_held(batch, customers) for batch in table.to_batches()]
    return pa.Table.from_batches(batches, data.schema)


def _decoded(
    data: arrow_dataset.FileSystemDataset, fragment: arrow_dataset.ParquetFileFragment, number: int, last: LastGroup
) -> pa.Table:
    file = Path(fragment.path).stat()
    group = (fragment.path, number, file.st_mtime_ns, file.st_size)
    if last.group != group or last.table is None:
        subset = fragment.subset(row_group_ids=[number])
        last.table = subset.to_table(schema=data.schema, batch_size=_WHOLE_GROUPS)
        last.group = group
    return last.table


def _row_groups(fragment: arrow_dataset.ParquetFileFragment, customers: Range) -> list[int]:
    """The numbers of the fragment's row groups that can hold one of the customers."""
    metadata = fragment.metadata
    numbers = list(range(metadata.num_row_groups))
    leaves = [metadata.schema.column(leaf).path for leaf in range(metadata.num_columns)]
    if "customer_id" not in leaves:
        return numbers
    place = leaves.index("customer_id")
    return [number for number in numbers if _can_hold(metadata.row_group(number).column(place).statistics, customers)]


def _can_hold(ids: Any, customers: Range) -> bool:
    """True unless the statistics of a row group's ids prove otherwise."""
    if ids is None or not ids.has_min_max or not isinstance(ids.min, str) or not ids.has_null_count:
        return True
    if customers.low is None and ids.null_count:
        return True  # rows without an id go with the lowest
    above = customers.low is None or ids.max >= customers.low
    return bool(above and (customers.high is None or ids.min < customers.high))


def _held(batch: pa.RecordBatch, customers: Range) -> pa.RecordBatch:
    """The rows of a batch about these customers; of a file in the order of its ids they are a slice, not a copy."""
    column = batch.column("customer_id")
    ids = column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()
    among = pc.greater_equal(ids.dictionary, customers.low or "")
    if customers.high is not None:
        among = pc.and_(among, pc.less(ids.dictionary, customers.high))
    within = pc.take(among, ids.indices).fill_null(customers.low is None)  # null: no id
    rows = np.flatnonzero(within.to_numpy(zero_copy_only=False))
    if not len(rows) or rows[-1] - rows[0] + 1 != len(rows):
        return batch.take(pa.array(rows))
    held = batch.slice(rows[0], len(rows))
    if ids is not column:
        return held
    place = batch.schema.get_field_index("customer_id")
    return held.set_column(place, batch.schema.field(place), _without_unused(held.column(place)))


def _without_unused(texts: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same texts without the words before the first and after the last that is used."""
    used = pc.min_max(texts.indices)
    if not used["min"].is_valid:
        return texts
    words = texts.dictionary.slice(used["min"].as_py(), used["max"].as_py() - used["min"].as_py() + 1)
    return pa.DictionaryArray.from_arrays(pc.subtract(texts.indices, used["min"]), words)
