"""The little statistics that the benchmark needs, free of assumptions about distributions."""

from __future__ import annotations

import math
from typing import NamedTuple, Sequence


class Interval(NamedTuple):
    """A median with the interval that holds the true one with at least 95 % confidence."""

    low: float
    median: float
    high: float


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The interval of the median from order statistics (the sign test turned around).

    The true median lies below the k-th smallest of n values with the probability of at most k - 1
    heads in n coin tosses, so the narrowest symmetric interval is found by counting. Fewer than
    six values cannot give 95 %: then it reaches to infinity.
    """
    ordered = sorted(values)
    n = len(ordered)
    if not n:
        raise ValueError("no values")
    outside, skip = 0.0, 0
    while skip < n // 2:
        more = outside + 2 * math.comb(n, skip) / 2**n
        if 1 - more < confidence:
            break
        outside, skip = more, skip + 1
    if skip == 0:
        return Interval(0.0, median(ordered), math.inf)
    return Interval(ordered[skip - 1], median(ordered), ordered[n - skip])


def geomean(values: Sequence[float]) -> float:
    """The geometric mean, the one that makes sense of ratios."""
    return math.exp(sum(map(math.log, values)) / len(values))
