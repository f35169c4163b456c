"""C code parsed and written again by pycparser."""

from pycparser import c_generator, c_parser

from support import main

CODE = """
typedef struct node_{n} {{ int value; struct node_{n} *next; double x[{m}]; }} node_{n};
static int f_{n}(const char *s, unsigned long a, int (*g)(int)) {{
  int i, sum = 0;
  for (i = 0; i < {n}; i++) {{
    if (s[i] == 'a' && (a >> 2) & 1) sum += g(i) * 3; else sum -= (int)sizeof(node_{n});
    while (sum > 100) {{ sum /= 2; continue; }}
    switch (i) {{ case 1: sum = 1; break; default: sum ^= ~i; }}
  }}
  return sum ? sum : -1;
}}
"""


def run(n):
    """Parse n functions, eight at a time; characters written."""
    parser, generator, total = c_parser.CParser(), c_generator.CGenerator(), 0
    for i in range(0, n, 8):
        source = "".join(CODE.format(n=k, m=k + 1) for k in range(i, i + 8))
        total += len(generator.visit(parser.parse(source)))
    return total


main(run)
