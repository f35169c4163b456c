"""What the measurements must show: the ratio plain/psyco that each program has to reach.

A program misses its bar when the whole 95 % interval of its median lies below: noise alone
fails nobody.
"""

# Steady state, by program.
PROGRAMS = {
    "mandelbrot_float": 10.0,
    "monte_carlo_pi": 10.0,
    "collatz": 10.0,
    "spectral_norm": 10.0,
    "nbody": 10.0,
    "matmul": 10.0,
    "bpnn": 8.0,
    "fib": 5.0,
}

# Every program: psyco may fail to help, it may not harm.
FLOOR = 0.95

# Steady state, geometric mean of a group.
GROUPS = {"numeric": 5.0}

# At least one program of each kind reaches this.
BEST = 30.0
KINDS = {
    "int": ["collatz", "fannkuch", "sieve", "crc32", "nqueens", "tak", "histogram", "fib"],
    "float": ["mandelbrot_float", "spectral_norm", "monte_carlo_pi", "nbody", "matmul",
              "array_axpy"],
}

# Whole processes of the examples: command line below examples/, and the bar. The last column says
# what makes the difference: "-m" runs the program under `python -m psyco`; otherwise the two
# command lines are compared as they stand.
EXAMPLES = {
    "code_recognizer 100": (["code_recognizer.py", "100"], "-m", 6.0),
    "code_recognizer 10": (["code_recognizer.py", "10"], "-m", 1.0),
    "text2latex small jit": (["text2latex.py", "--size", "small"], "--mode=jit", 0.98),
    "text2latex small bind": (["text2latex.py", "--size", "small"], "--mode=bind", 0.98),
    "text2latex large jit": (["text2latex.py", "--size", "large"], "--mode=jit", 0.98),
    "text2latex large bind": (["text2latex.py", "--size", "large"], "--mode=bind", 0.98),
}
