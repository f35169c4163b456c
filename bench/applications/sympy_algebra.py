"""Computer algebra: expansion, derivatives, simplification, solving."""

from sympy import cos, diff, expand, factor, integrate, sin, solve, symbols

from support import main


def run(n):
    """n rounds; characters of the results."""
    x, y = symbols("x y")
    total = 0
    for i in range(1, n + 1):
        total += len(str(expand((x + y + i) ** 6)))
        total += len(str(diff(sin(x * i) * cos(y) ** 3 / (x + 1), x)))
        total += len(str(factor(x**4 - i**2 * x**2 * y**2)))
        total += len(str(solve(x**2 - i * x + 1, x)))
        total += len(str(integrate(x**2 * sin(i * x), x))) if i % 4 == 0 else 0
    return total


main(run)
