"""Recognises the language of a text from how often each character code occurs in it.

    python code_recognizer.py [ITERATIONS] [--psyco HOW]

The network of bpnn.py learns 500 samples of five languages; the subclass NN2 turns its activations
into the name of a language and inherits all the mathematics. HOW says what psyco compiles:

    none   nothing (the default; `python -m psyco code_recognizer.py` compiles what is hot)
    NN2    bind(NN2): only what NN2 defines, which is not where the time goes
    NN     bind(NN): the inherited methods, so NN2 and its existing instances are fast too
    jit    what psyco.jit() in bpnn.py would do

Results go to stdout and depend on ITERATIONS alone; the time taken goes to stderr.
"""

import argparse
import sys
import time

import bpnn
from bpnn import NN, Random

# A few hundred characters of each language are enough to know its letters by.
TEXTS = {
    "english": """the quick wind that went through the town in the night had taken with it what
        the people of the harbour had left outside and when they woke they found the street full
        of things which belonged to nobody they knew so they carried them to the hall where
        everything was laid out on long tables and whoever missed something came and looked""",
    "french": """le vent rapide qui passait par la ville pendant la nuit avait emporte tout ce que
        les gens du port avaient laisse dehors et quand ils se leverent ils trouverent la rue pleine
        de choses qui ne leur appartenaient pas alors on les porta dans la salle ou tout fut mis sur
        de longues tables et ceux qui cherchaient quelque chose venaient les regarder""",
    "german": """der schnelle wind der in der nacht durch die stadt ging hatte alles mitgenommen was
        die leute am hafen draussen gelassen hatten und als sie erwachten fanden sie die strasse
        voller dinge die keinem gehoerten den sie kannten also trug man sie in die halle wo alles
        auf lange tische gelegt wurde und wer etwas vermisste kam herein und sah sich um""",
    "italian": """il vento veloce che passava per la citta durante la notte aveva portato via tutto
        quello che la gente del porto aveva lasciato fuori e quando si svegliarono trovarono la
        strada piena di cose che non appartenevano a nessuno allora le portarono nella sala dove
        ogni cosa fu messa su lunghi tavoli e chi cercava qualcosa veniva a guardare""",
    "python": """def walk(tree, depth=0): for name, child in sorted(tree.items()): if child is None:
        yield (depth, name) else: yield from walk(child, depth + 1) class node(object): def
        __init__(self, value, left=None, right=None): self.value = value; self.left = left;
        self.right = right return [x * x for x in range(10) if x % 2 == 0 and not x in seen]""",
}
LANGUAGES = list(TEXTS)
# Codes are counted in classes: the letters one by one, and the rest by kind.
CLASSES = 26 + 4
SAMPLE = 120  # characters
PATTERNS = 500


class NN2(NN):
    """A network whose answer is the name of a language."""

    def output(self, inputs):
        activations = self.update(inputs)
        return LANGUAGES[activations.index(max(activations))]


def code_class(code):
    if 97 <= code <= 122:
        return code - 97
    if code == 32:
        return 26
    if 48 <= code <= 57:
        return 27
    if code < 128 and chr(code) in "()[]:=_*%+":
        return 28
    return 29


def distribution(text):
    """How often each class of codes occurs, scaled so that a usual frequency is near 1."""
    counts = [0] * CLASSES
    for character in text:
        counts[code_class(ord(character))] += 1
    return [count * 12.0 / len(text) for count in counts]


def make_sample(language, random):
    """A text of SAMPLE characters: words of the language in random order."""
    words = TEXTS[language].split()
    text = ""
    while len(text) < SAMPLE:
        text = text + words[random.below(len(words))] + " "
    return text[:SAMPLE]


def make_patterns(count, random):
    patterns = []
    for number in range(count):
        language = LANGUAGES[number % len(LANGUAGES)]
        targets = [1.0 if name == language else 0.0 for name in LANGUAGES]
        patterns.append((distribution(make_sample(language, random)), targets))
    return patterns


def examine(network, random, samples=100):
    """Show how many new samples of each language are recognised, and the confusions."""
    right = 0
    for language in LANGUAGES:
        answers = {}
        for _ in range(samples):
            answer = network.output(distribution(make_sample(language, random)))
            answers[answer] = answers.get(answer, 0) + 1
        right += answers.get(language, 0)
        shown = ", ".join(f"{name} {answers[name]}" for name in sorted(answers))
        print(f"{language:8} recognised as {shown}")
    print(f"{right} of {samples * len(LANGUAGES)} right")


def use_psyco(how):
    """Compile what *how* says."""
    if how == "none":
        return
    import psyco

    if how == "NN2":
        psyco.bind(NN2)
    elif how == "NN":
        psyco.bind(NN)
    else:
        # jit() acts on the module that calls it.
        exec("import psyco; psyco.jit()", vars(bpnn))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("iterations", type=int, nargs="?", default=100)
    parser.add_argument("--psyco", choices=["none", "NN2", "NN", "jit"], default="none")
    options = parser.parse_args()
    random = Random(42)
    network = NN2(CLASSES, 8, len(LANGUAGES))
    use_psyco(options.psyco)  # after the instance was made: it is affected all the same
    patterns = make_patterns(PATTERNS, random)
    start = time.perf_counter()
    errors = network.train(patterns, options.iterations, rate=0.05, momentum=0.02)
    seconds = time.perf_counter() - start
    step = max(1, options.iterations // 10)
    for iteration in range(0, options.iterations, step):
        print(f"iteration {iteration:5}  error {errors[iteration]:.9f}")
    examine(network, random)
    print(f"{options.iterations} iterations of learning: {seconds:.3f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
