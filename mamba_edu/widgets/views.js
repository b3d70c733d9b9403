/** A system of two numbers, sampled, over 24 steps: the recurrence and the sums that `three-views` draws. */

import { conv1dFull, discretizeZoh, ltiKernel, ltiScan } from "./core.js";

export const STEPS = 24;
export const HIGHEST = 2; // input

const real = (x) => x.re ?? x;

/** The input that is heard, (24). */
export function heard({ input, u }) {
  if (input === "drawn") return u;
  return Array.from({ length: STEPS }, (_, t) => (input === "step" || t === 0 ? 1 : 0));
}

/**
 * All that is drawn, from the traits; what has a name in Python's `data` is the same. A pair of poles is one complex
 * number, h1 + i h2: then C h = Re((c1 - i c2)(h1 + i h2)).
 */
export function views({ poles, re, im, re2, c1, c2, delta, input, u, t }) {
  const pair = poles === "pair";
  const A = pair ? { re: [re], im: [im] } : [re, re2];
  const B = pair ? [1] : [1, 1];
  const C = pair ? { re: [c1], im: [-c2] } : [c1, c2];
  const { ABar, BBar } = discretizeZoh(delta, A, B);
  const signal = heard({ input, u });
  const scan = ltiScan(ABar, BBar, C, signal);
  const h = pair ? scan.h.re.map(([x], s) => [x, scan.h.im[s][0]]) : scan.h;
  const kernel = real(ltiKernel(ABar, BBar, C, STEPS));
  const recurrence = real(scan.y);
  const convolution = conv1dFull(kernel, signal);
  const sizes = recurrence.map(Math.abs);
  const most = Math.max(...sizes);
  return {
    heard: signal, h, kernel, recurrence, convolution, most,
    products: signal.map((value, s) => (s <= t ? kernel[t - s] * value : 0)),
    apart: Math.max(...recurrence.map((value, s) => Math.abs(value - convolution[s]))),
    peak: most > 0 ? sizes.findIndex((size) => size >= most * (1 - 1e-9)) : -1, // the first of equals
  };
}
