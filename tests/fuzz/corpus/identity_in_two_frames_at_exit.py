# Difference: a tuple not built yet that the frames of caller and callee name was built twice at an exit.


def show(tag, value):
    print(tag, repr(value))


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


def callee(a, x, big):
    y = x + big
    return y, a


def two_frames(limit, big):
    x = 1
    for i in range(limit):
        t = (i, limit)
        x, a = callee(t, x, big)
        if a is not t:
            return "another", i
    return "the same"


def main():
    for i in range(4):
        attempt(f"small.{i}", two_frames, 300, 1)
    for i in range(4):
        attempt(f"big.{i}", two_frames, 300, 2**62 // 100)
