"""Calls core.js in a page, all cases of a function at once, and compares what comes back with PyTorch."""

import json
import math
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parents[2] / "mamba_edu" / "widgets"
LENGTHS = (0, 1, 2, 5, 64, 129)
HOST = "http://core.test/"

# What comes in is frozen: a function that wrote into it, or handed it on, would be seen.
_RUN = """async ([name, text, typed]) => {
  const core = await import("./core.js");
  const revive = (key, value) => (value !== null && typeof value === "object" && "number" in value
    ? Number(value.number) : value);
  const write = (key, value) => (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))
    ? { number: Object.is(value, -0) ? "-0" : String(value) } : value);
  const each = (x) => (x !== null && typeof x === "object" && !ArrayBuffer.isView(x) ? Object.values(x) : []);
  const freeze = (x) => { each(x).forEach(freeze); return ArrayBuffer.isView(x) ? x : Object.freeze(x); };
  const shares = (x) => x !== null && typeof x === "object" && (Object.isFrozen(x) || each(x).some(shares));
  const rows = (x) => (Array.isArray(x) && x.length && x.every((value) => typeof value === "number")
    ? Float64Array.from(x)
    : Array.isArray(x) ? x.map(rows)
    : x !== null && typeof x === "object" ? Object.fromEntries(Object.entries(x).map(([k, v]) => [k, rows(v)])) : x);
  return JSON.stringify(JSON.parse(text, revive).map((args) => {
    const given = freeze(typed ? rows(args) : args);
    try {
      const result = core[name](...given);
      return shares(result) ? { error: "Shared", message: "the result holds an input" } : { result };
    } catch (problem) {
      return { error: problem.name, message: problem.message };
    }
  }), write);
}"""


class CorePage:
    """A page that has core.js. `page`: the Playwright page."""

    def __init__(self, page):
        self.page = page
        page.route("**/*", self._answer)
        page.goto(HOST)

    def _answer(self, route):
        name = route.request.url.removeprefix(HOST)
        if name:
            route.fulfill(path=FOLDER / name, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>core</title>", content_type="text/html")

    def outcomes(self, name, cases, typed=False):
        """For each list of arguments {"result": ...} or {"error": its class, "message": ...}.

        Numbers cross exactly, NaN, the infinities and -0 too. typed: vectors arrive as Float64Array.
        """
        text = json.dumps([plain(list(case)) for case in cases], allow_nan=False)
        answer = self.page.evaluate(_RUN, [name, text, typed])
        return json.loads(answer, object_hook=_number, parse_int=float)  # 2^55 is written as no integer of Python's

    def call(self, name, cases, typed=False):
        """The results; an error in the page is an error here."""
        outcomes = self.outcomes(name, cases, typed)
        for outcome in outcomes:
            assert "error" not in outcome, f"{name}: {outcome['error']}: {outcome['message']}"
        return [outcome.get("result") for outcome in outcomes]


def plain(x):
    """What JSON can carry: tensors as nested lists, complex ones as {re, im}, what is not finite by its name."""
    if isinstance(x, torch.Tensor):
        return {"re": plain(x.real), "im": plain(x.imag)} if x.is_complex() else plain(x.tolist())
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(value) for value in x]
    if isinstance(x, float) and not math.isfinite(x):
        return {"number": "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"}
    return x


def _number(x):
    return float(x["number"]) if set(x) == {"number"} else x


def tensor(x):
    """What came back, as float64 or complex128."""
    if isinstance(x, dict):
        return torch.complex(tensor(x["re"]), tensor(x["im"]))
    return torch.tensor(x, dtype=torch.float64)


def difference(got, want):
    """The largest difference, relative to the largest true value; AssertionError for what is not finite or not real.

    got: what `call` returned. want: a tensor, real or complex, or a number.
    """
    want = torch.as_tensor(want)
    assert isinstance(got, dict) == want.is_complex(), "real and complex confused"
    got = tensor(got)
    assert got.shape == want.shape or got.numel() == want.numel() == 0, (tuple(got.shape), tuple(want.shape))
    if not want.numel():
        return 0.0
    assert torch.isfinite(torch.view_as_real(want + 0j)).all(), "PyTorch's own value is not finite"
    assert torch.isfinite(torch.view_as_real(got + 0j)).all(), "not finite"
    return ((got - want).abs().max() / want.abs().max().clamp(min=1e-300)).item()
