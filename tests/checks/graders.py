"""The two tests of every chapter's graders, over its RIGHT and WRONG; `conftest.py` hands the rows in.

RIGHT: {grader: [answers]}. WRONG: [(grader, answer, hint)], the hint a part of what the grader says, or a pattern.
"""

import re

from mamba_edu import checks


def test_right_answers_pass(right):
    name, answer = right
    result = getattr(checks, f"check_{name}")(answer)
    assert result.passed and "\n" not in result.hint, result.hint


def test_each_mistake_gets_its_own_hint(wrong):
    name, answer, hint = wrong
    result = getattr(checks, f"check_{name}")(answer)
    assert not result.passed and (hint in result.hint or re.search(hint, result.hint)), result.hint
