/**
 * What the live figures compute: the package's functions in JavaScript, float64, without a page.
 *
 * Layout. A vector is an array of numbers, a matrix an array of its rows, and so on: `h[t][c][n]` is written as it is
 * read, and `h.map((row) => ...)` may make labels out of numbers (a Float64Array's `map` can't). Every number of
 * JavaScript is a float64, so plain arrays lose nothing; a Float64Array is taken wherever a vector is. A complex array
 * is `{ re, im }`, two arrays of one shape. `[]`, which has no rows, is (0, k) for every k.
 *
 * Names, shapes and letters are the package's: l time steps, d channels, n states; `u` comes in, `h` is the state, `y`
 * goes out, `delta` is the step. What is optional stands by name in a last argument, `{ D, z }`; null counts as left
 * out. Nothing is changed in place. NaN and the infinities go through as in PyTorch. Wrong input throws one error that
 * names the argument, what came and what was expected: TypeError for the kind, RangeError for a shape or a value.
 */

import { divideComplex, expComplex, expm1OverComplex, multiplyComplex } from "./complex.js";
import {
  inWords, isArray, isComplex, requireComplex, requireNumber, requireOptions, requireShape, requireWhole
} from "./shape.js";

const zeros = (rows, columns) => Array.from({ length: rows }, () => new Array(columns).fill(0));

// ---- one number -----------------------------------------------------------------------------------------------------

/** log(1 + exp(x)), and x itself above 20, as torch.nn.functional.softplus has it. */
export const softplus = (x) => (requireNumber("x", x) > 20 ? x : Math.log1p(Math.exp(x)));

/** 1 / (1 + exp(-x)). */
export const sigmoid = (x) => 1 / (1 + Math.exp(-requireNumber("x", x)));

/** x sigmoid(x). */
export const silu = (x) => requireNumber("x", x) / (1 + Math.exp(-x));

// ---- one vector -----------------------------------------------------------------------------------------------------

const add = (a, b) => a + b;

const largest = (x) => Array.from(x).reduce((a, b) => Math.max(a, b), -Infinity);

const powers = (x, top) => Array.from(x, (value) => Math.exp(value - top));

const dot = (a, b) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

/** log(sum(exp(x))), without overflow; -Infinity where x is empty. x: (n) -> a number. */
export function logSumExp(x) {
  requireShape("x", x, "(n)");
  const top = largest(x);
  if (!Number.isFinite(top)) return top; // inf - inf would be NaN
  return top + Math.log(powers(x, top).reduce(add, 0));
}

/** x - logSumExp(x). x: (n) -> (n). */
export function logSoftmax(x) {
  requireShape("x", x, "(n)");
  const top = largest(x);
  const rest = Math.log(powers(x, top).reduce(add, 0));
  return Array.from(x, (value) => value - top - rest); // top first: added to 1e6, `rest` would lose its digits
}

/** exp(x) / sum(exp(x)). x: (n) -> (n). */
export function softmax(x) {
  requireShape("x", x, "(n)");
  const above = powers(x, largest(x));
  const sum = above.reduce(add, 0);
  return above.map((power) => power / sum);
}

/** The index of the largest value, the first of equals; NaN counts as the largest, as in PyTorch. x: (n), n > 0. */
export function argmax(x) {
  if (requireShape("x", x, "(n)").n === 0) throw new RangeError("x must hold at least one value, got (0)");
  let best = 0;
  for (let i = 1; i < x.length && !Number.isNaN(x[best]); i++) if (!(x[i] <= x[best])) best = i;
  return best;
}

/** The sums of the first 1, 2, ... values. x: (n) -> (n). */
export function cumsum(x) {
  requireShape("x", x, "(n)");
  let sum = 0;
  return Array.from(x, (value) => (sum += value));
}

/** The products of the first 1, 2, ... values. x: (n) -> (n). */
export function cumprod(x) {
  requireShape("x", x, "(n)");
  let product = 1;
  return Array.from(x, (value) => (product *= value));
}

// ---- vectors and matrices -------------------------------------------------------------------------------------------

/** M v. M: (m, k), v: (k) -> (m). */
export function matvec(M, v) {
  requireShape("v", v, "(k)", requireShape("M", M, "(m, k)"));
  return Array.from(M, (row) => dot(row, v));
}

