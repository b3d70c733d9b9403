"""The compiled backend's own business: its exponential, its threads, its cache."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
import torch
from scan_oracle import assert_close, error, make, run

from mamba_edu.scan import cpu, cpu_kernels


@numba.njit
def apply(function_of, x, out):
    for i in range(x.size):
        if function_of == 0:
            out[i] = cpu_kernels.exp2(x[i])
        elif function_of == 1:
            out[i] = cpu_kernels.softplus(x[i])
        else:
            out[i] = cpu_kernels.sigmoid(x[i])


def compiled(which, x):
    out = np.empty_like(x)
    apply(which, x, out)
    return out


def units_in_the_last_place(got, true):
    return np.abs((got - true) / np.spacing(np.abs(true).astype(got.dtype)))


@pytest.mark.parametrize("dtype, lowest, limit", [(np.float32, -149, 2), (np.float64, -1074, 2)])
def test_exp2_is_within_two_units_in_the_last_place(dtype, lowest, limit):
    """Down to the subnormal numbers, where a unit is a large part of the value."""
    x = np.concatenate([np.linspace(lowest, 127, 200_001), np.linspace(-2, 2, 100_001), -np.logspace(-9, 0, 1001)])
    x = x.astype(dtype)
    assert units_in_the_last_place(compiled(0, x), np.exp2(x.astype(np.longdouble))).max() <= limit


@pytest.mark.parametrize("dtype, largest, smallest", [(np.float32, 128, -149), (np.float64, 1024, -1074)])
def test_exp2_at_the_ends(dtype, largest, smallest):
    x = np.array([0, smallest - 1.1, -1e6, -np.inf, largest, 1e6, np.inf, np.nan], dtype)
    np.testing.assert_array_equal(compiled(0, x), [1, 0, 0, 0, np.inf, np.inf, np.inf, np.nan])


@pytest.mark.parametrize("dtype, limit", [(np.float32, 4e-6), (np.float64, 1e-14)])
def test_softplus_and_sigmoid(dtype, limit):
    x = np.linspace(-80, 80, 100_001).astype(dtype)
    wide = x.astype(np.longdouble)
    assert np.abs(compiled(1, x) / np.log1p(np.exp(wide)) - 1).max() < limit
    assert np.abs(compiled(2, x) * (1 + np.exp(-wide)) - 1).max() < limit


@pytest.fixture
def threads():
    """A function that sets the number of threads; the old number comes back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_threads(threads, count):
    threads(count)
    x = make(3, 40, 300, 4)
    assert x["u"].numel() * 4 > cpu._SMALL  # large enough to be shared out
    assert_close(x, "cpu", delta_softplus=True)


def test_the_same_call_gives_the_same_bits(threads):
    threads(2)
    x = make(3, 40, 300, 4)
    first = run(x, "cpu", delta_softplus=True)
    for _ in range(5):
        again = run(x, "cpu", delta_softplus=True)
        assert all(torch.equal(first[name], again[name]) for name in first)


def test_two_python_threads_may_call_at_once(threads):
    threads(2)
    inputs = [make(2, 60, 300, 4, seed=seed) for seed in range(4)]
    alone = [run(x, "cpu", delta_softplus=True) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            together = list(pool.map(lambda x: run(x, "cpu", delta_softplus=True), inputs))
            for one, other in zip(alone, together):
                assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_it_works_in_a_forked_process():
    program = """
import os, signal, torch
from mamba_edu import selective_scan
torch.set_num_threads(2)
x = [torch.rand(2, 60, 300), torch.rand(2, 60, 300), -torch.rand(300, 4), torch.rand(2, 60, 4), torch.rand(2, 60, 4)]
y = selective_scan(*x, backend="cpu")  # starts the threads, which the child won't have
if os.fork() == 0:
    signal.alarm(60)
    os._exit(0 if torch.equal(selective_scan(*x, backend="cpu"), y) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_an_error_in_a_thread_reaches_the_caller(threads):
    threads(2)

    def kernel(width, first, stop):
        raise MemoryError("from a thread")

    with pytest.raises(MemoryError, match="from a thread"):
        cpu._spread(kernel, (), 8, 64, 32, 10**6)


def test_it_compiles_where_no_cache_can_be_written(monkeypatch):
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])

    def double(x):
        return 2 * x

    with pytest.raises(RuntimeError, match="no locator available"):
        numba.njit(cache=True)(double)
    assert cpu_kernels._compiled()(double)(21) == 42


def test_the_gradient_of_a_block_is_summed_over_blocks():
    """d = 300 makes two blocks of channels: each gives its share of dB and dC."""
    x = make(1, 40, 300, 4, dtype=torch.float64)
    got, true = run(x, "cpu", delta_softplus=True), run(x, "reference", delta_softplus=True)
    assert error(got["d_B"], true["d_B"]) < 1e-12 and error(got["d_C"], true["d_C"]) < 1e-12
