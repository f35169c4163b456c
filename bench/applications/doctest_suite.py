"""doctest over made docstrings."""

import doctest

from support import main

EXAMPLE = '''
>>> x = [i * {n} for i in range(5)]
>>> x[1]
{n}
>>> sorted({{"b": 1, "a": 2}})
['a', 'b']
>>> def f(a, b=2):
...     return a + b
>>> f({n})
{m}
>>> 1 // 0
Traceback (most recent call last):
    ...
ZeroDivisionError: integer division or modulo by zero
'''


def run(n):
    """Run n docstrings; (failed, attempted)."""
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    for number in range(n):
        text = EXAMPLE.format(n=number, m=number + 2)
        runner.run(parser.get_doctest(text, {}, f"made{number}", "made.py", 0))
    return tuple(runner.summarize(verbose=False))


main(run)
