# Difference: operators and subscripts of the class that an object had before __class__ was assigned.


def show(tag, value):
    print(tag, repr(value))


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


class Draft:
    def __init__(self, total):
        self.total = total

    def __getitem__(self, key):
        return "draft"

    def __add__(self, other):
        return self.total + other

    def __contains__(self, key):
        return True


class Sent(Draft):
    def __getitem__(self, key):
        return "sent"

    def __add__(self, other):
        return -self.total

    def __contains__(self, key):
        return False


def send(total):
    order = Draft(total)
    before = order["state"], order + 1, "state" in order
    order.__class__ = Sent
    return before, order["state"], order + 1, "state" in order


def main():
    for i in range(5):
        attempt(f"send.{i}", send, i)
