# Difference: a tuple not built yet that another one holds was built twice at an exit.


def show(tag, value):
    print(tag, repr(value))


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


def nested(limit, big):
    x = 1
    for i in range(limit):
        t = (i, limit)
        u = (t, 1)
        x = x + big
        if u[0] is not t:
            return "another", i
    return "the same"


def main():
    for i in range(4):
        attempt(f"small.{i}", nested, 300, 1)
    for i in range(4):
        attempt(f"big.{i}", nested, 300, 2**62 // 100)
