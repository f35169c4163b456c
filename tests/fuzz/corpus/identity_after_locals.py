# Difference: a number on the operand stack was made again after locals() had been read.


def show(tag, value):
    print(tag, repr(value))


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


def read(n):
    x = n * 3.5
    r = (x, len(locals()), x)
    return r[0] is x, r[2] is x, r[0] is r[2]


def main():
    for i in range(6):
        attempt(f"read.{i}", read, i)
