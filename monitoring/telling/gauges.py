"""What a run found as Prometheus gauges, in a file that node_exporter's textfile collector reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from configs.whole import whole


@dataclass(frozen=True, slots=True)
class Gauge:
    """One measured value: its name without prefix, what it means, labels and value."""

    name: str
    meaning: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def exposition(gauges: Iterable[Gauge]) -> str:
    """The text format of Prometheus (version 0.0.4): HELP and TYPE once for each name, then its samples together."""
    by_name: dict[str, list[Gauge]] = {}
    for gauge in gauges:
        by_name.setdefault(gauge.name, []).append(gauge)
    lines = []
    for name, samples in by_name.items():
        lines += [f"# HELP creditloop_{name} {_escaped(samples[0].meaning, False)}", f"# TYPE creditloop_{name} gauge"]
        lines += [f"creditloop_{name}{_labels(one.labels)} {_number(one.value)}" for one in samples]
    return "\n".join(lines) + "\n"


def write(gauges: Iterable[Gauge], path: Path) -> None:
    """Write the file whole: the collector may read at any moment."""
    with whole(path) as unfinished:
        unfinished.write_text(exposition(gauges), encoding="utf-8")


def _labels(labels: Mapping[str, str]) -> str:
    told = ",".join(f'{name}="{_escaped(value, True)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(text: str, quoted: bool) -> str:
    plain = text.replace("\\", r"\\").replace("\n", r"\n")
    return plain.replace('"', r"\"") if quoted else plain


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(float(value))
