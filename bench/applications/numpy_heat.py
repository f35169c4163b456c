"""Heat in a plate with numpy: many small array operations from a Python loop."""

import numpy as np

from support import main


def step(grid, k):
    inner = grid[1:-1, 1:-1]
    change = grid[:-2, 1:-1] + grid[2:, 1:-1] + grid[1:-1, :-2] + grid[1:-1, 2:] - 4 * inner
    inner += k * change
    return float(np.abs(change).max())


def run(n):
    """n plates until they change little; steps."""
    total = 0
    for i in range(n):
        grid = np.zeros((24, 24))
        grid[0, :] = 100 + i
        for _ in range(400):
            total += 1
            if step(grid, 0.2) < 0.05:
                break
    return total, round(float(grid.sum()), 6)


main(run)