/** P Q. P: (m, k), Q: (k, n) -> (m, n); with k = 0 nothing tells n, and the rows are empty. */
export function matmul(P, Q) {
  const { k, n } = requireShape("Q", Q, "(k, n)", requireShape("P", P, "(m, k)"));
  const columns = Array.from({ length: n ?? 0 }, (_, j) => Array.from({ length: k }, (_, i) => Q[i][j]));
  return Array.from(P, (row) => columns.map((column) => dot(row, column)));
}

/** f of a vector, or of each row of a matrix. */
const alongRows = (x, f) => (isArray(x) && (x.length === 0 || isArray(x[0])) ? Array.from(x, f) : f(x));

/** weight x + bias, as torch.nn.functional.linear. x: (k) or (l, k), weight: (m, k), bias: (m) -> (m) or (l, m). */
export function linear(x, weight, bias = null) {
  const sizes = requireShape("weight", weight, "(m, k)");
  if (bias !== null) requireShape("bias", bias, "(m)", sizes);
  return alongRows(x, (row) => {
    requireShape("x", row, "(k)", sizes);
    return Array.from(weight, (weights, i) => dot(row, weights) + (bias === null ? 0 : bias[i]));
  });
}

/** weight x / sqrt(mean(x^2) + eps), the mean over the last axis. x: (d) or (l, d), weight: (d), left out ones. */
export function rmsNorm(x, weight = null, eps = 1e-5) {
  requireNumber("eps", eps);
  const sizes = weight === null ? {} : requireShape("weight", weight, "(d)");
  return alongRows(x, (row) => {
    requireShape("x", row, "(d)", sizes);
    const scale = 1 / Math.sqrt(dot(row, row) / row.length + eps);
    return Array.from(row, (value, i) => value * scale * (weight === null ? 1 : weight[i]));
  });
}

// ---- convolution ----------------------------------------------------------------------------------------------------

/**
 * Mamba's short convolution, y[t][c] = bias[c] + sum_j weight[c][j] x[t - (k - 1) + j][c]: each channel sees its own
 * last k inputs. x: (l, d), weight: (d, k), PyTorch's (d, 1, k) without the middle axis; bias: (d). state: the last
 * k - 1 inputs, (k - 1, d), oldest first; left out, zeros stand before the sequence.
 * Returns {y: (l, d), state: (k - 1, d), the one after x}.
 */
export function causalConv1d(x, weight, options = {}) {
  requireOptions(options, ["bias", "state"]);
  const { bias, state } = options;
  const { d, k = 1 } = requireShape("weight", weight, "(d, k)"); // d = 0: no filter tells k
  if (k === 0) throw new RangeError(`weight must have shape (d, k) with k of at least 1, got (${d}, 0)`);
  requireShape("x", x, "(l, d)", { d });
  if (bias != null) requireShape("bias", bias, "(d)", { d });
  if (state != null) requireShape("state", state, "(k-1, d)", { "k-1": k - 1, d });
  const seen = [...Array.from(state ?? zeros(k - 1, d)), ...Array.from(x)]; // (k - 1 + l, d)
  const filtered = (taps, c, t) => dot(taps, seen.slice(t, t + k).map((row) => row[c])) + (bias?.[c] ?? 0);
  const y = Array.from(x, (_, t) => Array.from(weight, (taps, c) => filtered(taps, c, t)));
  return { y, state: seen.slice(seen.length - (k - 1)).map((row) => Array.from(row)) };
}

/** One turn of `causalConv1d`. xt: (d), weight: (d, k), state: (k - 1, d), bias: (d) -> {y: (d), state: (k - 1, d)}. */
export function causalConv1dStep(xt, weight, state, options = {}) {
  requireOptions(options, ["bias"]);
  requireShape("xt", xt, "(d)", requireShape("weight", weight, "(d, k)"));
  if (!isArray(state)) throw new TypeError(`state must have shape (k-1, d), got ${inWords(state)}`);
  const { y, state: next } = causalConv1d([xt], weight, { ...options, state });
  return { y: y[0], state: next };
}

/** y = K * u, causal, written out: y[t] = sum_{j <= t} K[j] u[t - j]. K: (k), zero beyond it; u: (l) -> (l). */
export function conv1dFull(K, u) {
  requireShape("K", K, "(k)");
  requireShape("u", u, "(l)");
  return Array.from(u, (_, t) => {
    let sum = 0;
    for (let j = 0; j <= t && j < K.length; j++) sum += K[j] * u[t - j];
    return sum;
  });
}

