"""A small book whole, where reviews go part by part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from configs.settings import Grade
from monitoring.customers.reviewed import Reviewed, writing


def joined(parts: Iterable[Reviewed]) -> Reviewed:
    """Parts of a book, in order, as one."""
    found = list(parts)
    columns = {field.name: [getattr(part, field.name) for part in found] for field in fields(Reviewed)}
    return Reviewed(**{name: np.concatenate(values) for name, values in columns.items()})


def write(book: Reviewed, grades: Sequence[Grade], path: Path) -> None:
    """The file of a review, all at once."""
    with writing(grades, path) as keep:
        keep(book)
