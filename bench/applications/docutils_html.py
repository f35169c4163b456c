"""reStructuredText to HTML by docutils."""

from docutils.core import publish_string
from inputs import paragraphs

from support import main


def document(sections, seed):
    out = []
    for number, text in enumerate(paragraphs(sections, seed)):
        title = f"Section {number}"
        out.append(f"{title}\n{'=' * len(title)}\n\n*Some* **text** ``code`` `link <http://x.org/{number}>`_.\n\n{text}\n")
        out.append("- one\n- two\n\n  - three\n\n1. first\n2. second\n")
        out.append("=====  =====\nA      B\n=====  =====\n1      2\n3      4\n=====  =====\n")
        out.append(".. note:: " + text[:60] + "\n")
    return "\n".join(out)


def run(n):
    """Convert n documents; bytes."""
    settings = {"report_level": 5, "datestamp": None, "generator": False}
    return sum(len(publish_string(document(12, i), writer="html5", settings_overrides=settings)) for i in range(n))


main(run)
