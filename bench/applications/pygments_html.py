"""Source code highlighted by Pygments."""

from inputs import html_text, python_source
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import HtmlLexer, PythonLexer

from support import main


def run(n):
    """Highlight n pairs of texts; characters."""
    formatter, total = HtmlFormatter(linenos="table"), 0
    for i in range(n):
        total += len(highlight(python_source(15, i), PythonLexer(), formatter))
        total += len(highlight(html_text(10, i), HtmlLexer(), formatter))
    return total


main(run)
