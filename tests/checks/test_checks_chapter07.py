"""The grader of chapter 7 that counts a cache against a whole model: what it takes, and what it says to the rest."""

import pytest

from mamba_edu import Mamba, MambaConfig, checks


def sizes(d_model, n_layer):
    """(weights, numbers of state) of the package's own model."""
    model = Mamba(MambaConfig(d_model=d_model, n_layer=n_layer))
    return model.num_parameters(), n_layer * 2 * d_model * (16 + 3)


def right(d_model, n_layer):
    return sum(sizes(d_model, n_layer)) // (2 * d_model * n_layer) + 1


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda d, n: sizes(d, n)[1] // (2 * d * n) + 1, "weights are wanted"),
        (lambda d, n: sizes(d, n)[0] // (2 * d * n) + 1, "state counts, too"),
        (lambda d, n: sum(sizes(d, n)) // (2 * d) + 1, "every layer has a cache"),
        (lambda d, n: right(d, n) - 1, "still holds more"),
        (lambda d, n: float(right(d, n)), "is an int, yours is float"),
        (lambda d, n: sum(sizes(d, n)) // (d * n) + 1, "weights, a token takes"),
    ],
)
def test_a_wrong_break_even_gets_its_hint(wrong, hint):
    result = checks.check_break_even(wrong)
    assert not result and hint in result.hint


def test_the_right_break_even_passes():
    assert checks.check_break_even(right)
