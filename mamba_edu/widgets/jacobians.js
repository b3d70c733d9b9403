/**
 * A small recurrent network, the Jacobians of its steps, and how large their products are: what
 * `gradient-through-time` draws. The weights and inputs are those of gradient_through_time.py, drawn in the same order.
 * A Jacobian (n, n) is one Float64Array, row after row: a hundred products of them fit into one move of a slider.
 */

import { matvec, sigmoid } from "./core.js";

export const N = 8; // numbers of state; an LSTM has twice as many
export const LONGEST = 100;
export const ENOUGH = 0.01; // of a change: less is not felt
const RADIUS = 1.5804958092103585; // of W_h as it is drawn
const D_INPUT = 3;

/** Even draws from (-1, 1): the generator of Park and Miller (1988). -> (rows, columns) */
function draws(seed, rows, columns) {
  const one = () => {
    seed = (16807 * seed) % 2147483647; // below 2^53: exact
    return (2 * seed) / 2147483647 - 1;
  };
  return Array.from({ length: rows }, () => Array.from({ length: columns }, one));
}

const scaled = (M, by) => M.map((row) => row.map((value) => by * value));
const plus = (a, b) => a.map((value, i) => value + b[i]);
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

const X = draws(1, LONGEST, D_INPUT);
const [W_H, W_X] = [draws(2, N, N), draws(3, N, D_INPUT)];
const [GATES_X, GATES_H] = [draws(4, 4 * N, D_INPUT), scaled(draws(5, 4 * N, N), 1 / Math.sqrt(N))];

/** h = tanh(W_x x + W_h h), or without tanh: each step's Jacobian and what its tanh lets through. */
function rnn(x, radius, linear) {
  const weight = scaled(W_H, radius / RADIUS);
  let h = new Array(N).fill(0);
  return x.map((x_t) => {
    h = plus(matvec(W_X, x_t), matvec(weight, h));
    if (!linear) h = h.map(Math.tanh);
    const slopes = h.map((value) => (linear ? 1 : 1 - value * value));
    const jacobian = Float64Array.from(weight.flatMap((row, i) => row.map((value) => slopes[i] * value)));
    return { jacobian, passes: mean(slopes) };
  });
}

/** c = f c + i g, h = o tanh(c): d(h, c) / d(h, c) of the step before, (2 n, 2 n), and the mean forget gate. */
function lstm(x, bias) {
  const part = (values, k) => values.slice(k * N, (k + 1) * N);
  const [W_i, W_f, W_g, W_o] = [0, 1, 2, 3].map((k) => part(GATES_H, k));
  let [h, c] = [new Array(N).fill(0), new Array(N).fill(0)];
  return x.map((x_t) => {
    const a = plus(matvec(GATES_X, x_t), matvec(GATES_H, h));
    const [i, o] = [0, 3].map((k) => part(a, k).map(sigmoid));
    const f = part(a, 1).map((value) => sigmoid(value + bias));
    const g = part(a, 2).map(Math.tanh);
    const before = c;
    c = c.map((value, k) => f[k] * value + i[k] * g[k]);
    const t = c.map(Math.tanh);
    h = t.map((value, k) => o[k] * value);
    const jacobian = new Float64Array(4 * N * N);
    for (let k = 0; k < N; k++) {
      const [by_f, by_i, by_g] = [before[k] * f[k] * (1 - f[k]), g[k] * i[k] * (1 - i[k]), i[k] * (1 - g[k] * g[k])];
      const [by_c, by_o] = [o[k] * (1 - t[k] * t[k]), t[k] * o[k] * (1 - o[k])]; // dh / dc, and by way of the gate
      const [of_h, of_c] = [2 * N * k, 2 * N * (N + k)]; // where their rows begin
      for (let j = 0; j < N; j++) {
        const cell = by_f * W_f[k][j] + by_i * W_i[k][j] + by_g * W_g[k][j]; // dc / dh
        jacobian[of_c + j] = cell;
        jacobian[of_h + j] = by_c * cell + by_o * W_o[k][j];
      }
      jacobian[of_c + N + k] = f[k];
      jacobian[of_h + N + k] = by_c * f[k];
    }
    return { jacobian, passes: mean(f) };
  });
}

/** A B; flat, n rows each. */
function product(A, B, n) {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n * n; i += n) {
    for (let k = 0; k < n; k++) {
      const a = A[i + k];
      for (let j = 0; j < n; j++) out[i + j] += a * B[k * n + j];
    }
  }
  return out;
}

/** A A^T; flat, n rows. The square of A where A is symmetric. */
function gram(A, n) {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += A[i * n + k] * A[j * n + k];
      out[i * n + j] = out[j * n + i] = sum;
    }
  }
  return out;
}

/**
 * The largest singular value of G; flat, n rows. M = G G^T is squared again and again, its scale taken out each time:
 * the 2^k-th root of the trace of M^(2^k) falls to the largest eigenvalue. The next trace is the sum of M's squares, so
 * the last square need not be formed. What all later ones would add is about share (1 - squares)^2, and share halves.
 */
function spectralNorm(G, n) {
  let M = gram(G, n);
  let log = 0;
  for (let share = 1; ; M = gram(M, n)) {
    let [trace, squares] = [0, 0];
    for (let i = 0; i < n * n; i += n + 1) trace += M[i];
    if (trace === 0) return 0;
    for (let i = 0; i < n * n; i++) squares += (M[i] /= trace) * M[i];
    log += share * Math.log(trace);
    share /= 2;
    if (!(share * (1 - squares) ** 2 > 1e-13)) return Math.exp((log + share * Math.log(squares)) / 2);
  }
}

/** All that is drawn, from the traits; norms, passes and reach are Python's `data`. */
export function through({ network, radius, bias, length }) {
  const x = X.slice(0, length);
  const steps = network === "lstm" ? lstm(x, bias) : rnn(x, radius, network === "linear");
  const n = Math.sqrt(steps[0].jacobian.length);
  const back = [1]; // what is left of a change k steps ago
  let whole = null;
  for (let t = length - 1; t >= 0; t--) {
    whole = whole ? product(whole, steps[t].jacobian, n) : steps[t].jacobian;
    back.push(spectralNorm(whole, n));
  }
  const lost = back.findIndex((left) => left < ENOUGH);
  return { l: length, back, norms: [...back].reverse(), passes: steps.map((step) => step.passes), reach: lost < 0 ? length : lost - 1 };
}