// ---- discretisation: h' = A h + B u becomes h_t = ABar h_{t-1} + BBar u_t, A diagonal -------------------------------

/** rule: delta A -> [ABar, BBar / (delta B)], each [re, im]. */
function discretize(rule, delta, A, B) {
  const single = !isArray(delta);
  const deltas = single ? [requireNumber("delta", delta)] : Array.from(delta);
  const sizes = requireShape("delta", deltas, "(l)");
  const a = requireComplex("A", A, "(n)", sizes);
  const values = isComplex(B) ? B.re : B;
  const inRows = !single && (values?.length === 0 ? sizes.l === 0 : isArray(values?.[0]));
  const b = requireComplex("B", B, inRows ? "(l, n)" : "(n)", sizes);
  const rows = deltas.map((step, t) =>
    Array.from(a.re, (rate, i) => {
      const [ABar, factor] = rule([step * rate, a.im ? step * a.im[i] : 0]);
      const [re, im] = [b.re, b.im].map((part) => (part ? step * (inRows ? part[t] : part)[i] : 0));
      return { ABar, BBar: multiplyComplex(factor, [re, im]) };
    }),
  ); // (l, n)
  const pick = (name, real) => {
    const [re, im] = [0, 1].map((part) => rows.map((row) => row.map((pair) => pair[name][part])));
    return real ? (single ? re[0] : re) : single ? { re: re[0], im: im[0] } : { re, im };
  };
  return { ABar: pick("ABar", !a.im), BBar: pick("BBar", !a.im && !b.im) };
}

/**
 * Zero-order hold, the exact solution while u stands still for one step (Mamba eq. 4): ABar = exp(delta A),
 * BBar = (delta A)^-1 (exp(delta A) - 1) delta B; where A is zero, BBar is its limit, delta B.
 * delta: the positive step, a number or (l). A: (n). B: (n), or (l, n) beside such a delta. A and B real or complex.
 * Returns {ABar, BBar}, each (n), or (l, n) where delta is (l). ABar is complex where A is, BBar where A or B is.
 */
export const discretizeZoh = (delta, A, B) => discretize((x) => [expComplex(x), expm1OverComplex(x)], delta, A, B);

/**
 * The trapezoid rule, S4's choice (S4 eq. 3): ABar = (1 + delta A / 2) / (1 - delta A / 2),
 * BBar = delta B / (1 - delta A / 2). Shapes: see `discretizeZoh`.
 */
export function discretizeBilinear(delta, A, B) {
  const rule = ([re, im]) => {
    const below = [1 - re / 2, -im / 2];
    return [divideComplex([1 + re / 2, im / 2], below), divideComplex([1, 0], below)];
  };
  return discretize(rule, delta, A, B);
}

/** A straight step along the slope: ABar = 1 + delta A, BBar = delta B. Shapes: see `discretizeZoh`. */
export const discretizeEuler = (delta, A, B) => discretize(([re, im]) => [[1 + re, im], [1, 0]], delta, A, B);

/** Mamba's own rule, that of `selectiveScan`: ABar = exp(delta A), BBar = delta B. Shapes: see `discretizeZoh`. */
export const discretizeMixed = (delta, A, B) => discretize((x) => [expComplex(x), [1, 0]], delta, A, B);

// ---- the recurrence with A and B fixed ------------------------------------------------------------------------------

/**
 * h_t = ABar h_{t-1} + BBar u_t, y_t = C . h_t + D u_t, with one diagonal ABar for all steps (Mamba eq. 2a, 2b).
 * ABar, BBar, C: (n); u: (l); D: a number; h0: (n), left out zeros. ABar, BBar, C and h0 may each be complex; C is not
 * conjugated, and no conjugate twin is added. Returns {y: (l), h: (l, n), the state after each step, lastState: (n)}:
 * y is complex where any of them is, the states where ABar, BBar or h0 is.
 */
