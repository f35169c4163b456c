"""Arbitrary precision with mpmath's Python back end."""

import os

os.environ["MPMATH_NOGMPY"] = "1"
import mpmath

from support import main


def run(n):
    """n rounds at 50 digits; the last digits of a sum."""
    mpmath.mp.dps = 50
    total = mpmath.mpf(0)
    for i in range(1, n + 1):
        total += mpmath.zeta(2 + i % 5) + mpmath.sin(i) * mpmath.exp(-mpmath.mpf(i) / 7)
        total += mpmath.quad(lambda t: t**2 * mpmath.cos(t), [0, 1]) if i % 10 == 0 else 0
        total += mpmath.gamma(mpmath.mpf(i % 20 + 1) / 3)
    return mpmath.nstr(total, 30)


main(run)
