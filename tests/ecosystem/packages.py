"""The packages whose own tests must give the same outcomes, each with one version. To add one, add a line.

The tests of a package come with its source distribution, which is unpacked, or (`INSTALLED`) they
are modules of what is installed. What they import that the package does not need goes to `more`;
tests for which it is not worth having more are left to fail or to be skipped, plainly as well.
"""

from typing import NamedTuple, Tuple

# What runs them.
TOOLS = ("pytest==8.4.2", "hypothesis==6.155.0", "setuptools==80.9.0")
INSTALLED = "--pyargs"


class Package(NamedTuple):
    """One package: name, version, arguments of pytest, what else to install."""

    name: str
    version: str
    arguments: Tuple[str, ...]
    more: Tuple[str, ...] = ()


PACKAGES = [
    Package("attrs", "26.1.0", ("tests",), ("cloudpickle==3.1.2",)),
    Package("boltons", "26.2.0", ("tests",)),
    Package("cachetools", "8.0.0", ("tests",)),
    Package("click", "8.5.1", ("tests",)),
    Package("docutils", "0.23", ("test/test_parsers", "test/test_nodes.py", "test/test_utils",
                                 "test/test_statemachine.py", "test/test_transforms")),
    Package("ecdsa", "0.19.2", ("src/ecdsa/test_numbertheory.py", "src/ecdsa/test_der.py",
                                "src/ecdsa/test_ellipticcurve.py", "src/ecdsa/test_keys.py",
                                "src/ecdsa/test_ecdsa.py", "src/ecdsa/test_curves.py")),
    Package("gevent", "26.9.0", (INSTALLED, "gevent.tests.test__queue", "gevent.tests.test__pool",
                                 "gevent.tests.test__event", "gevent.tests.test__greenlet",
                                 "gevent.tests.test__local", "gevent.tests.test__timeout")),
    Package("greenlet", "3.5.6", (INSTALLED, "greenlet.tests"), ("psutil==7.1.3",)),
    Package("h11", "0.16.0", ("h11/tests",)),
    Package("idna", "3.20", ("tests",)),
    Package("itsdangerous", "2.2.0", ("tests",), ("freezegun==1.5.5",)),
    Package("jinja2", "3.1.6", ("tests",), ("trio==0.32.0",)),
    Package("lark", "1.3.1", ("tests/test_parser.py", "tests/test_grammar.py",
                              "tests/test_trees.py", "tests/test_tools.py", "tests/test_cache.py",
                              "tests/test_reconstructor.py", "tests/test_tree_forest_transformer.py"
                              )),
    Package("mako", "1.4.3", ("test",)),
    Package("markdown-it-py", "4.3.0", ("tests",), ("pytest-regressions==2.8.3",)),
    Package("marshmallow", "4.4.0", ("tests",), ("simplejson==3.20.2",)),
    Package("mistune", "3.4.0", ("tests",)),
    Package("more-itertools", "11.2.1", ("tests",)),
    Package("mpmath", "1.4.1", (INSTALLED, "mpmath.tests.test_basic_ops",
                                "mpmath.tests.test_bitwise", "mpmath.tests.test_convert",
                                "mpmath.tests.test_elliptic", "mpmath.tests.test_functions",
                                "mpmath.tests.test_linalg", "mpmath.tests.test_matrices")),
    Package("networkx", "3.7", (INSTALLED, "networkx.classes", "networkx.algorithms.shortest_paths",
                                "networkx.algorithms.flow", "networkx.algorithms.isomorphism")),
    Package("numpy", "2.5.5", (INSTALLED, "numpy.lib", "numpy.ma", "numpy.polynomial")),
    Package("packaging", "26.3", ("tests",), ("pretend==1.0.9", "tomli_w==1.2.0")),
    Package("parso", "0.8.7", ("test",)),
    Package("pycparser", "3.12", ("tests",)),
    Package("pyflakes", "4.1.0", ("pyflakes/test",)),
    Package("pygments", "2.21.0", ("tests/test_basic_api.py", "tests/test_regexlexer.py",
                                   "tests/test_token.py", "tests/test_html_formatter.py",
                                   "tests/snippets/python", "tests/snippets/c")),
    Package("pyparsing", "3.3.3", ("tests/test_unit.py", "tests/test_simple_unit.py")),
    Package("pyrsistent", "0.20.0", ("tests",)),
    Package("simpy", "4.1.2", ("tests", "--ignore=tests/test_rt.py")),  # it looks at the clock
    Package("sqlparse", "0.6.1", ("tests",)),
    Package("sympy", "1.14.0", (INSTALLED, "sympy.core")),
    Package("tomlkit", "0.15.2", ("tests",), ("PyYAML==6.0.3",)),
    Package("toolz", "1.2.0", ("toolz/tests",)),
    Package("werkzeug", "3.1.9", ("tests/test_datastructures.py", "tests/test_http.py",
                                  "tests/test_routing.py", "tests/test_urls.py",
                                  "tests/test_wrappers.py", "tests/test_formparser.py"),
            ("ephemeral-port-reserve==1.1.4",)),
]