export function ltiScan(ABar, BBar, C, u, options = {}) {
  requireOptions(options, ["D", "h0"]);
  const sizes = requireShape("u", u, "(l)");
  const [a, b, c] = Object.entries({ ABar, BBar, C }).map(([name, x]) => requireComplex(name, x, "(n)", sizes));
  const h0 = requireComplex("h0", options.h0 ?? zeros(1, sizes.n)[0], "(n)", sizes);
  const { D } = options;
  if (D != null) requireNumber("D", D);
  const pair = (x, i) => [x.re[i], x.im ? x.im[i] : 0];
  let state = Array.from(h0.re, (_, i) => pair(h0, i)); // (n) pairs [re, im]
  const [states, outs] = [[], []];
  for (let t = 0; t < sizes.l; t++) {
    state = state.map((value, i) => {
      const kept = multiplyComplex(pair(a, i), value);
      return [kept[0] + b.re[i] * u[t], b.im ? kept[1] + b.im[i] * u[t] : kept[1]];
    });
    states.push(state);
    const read = state.map((value, i) => multiplyComplex(pair(c, i), value));
    const skip = [D == null ? 0 : D * u[t], 0];
    outs.push(skip.map((start, part) => read.reduce((sum, value) => sum + value[part], start)));
  }
  const split = (real, part) => (real ? part(0) : { re: part(0), im: part(1) });
  const realState = !a.im && !b.im && !h0.im;
  return {
    y: split(realState && !c.im, (part) => outs.map((value) => value[part])),
    h: split(realState, (part) => states.map((row) => row.map((value) => value[part]))),
    lastState: split(realState, (part) => state.map((value) => value[part])),
  };
}

/**
 * The same system as a convolution kernel, K[j] = C . (ABar^j BBar) (S4 eq. 5): `conv1dFull(K, u)` is `ltiScan`'s y.
 * ABar, BBar, C: (n); l: how many values -> (l), complex where one of the three is.
 */
export function ltiKernel(ABar, BBar, C, l) {
  const impulse = Array.from({ length: requireWhole("l", l, 0) }, (_, t) => (t === 0 ? 1 : 0));
  return ltiScan(ABar, BBar, C, impulse).y;
}

// ---- the selective scan ---------------------------------------------------------------------------------------------

/**
 * The recurrence at the heart of Mamba over a whole sequence, as `mamba_edu.selective_scan` for one row of a batch:
 *
 *     h_t = exp(delta_t A) * h_{t-1} + delta_t B_t u_t        // (d, n), Mamba eq. 2a with a diagonal A
 *     y_t = (C_t . h_t + D u_t) * silu(z_t)                   // (d), Mamba eq. 2b, then the block's gate
 *
 * u: (l, d). delta: (l, d), the positive step; raw only beside `deltaSoftplus: true`, which makes it softplus(delta +
 * deltaBias). A: (d, n). B, C: (l, n). Left out, D: (d), z: (l, d), deltaBias: (d) and h0: (d, n) count as nothing.
 * Returns {y: (l, d), h: (l, d, n), the state after each step, lastState: (d, n)}.
 */
export function selectiveScan(u, delta, A, B, C, options = {}) {
  requireOptions(options, ["D", "z", "deltaBias", "deltaSoftplus", "h0"]);
  const { z, h0 } = options;
  const sizes = requireShape("A", A, "(d, n)");
  for (const [name, x] of Object.entries({ u, delta })) requireShape(name, x, "(l, d)", sizes);
  for (const [name, x] of Object.entries({ B, C })) requireShape(name, x, "(l, n)", sizes);
  if (z != null) requireShape("z", z, "(l, d)", sizes);
  if (h0 != null) requireShape("h0", h0, "(d, n)", sizes);
  const turn = scanTurn(A, sizes, options);
  let state = Array.from(h0 ?? zeros(sizes.d, sizes.n), (row) => Array.from(row)); // (d, n)
  const [y, h] = [[], []];
  for (let t = 0; t < sizes.l; t++) {
    const next = turn(u[t], delta[t], B[t], C[t], state, z?.[t]);
    state = next.h;
    y.push(next.y);
    h.push(state);
  }
  return { y, h, lastState: state.map((row) => [...row]) };
}

/**
 * One turn of `selectiveScan`. ut, deltat: (d), A: (d, n), Bt, Ct: (n), h: (d, n), the state before it; D, zt and
 * deltaBias: (d), may be left out. Returns {y: (d), h: (d, n), the new state}.
 */
