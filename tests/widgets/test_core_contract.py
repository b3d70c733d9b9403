"""What core.js promises beside numbers: clear errors, inputs left alone, no page, the same noise, a text's bytes."""

import math
import random
import re
import statistics

import pytest
import torch
from core_page import FOLDER
from test_core import rule_cases
from test_core_scan import as_call, scan_cases

FILES = ("core.js", "shape.js", "complex.js")


# No page


@pytest.mark.parametrize("file", FILES)
def test_no_page_is_touched(file):
    text = (FOLDER / file).read_text(encoding="utf-8")
    page = "document window globalThis self navigator location fetch console performance Date Math.random setTimeout"
    assert [word for word in page.split() if re.search(rf"\b{re.escape(word)}\b", text)] == []
    imported = set(re.findall(r'from "\./([^"]+)";', text))
    assert imported <= {"shape.js", "complex.js"} and text.count("import ") == len(imported)


def test_it_runs_where_there_is_no_page(core):
    """In a worker, which has neither document nor window."""
    got = core.page.evaluate(
        """() => new Promise((resolve, reject) => {
          const code = 'import("http://core.test/core.js").then((core) => postMessage([core.softplus(0),' +
            ' core.decodeUtf8(core.encodeUtf8("é")), typeof document, typeof window]),' +
            ' (problem) => postMessage([String(problem)]));';
          const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
          worker.onmessage = (event) => resolve(event.data);
          worker.onerror = (event) => reject(event.message);
        })"""
    )
    assert got == [math.log(2), "é", "undefined", "undefined"]


def test_a_file_fits_a_reader():
    for file in FILES:
        lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400 and max(map(len, lines)) <= 120, file


def test_every_export_says_what_it_is():
    """The comment stands right above; of arrays it names the shapes."""
    text = (FOLDER / "core.js").read_text(encoding="utf-8")
    exported = re.findall(r"(.*)\nexport (?:function|const) (\w+)", text)
    assert len(exported) == 28
    assert [name for above, name in exported if not above.endswith("*/")] == []


# Inputs


def test_float64_arrays_are_taken_wherever_a_vector_is(draw, core):
    """And give plain arrays, so that a figure's `map` may make labels of them."""
    calls = {
        "selectiveScan": [as_call(x) for x in scan_cases(draw, 3)],
        "discretizeZoh": list(rule_cases(draw))[:40],
        "howMuchIsLeft": [[draw(9).abs(), -1.0]],
        "ltiScan": [[draw(3), torch.complex(draw(3), draw(3)), draw(3), draw(6), {"h0": draw(3)}]],
        "causalConv1d": [[draw(5, 3), draw(3, 4), {"bias": draw(3), "state": draw(3, 3)}]],
        "causalConv1dStep": [[draw(3), draw(3, 4), draw(3, 3)]],
        "matmul": [[draw(3, 4), draw(4, 5)]],
        "linear": [[draw(2, 4), draw(3, 4), draw(3)]],
        "rmsNorm": [[draw(2, 4), draw(4)]],
        **{name: [[draw(9)]] for name in ("softmax", "logSoftmax", "logSumExp", "cumsum", "cumprod", "argmax")},
    }
    for name, cases in calls.items():
        assert repr(core.call(name, cases, typed=True)) == repr(core.call(name, cases)), name


def test_the_results_are_the_callers(core):
    """Writing into one changes no other: the last state is a copy."""
    assert core.page.evaluate(
        """async () => {
          const { selectiveScan, ltiScan, causalConv1d } = await import("./core.js");
          const scan = selectiveScan([[1]], [[1]], [[-1]], [[1]], [[1]]);
          scan.lastState[0][0] = 99;
          const lti = ltiScan([0.5], [1], [1], [1]);
          lti.lastState[0] = 99;
          const conv = causalConv1d([[1], [2]], [[1, 1]]);
          conv.state[0][0] = 99;
          return [scan.h[0][0][0], lti.h[0][0], conv.y[1][0]];
        }"""
    ) == [1, 1, 3]


one, row, col = [1.0], [[1.0, 2.0]], [[1.0], [2.0]]
scan = [col, col, [[-1.0]], col, col]  # l=2, d=1, n=1

