"""Converts a book in a plain text format to LaTeX, with regular expressions and string methods.

    python text2latex.py [--size small|large] [--mode plain|jit|bind] [--show]

The book is made by the program itself; the large one is twelve times the small one. A program like
this spends its time inside the interpreter's own C code, where no compiler of Python can help: the
question is whether one harms. The modes compare plain Python, jit() and bind(main).

The result's size and checksum go to stdout, with --show the LaTeX itself; the time to stderr.
"""

import argparse
import re
import sys
import time
import zlib

SMALL = 240  # chapters
SIZES = {"small": SMALL, "large": 12 * SMALL}

STRONG = re.compile(r"\*([^*\s][^*]*)\*")
EMPHASIS = re.compile(r"(?<!\w)_([^_]+)_(?!\w)")
CODE = re.compile(r"`([^`]+)`")
QUOTED = re.compile(r'"([^"]*)"')
LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")
HEADING = re.compile(r"^(=+)\s+(.*?)\s*=*$")
ITEM = re.compile(r"^(\s*)[-+]\s+(.*)$")
NUMBERED = re.compile(r"^\s*\d+\.\s+(.*)$")
FOOTNOTE = re.compile(r"\(\(([^()]*)\)\)")
SPECIAL = str.maketrans({
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
})
LEVELS = ["chapter", "section", "subsection"]


def inline(text):
    """The mark-up within a line."""
    text = text.translate(SPECIAL)
    text = CODE.sub(lambda m: r"\texttt{" + m.group(1).replace("_", r"\_") + "}", text)
    text = STRONG.sub(r"\\textbf{\1}", text)
    text = EMPHASIS.sub(r"\\emph{\1}", text)
    text = QUOTED.sub(r"``\1''", text)
    text = LINK.sub(r"\\href{\2}{\1}", text)
    text = FOOTNOTE.sub(r"\\footnote{\1}", text)
    return text.replace(" -- ", "---").replace("...", r"\ldots{}")


def label(title):
    """A name for cross references."""
    words = [word for word in title.lower().split() if word.isalnum()]
    return "-".join(words[:4])


def convert(text):
    """The LaTeX of a whole book, line by line."""
    out = []
    environment = ""

    def switch(wanted):
        nonlocal environment
        if environment == wanted:
            return
        if environment:
            out.append("\\end{" + environment + "}")
        if wanted:
            out.append("\\begin{" + wanted + "}")
        environment = wanted

    for line in text.splitlines():
        line = line.rstrip()
        if not line:
            switch("")
            out.append("")
            continue
        if line.startswith("    ") and environment in ("", "verbatim"):
            switch("verbatim")
            out.append(line[4:])
            continue
        heading = HEADING.match(line)
        if heading:
            switch("")
            level = LEVELS[min(len(heading.group(1)), len(LEVELS)) - 1]
            title = heading.group(2)
            out.append("\\" + level + "{" + inline(title) + "}\\label{" + label(title) + "}")
            continue
        item = ITEM.match(line)
        if item:
            switch("itemize")
            out.append("  \\item " + inline(item.group(2)))
            continue
        numbered = NUMBERED.match(line)
        if numbered:
            switch("enumerate")
            out.append("  \\item " + inline(numbered.group(1)))
            continue
        switch("")
        out.append(inline(line))
    switch("")
    return "\n".join(out) + "\n"


def make_book(chapters):
    """A book with some of everything."""
    lines = []
    for n in range(chapters):
        lines += [f"= Chapter {n} & what it is about =", ""]
        for part in range(4):
            lines += [f"== Part {part} of {n} ==", ""]
            for sentence in range(6):
                lines.append(f'The *quick* fox #{sentence} said "go on" -- for {n}% of ${part}...')
                lines.append("Then _every one_ of them went ~home without a word ((none spoke)),")
                lines.append(f"as is told in [the annex](annex-{n}.html) and `some_code_{part}`.")
            lines.append("")
            lines += [f" - point *{point}* of the list, see `item[{point}]`" for point in range(5)]
            lines.append("")
            lines += [f"    verbatim {{line}} {line} with _all_ signs & kept" for line in range(3)]
            lines.append("")
            lines += [f"{step + 1}. step {step} takes {step * 5}% longer" for step in range(4)]
            lines.append("")
    return "\n".join(lines)


def main(chapters):
    return convert(make_book(chapters))


def use_psyco(mode):
    if mode == "plain":
        return
    import psyco

    if mode == "jit":
        psyco.jit()
    else:
        psyco.bind(main)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--mode", choices=["plain", "jit", "bind"], default="plain")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    use_psyco(options.mode)
    start = time.perf_counter()
    latex = main(SIZES[options.size])
    seconds = time.perf_counter() - start
    if options.show:
        sys.stdout.write(latex)
    print(f"{latex.count(chr(10))} lines, {len(latex)} characters, "
          f"checksum {zlib.crc32(latex.encode()):08x}")
    print(f"{options.size}, {options.mode}: {seconds:.3f} s", file=sys.stderr)
