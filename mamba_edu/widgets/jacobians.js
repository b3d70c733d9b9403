/**
 * A small recurrent network, the Jacobians of its steps, and how large their products are: what
 * `gradient-through-time` draws. The weights and inputs are those of gradient_through_time.py, drawn in the same order.
 */

import { matmul, matvec, sigmoid } from "./core.js";

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
const transposed = (M) => M[0].map((_, j) => M.map((row) => row[j]));
const rows = (weights, M) => M.map((row, i) => row.map((value) => weights[i] * value));
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
    return { jacobian: rows(slopes, weight), passes: mean(slopes) };
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
    const cell = W_i.map((_, k) => { // dc / dh
      const [by_f, by_i, by_g] = [before[k] * f[k] * (1 - f[k]), g[k] * i[k] * (1 - i[k]), i[k] * (1 - g[k] * g[k])];
      return W_i[k].map((w, j) => by_f * W_f[k][j] + by_i * w + by_g * W_g[k][j]);
    });
    const out = t.map((value, k) => o[k] * (1 - value * value)); // dh / dc
    const diagonal = (values) => values.map((value, k) => values.map((_, j) => (j === k ? value : 0)));
    const shown = cell.map((row, k) => row.map((value, j) => out[k] * value + t[k] * o[k] * (1 - o[k]) * W_o[k][j]));
    const [keep, pass] = [diagonal(f), diagonal(f.map((value, k) => out[k] * value))];
    const jacobian = [...shown.map((row, k) => [...row, ...pass[k]]), ...cell.map((row, k) => [...row, ...keep[k]])];
    return { jacobian, passes: mean(f) };
  });
}

/**
 * The largest singular value. With M = G^T G squared again and again, and its scale taken out each time, the trace of
 * M^(2^k) lies between its largest eigenvalue and n times that; the 2^k-th root of n is 1 + 1e-9 at k = 32.
 */
export function spectralNorm(G) {
  let M = matmul(transposed(G), G);
  let [log, share] = [0, 1];
  for (let k = 0; k <= 34; k++) {
    const trace = M.reduce((sum, row, i) => sum + row[i], 0);
    if (trace === 0) return 0;
    log += share * Math.log(trace);
    share /= 2;
    M = scaled(M, 1 / trace);
    const squared = matmul(M, M);
    if (squared.reduce((sum, row, i) => sum + row[i], 0) > 1 - 1e-15) break; // one eigenvalue is all there is
    M = squared;
  }
  return Math.exp(log / 2);
}

/** All that is drawn, from the traits; norms, passes and reach are Python's `data`. */
export function through({ network, radius, bias, length }) {
  const x = X.slice(0, length);
  const steps = network === "lstm" ? lstm(x, bias) : rnn(x, radius, network === "linear");
  let product = steps[0].jacobian.map((row, i) => row.map((_, j) => (i === j ? 1 : 0)));
  const back = [1]; // what is left of a change k steps ago
  for (let t = length - 1; t >= 0; t--) {
    product = matmul(product, steps[t].jacobian);
    back.push(spectralNorm(product));
  }
  const lost = back.findIndex((left) => left < ENOUGH);
  return { l: length, back, norms: [...back].reverse(), passes: steps.map((step) => step.passes), reach: lost < 0 ? length : lost - 1 };
}
