"""The oracle itself: a test that can't fail guards nothing."""

import math

import pytest
import torch
from scan_oracle import assert_close, error, make, run

from mamba_edu.scan import backends


def broken(monkeypatch, damage):
    """The reference under the name "broken", its y and last state put through `damage`."""
    from mamba_edu.scan import reference

    class Broken:
        why_not = staticmethod(reference.why_not)
        scan = staticmethod(lambda *args: damage(*reference.scan(*args)))

    monkeypatch.setattr(backends, "_NAMES", (*backends._NAMES, "broken"))
    load = backends._load
    monkeypatch.setattr(backends, "_load", lambda name: Broken if name == "broken" else load(name))


def test_nan_is_never_close():
    true = torch.ones(3)
    for wrong in (math.nan, math.inf):
        with pytest.raises(AssertionError, match="1 of 3 values are not finite"):
            error(torch.tensor([1.0, wrong, 1.0]), true)


def test_error_is_relative_to_the_largest_true_value():
    assert error(torch.tensor([1.0, 100.0]), torch.tensor([2.0, 100.0])) == pytest.approx(0.01)
    assert error(torch.zeros(2), torch.zeros(2)) == 0


def test_the_unbroken_reference_passes(monkeypatch):
    broken(monkeypatch, lambda y, h: (y, h))
    assert_close(make(1, 4, 2, 2), "broken", delta_softplus=True)


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda y, h: (y * math.nan, h), "y of 'broken': 8 of 8 values are not finite"),
        (lambda y, h: (y * (1 + 3e-5), h), "y of 'broken' is off by"),
        (lambda y, h: (y, h + 1e-3), "last_state of 'broken' is off by"),
        (lambda y, h: (y.detach() + 0 * y, h), "d_u of 'broken' is off by"),
        (lambda y, h: (y[:, :-1], h), "y of 'broken': shape"),
    ],
)
def test_what_the_oracle_rejects(monkeypatch, damage, said):
    broken(monkeypatch, damage)
    x = make(1, 4, 2, 2)
    if said.endswith("shape"):
        with pytest.raises((AssertionError, RuntimeError)):
            assert_close(x, "broken", delta_softplus=True)
        return
    with pytest.raises(AssertionError, match=said.replace(".", r"\.")):
        assert_close(x, "broken", delta_softplus=True)


def test_make_gives_every_argument_and_run_every_gradient():
    x = make(1, 2, 3, 4)
    assert list(x) == ["u", "delta", "A", "B", "C", "D", "z", "delta_bias", "h0"]
    assert list(run(x, "reference")) == ["y", "last_state", *(f"d_{name}" for name in x)]
