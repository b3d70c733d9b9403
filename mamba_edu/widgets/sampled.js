/**
 * One eigenvalue lambda, left alone from 1 on, seen at all times and in steps of delta: what `discretisation` draws.
 *
 * A complex number is a pair [re, im]; `method` is "zoh", "bilinear" or "euler".
 */

import { discretizeBilinear, discretizeEuler, discretizeZoh, ltiScan } from "./core.js";
import { number } from "./marks.js";

export const SECONDS = 10; // of the curves that do not depend on the step
export const LONGEST = 2; // step
export const GUESSES = 40; // equal parts of LONGEST
export const HAIR = 1e-9; // as near to the rim of the disc is on it
const POINTS = 401;
const RULES = { zoh: discretizeZoh, bilinear: discretizeBilinear, euler: discretizeEuler };

export const held = (value, [low, high]) => Math.min(high, Math.max(low, value));

/** A complex number in words. */
export function complex([re, im]) {
  if (Math.abs(im) <= 1e-12 * Math.abs(re) || im === 0) return number(re);
  return `${number(re)} ${im < 0 ? "−" : "+"} ${number(Math.abs(im))}i`;
}

/** Ā of one rate, [re, im]. */
export function factor(method, delta, [re, im]) {
  const { ABar } = RULES[method](delta, { re: [re], im: [im] }, [1]);
  return [ABar.re[0], ABar.im[0]];
}

/** Re exp(lambda s). */
export const decay = ([re, im], s) => Math.exp(re * s) * Math.cos(im * s);

/** All that is drawn, from the traits; what has a name in Python's `data` is the same. */
export function sampled({ re, im, delta, method }) {
  const rate = [re, im];
  const pole = factor(method, delta, rate);
  const silence = new Array(Math.floor(SECONDS / delta + 1e-9)).fill(0);
  const { h } = ltiScan({ re: [pole[0]], im: [pole[1]] }, [0], [1], silence, { h0: [1] });
  const samples = [[1, 0], ...h.re.map(([real], t) => [real, h.im[t][0]])]; // (l + 1, 2)
  const seconds = Array.from({ length: POINTS }, (_, i) => (SECONDS * i) / (POINTS - 1));
  const [radius, angle] = [Math.hypot(...pole), Math.abs(Math.atan2(pole[1], pole[0]))];
  const steps = Array.from({ length: 2 * GUESSES + 1 }, (_, i) => (LONGEST * i) / (2 * GUESSES));
  const sizes = (rule) => steps.map((step) => Math.hypot(...factor(rule, step, rate)));
  const still = re === 0 && im === 0;
  return {
    rate, pole, radius, seconds, steps, h: samples, l: silence.length,
    true: seconds.map((s) => decay(rate, s)),
    wave: seconds.map((s) => radius ** (s / delta) * Math.cos((angle * s) / delta)),
    size: sizes(method),
    euler: sizes("euler"),
    holds: still ? LONGEST : held((-2 * re) / (re * re + im * im), [0, LONGEST]), // |1 + delta lambda| <= 1
    seen: radius > 0 ? [Math.log(radius) / delta, angle / delta] : null, // the eigenvalue of that wave
    fate: radius > 1 + HAIR ? "grow" : radius < 1 - HAIR ? "fade" : "neither fade nor grow",
  };
}

/** The parts of a curve [[x, value], ...] with low <= value <= high, cut where it crosses; a null is a gap. */
export function within(curve, [low, high]) {
  return curve.flatMap(([x, value], i) => {
    const [inside, before] = [value >= low && value <= high, curve[i - 1]];
    const point = [x, inside ? value : null];
    if (!before || inside === (before[1] >= low && before[1] <= high)) return [point];
    const edge = held(inside ? before[1] : value, [low, high]);
    return [[before[0] + ((edge - before[1]) / (value - before[1])) * (x - before[0]), edge], point];
  });
}
