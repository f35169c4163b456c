"""Templates of Jinja2: compiled, then rendered, with filters, macros and inheritance."""

from jinja2 import DictLoader, Environment

from support import main

TEMPLATES = {
    "base": "<html>{% block head %}{{ title }}{% endblock %}{% block body %}{% endblock %}</html>",
    "page": """{% extends "base" %}{% macro cell(x, k="a") %}<td class="{{ k }}">{{ x|e }}</td>{% endmacro %}
{% block body %}<table>{% for row in rows %}<tr>{% for c in row.cells if c is not none %}
{{ cell(c, k=loop.cycle("a", "b")) }}{% else %}<td/>{% endfor %}
<td>{{ row.name|upper|replace("A", "b") }} {{ "%.2f"|format(row.total) }}</td></tr>{% endfor %}</table>
{% set ns = namespace(n=0) %}{% for r in rows %}{% set ns.n = ns.n + r.total %}{% endfor %}{{ ns.n }}{% endblock %}""",
}


def run(n):
    """Render n pages; characters."""
    total = 0
    for i in range(n):
        if i % 100 == 0:
            environment = Environment(loader=DictLoader(TEMPLATES), autoescape=True)
        rows = [{"name": f"name{k}", "cells": [k, None, f"<{k}>", k * i], "total": k / 3} for k in range(20)]
        total += len(environment.get_template("page").render(title="t", rows=rows))
    return total


main(run)
