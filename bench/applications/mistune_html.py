"""Markdown to HTML by mistune."""

import mistune
from inputs import markdown_text

from support import main


def run(n):
    """Convert n documents; characters."""
    convert = mistune.create_markdown(plugins=["table", "strikethrough"])
    return sum(len(convert(markdown_text(8, i))) for i in range(n))


main(run)
