"""A small manual built by Sphinx with autodoc."""

import pathlib
import tempfile

from inputs import paragraphs, python_source
from sphinx.application import Sphinx

from support import main


def run(n):
    """Build a manual of n pages; pages written."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "source")
        source.mkdir()
        source.joinpath("conf.py").write_text("project = 'made'\nextensions = []\nhtml_theme = 'basic'\n")
        pages = "".join(f"   page{k}\n" for k in range(n))
        source.joinpath("index.rst").write_text(f"Index\n=====\n\n.. toctree::\n\n{pages}")
        for k in range(n):
            body = "\n\n".join(paragraphs(6, k))
            code = "\n".join("   " + line for line in python_source(2, k).splitlines())
            source.joinpath(f"page{k}.rst").write_text(
                f"Page {k}\n======\n\n{body}\n\n.. code-block:: python\n\n{code}\n\n"
                f".. py:function:: f{k}(a, b=1)\n\n   :param a: one\n   :returns: :py:func:`f{k - 1}`\n")
        app = Sphinx(source, source, f"{folder}/out", f"{folder}/doctrees", "html", status=None, warning=None)
        app.build()
        return len(list(pathlib.Path(folder, "out").glob("*.html")))


main(run)
