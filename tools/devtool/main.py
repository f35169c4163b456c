"""Command line of ./dev."""

from __future__ import annotations

import argparse
import os
import sys

from devtool.console import ROOT, Failure, call
from devtool.environment import Environment, prepare
from devtool.interpreter import interpreters


def _add_suite_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--mode", action="append", metavar="NAME",
                     help="default, eager or a stress variant; may be repeated (default and eager)")
    sub.add_argument("--jobs", type=int, default=2, help="how many processes at a time (2)")
    sub.add_argument("--limit", type=float, default=1200, metavar="SECONDS",
                     help="what one process may take (1200)")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; exits by itself on a mistake."""
    parser = argparse.ArgumentParser(prog="./dev", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, does: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=does, description=f"{does[0].upper()}{does[1:]}.", allow_abbrev=False
        )
        sub.add_argument("--python", metavar="PATH", help="the CPython to use, or a version")
        return sub

    def of_all(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--all-versions", action="store_true",
                         help="for each CPython that is served and there, one after the other")

    sub = command("run", "run a program plain and under psyco, compare outputs and times")
    sub.add_argument("--pairs", type=int, default=1, help="how often to run both (best counts)")
    sub.add_argument("program")
    sub.add_argument("arguments", nargs=argparse.REMAINDER)

    sub = command("test", "run the tests: C++, IR, Python; with arguments, pytest alone gets them")
    sub.add_argument("--only", choices=["cpp", "ir", "python"], help="just this kind")
    sub.add_argument("--variant", help="run the Python tests under this stress variant")
    sub.add_argument("--accept", action="store_true", help="rewrite what the IR tests expect")
    sub.add_argument("--asan", action="store_true",
                     help="on a build with the address and undefined behaviour sanitizers")

    of_all(sub)

    of_all(command("build", "build, and make .venv/bin/python able to import psyco"))

    sub = command("bench", "measure plain against psyco; exit status 1 when a bar is missed")
    sub.add_argument("names", nargs="*", help="programs of bench/programs, 'examples', or "
                     "'applications', after which names are rows of bench/applications/table.py, "
                     "or 'constructs', after which names are functions of bench/constructs.py")
    sub.add_argument("--pypy", default="", metavar="PATH",
                     help="constructs: a PyPy to measure beside")
    sub.add_argument("--size", choices=["short", "long", "both"], default="both",
                     help="applications: how much work they are given (both)")
    sub.add_argument("--under", default="", metavar="OPTIONS",
                     help="applications: further options of `python -m psyco`")
    sub.add_argument("--debug", default="", metavar="ITEMS",
                     help="applications: PSYCO_DEBUG of the half under psyco")
    sub.add_argument("--profile", action="store_true",
                     help="applications: show where the time goes, if perf is there")
    sub.add_argument("--pairs", type=int, default=7, help="process pairs to begin with")
    sub.add_argument("--max-pairs", type=int, default=15, help="limit for undecided programs")
    sub.add_argument("--calls", type=int, default=5, help="calls of run() in one process")
    sub.add_argument("--no-cold", action="store_true", help="leave whole-process times out")
    sub.add_argument("--core", type=int, help="the core to use (the last one)")
    sub.add_argument("--compile", action="store_true",
                     help="measure the compiler instead: milliseconds per function")
    sub.add_argument("--json", metavar="FILE", help="store the results")

    command("fmt", "lay out the C++ files, and mend what ruff can mend")
    command("lint", "check formatting, types, ruff's rules and our own")

    sub = command("dump", "run a program and show what the compiler made of it")
    sub.add_argument("--phase", default="all", help="after which pass (all)")
    sub.add_argument("--function", help="only of functions with this name")
    sub.add_argument("program")
    sub.add_argument("arguments", nargs=argparse.REMAINDER)

    sub = command("interpreters",
                  "print the CPythons that psyco can be built for, and where they are")
    sub.add_argument("--install", action="store_true",
                     help="make a Debian root that has them all (PSYCO_DEBIAN_ROOT says where)")
    sub.add_argument("--run", nargs=argparse.REMAINDER, metavar="COMMAND",
                     help="run a command in that root")

    sub = command("new", "begin something new from a copy: port 316")
    sub.add_argument("kind", choices=["port"])
    sub.add_argument("name", help="the version, as 316")

    command("docs", "write docs/one-function.md")

    sub = command("bisect", "find the function, pass and rewrite that make a program go wrong")
    sub.add_argument("program")
    sub.add_argument("arguments", nargs=argparse.REMAINDER)

    sub = command("reduce", "make a program small that does not do the same plain and under psyco")
    sub.add_argument("--seconds", type=float, default=120, help="how long to try")
    sub.add_argument("program")
    sub.add_argument("arguments", nargs=argparse.REMAINDER)

    sub = command("fuzz", "compare plain with psyco on generated programs")
    sub.epilog = ("Of its own: --seconds N, --hours N, --seed N, --count N, --part PART, "
                  "--mode NAME, --program FILE, --reduce N (tests/fuzz/run.py says what they are).")

    sub = command("mutate", "plant defects in the compiler; exit status 1 when no test notices one")
    sub.add_argument("mutant", nargs="*", help="these (drawn at random)")
    sub.add_argument("--count", type=int, default=20, help="how many to draw")
    sub.add_argument("--seed", type=int, default=1, help="for the drawing")
    sub.add_argument("--jobs", type=int, default=2, help="mutants at once")
    sub.add_argument("--no-baseline", action="store_true",
                     help="do not first see whether all passes without a mutant")
    sub.add_argument("--list", action="store_true", help="only print all there are")

    sub = command("conformance", "compare CPython's own tests plain and under psyco, test by test")
    sub.add_argument("files", nargs="*", metavar="FILE", help="as test_dict (the whole list)")
    _add_suite_options(sub)
    sub.add_argument("--sample", type=int, metavar="K", help="only K files, drawn at random")
    sub.add_argument("--seed", type=int, default=1, help="for the drawing")

    sub = command("ecosystem", "compare packages' own tests plain and under psyco, test by test")
    sub.add_argument("names", nargs="*", metavar="PACKAGE", help="of tests/ecosystem/packages.py")
    _add_suite_options(sub)

    command("ci", "all that must hold before a change lands")

    # What `test` and `fuzz` do not know is for pytest and the fuzzer; elsewhere it is a mistake.
    known, rest = parser.parse_known_args(arguments)
    if known.command in ("test", "fuzz"):
        known.arguments = rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return known


def _test(env: Environment, options: argparse.Namespace) -> int:
    from devtool.testing import Count, ir_tests, python_tests, unit_tests
    from devtool.variants import VARIANTS, find_variant

    variant = find_variant(options.variant) if options.variant else None
    if options.variant and not variant:
        names = ", ".join(each.name for each in VARIANTS)
        raise Failure(f"no variant {options.variant}; there are: {names}")
    only = options.only or ("python" if options.arguments or variant else None)
    total = Count(0, 0)
    sanitizers = None
    if options.asan:
        from devtool.sanitize import sanitized

        env, sanitizers = sanitized(env)
    if only in (None, "cpp"):
        # Linked with the sanitizers: nothing to load before it.
        settings = {k: v for k, v in (sanitizers or {}).items() if k.endswith("_OPTIONS")}
        total = total + unit_tests(env, settings)
    if only in (None, "ir"):
        total = total + (ir_tests(env, accept=options.accept) or Count(0, 0))
    if only in (None, "python"):
        total = total + python_tests(env, options.arguments, variant, sanitizers=sanitizers)
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


def _fuzz(env: Environment, options: argparse.Namespace) -> int:
    if not (ROOT / "tests" / "fuzz" / "__main__.py").exists():
        raise Failure("tests/fuzz has no fuzzer")
    return call([env.python, ROOT / "tests" / "fuzz", *options.arguments])


def _with_each(options: argparse.Namespace) -> int:
    from devtool.versions import others

    def run(env: Environment) -> int:
        from devtool.build import build

        print(f"\n== CPython {env.interpreter.version}", flush=True)
        build(env)
        return _test(env, options) if options.command == "test" else 0

    first = prepare(options.python)
    return max([run(first), *map(run, others(first.interpreter.dotted))])


def _check_names(options: argparse.Namespace) -> None:
    """Find misspelt names before anything is built."""
    name = options.command
    if name in ("run", "dump", "bisect", "reduce"):
        program = [options.program, *options.arguments]
        if program[0] == "--":
            program = program[1:]
        if not program or not os.path.exists(program[0]):
            raise Failure(f"{program[0] if program else 'PROGRAM'}: no such file")
    if name == "dump":
        from devtool.inspection import pass_names

        phases = ["all", "input", *pass_names()]
        if options.phase not in phases:
            raise Failure(f"no phase {options.phase}; there are: {', '.join(phases)}")
    if name == "mutate":
        from devtool.mutate import all_mutants

        there = {f"{kind}:{what}" for kind, names in all_mutants().items() for what in names}
        for mutant in options.mutant:
            if mutant not in there:
                raise Failure(f"no mutant {mutant}; ./dev mutate --list prints all")


def _dispatch(options: argparse.Namespace) -> int:
    # Modules are imported where they are used: `./dev run` should not wait for the others.
    from devtool.build import build

    name = options.command
    _check_names(options)
    if name == "interpreters" and (options.install or options.run):
        from devtool import debianroot

        root = debianroot.place()
        if options.install:
            debianroot.install(root)
        return debianroot.run_inside(root, options.run) if options.run else 0
    if name == "interpreters":
        return interpreters()
    if name == "new":
        from devtool.newport import new_port

        return new_port(options.name)
    if getattr(options, "all_versions", False):
        return _with_each(options)
    env = prepare(options.python)
    if name == "ci":
        from devtool.ci import ci

        return ci(env)
    if name == "lint":
        from devtool.lint import lint

        if failed := lint(env):
            raise Failure(f"lint failed: {', '.join(failed)}")
        return 0
    if name == "fmt":
        from devtool.lint import format_all

        return format_all(env)
    if name == "mutate":
        from devtool.mutate import mutate

        return mutate(env, options)
    if not (name == "test" and options.asan):
        build(env)
    if name == "run":
        from devtool.compare import compare

        return compare(env, options.program, options.arguments, max(1, options.pairs))
    if name == "test":
        return _test(env, options)
    if name == "bench" and options.compile:
        from devtool.compiletime import compile_times

        return compile_times(env, options)
    if name == "bench" and options.names[:1] == ["applications"]:
        from devtool.applications import applications

        options.names = options.names[1:]
        return applications(env, options)
    if name == "bench" and options.names[:1] == ["constructs"]:
        from devtool.constructs import constructs

        options.names = options.names[1:]
        return constructs(env, options)
    if name == "bench":
        from devtool.bench import bench

        return bench(env, options)
    if name == "dump":
        from devtool.inspection import dump

        return dump(env, options)
    if name == "docs":
        from devtool.docs import docs

        return docs(env)
    if name == "bisect":
        from devtool.inspection import bisect

        return bisect(env, options)
    if name == "reduce":
        from devtool.reduction import reduce

        return reduce(env, options)
    if name == "conformance":
        from devtool.conformance import conformance

        return conformance(env, options)
    if name == "ecosystem":
        from devtool.ecosystem import ecosystem

        return ecosystem(env, options)
    if name == "fuzz":
        return _fuzz(env, options)
    return 0  # build


def main(arguments: list[str]) -> int:
    """Run one command; the exit status."""
    options = parse(arguments)
    try:
        return _dispatch(options)
    except Failure as failure:
        print(f"./dev: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
