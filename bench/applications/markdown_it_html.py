"""Markdown to HTML by markdown-it-py."""

from inputs import markdown_text
from markdown_it import MarkdownIt

from support import main


def run(n):
    """Convert n documents; characters."""
    convert = MarkdownIt().enable("table").render
    return sum(len(convert(markdown_text(8, i))) for i in range(n))


main(run)
