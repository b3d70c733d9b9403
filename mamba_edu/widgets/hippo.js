/**
 * What a linear state h' = A h + B u keeps of its past, and the history that can be read back from it, float64.
 *
 * A state of n numbers is n weighted sums of the past: h[i] = sum_s weights[s][i] u[s]. Layouts and errors are those of
 * core.js; weights of many samples lie in one Float64Array, `weights[s * n + i]`, n numbers for each sample.
 */

import { inWords, requireNumber, requireShape, requireWhole } from "./shape.js";

export const MATRICES = ["legs", "fixed", "real", "random"];
const SEED = 165; // every size from 1 to 64 is stable with it; a test looks

/** The same draws on every machine: Park and Miller's generator, evenly between ±sqrt(3), of variance 1. */
function draws(count) {
  let x = SEED;
  const next = () => (x = (x * 48271) % 2147483647);
  for (let i = 0; i < 8; i++) next();
  return Float64Array.from({ length: count }, () => Math.sqrt(3) * ((2 * next()) / 2147483647 - 1));
}

/**
 * {A: (n, n) or null where `solver` knows it by heart, B: (n)} of one of MATRICES. HiPPO-LegS (HiPPO theorem 2) has
 * B[i] = sqrt(2i + 1), A[i][i] = -(i + 1), A[i][k] = -B[i] B[k] below the diagonal and 0 above.
 */
function system(matrix, n) {
  if (matrix === "real") return { A: null, B: new Float64Array(n).fill(1) };
  if (matrix !== "random") return { A: null, B: Float64Array.from({ length: n }, (_, i) => Math.sqrt(2 * i + 1)) };
  const drawn = draws(n * n + n);
  const shift = 1 + Math.sqrt(n); // the entries' eigenvalues fill a disc of radius sqrt(n): all go left of it
  const A = Array.from({ length: n }, (_, i) => drawn.slice(i * n, i * n + n).map((value, k) => value - (i === k ? shift : 0)));
  return { A, B: drawn.slice(n * n) };
}

/** solve(v) = (1 - a A)^-1 v, in place. LegS and the diagonal take n operations each, a full A is factored once. */
function solver(matrix, A, B, a) {
  if (matrix === "random") return factored(A, A.length, a);
  const below = B.map((_, i) => 1 / (1 + a * (i + 1)));
  if (matrix === "real") return (v) => below.forEach((value, i) => (v[i] *= value));
  const ahead = B.map((root) => a * root);
  return (v) => {
    let before = 0; // the sum of root_k x_k over what is solved
    for (let i = 0; i < v.length; i++) {
      v[i] = (v[i] - ahead[i] * before) * below[i];
      before += B[i] * v[i];
    }
  };
}

/** The solver of a full matrix, by LU. No rows change places: the shift keeps the diagonal larger than the rest. */
function factored(A, n, a) {
  const M = A.map((row, i) => row.map((value, k) => (i === k ? 1 : 0) - a * value));
  for (let k = 0; k < n; k++) {
    for (let i = k + 1; i < n; i++) {
      M[i][k] /= M[k][k];
      for (let j = k + 1; j < n; j++) M[i][j] -= M[i][k] * M[k][j];
    }
  }
  return (v) => {
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) v[i] -= M[i][j] * v[j];
    for (let i = n - 1; i >= 0; i--) {
      for (let j = i + 1; j < n; j++) v[i] -= M[i][j] * v[j];
      v[i] /= M[i][i];
    }
  };
}

/**
 * A memory of l samples, discretised by the trapezoid rule, ABar = (1 - step A / 2)^-1 (1 + step A / 2).
 *
 * matrix: "legs", HiPPO's own A / t: at sample t the step is 1 / (t + 1/2); "fixed", the same A with the step delta at each
 * sample, S4's; "real", A = -1 ... -n on the diagonal and B = 1, S4D-Real; "random", normal in size and shifted until
 * stable. n: numbers of state. delta: positive, unused by "legs".
 * Returns {weights(t): (t + 1) * n numbers, states(u): (l, n) for u (l)}. All weights are computed once, here.
 */
