"""The grader of chapter 7 that counts a cache against a whole model: what it takes, and what it says to the rest."""

from graders import test_each_mistake_gets_its_own_hint, test_right_answers_pass  # noqa: F401

from mamba_edu import Mamba, MambaConfig


def sizes(d_model, n_layer):
    """(weights, numbers of state) of the package's own model."""
    model = Mamba(MambaConfig(d_model=d_model, n_layer=n_layer))
    return model.num_parameters(), n_layer * 2 * d_model * (16 + 3)


def meeting(d_model, n_layer):
    return sum(sizes(d_model, n_layer)) // (2 * d_model * n_layer) + 1


RIGHT = {"break_even": [meeting]}
WRONG = [
    ("break_even", lambda d, n: sizes(d, n)[1] // (2 * d * n) + 1, "weights are wanted"),
    ("break_even", lambda d, n: sizes(d, n)[0] // (2 * d * n) + 1, "state counts, too"),
    ("break_even", lambda d, n: sum(sizes(d, n)) // (2 * d) + 1, "every layer has a cache"),
    ("break_even", lambda d, n: meeting(d, n) - 1, "still holds more"),
    ("break_even", lambda d, n: float(meeting(d, n)), "is an int, yours is float"),
    ("break_even", lambda d, n: sum(sizes(d, n)) // (d * n) + 1, "weights, a token takes"),
]
