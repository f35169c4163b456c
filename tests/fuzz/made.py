"""Classes whose instances compiled code need not make: this text is copied as that of prelude.py is."""

from prelude import note


class Spot:
    def __init__(self, x, y=1):
        self.x = x
        self.y = y

    def moved(self, d):
        return Spot(self.x + d, self.y)

    def shift(self, d):
        self.x += d
        return self

    def swap(self):
        self.x, self.y = self.y, self.x

    def leave(self):
        del self.y

    def become(self, cls):
        self.__class__ = cls

    @property
    def both(self):
        return self.x, self.y

    @both.setter
    def both(self, pair):
        self.x, self.y = pair

    def __add__(self, other):
        return Spot(self.x, other.x) if isinstance(other, Spot) else NotImplemented

    def __eq__(self, other):
        return isinstance(other, Spot) and self.x == other.x

    def __lt__(self, other):
        self.y = 0
        return True

    __hash__ = None


class Slotted:
    __slots__ = ("y", "x", "extra")
    moved, shift, swap, leave, both = Spot.moved, Spot.shift, Spot.swap, Spot.leave, Spot.both

    def __init__(self, x, y=1):
        self.x = x
        self.y = y

    def become(self, cls):
        self.y = cls.__name__


class Below(Slotted):
    __slots__ = ("under", "z")

    def __init__(self, x, y=1):
        self.z = y
        super().__init__(x, y)
        self.under = self.x


class Late(Spot):
    def __init__(self, x, y=1):
        if y:
            self.y = y
            self.x = x
        else:
            super().__init__(x, y)
        self.z = self.x


class Wrong(Spot):
    def __init__(self, x, y=1):
        self.x = x
        self.y = [0, 1, 2][y]


class Empty(Spot):
    weight = 7

    def __len__(self):
        return self.y if type(self.y) is int and 0 <= self.y < 99 else 0


class Ending(Spot):
    def __del__(self):
        note("ended", type(self.x).__name__)


class Told(Spot):
    def __setattr__(self, name, value):
        note("set", name)
        super().__setattr__(name, value)


def attributes(thing, depth=0):
    """What an instance holds, in the order of its dictionary."""
    if type(thing) is tuple and depth < 3:
        return [attributes(part, depth + 1) for part in thing]
    if not isinstance(thing, (Spot, Slotted)):
        return type(thing).__name__ if hasattr(thing, "action") else thing
    names = list(vars(thing)) if isinstance(thing, Spot) else ["x", "y", "z", "under", "extra"]
    return type(thing).__name__, [(name, attributes(getattr(thing, name), depth + 1)) for name in names if hasattr(thing, name) and depth < 3]