export function selectiveScanStep(ut, deltat, A, Bt, Ct, h, options = {}) {
  requireOptions(options, ["D", "zt", "deltaBias", "deltaSoftplus"]);
  const { zt } = options;
  const sizes = requireShape("A", A, "(d, n)");
  for (const [name, x] of Object.entries({ ut, deltat })) requireShape(name, x, "(d)", sizes);
  for (const [name, x] of Object.entries({ Bt, Ct })) requireShape(name, x, "(n)", sizes);
  requireShape("h", h, "(d, n)", sizes);
  if (zt != null) requireShape("zt", zt, "(d)", sizes);
  return scanTurn(A, sizes, options)(ut, deltat, Bt, Ct, h, zt);
}

/** What both share: (ut, deltat, Bt, Ct, h, zt) -> {y, h}, all but A and what belongs to a channel. */
function scanTurn(A, sizes, { D, deltaBias, deltaSoftplus = false }) {
  if (D != null) requireShape("D", D, "(d)", sizes);
  if (deltaBias != null) requireShape("deltaBias", deltaBias, "(d)", sizes);
  if (typeof deltaSoftplus !== "boolean") {
    throw new TypeError(`deltaSoftplus must be true or false, got ${inWords(deltaSoftplus)}`);
  }
  return (ut, deltat, Bt, Ct, h, zt) => {
    const next = Array.from(A, (rates, c) => {
      const raw = deltat[c] + (deltaBias?.[c] ?? 0);
      const step = deltaSoftplus ? softplus(raw) : raw;
      return Array.from(rates, (rate, n) => Math.exp(step * rate) * h[c][n] + step * ut[c] * Bt[n]);
    }); // (d, n)
    const y = next.map((row, c) => {
      const out = D ? dot(row, Ct) + D[c] * ut[c] : dot(row, Ct);
      return zt ? out * silu(zt[c]) : out;
    }); // (d)
    return { y, h: next };
  };
}

/**
 * How much of step s is left at step t, the coefficient of B_s u_s in h_t: left[t][s] = delta_s prod_{k = s+1..t}
 * exp(delta_k a) for s <= t, else 0. delta: (l), the positive step; a: a number, one entry of A. Returns (l, l).
 * A quotient of running products would be 0 / 0 after some hundred steps, and the difference of two running sums of
 * delta loses the small ones beside the large: here each s has its own running sum, and nothing is divided.
 */
export function howMuchIsLeft(delta, a) {
  const { l } = requireShape("delta", delta, "(l)");
  requireNumber("a", a);
  const left = zeros(l, l);
  for (let s = 0; s < l; s++) {
    const since = [0, ...cumsum(Array.from(delta).slice(s + 1))]; // what has passed by t = s, s + 1, ...
    since.forEach((passed, k) => (left[s + k][s] = delta[s] * Math.exp(passed * a)));
  }
  return left;
}

// ---- noise and bytes ------------------------------------------------------------------------------------------------

/**
 * Numbers that look random and are the same on every machine: a counter whose 32 bits are mixed (Mulberry32).
 * seed: a whole number from 0, of which the lower 32 bits count. Returns {uniform(), from [0, 1); normal(), of mean 0
 * and variance 1; integer(below), from 0 .. below - 1}.
 */
export function randomGenerator(seed) {
  let counter = requireWhole("seed", seed, 0) >>> 0;
  const uniform = () => {
    counter = (counter + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(counter ^ (counter >>> 15), counter | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  // Box and Muller; 1 - uniform() is never 0
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const integer = (below) => Math.floor(uniform() * requireWhole("below", below, 1));
  return { uniform, normal, integer };
}

/** The bytes of a text in UTF-8, (l), each 0 .. 255. */
export function encodeUtf8(text) {
  if (typeof text !== "string") throw new TypeError(`text must be a string, got ${inWords(text)}`);
  return Array.from(new TextEncoder().encode(text));
}

/** The text of UTF-8 bytes, (l); what is none becomes U+FFFD, and a byte-order mark stays. */
export function decodeUtf8(bytes) {
  requireShape("bytes", bytes, "(l)");
  for (const byte of Array.from(bytes)) {
    if (!Number.isInteger(byte) || byte < 0 || byte > 255) {
      throw new RangeError(`bytes must be whole numbers from 0 to 255, got ${byte}`);
    }
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}