ERRORS = [
    ("softplus", ["1"], "TypeError", 'x must be a number, got "1"'),
    ("sigmoid", [None], "TypeError", "x must be a number, got null"),
    ("silu", [[1.0]], "TypeError", "x must be a number, got (1)"),
    ("softmax", [3.0], "TypeError", "x must have shape (n), got 3"),
    ("logSoftmax", [row], "TypeError", "x must hold numbers, got (2) at [0]"),
    ("logSumExp", [["a"]], "TypeError", 'x must hold numbers, got "a" at [0]'),
    ("cumsum", [{}], "TypeError", "x must have shape (n), got an object"),
    ("cumprod", [[True]], "TypeError", "x must hold numbers, got true at [0]"),
    ("argmax", [[]], "RangeError", "x must hold at least one value, got (0)"),
    ("matvec", [row, [1.0]], "RangeError", "v must have shape (k) with k=2, got (1)"),
    ("matmul", [row, row], "RangeError", "Q must have shape (k, n) with k=2, got (1, 2)"),
    ("matmul", [[[1.0], [1.0, 2.0]], row], "RangeError", "P must have shape (m, k), got (2, 1), length 2 at [1]"),
    ("matmul", [[1.0], row], "TypeError", "P must have shape (m, k), got (1), 1 at [0]"),
    ("linear", [[1.0], row], "RangeError", "x must have shape (k) with k=2, got (1)"),
    ("linear", [[1.0, 2.0], row, col], "RangeError", "bias must have shape (m) with m=1, got (2, 1)"),
    ("rmsNorm", [[1.0], [1.0, 2.0]], "RangeError", "x must have shape (d) with d=2, got (1)"),
    ("rmsNorm", [[1.0], None, "a"], "TypeError", 'eps must be a number, got "a"'),
    (
        "causalConv1d",
        [col, row, {"state": col}],
        "RangeError",
        "state must have shape (k-1, d) with k-1=1, d=1, got (2, 1)",
    ),
    ("causalConv1d", [row, row], "RangeError", "x must have shape (l, d) with d=1, got (1, 2)"),
    ("causalConv1d", [col, [[]]], "RangeError", "weight must have shape (d, k) with k of at least 1, got (1, 0)"),
    (
        "causalConv1d",
        [col, row, {"biass": one}],
        "TypeError",
        "options must be an object with any of bias, state, got biass",
    ),
    ("causalConv1dStep", [one, row, None], "TypeError", "state must have shape (k-1, d), got null"),
    ("causalConv1dStep", [[1.0, 2.0], row, [one]], "RangeError", "xt must have shape (d) with d=1, got (2)"),
    ("conv1dFull", [one, 2.0], "TypeError", "u must have shape (l), got 2"),
    ("discretizeZoh", ["a", one, one], "TypeError", 'delta must be a number, got "a"'),
    ("discretizeZoh", [0.1, one, None], "TypeError", "B must have shape (n) with n=1, got null"),
    ("discretizeMixed", [0.1, one, [1.0, 2.0]], "RangeError", "B must have shape (n) with n=1, got (2)"),
    ("discretizeEuler", [[0.1], one, col], "RangeError", "B must have shape (l, n) with l=1, n=1, got (2, 1)"),
    (
        "discretizeBilinear",
        [0.1, {"re": one, "im": []}, one],
        "RangeError",
        "A.im must have shape (n) with n=1, got (0)",
    ),
    ("ltiScan", [one, [1.0, 2.0], one, one], "RangeError", "BBar must have shape (n) with n=1, got (2)"),
    ("ltiScan", [one, one, one, one, {"D": one}], "TypeError", "D must be a number, got (1)"),
    ("ltiScan", [one, one, one, one, {"h0": {"re": one, "im": None}}], "TypeError", "h0.im must have shape (n)"),
    ("ltiKernel", [one, one, one, 1.5], "RangeError", "l must be a whole number of at least 0, got 1.5"),
    ("ltiKernel", [one, one, one, "3"], "TypeError", 'l must be a whole number of at least 0, got "3"'),
    ("selectiveScan", [col, row, *scan[2:]], "RangeError", "delta must have shape (l, d) with l=2, d=1, got (1, 2)"),
    ("selectiveScan", [*scan[:2], [1.0], col, col], "TypeError", "A must have shape (d, n), got (1), 1 at [0]"),
    ("selectiveScan", [*scan[:4], row], "RangeError", "C must have shape (l, n) with l=2, n=1, got (1, 2)"),
    ("selectiveScan", [*scan, {"h0": row}], "RangeError", "h0 must have shape (d, n) with d=1, n=1, got (1, 2)"),
    ("selectiveScan", [*scan, {"deltaBias": 1.0}], "TypeError", "deltaBias must have shape (d) with d=1, got 1"),
    ("selectiveScan", [*scan, {"deltaSoftplus": 1.0}], "TypeError", "deltaSoftplus must be true or false, got 1"),
    ("selectiveScan", [*scan, {"delta_bias": one}], "TypeError", "D, z, deltaBias, deltaSoftplus, h0, got delta_bias"),
    ("selectiveScan", [*scan, None], "TypeError", "options must be an object with any of"),
    (
        "selectiveScanStep",
        [one, one, [[-1.0]], one, one, one],
        "TypeError",
        "h must have shape (d, n) with d=1, n=1, got (1)",
    ),
    ("selectiveScanStep", [one, one, [[-1.0]], one, one, [one], {"zt": col}], "RangeError", "zt must have shape (d)"),
    ("howMuchIsLeft", [one, one], "TypeError", "a must be a number, got (1)"),
    ("howMuchIsLeft", [0.1, -1.0], "TypeError", "delta must have shape (l), got 0.1"),
    ("randomGenerator", [-1], "RangeError", "seed must be a whole number of at least 0, got -1"),
    ("encodeUtf8", [3], "TypeError", "text must be a string, got 3"),
    ("decodeUtf8", [[256]], "RangeError", "bytes must be whole numbers from 0 to 255, got 256"),
    ("decodeUtf8", [[0.5]], "RangeError", "bytes must be whole numbers from 0 to 255, got 0.5"),
]


