"""What several of the model's tests ask of a layer."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_seed_one_thread():
    """Sizes here are tiny: a second thread only waits for the first, and for long where the cores are busy."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def influence():
    """influence(f, x) -> (l, l): how much of y_t's gradient reaches x_s, summed over the rest; f: (b, l, d) -> same."""

    def matrix(f, x):
        x = x.detach().requires_grad_()
        y = f(x)
        rows = []
        for t in range(x.shape[1]):
            weights = torch.randn_like(y[:, t])  # random, so that gradients can't cancel
            (grad,) = torch.autograd.grad((y[:, t] * weights).sum(), x, retain_graph=True)
            rows.append(grad.abs().sum((0, 2)))
        return torch.stack(rows)

    return matrix


@pytest.fixture
def assert_causal(influence):
    """The future leaks nothing, and the whole past (or the last `reach` steps) gets through."""

    def check(f, x, reach=None):
        flow = influence(f, x)
        l = flow.shape[0]
        assert torch.isfinite(flow).all()
        assert flow.triu(1).max() == 0, "the future leaked"
        seen = torch.ones(l, l).tril() * torch.ones(l, l).triu(-(l if reach is None else reach - 1))
        assert (flow[seen.bool()] > 0).all(), "part of the past doesn't get through"
        if reach is not None:
            assert flow.tril(-reach).max() == 0

    return check


def close(y, want, tolerance=1e-12):
    """Finite first, then the error relative to the largest true value."""
    assert y.shape == want.shape, (y.shape, want.shape)
    assert y.is_complex() == want.is_complex(), (y.dtype, want.dtype)
    assert torch.isfinite(y).all()
    if want.numel():
        wide = torch.promote_types(want.dtype, torch.float64)  # complex128 for complex numbers
        error = (y.to(wide) - want.to(wide)).abs().max() / want.to(wide).abs().max().clamp(min=1e-300)
        assert error <= tolerance, f"relative error {error:.2e}"


@pytest.fixture(name="close")
def close_fixture():
    return close


@pytest.fixture
def assert_steps(close):
    """A layer's protocol: one pass == two passes == any mixture with single steps, and no state is ever changed."""

    def leaves(state):
        return [state] if isinstance(state, torch.Tensor) else [leaf for part in state for leaf in leaves(part)]

    def check(layer, x, cut, width=None, tolerance=1e-12):
        whole, last = layer.forward(x, return_state=True)
        close(layer.forward(x), whole, tolerance)
        close(layer.forward(x, layer.init_state(x.shape[0])), whole, tolerance)
        first, state = layer.forward(x[:, :cut], return_state=True)
        close(first, whole[:, :cut], tolerance)
        kept = [leaf.clone() for leaf in leaves(state)]
        rest, end = layer.forward(x[:, cut:], state, return_state=True)
        close(rest, whole[:, cut:], tolerance)
        stepped = state
        for t in range(cut, x.shape[1]):
            y, stepped = layer.step(x[:, t], stepped)
            close(y, whole[:, t, :width], tolerance)
        for a, b, c in zip(leaves(end), leaves(stepped), leaves(last), strict=True):
            close(a, c, tolerance)
            close(b, c, tolerance)
        assert all(torch.equal(a, b) for a, b in zip(leaves(state), kept)), "a state was changed in place"
        shapes = [leaf.shape for leaf in leaves(layer.init_state(x.shape[0]))]
        assert shapes == [leaf.shape for leaf in leaves(end)] == [leaf.shape for leaf in leaves(stepped)]

    return check
