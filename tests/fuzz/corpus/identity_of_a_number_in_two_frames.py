# Difference: a number that both caller and callee name became two objects before a native call.


def show(tag, value):
    print(tag, repr(value))


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


def deep(x, n):
    if n:
        return deep(x, n - 1)
    return x


def caller(n):
    x = n * 1000.5
    y = deep(x, 3)
    return y is x, y


def main():
    for i in range(6):
        attempt(f"caller.{i}", caller, i)
