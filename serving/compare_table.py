"""A comparison of two policies as text: what differs, then before, after and change side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.compare import Comparison, Outcome, Swap

_DECISIONS = ("approve", "refer", "decline")
_KEY = 34
_SWAP_WIDTHS = (8, 9, 15, 15, 13, 13)


def told_differences(differences: Sequence[tuple[str, Any, Any]]) -> str:
    """One line for each key that differs."""
    if not differences:
        return "the two say the same"
    return "\n".join(f"{key:<{_KEY}} {_value(old)} -> {_value(new)}" for key, old, new in differences)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(name if isinstance(part, dict) else f"{name} {part}" for name, part in value.items())
    return "(not said)" if value is None else str(value)


def table(comparison: Comparison, currency: str) -> str:
    """Decisions, limits and losses under both; who moves; the swap sets."""
    before, after = comparison.before, comparison.after
    lines = [f"{comparison.cases:,} recorded decisions, decided anew under both", _row("", "before", "after", "change")]
    lines += [_numbers(name, before.decisions[name], after.decisions[name], ",.0f") for name in _DECISIONS]
    was, will_be = (one.decisions["approve"] / max(comparison.cases, 1) for one in (before, after))
    lines += [
        _numbers("approval rate", was, will_be, ".2%"),
        _numbers(f"limits approved, {currency}", before.limits, after.limits, ",.0f"),
        _numbers(f"expected loss, {currency}", before.expected_loss, after.expected_loss, ",.0f"),
        _numbers("expected loss / limits", before.expected_loss_rate, after.expected_loss_rate, ".3%"),
        _numbers("mean rate, by limit", before.rate, after.rate, ".3%"),
        "",
        _row("what bound the limit", "before", "after", "change"),
        *_binding(before, after),
        "",
        _row("before \\ after", *_DECISIONS),
        *(_row(old, *(f"{comparison.moves[old][new]:,}" for new in _DECISIONS)) for old in _DECISIONS),
        "",
        _swap_row("approved", "count", "mean PD", "limits before", "after", "loss before", "after"),
        _swap("only after (swapped in)", comparison.swapped_in),
        _swap("only before (swapped out)", comparison.swapped_out),
        _swap("both times", comparison.kept),
        f"  of these {comparison.limits_raised:,} with a higher limit, {comparison.limits_lowered:,} with a lower",
    ]
    return "\n".join(lines)


def _binding(before: Outcome, after: Outcome) -> list[str]:
    old, new = before.binding_constraints, after.binding_constraints
    return [_numbers(name, old.get(name, 0), new.get(name, 0), ",.0f") for name in {**old, **new}]


def _row(name: str, *cells: str) -> str:
    return f"{name:<26}" + "".join(f" {cell:>15}" for cell in cells)


def _numbers(name: str, before: float | None, after: float | None, form: str) -> str:
    change = "-" if before is None or after is None else f"{after - before:+{form}}"
    return _row(name, *("-" if value is None else f"{value:{form}}" for value in (before, after)), change)


def _swap(name: str, swap: Swap) -> str:
    mean = "-" if swap.mean_default_probability is None else f"{swap.mean_default_probability:.2%}"
    money = (swap.limits_before, swap.limits_after, swap.expected_loss_before, swap.expected_loss_after)
    return _swap_row(name, f"{swap.count:,}", mean, *(f"{amount:,.0f}" for amount in money))


def _swap_row(name: str, *cells: str) -> str:
    return f"{name:<26}" + "".join(f" {cell:>{width}}" for cell, width in zip(cells, _SWAP_WIDTHS, strict=True))
