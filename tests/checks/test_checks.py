"""The graders' wrapper: a Result for whatever a reader hands in, never a traceback; what an answer has to be."""

import math
from fractions import Fraction
from importlib import import_module

import pytest
import torch

from mamba_edu import checks
from mamba_edu.checks import Result, grader
from mamba_edu.checks._answers import expect_number, expect_values
from mamba_edu.checks._result import Wrong, expect


@grader
def check_double(answer):
    """Grade `answer(x) == 2 x`."""
    expect(callable(answer), "hand in a function")
    expect(answer(3) == 6, "try 3: what should come out?")
    return "six it is"


def raises(error):
    def answer(*arguments, **options):
        raise error

    return answer


class SilentError(Exception):
    def __str__(self):
        raise ValueError("not even a message")


class Hostile:
    """Compares, prints and counts as nothing."""

    def _refuse(self, *arguments):
        raise RuntimeError("hands off")

    __eq__ = __bool__ = __len__ = __repr__ = __str__ = __getattr__ = _refuse
    __hash__ = None


def test_a_right_answer_passes():
    result = check_double(lambda x: 2 * x)
    assert result == Result(True, "six it is")
    assert result and repr(result) == "✓ six it is"


@pytest.mark.parametrize("stub", [None, raises(NotImplementedError), raises(NotImplementedError())])
def test_a_stub_is_not_answered_yet(stub):
    assert check_double(stub) == Result(False, "not answered yet")
    assert repr(check_double(stub)) == "✗ not answered yet"


def test_no_argument_at_all_is_not_answered_yet():
    assert check_double() == Result(False, "not answered yet")


def test_a_wrong_answer_gets_the_graders_hint():
    assert check_double(lambda x: x) == Result(False, "try 3: what should come out?")
    assert not check_double(lambda x: x)


def test_an_exception_of_the_reader_becomes_a_hint_that_quotes_it():
    assert check_double(lambda x: 1 / 0).hint == "your answer raised ZeroDivisionError: division by zero"
    assert "TypeError" in check_double(lambda: 6).hint
    largest = check_double(lambda x: torch.tensor([1j]).max())  # there is none: PyTorch has not implemented it
    assert "NotImplementedError" in largest.hint and "not implemented for" in largest.hint


ANSWERS = {
    "a number": lambda: 3,
    "a word": lambda: "x",
    "nothing in brackets": tuple,
    "no argument taken": lambda: lambda: 1 / 0,
    "returns None": lambda: lambda *a, **k: None,
    "a type": lambda: int,
    "hostile": Hostile,
    "returns something hostile": lambda: lambda x: Hostile(),
    "a message of many lines": lambda: raises(ValueError("one\ntwo\n" + "long " * 1000)),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_nothing_a_reader_hands_in_raises_or_passes(what):
    result = check_double(ANSWERS[what]())
    assert isinstance(result, Result) and not result.passed and result.hint
    assert "\n" not in result.hint and len(result.hint) < 400


@pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit(), SilentError(), RecursionError(), AssertionError()])
def test_no_exception_escapes(error):
    result = check_double(raises(error))
    assert not result.passed and type(error).__name__ in result.hint


def test_endless_recursion_is_a_hint():
    def answer(x):
        return answer(x)

    assert "RecursionError" in check_double(answer).hint


def test_the_readers_own_stop_still_stops():
    with pytest.raises(KeyboardInterrupt):
        check_double(raises(KeyboardInterrupt()))


def test_no_chapter_hides_anothers_grader():
    modules = [import_module(f"mamba_edu.checks.{chapter}") for chapter in checks._CHAPTERS]
    names = [name for module in modules for name in vars(module) if name.startswith("check_")]
    assert len(names) == len(set(names))


def test_an_unknown_grader_is_an_attribute_error():
    with pytest.raises(AttributeError, match="check_nothing"):
        checks.check_nothing  # noqa: B018


@pytest.mark.parametrize(
    "value", [3, 3.0, Fraction(6, 2), torch.tensor(3), torch.tensor([[3.0]]), torch.tensor(3.0, requires_grad=True)]
)
def test_a_number_of_any_kind_is_a_float(value):
    got = expect_number(value, "the rate")
    assert type(got) is float and got == 3


NO_NUMBERS = [
    ("3", "the rate should be a number, yours is str"),
    (None, "the rate should be a number, yours is NoneType"),
    (True, "the rate should be a number, yours is bool"),
    (torch.tensor(True), "the rate should be a number, yours is a tensor of shape ()"),
    (torch.zeros(2, 3), "the rate should be a number, yours is a tensor of shape (2, 3)"),
    (1j, "the rate should be a real number, yours is complex"),
    (torch.tensor(1 + 0j), "the rate should be a real number, yours is complex"),
    (math.nan, "the rate should be finite, yours is nan"),
    (torch.tensor(-math.inf), "the rate should be finite, yours is -inf"),
]


@pytest.mark.parametrize("value, hint", NO_NUMBERS, ids=[hint[16:] for _, hint in NO_NUMBERS])
def test_what_is_no_number_is_told(value, hint):
    with pytest.raises(Wrong) as told:
        expect_number(value, "the rate")
    assert str(told.value) == hint


def test_values_come_in_double_precision_and_without_their_graph():
    got = expect_values(torch.ones(2, 3, requires_grad=True), (2, 3), "A")
    assert got.dtype == torch.float64 and not got.requires_grad and got.sum() == 6
    for dtype in (torch.float32, torch.complex64):
        assert expect_values(torch.ones(2, dtype=dtype), (2,), "A", complex_too=True).dtype == torch.complex128


NO_VALUES = [
    ([1.0, 2.0], "A should be a tensor, yours is list"),
    (torch.ones(3), "A should have shape (2,), yours has (3,)"),
    (torch.ones(2) + 0j, "A should be real, yours is torch.complex64"),
    (torch.ones(2).long(), "A should be floating point, yours is torch.int64"),
    (torch.ones(2) > 0, "A should be floating point, yours is torch.bool"),
    (torch.tensor([1.0, math.nan]), "A should be finite, yours has an infinity or a NaN"),
]


@pytest.mark.parametrize("got, hint", NO_VALUES, ids=[hint[9:] for _, hint in NO_VALUES])
def test_what_is_no_such_tensor_is_told(got, hint):
    with pytest.raises(Wrong) as told:
        expect_values(got, (2,), "A")
    assert str(told.value) == hint
