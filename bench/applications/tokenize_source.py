"""tokenize and ast over made modules."""

import ast
import io
import tokenize

from inputs import python_source

from support import main


class Names(ast.NodeVisitor):
    def __init__(self):
        self.found = {}

    def visit_Name(self, node):
        self.found[node.id] = self.found.get(node.id, 0) + 1
        self.generic_visit(node)


def run(n):
    """Read n modules; tokens and names."""
    total = 0
    for i in range(n):
        source = python_source(20, i)
        total += sum(token.type for token in tokenize.generate_tokens(io.StringIO(source).readline))
        names = Names()
        names.visit(ast.parse(source))
        total += sum(names.found.values()) + len(ast.unparse(ast.parse(source)))
    return total


main(run)
