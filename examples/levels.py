"""Three small functions to look at: what stays, and on which level, when they are compiled.

    python levels.py                 just the results
    python levels.py --explain       also psyco's account of the machine code, on stderr

constants()  is known at compile time: nothing is left but the answer.
multiples()  multiplies by a number that is a constant to the compiler, counts without an iterator
             object, and makes an int object only for what the list keeps.
average()    keeps an int and a float unboxed through a loop, and boxes one float at the end.
"""

import os
import sys


def constants():
    return 15 * 14 + 13 - 12 / 11


def multiples():
    x = 5
    l = []  # noqa: E741 (the textbook's own name)
    for i in range(1000):
        l.append(x * i)
    return l


def average(n):
    total = 0.0
    i = 0
    while i < n:
        total = total + i * 0.5
        i = i + 1
    return total / n


def main():
    for _ in range(200):
        results = constants(), multiples(), average(1000)
    print(results[0])
    print(len(results[1]), sum(results[1]), results[1][:5], results[1][-1])
    print(results[2])
    if "--explain" in sys.argv[1:]:
        os.environ.setdefault("PSYCO_DEBUG", "listings")  # read when psyco is imported
        import psyco

        for function in (constants, multiples, average):
            psyco.bind(function)
            function(*([1000] if function is average else []))
            print(psyco.explain(function, asm=True), file=sys.stderr)


if __name__ == "__main__":
    main()
