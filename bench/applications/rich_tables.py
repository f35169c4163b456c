"""Tables, markup and syntax highlighting of rich, to a string."""

import io

from inputs import markdown_text
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from support import main


def run(n):
    """n tables; characters written."""
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system="truecolor")
    for i in range(n):
        table = Table(title=f"Table {i}", show_lines=bool(i % 2))
        for name in ("name", "value", "text"):
            table.add_column(name, style="cyan" if name == "name" else "")
        for k in range(12):
            table.add_row(f"[bold]row {k}[/bold]", str(k * i), "some longer text that wraps " * 2)
        console.print(table)
        if i % 8 == 0:
            console.print(Markdown(markdown_text(1, i), hyperlinks=False))
    return len(out.getvalue())


main(run)
