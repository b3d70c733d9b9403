"""What a figure can be set to, from Python or by hand: values that travel as JSON, checked on the way in.

A wrong value raises TraitError, which names the figure, the trait, what came and what was expected; nothing changes.
"""

from numbers import Integral, Real

from traitlets import TraitType


class Number(TraitType):
    """A finite real number from `low` to `high`, kept as float; True and False are none."""

    def __init__(self, default, low, high):
        super().__init__(float(default))
        self.low, self.high = low, high
        self.info_text = f"a number from {low:g} to {high:g}"
        self.tag(sync=True)

    def validate(self, obj, value):
        real = isinstance(value, Real) and not isinstance(value, bool)
        if not real or not self.low <= value <= self.high:
            self.error(obj, value)
        return float(value)


class Whole(TraitType):
    """A whole number from `low` to `high`, kept as int; 3.0 counts, because JavaScript knows one kind of number."""

    def __init__(self, default, low, high):
        super().__init__(default)
        self.low, self.high = low, high
        self.info_text = f"a whole number from {low} to {high}"
        self.tag(sync=True)

    def validate(self, obj, value):
        whole = isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())
        if not whole or isinstance(value, bool) or not self.low <= value <= self.high:
            self.error(obj, value)
        return int(value)


class OneOf(TraitType):
    """One of a few real numbers, kept as the float that stands in the list; True and False are none."""

    def __init__(self, default, choices):
        super().__init__(default)
        self.choices, self.low, self.high = tuple(choices), min(choices), max(choices)
        self.info_text = f"one of {', '.join(f'{choice:g}' for choice in choices)}"
        self.tag(sync=True)

    def validate(self, obj, value):
        real = isinstance(value, Real) and not isinstance(value, bool)
        if not real or value not in self.choices:
            self.error(obj, value)
        return self.choices[self.choices.index(value)]


class Word(TraitType):
    """One of a few words, as they stand in the list."""

    def __init__(self, default, choices):
        super().__init__(default)
        self.choices = tuple(choices)
        self.info_text = f"one of {', '.join(map(repr, choices))}"
        self.tag(sync=True)

    def validate(self, obj, value):
        if not isinstance(value, str) or value not in self.choices:
            self.error(obj, value)
        return value


class Bytes(TraitType):
    """Text of 1 to `most` bytes in UTF-8."""

    def __init__(self, default, most):
        super().__init__(default)
        self.most = most
        self.info_text = f"text of 1 to {most} bytes in UTF-8"
        self.tag(sync=True)

    def validate(self, obj, value):
        try:
            if isinstance(value, str) and 1 <= len(value.encode("utf-8")) <= self.most:
                return value
        except UnicodeEncodeError:  # half of a surrogate pair is no text
            pass
        self.error(obj, value)


class Flag(TraitType):
    """True or False, and nothing that merely counts as one of them."""

    info_text = "True or False"

    def __init__(self, default):
        super().__init__(default)
        self.tag(sync=True)

    def validate(self, obj, value):
        if not isinstance(value, bool):
            self.error(obj, value)
        return value
