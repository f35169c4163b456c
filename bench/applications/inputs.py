"""Texts and sources that the programs of this folder work on: made here, the same each time."""

from __future__ import annotations

import random

WORDS = ["time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state", "family", "student", "group", "country", "problem", "hand", "part", "place", "case", "week", "company", "system", "program", "question", "work", "government", "number", "night", "point", "home", "water", "room", "mother", "area", "money", "story", "fact", "month", "lot", "right", "study", "book", "eye"]


def words(count: int, seed: int = 1) -> list[str]:
    """So many words drawn at random."""
    chance = random.Random(seed)
    return [chance.choice(WORDS) for _ in range(count)]


def sentence(chance: random.Random) -> str:
    """One sentence of four to fourteen words."""
    chosen = [chance.choice(WORDS) for _ in range(chance.randint(4, 14))]
    return " ".join(chosen).capitalize() + "."


def paragraphs(count: int, seed: int = 1) -> list[str]:
    """So many paragraphs of sentences."""
    chance = random.Random(seed)
    return [" ".join(sentence(chance) for _ in range(chance.randint(2, 6))) for _ in range(count)]


def markdown_text(sections: int, seed: int = 1) -> str:
    """A document with headings, lists, code, tables, links and emphasis."""
    chance = random.Random(seed)
    out = []
    for number in range(sections):
        out.append(f"{'#' * chance.randint(1, 3)} Section {number} *{chance.choice(WORDS)}*\n")
        for text in paragraphs(2, number):
            first, _, rest = text.partition(" ")
            out.append(f"**{first}** {rest} See [the {first}](http://example.com/{number}).\n")
        out.append("\n".join(f"- item {k} with `code` and _{chance.choice(WORDS)}_"
                             for k in range(4)) + "\n")
        out.append("```python\nfor i in range(10):\n    print(i)\n```\n")
        out.append("| a | b |\n|---|---|\n" + "\n".join(f"| {k} | {k * k} |" for k in range(3)) + "\n")
        out.append("> " + sentence(chance) + "\n")
    return "\n".join(out)


def python_source(functions: int, seed: int = 1) -> str:
    """A module of functions and classes, as people write them."""
    chance = random.Random(seed)
    out = ['"""Made."""\n', "import os\nimport sys\n"]
    for number in range(functions):
        name, other = chance.choice(WORDS), chance.choice(WORDS)
        out.append(
            f"def {name}_{number}(self, a, b=1, *args, key=None, **kwargs):\n"
            f'    """{sentence(chance)}"""\n'
            f"    {other} = [x * {number} + b for x in range(a) if x % 2 == 0]\n"
            f"    for i, value in enumerate({other}):\n"
            f"        if value > 10 and key is not None or not args:\n"
            f"            kwargs['{other}'] = value ** 2 - (a + b) * 3.5\n"
            f"        elif isinstance(value, (int, float)):\n"
            f"            continue\n"
            f"        else:\n"
            f"            raise ValueError(f'bad {{value!r}}: {{i}}')\n"
            f"    with open('{name}.txt') as file:\n"
            f"        return {{'a': file.read(), 'b': {other}[1:-1], **kwargs}}\n"
        )
        if number % 5 == 0:
            out.append(
                f"class {name.title()}{number}(object):\n"
                f"    attribute = {number}\n"
                f"    def method(self, value: int) -> int:\n"
                f"        return self.attribute + value if value else -1\n"
            )
    return "\n".join(out)


def html_text(rows: int, seed: int = 1) -> str:
    """A page with a table, lists, attributes and entities."""
    chance = random.Random(seed)
    out = ["<!DOCTYPE html><html><head><title>Page &amp; more</title></head><body>"]
    for number in range(rows):
        out.append(f'<div class="row r{number % 7}" id="d{number}"><p>{sentence(chance)}</p>'
                   f'<a href="/x?a={number}&amp;b=2">{chance.choice(WORDS)}</a><br/>'
                   f"<ul><li>one &lt; two<li>{number}</ul><!-- comment {number} --></div>")
    out.append("</body></html>")
    return "\n".join(out)
