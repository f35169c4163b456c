"""Functions of C that run no Python code: called without a frame for anybody to see."""

import pytest
from differential import check

CASES = {
    "predicates": ("""
def f(text):
    n = 0
    for i in range(len(text)):
        c = text[i]
        if c.isdigit(): n += 1
        elif c.isspace() and not c.isupper(): n += 10
        elif c.isalpha() or c.isalnum(): n += 100
        n += c.isascii()
    return n, text.startswith('a'), text.startswith(('b', 'a1')), text.endswith('z', 2)
class S(str):
    def isdigit(self): return 'mine'
    def startswith(self, *a): return a
""", ["f('a1 B2\\xe9z')", "f('')", "f(S('a12'))", "f(b'a1')", "f(['a', '1'])"]),
    "results": ("""
def f(s, t, n):
    parts = s.split(t)
    first, sep, rest = s.partition(t)
    return (parts[0].upper() + sep * n, len(rest), t.join(parts), s.find(t) + s.count(t),
            s.replace(t, 'xyz', n), s.strip(t)[::-1], s.center(n * 9), s.zfill(n), parts.copy())
def g(words):
    out = {}
    for w in words:
        w = w.lower().strip('.,')
        out[w] = out.get(w, 0) + 1
    return [(k, v) for k, v in out.items()], list(out.keys()), sorted(out.values())
""", ["f('a-b-c', '-', 2)", "f('abc', '', 2)", "f('abc', None, 2)", "f('a b', ' ', 1.5)", "f('', 'x', 0)",
      "g('It is, it was. IT is'.split())", "g(['a', 3])"]),
    "errors": ("""
def index(s, t):
    return s.index(t)
def f(s, t):
    try:
        return index(s, t)
    except ValueError as e:
        return str(e)
def h(x):
    return x.bit_length() + x.bit_count()
def o(c):
    return ord(c), chr(ord(c) + 1), hex(ord(c))
def many(n):
    return [index('abcdefgh', c) for c in 'aceg' * n + 'z']
""", ["f('abc', 'c')", "f('abc', 'z')", "index('abc', 'z')", "index('abc', 3)", "f('abc', [])", "h(255)",
      "h(-2**70)", "h(True)", "h(1.5)", "o('a')", "o('ab')", "o('\\U0010ffff')", "o(7)", "many(30)"]),
    "lists": ("""
class Loud:
    def __init__(self, log, name): self.log, self.name = log, name
    def __del__(self): self.log.append(self.name)
def f(n):
    log = []
    items = [Loud(log, i) for i in range(n)]
    other = items.copy()
    items.reverse()
    x = items[0]
    items.pop()
    log.append('popped')
    other.pop(0)
    log.append('both')
    y = items.pop(0).name
    other.pop()
    log.append('kept')
    x = None
    log.append(len(items))
    return log, y, len(other)
def g(items, i):
    x = items[i]
    items.pop(i)
    items.pop(i)
    return x, items
""", ["f(5)", "f(3)", "f(1)", "g([[1], [2], [3]], 1)", "g([[1], [2], [3]], 2)", "g([[1.5]] * 4, True)"]),
}


@pytest.mark.parametrize("name", CASES, ids=list(CASES))
def test_case(name):
    source, calls = CASES[name]
    check(source, calls)
