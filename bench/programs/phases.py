"""One function on ints, then on floats, then on ints again: each kind has its own compiled version."""


def relax(x, step, n):
    total = x - x
    for _ in range(n):
        if total > 1000:
            total = total - 999
        total = total * 1 + step
    return total


def mix(x, y):
    return x * y + x - y


def phase(x, step, n):
    total = x - x
    for _ in range(n):
        total = total + mix(x, step)
    return total + relax(x, step, 2 * n)


def run(n):
    total = phase(3, 7, n)
    total += phase(3.0, 7.5, n)
    return total + phase(3, 7, n)


GROUP = "numeric"
SIZE = 500000
EXPECTED = 26002519.0


if __name__ == "__main__":
    assert run(SIZE) == EXPECTED
    print("ok")
