"""A back-propagation neural network over lists of lists of floats.

One hidden layer, tanh as activation, momentum. Plain Python on purpose: this is the kind of
program that a compiler of Python has to make fast. On its own it learns the exclusive or.
"""

import math


class Random:
    """A small reproducible source of numbers, the same on every machine."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self, low, high):
        self.state = (self.state * 1103515245 + 12345) % 2147483648
        return low + (high - low) * (self.state / 2147483648.0)

    def below(self, n):
        return int(self.uniform(0.0, n))


def make_matrix(rows, columns, fill=0.0):
    return [[fill] * columns for _ in range(rows)]


class NN:
    """The network: inputs and a bias, a hidden layer, outputs."""

    def __init__(self, inputs, hidden, outputs, seed=7):
        self.ni = inputs + 1  # one more for the bias
        self.nh = hidden
        self.no = outputs
        self.ai = [1.0] * self.ni
        self.ah = [1.0] * self.nh
        self.ao = [1.0] * self.no
        random = Random(seed)
        self.wi = make_matrix(self.ni, self.nh)
        self.wo = make_matrix(self.nh, self.no)
        for i in range(self.ni):
            for j in range(self.nh):
                self.wi[i][j] = random.uniform(-0.2, 0.2)
        for j in range(self.nh):
            for k in range(self.no):
                self.wo[j][k] = random.uniform(-2.0, 2.0)
        # The last changes, for the momentum.
        self.ci = make_matrix(self.ni, self.nh)
        self.co = make_matrix(self.nh, self.no)

    def update(self, inputs):
        """Propagate the inputs forward; the activations of the output layer."""
        if len(inputs) != self.ni - 1:
            raise ValueError("wrong number of inputs")
        for i in range(self.ni - 1):
            self.ai[i] = inputs[i]
        for j in range(self.nh):
            total = 0.0
            for i in range(self.ni):
                total = total + self.ai[i] * self.wi[i][j]
            self.ah[j] = math.tanh(total)
        for k in range(self.no):
            total = 0.0
            for j in range(self.nh):
                total = total + self.ah[j] * self.wo[j][k]
            self.ao[k] = math.tanh(total)
        return self.ao[:]

    def back_propagate(self, targets, rate, momentum):
        """Correct the weights by the error of the last update; that error."""
        if len(targets) != self.no:
            raise ValueError("wrong number of targets")
        output_deltas = [0.0] * self.no
        for k in range(self.no):
            error = targets[k] - self.ao[k]
            output_deltas[k] = (1.0 - self.ao[k] ** 2) * error
        hidden_deltas = [0.0] * self.nh
        for j in range(self.nh):
            error = 0.0
            for k in range(self.no):
                error = error + output_deltas[k] * self.wo[j][k]
            hidden_deltas[j] = (1.0 - self.ah[j] ** 2) * error
        for j in range(self.nh):
            for k in range(self.no):
                change = output_deltas[k] * self.ah[j]
                self.wo[j][k] = self.wo[j][k] + rate * change + momentum * self.co[j][k]
                self.co[j][k] = change
        for i in range(self.ni):
            for j in range(self.nh):
                change = hidden_deltas[j] * self.ai[i]
                self.wi[i][j] = self.wi[i][j] + rate * change + momentum * self.ci[i][j]
                self.ci[i][j] = change
        error = 0.0
        for k in range(len(targets)):
            error = error + 0.5 * (targets[k] - self.ao[k]) ** 2
        return error

    def train(self, patterns, iterations, rate=0.5, momentum=0.1):
        """Learn the patterns; the error of every iteration."""
        errors = []
        for _ in range(iterations):
            error = 0.0
            for inputs, targets in patterns:
                self.update(inputs)
                error = error + self.back_propagate(targets, rate, momentum)
            errors.append(error)
        return errors

    def output(self, inputs):
        """The network's answer as people want to see it: here, the bare activations."""
        return self.update(inputs)

    def test(self, patterns):
        """Print the answer to every pattern."""
        for inputs, _ in patterns:
            print(inputs, "->", self.output(inputs))


class Rounded(NN):
    """A network whose answers are rounded to what they mean."""

    def output(self, inputs):
        return [round(value) for value in self.update(inputs)]


def main():
    patterns = [([0, 0], [0]), ([0, 1], [1]), ([1, 0], [1]), ([1, 1], [0])]
    network = Rounded(2, 2, 1, seed=3)
    errors = network.train(patterns, 1000)
    for iteration in range(0, 1000, 100):
        print(f"error {errors[iteration]:.6f}")
    network.test(patterns)


if __name__ == "__main__":
    main()
