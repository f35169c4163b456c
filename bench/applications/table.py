"""Real programs, whole processes: what to install, and how much work each is given.

Each row is a script beside this file. It gets its size as its only argument and prints a result
that must be the same plain and under psyco. `short` and `long` are chosen so that plain CPython 3.13
takes about 0.5 and 2 to 3 seconds, imports included.
"""

from __future__ import annotations

from typing import NamedTuple


class Application(NamedTuple):
    """One row: the script's name, the packages it needs, and its two sizes."""

    name: str
    packages: tuple[str, ...]
    short: int
    long: int


# All packages, what they depend on included, so that the same programs run next year.
PINNED = ["alabaster==1.0.0", "annotated-doc==0.0.7", "annotated-types==0.8.0", "anyio==4.16.0", "asgiref==3.13.0", "ast_serialize==0.13.1", "babel==2.19.0", "black==26.10.1", "blinker==1.9.0", "certifi==2026.10.19.post1", "charset-normalizer==3.5.3", "click==8.5.1", "Django==6.1.3", "docutils==0.23", "fastapi==0.165.0", "Flask==3.1.3", "h11==0.16.0", "httpcore==1.0.9", "httpx==0.28.1", "idna==3.20", "imagesize==2.0.1", "iniconfig==2.3.1", "itsdangerous==2.2.0", "Jinja2==3.1.6", "lark==1.3.1", "librt==0.17.0", "Markdown==3.11.3", "markdown-it-py==4.3.0", "MarkupSafe==3.0.4", "mdurl==0.1.2", "mistune==3.4.0", "mpmath==1.3.0", "mypy==2.4.1", "mypy_extensions==1.2.0", "networkx==3.7", "numpy==2.5.5", "opentelemetry-api==1.45.2", "packaging==26.4", "pathspec==1.1.1", "platformdirs==4.14.9", "pluggy==1.7.0", "pycparser==3.12", "pydantic==2.14.4", "pydantic_core==2.50.5", "Pygments==2.21.0", "pytest==9.2.0", "pytokens==0.4.1", "PyYAML==6.0.4", "requests==2.34.2", "rich==15.0.0", "roman-numerals==4.1.0", "snowballstemmer==3.1.1", "Sphinx==9.2.0", "sphinxcontrib-applehelp==2.0.0", "sphinxcontrib-devhelp==2.0.0", "sphinxcontrib-htmlhelp==2.1.0", "sphinxcontrib-jsmath==2.0.0", "sphinxcontrib-qthelp==2.0.0", "sphinxcontrib-serializinghtml==2.0.0", "SQLAlchemy==2.1.9", "sqlparse==0.6.1", "starlette==1.10.0", "sympy==1.14.0", "typing-inspection==0.4.5", "typing_extensions==4.16.0", "urllib3==2.8.0", "Werkzeug==3.1.9"]

# Their wheels hold compiled code; what is measured here is their Python.
FROM_SOURCE = ("black", "mypy")

APPLICATIONS = [
    Application("asyncio_echo", (), 1000, 5000),
    Application("black_format", ("black",), 2, 14),
    Application("difflib_compare", (), 250, 1200),
    Application("django_requests", ("django",), 80, 800),
    Application("docutils_html", ("docutils",), 8, 50),
    Application("doctest_suite", (), 500, 2500),
    Application("fastapi_requests", ("fastapi", "httpx"), 20, 800),
    Application("flask_requests", ("flask",), 120, 900),
    Application("html_csv", (), 160, 800),
    Application("jinja2_templates", ("jinja2",), 350, 2000),
    Application("json_pure", (), 1200, 6000),
    Application("lark_parse", ("lark",), 100, 600),
    Application("markdown_html", ("markdown",), 25, 160),
    Application("markdown_it_html", ("markdown-it-py",), 60, 300),
    Application("mistune_html", ("mistune",), 50, 260),
    Application("mpmath_numbers", ("mpmath",), 1000, 5000),
    Application("mypy_check", ("mypy",), 1, 100),
    Application("networkx_graphs", ("networkx",), 16, 90),
    Application("numpy_heat", ("numpy",), 25, 160),
    Application("pixel_loops", (), 90, 450),
    Application("pycparser_c", ("pycparser",), 250, 1200),
    Application("pydantic_models", ("pydantic",), 32000, 170000),
    Application("pygments_html", ("pygments",), 14, 70),
    Application("pytest_suite", ("pytest",), 3, 25),
    Application("rich_tables", ("rich",), 50, 300),
    Application("sphinx_build", ("sphinx",), 1, 30),
    Application("sqlalchemy_orm", ("sqlalchemy",), 15, 500),
    Application("sqlparse_format", ("sqlparse",), 80, 400),
    Application("sympy_algebra", ("sympy",), 1, 20),
    Application("tokenize_source", (), 26, 140),
    Application("yaml_pure", ("pyyaml",), 100, 500),
]
