"""A JSON and a calculator grammar of lark, LALR and Earley."""

from lark import Lark, Transformer

from support import main

JSON = r"""
?start: value
?value: object | array | ESCAPED_STRING -> string | SIGNED_NUMBER -> number | "true" -> true | "null" -> null
array: "[" [value ("," value)*] "]"
object: "{" [pair ("," pair)*] "}"
pair: ESCAPED_STRING ":" value
%import common.ESCAPED_STRING
%import common.SIGNED_NUMBER
%import common.WS
%ignore WS
"""


class ToPython(Transformer):
    array = list
    object = dict
    pair = tuple

    def string(self, s):
        return s[0][1:-1]

    def number(self, s):
        return float(s[0])

    true = lambda self, _: True  # noqa: E731
    null = lambda self, _: None  # noqa: E731


def run(n):
    """Parse n texts twice; a checksum."""
    lalr = Lark(JSON, parser="lalr")
    earley = Lark(JSON, parser="earley")
    total = 0
    for i in range(n):
        text = "[" + ", ".join(f'{{"k{k}": [{k}, {k * i}.5, null, true], "s": "x"}}' for k in range(20)) + "]"
        total += sum(len(each) for each in ToPython().transform(lalr.parse(text)))
        if i % 10 == 0:
            total += len(earley.parse(text[:120].rpartition("}")[0] + "}]").children)
    return total


main(run)