@pytest.mark.parametrize("name, arguments, kind, message", ERRORS, ids=[f"{e[0]}-{i}" for i, e in enumerate(ERRORS)])
def test_one_error_names_the_argument_what_came_and_what_was_expected(name, arguments, kind, message, core):
    (got,) = core.outcomes(name, [arguments])
    assert got.get("error") == kind and message in got["message"], got


def test_every_function_of_an_array_or_number_refuses_nothing_at_all(core):
    """Called with nothing, each says which argument is missing; none returns NaN or undefined."""
    exported = core.page.evaluate("async () => Object.keys(await import('./core.js'))")
    assert len(exported) == 28
    for name in exported:
        (got,) = core.outcomes(name, [[]])
        assert re.match(r"\w+ must (be|have|hold)", got.get("message", "")), (name, got)


# Noise


def mulberry32(seed, count):
    """The same generator in Python's whole numbers."""
    mask, counter, values = 0xFFFFFFFF, seed & 0xFFFFFFFF, []
    for _ in range(count):
        counter = (counter + 0x6D2B79F5) & mask
        t = (counter ^ counter >> 15) * (counter | 1) & mask
        t ^= (t + ((t ^ t >> 7) * (t | 61) & mask)) & mask
        values.append((t ^ t >> 14) / 2**32)
    return values


def drawn(core, seed, method, count, *arguments):
    code = """async ([seed, method, count, rest]) => {
      const generator = (await import("./core.js")).randomGenerator(seed);
      return Array.from({ length: count }, () => generator[method](...rest));
    }"""
    return core.page.evaluate(code, [seed, method, count, list(arguments)])


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**32 - 1, 2**40 + 7])
def test_noise_is_the_same_on_every_machine(seed, core):
    uniform = mulberry32(seed, 400)
    assert drawn(core, seed, "uniform", 400) == uniform
    assert drawn(core, seed, "integer", 400, 10) == [math.floor(10 * u) for u in uniform]
    pairs = zip(uniform[::2], uniform[1::2])
    want = [math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v) for u, v in pairs]
    assert drawn(core, seed, "normal", 200) == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_noise_looks_like_noise(core):
    normal = drawn(core, 3, "normal", 20_000)
    assert abs(statistics.fmean(normal)) < 0.03 and abs(statistics.pvariance(normal) - 1) < 0.04
    assert abs(sum(abs(x) < 1 for x in normal) / 20_000 - 0.6827) < 0.015
    with pytest.raises(Exception, match="below must be a whole number of at least 1, got 0"):
        drawn(core, 4, "integer", 1, 0)
    counts = [drawn(core, 4, "integer", 20_000, 4).count(k) for k in range(5)]
    assert counts[4] == 0 and all(abs(count - 5000) < 250 for count in counts[:4])
    assert drawn(core, 0, "uniform", 5) != drawn(core, 1, "uniform", 5)


# Bytes


def test_every_text_becomes_its_bytes_and_comes_back(core):
    dice = random.Random(0)
    texts = ["", "by [[Johann Most", "é", "日本", "👩‍🔬", "\ufefffirst", "a\x00b", "\u0301"]
    texts += ["".join(chr(dice.choice([65, 0xE9, 0x3B1, 0x4E00, 0x1F600]) + i) for i in range(9)) for _ in range(50)]
    encoded = core.call("encodeUtf8", [[text] for text in texts])
    assert encoded == [list(text.encode()) for text in texts]
    assert core.call("decodeUtf8", [[values] for values in encoded]) == texts


def test_bytes_that_are_no_text_are_read_as_python_reads_them(core):
    dice = random.Random(1)
    cases = [bytes(dice.randrange(256) for _ in range(dice.randrange(1, 12))) for _ in range(200)]
    cases += [b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"[[\xe9]]", b"\xef\xbb\xbf[["]
    want = [case.decode(errors="replace") for case in cases]
    assert core.call("decodeUtf8", [[list(case)] for case in cases]) == want
    (half,) = core.call("encodeUtf8", [["\ud800"]])
    assert bytes(int(value) for value in half) == b"\xef\xbf\xbd"  # half of a pair
