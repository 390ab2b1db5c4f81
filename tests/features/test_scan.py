"""The compiled scans: what they call sound is what the rules, said one by one, call sound."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from features import scan
from features.contracts import NEVER

FLOATS = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -0.0, 1.0, 0.5, 5.0, np.nan])
DAYS = st.integers(-40_000, 40_000) | st.sampled_from([-30_000, 30_000])


@settings(deadline=None)  # the first call compiles
@given(values=arrays.arrays(np.float64, st.integers(0, 8), elements=FLOATS), whole=st.booleans())
def test_numbers_are_sound_where_each_is_missing_or_within_its_bounds(values: np.ndarray, whole: bool) -> None:
    out = np.empty(len(values))
    sound, missing = scan.numbers(values, 0.0, 5.0, whole, out)
    there = values[~np.isnan(values)]
    within = (there >= 0) & (there <= 5) & (~np.isinf(there)) & (not whole or there == np.floor(there))
    assert (sound, missing) == (bool(np.all(within)), len(there) < len(values))
    np.testing.assert_array_equal(out, values)
    assert not np.signbit(out[out == 0]).any()


@settings(deadline=None)
@given(days=st.lists(st.none() | DAYS, max_size=8), unit=st.sampled_from(["s", "ms", "us", "ns"]))
def test_days_are_those_numpy_finds(days: list[int | None], unit: str) -> None:
    each = int(np.timedelta64(1, "D") / np.timedelta64(1, unit))
    late = [np.datetime64("NaT", unit) if day is None else np.datetime64(day * each + each - 1, unit) for day in days]
    out = np.empty(len(days), np.int32)
    moments = np.array(late, f"datetime64[{unit}]").view(np.int64)
    sound, missing = scan.days(moments, each, -30_000, 30_000, out)
    there = [day for day in days if day is not None]
    assert (sound, missing) == (all(-30_000 <= day <= 30_000 for day in there), None in days)
    if sound:
        assert out.tolist() == [int(NEVER) if day is None else day for day in days]
