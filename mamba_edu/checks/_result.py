"""What every grader returns, and the wrapper that keeps a reader's mistake from becoming a traceback."""

import functools
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """passed: whether the answer is right. hint: one sentence for the reader, empty of blame, never the solution."""

    passed: bool
    hint: str

    def __bool__(self):
        return self.passed

    def __repr__(self):
        return f"{'✓' if self.passed else '✗'} {self.hint}"


NOT_ANSWERED = Result(False, "not answered yet")


class Wrong(Exception):
    """Raised inside a grader; its text becomes the hint."""


def expect(condition, hint):
    """Go on when `condition` holds; otherwise the answer is wrong and `hint` says where to look."""
    if not condition:
        raise Wrong(hint)


def _quote(error):
    """The error on one line that fits a page, even when its message is long or can't be had."""
    try:
        message = " ".join(str(error).split())
    except Exception:
        message = ""
    message = message if len(message) <= 200 else f"{message[:200]} ..."
    return f"your answer raised {type(error).__name__}" + (f": {message}" if message else "")


def grader(check):
    """Make `check(answer)` a grader that never raises, whatever it is given.

    `check` returns the sentence for a right answer and calls `expect` for the rest. None, and a function that raises
    NotImplementedError without a word, as the stubs do, count as not answered (PyTorch's own has words); any other
    exception of the reader's code becomes a hint that quotes it.
    """

    @functools.wraps(check)
    def graded(answer=None):
        if answer is None:
            return NOT_ANSWERED
        try:
            return Result(True, check(answer))
        except NotImplementedError as error:
            return Result(False, _quote(error)) if error.args else NOT_ANSWERED
        except Wrong as wrong:
            return Result(False, str(wrong))
        except (Exception, SystemExit, GeneratorExit) as error:
            return Result(False, _quote(error))

    return graded