export function linearMemory(matrix, n, delta, l) {
  if (!MATRICES.includes(matrix)) throw new RangeError(`matrix must be one of ${MATRICES.join(", ")}, got ${inWords(matrix)}`);
  requireWhole("n", n, 1);
  requireWhole("l", l, 1);
  if (!(requireNumber("delta", delta) > 0 && delta < Infinity)) throw new RangeError(`delta must be positive and finite, got ${delta}`);
  const { A, B } = system(matrix, n);
  const moves = matrix === "legs";
  const still = moves ? null : { step: delta, solve: solver(matrix, A, B, delta / 2) };
  const at = (t) => still ?? { step: 1 / (t + 0.5), solve: solver(matrix, A, B, 0.5 / (t + 0.5)) };
  const put = ({ step, solve }) => {
    const v = B.map((value) => step * value);
    solve(v);
    return v; // BBar
  };
  const x = new Float64Array(n);
  const pass = ({ solve }, v, from = 0) => {
    for (let i = 0; i < n; i++) x[i] = v[from + i];
    solve(x);
    for (let i = 0; i < n; i++) v[from + i] = 2 * x[i] - v[from + i]; // ABar v, for 1 + a A = 2 - (1 - a A)
  };
  const byTime = moves ? moving(at, put, pass, n, l) : null;
  const byAge = moves ? null : fixed(at(0), put, pass, n, l);
  const weights = (t) => byTime?.[t] ?? Float64Array.from({ length: (t + 1) * n }, (_, k) => byAge[t - Math.floor(k / n)][k % n]);
  return { weights, states: (u) => run(u, at, put, pass, n, l) };
}

/** Each sample's weights at each later time: at every step all of them pass through the step's own ABar. */
function moving(at, put, pass, n, l) {
  const all = [];
  for (let t = 0; t < l; t++) {
    const now = new Float64Array((t + 1) * n);
    const system = at(t);
    if (t) now.set(all[t - 1]);
    for (let s = 0; s < t; s++) pass(system, now, s * n);
    now.set(put(system), t * n);
    all.push(now);
  }
  return all;
}

/** With one ABar for all times only a sample's age counts: age 0, 1, ... */
function fixed(system, put, pass, n, l) {
  const all = [put(system)];
  while (all.length < l) {
    const next = all.at(-1).slice();
    pass(system, next);
    all.push(next);
  }
  return all;
}

function run(u, at, put, pass, n, l) {
  requireShape("u", u, "(l)", { l });
  const h = new Float64Array(n);
  return Array.from(u, (value, t) => {
    const system = at(t);
    pass(system, h);
    put(system).forEach((weight, i) => (h[i] += weight * value));
    return Array.from(h);
  });
}

/**
 * The history that a state stands for, by one rule for every linear memory: of all pasts the one with the smallest
 * |past|^2 + |misfit|^2 / precision^2, the misfit of each number of the state counted in its typical size, the root of
 * the sum of its squared weights, or a millionth of the largest such size where that is more: what is smaller may be the
 * rounding of a zero. What the state can't tell from zero comes back as zero.
 *
 * weights: (t + 1) * n numbers. h: (n). precision: above 0, e.g. 1e-3 for three digits.
 * Returns {history: (t + 1), kept: (t + 1)}: kept[s] is how much of a lone 1 at sample s would come back at s, 0 to 1;
 * they add up to the numbers of the state that say something of their own.
 */
export function recall(weights, h, precision) {
  const n = requireShape("h", h, "(n)").n;
  if (!(requireNumber("precision", precision) > 0)) throw new RangeError(`precision must be positive, got ${precision}`);
  const m = weights.length / n;
  requireWhole("weights.length / n", m, 1);
  const [history, kept, basis, z] = [new Array(m).fill(0), new Array(m).fill(0), [], []];
  const columns = Array.from({ length: n }, (_, i) => Float64Array.from({ length: m + n }, (_, s) => (s < m ? weights[s * n + i] : 0)));
  const sizes = columns.map((column) => length(column, m));
  const least = 1e-6 * Math.max(...sizes) || 1;
  for (let i = 0; i < n; i++) {
    // Gram-Schmidt on the weights above precision times the identity: squares of the weights would lose half the digits
    const v = columns[i];
    const size = Math.max(sizes[i], least);
    for (let s = 0; s < m; s++) v[s] /= size;
    v[m + i] = precision;
    let left = h[i] / size;
    basis.forEach((q, j) => {
      const along = dot(q, v, m + i);
      for (let s = 0; s < m + i; s++) v[s] -= along * q[s];
      left -= along * z[j];
    });
    const rest = length(v, m + i + 1);
    for (let s = 0; s <= m + i; s++) v[s] /= rest;
    basis.push(v);
    z.push(left / rest);
    for (let s = 0; s < m; s++) {
      history[s] += z[i] * v[s];
      kept[s] += v[s] * v[s];
    }
  }
  return { history, kept };
}

function dot(q, v, end) {
  let sum = 0;
  for (let s = 0; s < end; s++) sum += q[s] * v[s];
  return sum;
}

function length(v, end) {
  let sum = 0;
  for (let s = 0; s < end; s++) sum += v[s] * v[s];
  return Math.sqrt(sum);
}
