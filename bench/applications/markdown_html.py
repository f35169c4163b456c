"""Markdown to HTML by markdown."""

import markdown
from inputs import markdown_text

from support import main


def run(n):
    """Convert n documents; characters."""
    def convert(text):
        return markdown.markdown(text, extensions=["tables", "fenced_code"])

    return sum(len(convert(markdown_text(8, i))) for i in range(n))


main(run)
