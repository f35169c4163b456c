"""YAML written and read by PyYAML's Python code."""

import yaml
from inputs import words

from support import main


def run(n):
    """n documents there and back; characters."""
    total = 0
    for i in range(n):
        data = {"names": words(10, i), "map": {w: {"n": k, "x": k / 3, "t": True, "none": None}
                                                  for k, w in enumerate(words(8, i + 1))}}
        text = yaml.dump(data, Dumper=yaml.SafeDumper)
        assert yaml.load(text, Loader=yaml.SafeLoader) == data
        total += len(text)
    return total


main(run)
