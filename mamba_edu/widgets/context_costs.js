/** What `cost-of-context` counts: the past's price for each kind of layer, and how it is said. `CostOfContext` tells the rules. */

import { number } from "./marks.js";

export const LENGTHS = Array.from({ length: 21 }, (_, k) => 2 ** k);
export const LONGEST = LENGTHS.at(-1);
const [S4_STATE, EXPAND, D_CONV, BYTES] = [64, 2, 4, 4];
const [WEIGHT, PAST, TURN, FFT] = [2, 2, 7, 15]; // operations: `CostOfContext` in Python tells of what
const KINDS = [0, 1, 2, 3]; // attention, RNN, S4, Mamba

/** What one layer of each kind has, as `counts` in Python: weights, numbers that a scan turns, state, cache per token. */
export function counts({ d_model: d, d_state: n }) {
  const [inner, rank] = [EXPAND * d, Math.ceil(d / 16)];
  const mamba = d * 2 * inner + D_CONV * inner + inner * (rank + 2 * n) + rank * inner + inner * d;
  return {
    weights: [4 * d * d, 2 * d * d, 0, mamba],
    turned: [0, 0, S4_STATE * d, n * inner],
    state: [0, d, S4_STATE * d, (n + D_CONV - 1) * inner],
    cache: [2 * d, 0, 0, 0],
  };
}

/** Memory, token and prompt of each model at length l: (3, 4). */
export function costs(s, l) {
  const { weights, turned, state, cache } = counts(s);
  const rows = KINDS.map((i) => {
    const fixed = WEIGHT * weights[i] + TURN * turned[i];
    const past = PAST * cache[i];
    const read = i === 2 ? FFT * s.d_model * l * Math.log2(2 * l) : fixed * l + (past * l * (l + 1)) / 2; // S4 is a convolution
    const each = [BYTES * (state[i] + cache[i] * l), fixed + past * l, read];
    return each.map((cost) => s.n_layer * cost);
  });
  return [0, 1, 2].map((view) => rows.map((row) => row[view]));
}

export function compute(s) {
  const all = LENGTHS.map((l) => costs(s, l)); // (21, 3, 4)
  const [memory, token, prompt] = [0, 1, 2].map((view) => KINDS.map((i) => all.map((one) => one[view][i]))); // (4, 21)
  const { weights, state, cache } = counts(s);
  const share = (WEIGHT * weights[0]) / (PAST * cache[0]);
  return { memory, token, prompt, now: costs(s, s.length), crossing: [state[3] / cache[0], share, 2 * share - 1] };
}

export const whole = (value) => value.toLocaleString("en-US");
export const tokens = (l) => `${whole(l)} ${l === 1 ? "token" : "tokens"}`;
export const short = (l) => (l < 1024 ? String(l) : l < LONGEST ? `${l / 1024}K` : "1M");
export const times = (ratio) => (ratio < 99999.5 ? number(ratio) : whole(Number(ratio.toPrecision(3))));

export function bytes(value) {
  const k = ["B", "kB", "MB", "GB", "TB"].findLastIndex((_, i) => i === 0 || value >= 999.5 * 1000 ** (i - 1));
  return `${number(value / 1000 ** k)}\u00a0${["B", "kB", "MB", "GB", "TB"][k]}`;
}

export function operations(value) {
  if (value < 99999.5) return number(value);
  const [digits, power] = value.toExponential(2).split("e+");
  return `${digits}\u00a0·\u00a0${raised(power)}`;
}

const raised = (power) => `10${[...String(power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
export const tick = (value, says) => (says === bytes ? bytes(value) : raised(Math.round(Math.log10(value))));
