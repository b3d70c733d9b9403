"""Memory of forward + backward, in a fresh process: less than one (b, l, d, n) tensor (pitfall 19)."""

import json
import subprocess
import sys

import pytest

LIMIT = 2 * 4096 * 256 * 16 * 4  # bytes: one (b, l, d, n) float32 tensor, 134 MB

PROGRAM = """
import json, resource, sys
import torch
from mamba_edu import selective_scan

def inputs(b, l, d, n):
    torch.manual_seed(0)
    x = [torch.randn(b, l, d), torch.rand(b, l, d), -torch.rand(d, n), torch.randn(b, l, n), torch.randn(b, l, n)]
    return [t.requires_grad_() for t in x]

def naive(u, delta, A, B, C):
    a = torch.exp(delta[..., None] * A)
    x = (delta * u)[..., None] * B[:, :, None]
    return ((a * x) * C[:, :, None]).sum(-1)  # not even a recurrence: the tensors alone

def peak():
    if sys.platform == "linux":  # ru_maxrss begins at the parent's peak here
        status = open("/proc/self/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

name = sys.argv[1]
scan = naive if name == "naive" else lambda *x: selective_scan(*x, backend=name)
scan(*inputs(1, 70, 4, 2)).sum().backward()  # compiles, starts threads
x = inputs(2, 4096, 256, 16)
sum(t.sum() for t in x)
before = peak()
y = scan(*x)
y.backward(torch.ones_like(y))
finite = all(torch.isfinite(t.grad).all().item() for t in x)
print(json.dumps({"growth": peak() - before, "finite": finite}))
"""


def growth(name):
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["finite"]
    return result["growth"]


@pytest.mark.skipif(sys.platform == "win32", reason="no getrusage")
@pytest.mark.parametrize("backend", ["chunked", "cpu"])
def test_forward_and_backward_stay_under_one_full_tensor(backend):
    assert 0 < growth(backend) < LIMIT


@pytest.mark.skipif(sys.platform == "win32", reason="no getrusage")
def test_the_measurement_sees_full_tensors():
    assert growth("naive") > 2 * LIMIT
