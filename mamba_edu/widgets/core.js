// @ts-check
/**
 * What the live figures compute: the package's functions in JavaScript, float64, without a page.
 *
 * Layout. A vector is an array of numbers, a matrix an array of its rows, and so on: `h[t][c][n]` is written as it is
 * read, and `h.map(row => ...)` may make labels out of numbers (a Float64Array's `map` can't). Every number of
 * JavaScript is a float64, so plain arrays lose nothing; a Float64Array is taken wherever a vector is. A complex array
 * is `{ re, im }`, two arrays of one shape. What has no rows, `[]`, is (0, k) for every k.
 *
 * Names, shapes and letters are the package's: l time steps, d channels, n states; `u` comes in, `h` is the state, `y`
 * goes out, `delta` is the step. What is optional stands by name in a last argument, `{ D, z }`; null counts as left
 * out. Nothing is changed in place. NaN and the infinities go through as in PyTorch. Wrong input throws one error that
 * names the argument, what came and what was expected: TypeError for the kind, RangeError for a shape or a value.
 *
 * @typedef {ArrayLike<number>} Vector
 * @typedef {ArrayLike<Vector>} Matrix
 * @typedef {{ re: Vector, im: Vector }} ComplexVector
 * @typedef {{ re: Matrix, im: Matrix }} ComplexMatrix
 * @typedef {{ [letter: string]: number }} Sizes
 */

// ---- what comes in --------------------------------------------------------------------------------------------------

/** @param {unknown} x @returns {x is ArrayLike<any>} */
const isArray = (x) => Array.isArray(x) || (ArrayBuffer.isView(x) && "length" in x);

/** @param {any} x @returns {boolean} */
const isComplex = (x) => typeof x === "object" && x !== null && "re" in x && "im" in x;

/** What came, in a few words, for an error. @param {unknown} x @returns {string} */
function inWords(x) {
  if (isArray(x)) {
    const shape = [];
    for (let axis = /** @type {any} */ (x); isArray(axis); axis = axis[0]) shape.push(axis.length);
    return `(${shape.join(", ")})`;
  }
  if (typeof x === "string") return JSON.stringify(x);
  return typeof x === "object" && x !== null ? "an object" : typeof x === "function" ? "a function" : String(x);
}

/**
 * Check that `x` is nested as `dims` says, with numbers inside, and write the sizes that it tells into `sizes`.
 * @param {string} name @param {any} x @param {string} dims the layout in words, "(l, d)"
 * @param {Sizes} [sizes] what is known already @returns {Sizes} `sizes`
 */
function requireShape(name, x, dims, sizes = {}) {
  const letters = dims.slice(1, -1).split(", ");
  const known = letters.filter((k) => k in sizes).map((k) => `${k}=${sizes[k]}`).join(", ");
  const wanted = `${name} must have shape ${dims}${known && ` with ${known}`}`;
  const visit = (/** @type {any} */ part, /** @type {number} */ axis, /** @type {string} */ where) => {
    if (axis === letters.length) {
      if (typeof part !== "number") throw new TypeError(`${name} must hold numbers, got ${inWords(part)} at ${where}`);
      return;
    }
    if (!isArray(part)) throw new TypeError(`${wanted}, got ${inWords(x)}${where && `, ${inWords(part)} at ${where}`}`);
    const letter = letters[axis];
    if (!(letter in sizes)) sizes[letter] = part.length;
    if (part.length !== sizes[letter]) {
      throw new RangeError(`${wanted}, got ${inWords(x)}${where && `, length ${part.length} at ${where}`}`);
    }
    for (let i = 0; i < part.length; i++) visit(part[i], axis + 1, `${where}[${i}]`);
  };
  visit(x, 0, "");
  return sizes;
}

/** @param {string} name @param {unknown} x @returns {number} */
function requireNumber(name, x) {
  if (typeof x !== "number") throw new TypeError(`${name} must be a number, got ${inWords(x)}`);
  return x;
}

