"""What programs with objects that change in place have after their prelude: its text is copied."""

from prelude import inspect, suppress, sys, undone


class Sky:
    __slots__ = ()

    def above(self):
        return "sky"


def answers(mark, number):
    """What the instances of a class answer to everything, as a part of its namespace."""

    class Answers:
        name = mark

        def __init__(self, n):
            self.n = n

        def tell(self, k=1):
            return mark, self.n, k, self.light, self.near(k)

        @property
        def light(self):
            return mark, "light", self.n

        @light.setter
        def light(self, value):
            self.n = value + number

        @staticmethod
        def near(k):
            return mark, "near", k

        @classmethod
        def far(cls, k):
            return mark, cls.__name__, k

        def __add__(self, other):
            return mark, "+", other if type(other) is int else 0

        def __radd__(self, other):
            return "+", mark, other

        def __sub__(self, other):
            return mark, "-", other.n

        def __mul__(self, other):
            return number * other

        def __neg__(self):
            return -number

        def __lt__(self, other):
            return number < 2

        def __eq__(self, other):
            return number == 1

        def __hash__(self):
            return number

        def __getitem__(self, i):
            return mark, i

        def __setitem__(self, i, value):
            self.n = number, i, value

        def __delitem__(self, i):
            self.n = number, i

        def __contains__(self, item):
            return number > 1

        def __len__(self):
            return number

        def __bool__(self):
            return number > 1

        def __iter__(self):
            return iter((mark, number))

        def __next__(self):
            return mark

        def __call__(self, i, k=0):
            return mark, i, k

        def __index__(self):
            return number

        def __enter__(self):
            return mark

        def __exit__(self, *what):
            return False

        def __repr__(self):
            return f"<{mark}>"

        def __format__(self, spec):
            return f"{mark}{spec}"

        # Ways to change by itself.

        def become(self, cls):
            self.__class__ = cls

        @property
        def turns(self):
            self.__class__ = Night if isinstance(self, Day) else SlottedNight
            return 1

        @property
        def turned(self):
            return mark

        @turned.setter
        def turned(self, cls):
            self.__class__ = cls

    return {name: value for name, value in Answers.__dict__.items() if name not in ("__dict__", "__weakref__")}


class Day(Sky):
    __slots__ = ("__dict__",)
    vars().update(answers("day", 1))
    only_day = 1

    def above(self):
        return "day", super().above()


class Night(Sky):
    __slots__ = ("__dict__",)
    vars().update(answers("night", 2))

    def above(self):
        return "night", super().above()

    def __getattr__(self, name):
        return "dark", name


class Dusk(Day):
    __slots__ = ()
    vars().update(answers("dusk", 3))

    def above(self):
        return "dusk", super().above()


class SlottedDay(Sky):
    __slots__ = ("n",)
    vars().update(answers("slotted day", 1))


class SlottedNight(Sky):
    __slots__ = ("n",)
    vars().update(answers("slotted night", 2))


class Born(Day):
    __slots__ = ()

    def __init__(self, n):
        Day.__init__(self, n)
        self.__class__ = Day


THE_DAY = Day(1)


def turn(thing, cls):
    thing.__class__ = cls


def turn_below(thing, cls):
    turn(thing, cls)
    return thing


class Turner:
    """Assigns the class of a thing whatever it is asked."""

    def __init__(self, thing, cls):
        self.thing, self.cls = thing, cls

    def __add__(self, other):
        other.__class__ = self.cls
        return 1

    def __getitem__(self, other):
        other.__class__ = self.cls
        return 1

    def __eq__(self, other):
        other.__class__ = self.cls
        return True

    __hash__ = None

    def __contains__(self, other):
        other.__class__ = self.cls
        return True

    def __len__(self):
        self.thing.__class__ = self.cls
        return 1

    def __bool__(self):
        self.thing.__class__ = self.cls
        return True

    def __call__(self):
        self.thing.__class__ = self.cls

    def __getattr__(self, name):
        self.thing.__class__ = self.cls
        return name

    def __iter__(self):
        self.thing.__class__ = self.cls
        return iter((1, 2))

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.thing.__class__ = self.cls

    def __format__(self, spec):
        self.thing.__class__ = self.cls
        return "turned"


class DyingTurner:
    def __init__(self, thing, cls):
        self.thing, self.cls = thing, cls

    def __del__(self):
        with suppress(TypeError):
            self.thing.__class__ = self.cls


def old_light(self):
    return "old light", self.n


def set_light(self, value):
    self.n = value, "set"


def old_far(cls, k):
    return "old", cls.__name__, k


def initialise(descriptor, *functions):
    # Where it has specialised a read CPython goes on with the old getter if that lives on: its own
    # flaw, which psyco does not share. A function that has changed is looked at again.
    old = getattr(descriptor, "fget", None)
    if "psyco" not in sys.modules and inspect.isfunction(old):
        old.__defaults__ = old.__defaults__
    descriptor.__init__(*functions)


def again(owner, name, *functions):
    """Initialises a property, static or class method once more; until the attempt is over."""
    descriptor = owner.__dict__[name]
    before = (descriptor.fget, descriptor.fset, descriptor.fdel) if isinstance(descriptor, property) else (descriptor.__func__,)
    undone.append((initialise, descriptor, *before))
    initialise(descriptor, *functions)