/** @param {string} name @param {unknown} x @param {number} least @returns {number} */
function requireWhole(name, x, least) {
  if (typeof x !== "number" || !Number.isSafeInteger(x) || x < least) {
    const kind = typeof x === "number" ? RangeError : TypeError;
    throw new kind(`${name} must be a whole number of at least ${least}, got ${inWords(x)}`);
  }
  return x;
}

/** Refuse an option that nobody reads: a misspelt one would count as left out. @param {any} options @param {string[]} names */
function requireOptions(options, names) {
  if (typeof options !== "object" || options === null || isArray(options)) {
    throw new TypeError(`options must be an object with any of ${names.join(", ")}, got ${inWords(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new TypeError(`options must be any of ${names.join(", ")}, got ${name}`);
  }
}

/**
 * A real or complex vector or matrix as complex, checked.
 * @param {string} name @param {any} x @param {string} dims @param {Sizes} sizes
 * @returns {{ re: any, im: any, real: boolean }} im is null where x is real
 */
function requireComplex(name, x, dims, sizes) {
  if (!isComplex(x)) {
    requireShape(name, x, dims, sizes);
    return { re: x, im: null, real: true };
  }
  requireShape(`${name}.re`, x.re, dims, sizes);
  requireShape(`${name}.im`, x.im, dims, sizes);
  return { re: x.re, im: x.im, real: false };
}

/** @param {number} rows @param {number} columns @returns {number[][]} */
const zeros = (rows, columns) => Array.from({ length: rows }, () => new Array(columns).fill(0));

// ---- one number -----------------------------------------------------------------------------------------------------

/** log(1 + exp(x)), and x itself above 20, as torch.nn.functional.softplus has it. @param {number} x @returns {number} */
export function softplus(x) {
  requireNumber("x", x);
  return x > 20 ? x : Math.log1p(Math.exp(x));
}

/** 1 / (1 + exp(-x)). @param {number} x @returns {number} */
export function sigmoid(x) {
  return 1 / (1 + Math.exp(-requireNumber("x", x)));
}

/** x sigmoid(x). @param {number} x @returns {number} */
export function silu(x) {
  return requireNumber("x", x) / (1 + Math.exp(-x));
}

// ---- one vector -----------------------------------------------------------------------------------------------------

/** log(sum(exp(x))), without overflow; -Infinity where x is empty. @param {Vector} x (n) @returns {number} */
export function logSumExp(x) {
  requireShape("x", x, "(n)");
  const top = Array.from(x).reduce((a, b) => Math.max(a, b), -Infinity);
  if (!Number.isFinite(top)) return top; // inf - inf would be NaN
  return top + Math.log(Array.from(x).reduce((sum, value) => sum + Math.exp(value - top), 0));
}

/** x - logSumExp(x). @param {Vector} x (n) @returns {number[]} (n) */
export function logSoftmax(x) {
  requireShape("x", x, "(n)");
  const top = Array.from(x).reduce((a, b) => Math.max(a, b), -Infinity);
  const rest = Math.log(Array.from(x).reduce((sum, value) => sum + Math.exp(value - top), 0));
  return Array.from(x, (value) => value - top - rest); // top first: beside 1e6 the digits of `rest` would be lost
}

/** exp(x) / sum(exp(x)). @param {Vector} x (n) @returns {number[]} (n) */
export function softmax(x) {
  requireShape("x", x, "(n)");
  const top = Array.from(x).reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Array.from(x, (value) => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** The index of the largest value, the first of equals; NaN counts as largest, as in PyTorch. @param {Vector} x (n), n > 0 @returns {number} */
export function argmax(x) {
  if (requireShape("x", x, "(n)").n === 0) throw new RangeError("x must hold at least one value, got (0)");
  let best = 0;
  for (let i = 0; i < x.length && !Number.isNaN(x[best]); i++) if (!(x[i] <= x[best])) best = i;
  return best;
}

/** The sums of the first 1, 2, ... values. @param {Vector} x (n) @returns {number[]} (n) */
export function cumsum(x) {
  requireShape("x", x, "(n)");
  let sum = 0;
  return Array.from(x, (value) => (sum += value));
}

/** The products of the first 1, 2, ... values. @param {Vector} x (n) @returns {number[]} (n) */
export function cumprod(x) {
  requireShape("x", x, "(n)");
  let product = 1;
  return Array.from(x, (value) => (product *= value));
}

// ---- vectors and matrices -------------------------------------------------------------------------------------------

/** @param {Vector} a @param {Vector} b @returns {number} */
function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** M v. @param {Matrix} M (m, k) @param {Vector} v (k) @returns {number[]} (m) */
export function matvec(M, v) {
  requireShape("v", v, "(k)", requireShape("M", M, "(m, k)"));
  return Array.from(M, (row) => dot(row, v));
}

/** P Q. Where k is 0 nothing tells n, and the rows are empty. @param {Matrix} P (m, k) @param {Matrix} Q (k, n) @returns {number[][]} (m, n) */
export function matmul(P, Q) {
  const { k, n } = requireShape("Q", Q, "(k, n)", requireShape("P", P, "(m, k)"));
  const columns = Array.from({ length: n ?? 0 }, (_, j) => Array.from({ length: k }, (_, i) => Q[i][j]));
  return Array.from(P, (row) => columns.map((column) => dot(row, column)));
}

/** f of a vector, or of each row of a matrix. @param {any} x @param {(row: any) => number[]} f @returns {any} */
const alongRows = (x, f) => (isArray(x) && (x.length === 0 || isArray(x[0])) ? Array.from(x, f) : f(x));

/**
 * x W^T + bias, as torch.nn.functional.linear.
 * @param {Vector | Matrix} x (k) or (l, k) @param {Matrix} weight (m, k) @param {Vector | null} [bias] (m)
 * @returns {any} (m) or (l, m)
 */
export function linear(x, weight, bias = null) {
  const sizes = requireShape("weight", weight, "(m, k)");
  if (bias !== null) requireShape("bias", bias, "(m)", sizes);
  return alongRows(x, (row) => {
    requireShape("x", row, "(k)", sizes);
    return Array.from(weight, (weights, i) => dot(row, weights) + (bias === null ? 0 : bias[i]));
  });
}

/**
 * weight x / sqrt(mean(x^2) + eps), the mean over the last axis; weight left out is ones.
 * @param {Vector | Matrix} x (d) or (l, d) @param {Vector | null} [weight] (d) @param {number} [eps]
 * @returns {any} like x
 */
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
 * Mamba's short convolution: y[t][c] = bias[c] + sum_j weight[c][j] x[t - (k - 1) + j][c]. Each channel sees its own
 * last k inputs. The state is the last k - 1 inputs, oldest first; left out, zeros stand before the sequence.
 * @param {Matrix} x (l, d) @param {Matrix} weight (d, k), PyTorch's (d, 1, k) without its middle axis
 * @param {{ bias?: Vector | null, state?: Matrix | null }} [options] bias (d), state (k - 1, d)
 * @returns {{ y: number[][], state: number[][] }} y (l, d), the state after it (k - 1, d)
 */
export function causalConv1d(x, weight, options = {}) {
  requireOptions(options, ["bias", "state"]);
  const { bias = null, state = null } = options;
  const sizes = requireShape("weight", weight, "(d, k)");
  requireShape("x", x, "(l, d)", sizes);
  const { d } = sizes;
  if (sizes.k === 0) throw new RangeError(`weight must have shape (d, k) with k of at least 1, got (${d}, 0)`);
  const past = (sizes.k ?? 1) - 1; // d = 0: there is no filter that would tell k
  if (bias !== null) requireShape("bias", bias, "(d)", sizes);
  if (state !== null) requireShape("state", state, "(k-1, d)", { "k-1": past, d });
  const seen = [...Array.from(state ?? zeros(past, d)), ...Array.from(x)]; // (k - 1 + l, d)
  const y = Array.from(x, (_, t) =>
    Array.from(weight, (taps, c) => {
      let sum = bias === null ? 0 : bias[c];
      for (let j = 0; j <= past; j++) sum += taps[j] * seen[t + j][c];
      return sum;
    }),
  );
  return { y, state: seen.slice(seen.length - past).map((row) => Array.from(row)) };
}

/**
 * One turn of `causalConv1d`.
 * @param {Vector} xt (d) @param {Matrix} weight (d, k) @param {Matrix} state (k - 1, d)
 * @param {{ bias?: Vector | null }} [options] bias (d)
 * @returns {{ y: number[], state: number[][] }} y (d), the new state (k - 1, d)
 */
export function causalConv1dStep(xt, weight, state, options = {}) {
  requireOptions(options, ["bias"]);
  requireShape("xt", xt, "(d)", requireShape("weight", weight, "(d, k)"));
  if (!isArray(state)) throw new TypeError(`state must have shape (k-1, d), got ${inWords(state)}`);
  const { y, state: next } = causalConv1d([xt], weight, { bias: options.bias, state });
  return { y: y[0], state: next };
}

/**
 * y = K * u, causal, written out: y[t] = sum over k <= t of K[k] u[t - k].
 * @param {Vector} K (k), what lies beyond it is zero @param {Vector} u (l) @returns {number[]} (l)
 */
export function conv1dFull(K, u) {
  requireShape("K", K, "(k)");
  requireShape("u", u, "(l)");
  return Array.from(u, (_, t) => {
    let sum = 0;
    for (let k = 0; k <= t && k < K.length; k++) sum += K[k] * u[t - k];
    return sum;
  });
}

// ---- discretisation -------------------------------------------------------------------------------------------------
// In a rule x = delta A; it gives ABar and the factor of delta B in BBar, each as [re, im].

/** @typedef {[number, number]} Complex */

/** A real number has no imaginary part to overflow: inf * 0 would be NaN. @param {Complex} a @param {Complex} b @returns {Complex} */
const times = ([are, aim], [bre, bim]) =>
  aim === 0 && bim === 0 ? [are * bre, 0] : [are * bre - aim * bim, are * bim + aim * bre];

/** @param {Complex} x @returns {Complex} */
const exp = ([re, im]) => (im === 0 ? [Math.exp(re), 0] : [Math.exp(re) * Math.cos(im), Math.exp(re) * Math.sin(im)]);

/** Smith's way: squares could overflow. @param {Complex} a @param {Complex} b @returns {Complex} */
function divide([are, aim], [bre, bim]) {
  if (bim === 0) return [are / bre, aim / bre];
  if (Math.abs(bre) < Math.abs(bim)) return divide([aim, -are], [bim, -bre]); // both times -i
  const ratio = bim / bre;
  const below = bre + bim * ratio;
  return [(are + aim * ratio) / below, (aim - are * ratio) / below];
}

/** (exp(x) - 1) / x, right at 0, where it is 1, and near it. @param {Complex} x @returns {Complex} */
function expm1Over([re, im]) {
  if (im === 0) return [re === 0 ? 1 : Math.expm1(re) / re, 0];
  const half = Math.sin(im / 2);
  const above = Math.expm1(re) * Math.cos(im) - 2 * half * half; // cos(im) - 1 = -2 sin(im / 2)^2 keeps its digits
  return divide([above, Math.exp(re) * Math.sin(im)], [re, im]);
}

/**
 * @param {(x: Complex) => [Complex, Complex]} rule @param {any} delta @param {any} A @param {any} B
 * @returns {{ ABar: any, BBar: any }}
 */
function discretize(rule, delta, A, B) {
  const single = !isArray(delta);
  const deltas = single ? [requireNumber("delta", delta)] : delta;
  const sizes = requireShape("delta", deltas, "(l)");
  const rates = requireComplex("A", A, "(n)", sizes);
  const rows = !single && isArray((isComplex(B) ? B.re : B)?.[0]);
  const inputs = requireComplex("B", B, rows ? "(l, n)" : "(n)", sizes);
  const { l, n } = sizes;
  const ABar = { re: zeros(l, n), im: zeros(l, n) };
  const BBar = { re: zeros(l, n), im: zeros(l, n) };
  for (let t = 0; t < l; t++) {
    for (let i = 0; i < n; i++) {
      const [a, factor] = rule([deltas[t] * rates.re[i], rates.real ? 0 : deltas[t] * rates.im[i]]);
      const [re, im] = [inputs.re, inputs.im].map((x) => (x === null ? 0 : deltas[t] * (rows ? x[t] : x)[i]));
      [ABar.re[t][i], ABar.im[t][i]] = a;
      [BBar.re[t][i], BBar.im[t][i]] = times(factor, [re, im]);
    }
  }
  const pick = (/** @type {any} */ x, /** @type {boolean} */ real) => {
    const [re, im] = single ? [x.re[0], x.im[0]] : [x.re, x.im];
    return real ? re : { re, im };
  };
  return { ABar: pick(ABar, rates.real), BBar: pick(BBar, rates.real && inputs.real) };
}

/**
 * Zero-order hold, the exact solution while u stands still for one step (Mamba eq. 4): ABar = exp(delta A),
 * BBar = (delta A)^-1 (exp(delta A) - 1) delta B; where A is zero, BBar is its limit, delta B. A is diagonal.
 * @param {number | Vector} delta the positive step, a number or (l)
 * @param {Vector | ComplexVector} A (n) @param {Vector | Matrix | ComplexVector | ComplexMatrix} B (n) or (l, n)
 * @returns {{ ABar: any, BBar: any }} each (n), or (l, n) where delta is (l); ABar is complex where A is, BBar where A
 *   or B is
 */
export function discretizeZoh(delta, A, B) {
  return discretize((x) => [exp(x), expm1Over(x)], delta, A, B);
}

/**
 * The trapezoid rule, S4's choice (S4 eq. 3): ABar = (1 + delta A / 2) / (1 - delta A / 2),
 * BBar = delta B / (1 - delta A / 2). Shapes: see `discretizeZoh`.
 * @param {number | Vector} delta @param {Vector | ComplexVector} A
 * @param {Vector | Matrix | ComplexVector | ComplexMatrix} B @returns {{ ABar: any, BBar: any }}
 */
export function discretizeBilinear(delta, A, B) {
  return discretize(
    ([re, im]) => {
      /** @type {Complex} */
      const below = [1 - re / 2, -im / 2];
      return [divide([1 + re / 2, im / 2], below), divide([1, 0], below)];
    },
    delta,
    A,
    B,
  );
}

/**
 * One straight step along the slope: ABar = 1 + delta A, BBar = delta B. Explodes once delta |A| > 2.
 * Shapes: see `discretizeZoh`.
 * @param {number | Vector} delta @param {Vector | ComplexVector} A
 * @param {Vector | Matrix | ComplexVector | ComplexMatrix} B @returns {{ ABar: any, BBar: any }}
 */
export function discretizeEuler(delta, A, B) {
  return discretize(([re, im]) => [[1 + re, im], [1, 0]], delta, A, B);
}

/**
 * Mamba's own rule, the one in `selectiveScan`: ABar = exp(delta A) as in ZOH, BBar = delta B as in Euler.
 * Shapes: see `discretizeZoh`.
 * @param {number | Vector} delta @param {Vector | ComplexVector} A
 * @param {Vector | Matrix | ComplexVector | ComplexMatrix} B @returns {{ ABar: any, BBar: any }}
 */
export function discretizeMixed(delta, A, B) {
  return discretize((x) => [exp(x), [1, 0]], delta, A, B);
}

// ---- the recurrence with A and B fixed ------------------------------------------------------------------------------

/**
 * h_t = ABar h_{t-1} + BBar u_t, y_t = C . h_t + D u_t, with a diagonal ABar that stays the same (Mamba eq. 2a, 2b).
 * Of ABar, BBar, C and h0 each may be complex; C is not conjugated, and no conjugate twin is added.
 * @param {Vector | ComplexVector} ABar (n) @param {Vector | ComplexVector} BBar (n) @param {Vector | ComplexVector} C (n)
 * @param {Vector} u (l)
 * @param {{ D?: number | null, h0?: Vector | ComplexVector | null }} [options] h0 (n), left out zeros
 * @returns {{ y: any, h: any, lastState: any }} y (l), h (l, n), lastState (n): complex where what they come from is
 */
export function ltiScan(ABar, BBar, C, u, options = {}) {
  requireOptions(options, ["D", "h0"]);
  const sizes = requireShape("u", u, "(l)");
  const a = requireComplex("ABar", ABar, "(n)", sizes);
  const b = requireComplex("BBar", BBar, "(n)", sizes);
  const c = requireComplex("C", C, "(n)", sizes);
  const start = requireComplex("h0", options.h0 ?? zeros(1, sizes.n)[0], "(n)", sizes);
  const D = requireNumber("D", options.D ?? 0);
  const realState = a.real && b.real && start.real;
  const [are, aim, bre, bim, cre, cim] = [a.re, a.im, b.re, b.im, c.re, c.im];
  let [re, im] = [Array.from(start.re), Array.from(start.im ?? zeros(1, sizes.n)[0])]; // (n)
  const h = { re: /** @type {number[][]} */ ([]), im: /** @type {number[][]} */ ([]) };
  const y = { re: /** @type {number[]} */ ([]), im: /** @type {number[]} */ ([]) };
  for (let t = 0; t < sizes.l; t++) {
    const next = re.map((_, i) => times([are[i], aim?.[i] ?? 0], [re[i], im[i]]));
    re = next.map((value, i) => value[0] + bre[i] * u[t]);
    im = next.map((value, i) => value[1] + (bim?.[i] ?? 0) * u[t]);
    const out = re.map((_, i) => times([cre[i], cim?.[i] ?? 0], [re[i], im[i]]));
    y.re.push(out.reduce((sum, value) => sum + value[0], 0) + D * u[t]);
    y.im.push(out.reduce((sum, value) => sum + value[1], 0));
    h.re.push(re);
    h.im.push(im);
  }
  const lastState = realState ? [...re] : { re: [...re], im: [...im] };
  return { y: realState && c.real ? y.re : y, h: realState ? h.re : h, lastState };
}

/**
 * The same system's convolution kernel, K[k] = C . (ABar^k BBar): `conv1dFull(ltiKernel(ABar, BBar, C, l), u)` is
 * `ltiScan(ABar, BBar, C, u).y` (S4 eq. 5).
 * @param {Vector | ComplexVector} ABar (n) @param {Vector | ComplexVector} BBar (n) @param {Vector | ComplexVector} C (n)
 * @param {number} l how many values @returns {any} (l), complex where one of the three is
 */
export function ltiKernel(ABar, BBar, C, l) {
  const impulse = Array.from({ length: requireWhole("l", l, 0) }, (_, t) => (t === 0 ? 1 : 0));
  return ltiScan(ABar, BBar, C, impulse).y;
}

// ---- the selective scan ---------------------------------------------------------------------------------------------

/**
 * The recurrence at the heart of Mamba, over a whole sequence, as `mamba_edu.selective_scan` for one row of a batch:
 *
 *     h_t = exp(delta_t A) * h_{t-1} + delta_t B_t u_t        // (d, n), Mamba eq. 2a with a diagonal A
 *     y_t = (C_t . h_t + D u_t) * silu(z_t)                   // (d), Mamba eq. 2b, then the block's gate
 *
 * @param {Matrix} u (l, d) @param {Matrix} delta (l, d), the positive step; raw only beside `deltaSoftplus: true`,
 *   which makes it softplus(delta + deltaBias) @param {Matrix} A (d, n) @param {Matrix} B (l, n) @param {Matrix} C (l, n)
 * @param {{ D?: Vector | null, z?: Matrix | null, deltaBias?: Vector | null, deltaSoftplus?: boolean,
 *   h0?: Matrix | null }} [options] D (d), z (l, d), deltaBias (d), h0 (d, n)
 * @returns {{ y: number[][], h: number[][][], lastState: number[][] }} y (l, d); h (l, d, n), the state after each
 *   step; lastState (d, n)
 */
export function selectiveScan(u, delta, A, B, C, options = {}) {
  requireOptions(options, ["D", "z", "deltaBias", "deltaSoftplus", "h0"]);
  const { D = null, z = null, deltaBias = null, deltaSoftplus = false, h0 = null } = options;
  const sizes = requireShape("A", A, "(d, n)");
  requireShape("u", u, "(l, d)", sizes);
  requireShape("delta", delta, "(l, d)", sizes);
  requireShape("B", B, "(l, n)", sizes);
  requireShape("C", C, "(l, n)", sizes);
  if (z !== null) requireShape("z", z, "(l, d)", sizes);
  requireChannels(sizes, D, deltaBias, deltaSoftplus);
  if (h0 !== null) requireShape("h0", h0, "(d, n)", sizes);
  let last = h0 === null ? zeros(sizes.d, sizes.n) : Array.from(h0, (row) => Array.from(row));
  const [y, h] = [/** @type {number[][]} */ ([]), /** @type {number[][][]} */ ([])];
  for (let t = 0; t < sizes.l; t++) {
    const turn = scanTurn(u[t], delta[t], A, B[t], C[t], last, D, z && z[t], deltaBias, deltaSoftplus);
    y.push(turn.y);
    h.push((last = turn.h));
  }
  return { y, h, lastState: last.map((row) => [...row]) };
}

/**
 * One turn of `selectiveScan`.
 * @param {Vector} ut (d) @param {Vector} deltat (d) @param {Matrix} A (d, n) @param {Vector} Bt (n) @param {Vector} Ct (n)
 * @param {Matrix} h (d, n), the state before it
 * @param {{ D?: Vector | null, zt?: Vector | null, deltaBias?: Vector | null, deltaSoftplus?: boolean }} [options] (d)
 * @returns {{ y: number[], h: number[][] }} y (d), the new state (d, n)
 */
export function selectiveScanStep(ut, deltat, A, Bt, Ct, h, options = {}) {
  requireOptions(options, ["D", "zt", "deltaBias", "deltaSoftplus"]);
  const { D = null, zt = null, deltaBias = null, deltaSoftplus = false } = options;
  const sizes = requireShape("A", A, "(d, n)");
  requireShape("ut", ut, "(d)", sizes);
  requireShape("deltat", deltat, "(d)", sizes);
  requireShape("Bt", Bt, "(n)", sizes);
  requireShape("Ct", Ct, "(n)", sizes);
  requireShape("h", h, "(d, n)", sizes);
  if (zt !== null) requireShape("zt", zt, "(d)", sizes);
  requireChannels(sizes, D, deltaBias, deltaSoftplus);
  return scanTurn(ut, deltat, A, Bt, Ct, h, D, zt, deltaBias, deltaSoftplus);
}

/** @param {Sizes} sizes @param {any} D @param {any} deltaBias @param {any} deltaSoftplus */
function requireChannels(sizes, D, deltaBias, deltaSoftplus) {
  if (D !== null) requireShape("D", D, "(d)", sizes);
  if (deltaBias !== null) requireShape("deltaBias", deltaBias, "(d)", sizes);
  if (typeof deltaSoftplus !== "boolean") {
    throw new TypeError(`deltaSoftplus must be true or false, got ${inWords(deltaSoftplus)}`);
  }
}

/**
 * @param {Vector} ut @param {Vector} deltat @param {Matrix} A @param {Vector} Bt @param {Vector} Ct @param {Matrix} h
 * @param {Vector | null} D @param {Vector | null} zt @param {Vector | null} deltaBias @param {boolean} deltaSoftplus
 */
function scanTurn(ut, deltat, A, Bt, Ct, h, D, zt, deltaBias, deltaSoftplus) {
  const next = Array.from(A, (rates, c) => {
    const raw = deltat[c] + (deltaBias === null ? 0 : deltaBias[c]);
    const step = deltaSoftplus ? softplus(raw) : raw;
    return Array.from(rates, (rate, n) => Math.exp(step * rate) * h[c][n] + step * ut[c] * Bt[n]);
  });
  const y = next.map((state, c) => {
    const out = dot(state, Ct) + (D === null ? 0 : D[c] * ut[c]);
    return zt === null ? out : out * silu(zt[c]);
  });
  return { y, h: next };
}

/**
 * How much of step s is left at step t: left[t][s] = delta_s prod_{k = s+1..t} exp(delta_k a) for s <= t, else 0. It is
 * the coefficient of B_s u_s in h_t. A quotient of running products would be 0 / 0 after a few hundred steps, and the
 * difference of two running sums of delta loses the small ones beside the large: here each s has a sum of its own.
 * @param {Vector} delta (l), the positive step @param {number} a the state's rate, a row of A has one for each n
 * @returns {number[][]} (l, l), lower triangular
 */
export function howMuchIsLeft(delta, a) {
  const { l } = requireShape("delta", delta, "(l)");
  requireNumber("a", a);
  const left = zeros(l, l);
  for (let s = 0; s < l; s++) {
    for (let t = s, since = 0; t < l; t++) {
      if (t > s) since += delta[t];
      left[t][s] = delta[s] * Math.exp(since * a);
    }
  }
  return left;
}

// ---- noise and bytes ------------------------------------------------------------------------------------------------

/**
 * Numbers that look random and are the same on every machine: a counter, its 32 bits mixed (Mulberry32).
 * @param {number} seed a whole number, of which the lower 32 bits count
 * @returns {{ uniform: () => number, normal: () => number, integer: (below: number) => number }} `uniform` draws from
 *   [0, 1), `normal` from mean 0 and variance 1, `integer` from 0 .. below - 1
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
  const integer = (/** @type {number} */ below) => Math.floor(uniform() * requireWhole("below", below, 1));
  return { uniform, normal, integer };
}

/** The bytes of a text in UTF-8. @param {string} text @returns {number[]} (l), 0 .. 255 */
export function encodeUtf8(text) {
  if (typeof text !== "string") throw new TypeError(`text must be a string, got ${inWords(text)}`);
  return Array.from(new TextEncoder().encode(text));
}

/** The text of UTF-8 bytes; what is none becomes U+FFFD, and a byte-order mark stays. @param {Vector} bytes (l) @returns {string} */
export function decodeUtf8(bytes) {
  requireShape("bytes", bytes, "(l)");
  for (let i = 0; i < bytes.length; i++) {
    if (!Number.isInteger(bytes[i]) || bytes[i] < 0 || bytes[i] > 255) {
      throw new RangeError(`bytes must be whole numbers of 0 to 255, got ${bytes[i]} at [${i}]`);
    }
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}
