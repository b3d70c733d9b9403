/** Chapter 3: a rule and a step make a factor of a rate. In the disc its powers fade; Euler's rule leads a rate that fades out of it. */

import { liveFigure } from "./kit.js";
import { colour, linear, number } from "./marks.js";
import { RATES, drawFactors, drawRates, look, twentieth } from "./planes.js";
import { GUESSES, HAIR, LONGEST, SECONDS, complex, decay, held, sampled, within } from "./sampled.js";

const [TOP, EDGE] = [1.6, 1.5]; // what the panels show: of |Ā|, of h
const FAR = 4; // a wave that was so high is not followed any more
const RULES = {
  zoh: { name: "the exact rule", words: (step, rate) => [[["exp("], step, [" · "], rate, [")"]], []] },
  bilinear: { name: "the bilinear rule", words: (step, rate) => [[["(1 + x) / (1 − x)"]], [["  with x = "], step, [" / 2 · "], rate]] },
  euler: { name: "Euler’s rule", words: (step, rate) => [[["1 + "], step, [" · "], rate], []] },
};
const FATES = { grow: ": outside, its powers grow", fade: ": inside, its powers fade", "neither fade nor grow": ": on the rim" };
const upper = (words) => words[0].toUpperCase() + words.slice(1);

const marked = (d, view) => (view.hover?.t <= d.l ? view.hover.t : 1);

/** Draw what of a curve lies within `ends`. */
function trace(p, x, y, curve, ends, look) {
  p.line(within(curve, ends).map(([at, value]) => [x(at), value === null ? null : y(value)]), look);
}

// ---- the steps: where the guess waits -------------------------------------------------------------------------------

function drawSteps(p, s, d, view) {
  const x = linear([0, LONGEST], [34, p.width - 16]);
  const y = linear([0, TOP], [p.height - 38, 14]);
  const over = (sizes) => d.steps.map((step, i) => [step, sizes[i]]);
  p.axis(y, { side: "left", at: 26, ticks: [0, 1] });
  p.axis(x, { at: y(0), label: "step delta, seconds" });
  p.rule(26, y(1), x(LONGEST), y(1), { color: "muted", dash: "2 4" });
  const move = (px) => ({ delta: twentieth(x.invert(px), [0.05, LONGEST]) });
  p.handle("step", { x: x(s.delta), y: y(0), trait: "delta", color: "delta", label: "the step delta", value: `${number(s.delta)} seconds`, move });
  if (view.revealed) {
    if (s.method !== "euler") trace(p, x, y, over(d.euler), [0, TOP], { color: "muted", line: 1.5, dash: "5 4" });
    trace(p, x, y, over(d.size), [0, 1 + HAIR], { color: "h" });
    trace(p, x, y, over(d.size), [1 + HAIR, TOP], { color: "warn" });
    p.rule(x(s.delta), y(0), x(s.delta), y(Math.min(d.radius, TOP)), { color: "delta" });
    p.dot(x(s.delta), y(Math.min(d.radius, TOP)), { color: look(d, view), radius: 5, hollow: d.radius > TOP });
    if (s.guess >= 0) {
      p.add("path", { d: `M${x(s.guess / 20) - 6} ${y(1) - 13}h12l-6 11z`, style: `fill:${colour("ink")}` });
      p.text(x(s.guess / 20), y(1) - 18, "guess", { anchor: s.guess < 2 ? "start" : s.guess > GUESSES - 2 ? "end" : "middle", halo: true });
    }
    if (d.holds > 0 && d.holds < LONGEST) {
      p.dot(x(d.holds), y(1), { color: "warn", radius: 3.5 });
      p.text(x(d.holds), y(1) + 18, `${number(d.holds)} s`, { color: "warn", weight: 600, halo: true, anchor: d.holds > 1.75 ? "end" : "start" });
    }
  } else {
    const [side, anchor] = s.guess <= GUESSES / 2 ? [14, "start"] : [-14, "end"];
    const hint = s.guess < 0 ? "drag me to where Euler’s |Ā| passes 1" : `${number(s.guess / 20)} s`;
    const choose = (px) => ({ guess: held(Math.round(20 * x.invert(px)), [0, GUESSES]) });
    p.text(x(Math.max(0, s.guess) / 20) + side, y(1) - 10, hint, { anchor, halo: true });
    const value = s.guess < 0 ? "none yet" : `${number(s.guess / 20)} seconds`;
    p.handle("guess", { x: x(Math.max(0, s.guess) / 20), y: y(1), shape: "tall", trait: "guess", label: "your guess, a step", value, move: choose });
  }
  p.probe = (px) => {
    const i = Math.round(((2 * GUESSES) / LONGEST) * x.invert(px));
    if (!(i in d.steps)) return null;
    const size = view.revealed ? `: |Ā| = ${number(d.size[i])}` : "";
    return { words: `delta = ${number(d.steps[i])} s${size}` };
  };
}

// ---- the samples ----------------------------------------------------------------------------------------------------

function drawTime(p, s, d, view) {
  const x = linear([0, SECONDS], [34, p.width - 14]);
  const y = linear([-EDGE, EDGE], [p.height - 38, 24]);
  const shown = view.revealed ? d.h : d.h.slice(0, 2); // the rest waits for a guess
  const over = (values) => d.seconds.map((at, i) => [at, values[i]]);
  p.axis(y, { side: "left", at: 26, ticks: [-1, 0, 1] });
  p.axis(x, { at: y(-EDGE), label: "seconds" });
  p.rule(26, y(0), x(SECONDS), y(0));
  trace(p, x, y, over(d.true), [-EDGE, EDGE], { color: "ink", line: 1.25 });
  const wave = over(d.wave).filter(([at]) => d.radius ** (at / s.delta) <= FAR);
  const off = Math.max(...d.wave.map((value, i) => Math.abs(value - d.true[i]))) > 0.02;
  if (view.revealed && off) trace(p, x, y, wave, [-EDGE, EDGE], { color: look(d, view), line: 1.25, dash: "4 3" });
  const many = shown.length > 70;
  shown.forEach(([value], t) => {
    const px = x(t * s.delta);
    if (Math.abs(value) > EDGE) return p.text(px, value > 0 ? y(EDGE) + 3 : y(-EDGE) - 1, value > 0 ? "▴" : "▾", { color: look(d, view), anchor: "middle", size: 11 });
    if (!many) p.rule(px, y(0), px, y(value), { color: look(d, view), line: 1.5 });
    p.dot(px, y(value), { color: look(d, view), radius: many ? 2 : 3.5 });
  });
  const first = shown.findIndex(([value]) => Math.abs(value) > EDGE);
  const last = view.revealed ? `; |h[t=${d.l}]| = ${number(Math.hypot(...d.h[d.l]))}` : "";
  if (first >= 0) p.text(x(SECONDS), 12, `leaves the picture at t = ${first}${last}`, { color: look(d, view), weight: 600, anchor: "end" });
  const t = view.hover?.t;
  if (t in shown) p.dot(x(t * s.delta), y(held(shown[t][0], y.domain)), { color: "ink", radius: 6, hollow: true });
  p.probe = (px) => {
    const near = Math.round(x.invert(px) / s.delta);
    if (!(near in shown)) return null;
    return { t: near, words: `h[t=${near}] = ${number(shown[near][0])}, true ${number(decay(d.rate, near * s.delta))}` };
  };
}

// ---- words ----------------------------------------------------------------------------------------------------------

function describe(s, d, view) {
  const wave = s.im ? `the wave turns by ${number(s.im)} rad a second and` : "the state";
  const fades = s.re < 0 ? `is down to ${number(Math.exp(s.re))} after one` : s.re > 0 ? `grows to ${number(Math.exp(s.re))} in one` : "neither fades nor grows";
  const truth = `λ = ${complex(d.rate)}: ${wave} ${fades}${s.im || !s.re ? "" : " second"}.`;
  const rule = `${upper(RULES[s.method].name)}, delta = ${number(s.delta)} s`;
  if (!view.revealed) return `${truth} ${rule}: the first sample is ${number(d.h[1][0])}. And the others?`;
  const last = `the samples ${d.fate}: after ${d.l} steps |h| = ${number(d.radius ** d.l)}`;
  const seen = d.seen && Math.abs(d.seen[1] - s.im) > 0.01 ? ` They seem to turn by ${number(d.seen[1])} rad a second.` : "";
  return `${truth} ${rule}: |Ā| = ${number(d.radius)}, ${last}.${seen}`;
}

function equation(s, d, view) {
  const rate = [s.im || s.re < 0 ? `(${complex(d.rate)})` : complex(d.rate)];
  const [rule, where] = RULES[s.method].words([number(s.delta), "delta"], rate);
  const t = marked(d, view);
  const turn = [["\n"], [`h[t=${t}]`, "h"], [" = Ā · "], [`h[t=${t - 1}]`, "h"]];
  if (t === 0) turn.splice(1, 3, ["h[t=0]", "h"], [" = 1, where it starts"]);
  if (!view.revealed) return [["Ā = "], ...rule, ...where, ...turn];
  const product = t ? [[" = "], [complex(d.h[t]), "h"]] : [];
  return [["Ā = "], ...rule, [` = ${complex(d.pole)},  |Ā| = `], [number(d.radius), look(d, view)], ...where, ...turn, ...product];
}

function verdict(guess, d) {
  const [re, im] = d.rate;
  const own = guess < 0 ? "" : ` At your guess, ${number(guess / 20)} s, its |Ā| is ${number(d.euler[2 * guess])}.`;
  if (re >= 0 && (re || im)) return `With Re λ = ${number(re)} nothing dies away, and Euler’s samples grow at every step.${own}`;
  if (d.holds === LONGEST) return `Up to ${LONGEST} s, the longest step here, Euler’s samples do not grow.${own}`;
  return `Euler’s samples grow from delta = ${number(d.holds)} s on: −2 Re λ / |λ|².${own}`;
}

export default liveFigure({
  name: "discretisation",
  traits: ["re", "im", "delta", "method", "guess"],
  compute: sampled,
  describe,
  equation,
  guess: {
    trait: "guess",
    prompt: "Your guess: drag the marker, or choose a step",
    options: () => Array.from({ length: GUESSES + 1 }, (_, i) => (i ? `${number(i / 20)} s` : "0 s, at once")),
    verdict,
  },
  panels: [
    { name: "steps", height: 132, title: () => "How far from 0 one step takes the state, |Ā|", draw: drawSteps },
    { name: "rates", span: 6, height: 330, title: (s, d, view) => (view.revealed ? "λ, the rate: shaded where samples fade" : "λ, the rate: shaded where it fades"), draw: drawRates },
    { name: "factors", span: 6, height: (width, s, d, view) => (view.narrow && !view.revealed ? 72 : 330), title: (s, d, view) => `Ā, one step’s factor${view.revealed ? FATES[d.fate] : ""}`, draw: drawFactors },
    { name: "time", height: 200, title: (s, d, view) => (view.revealed ? "The true curve, the samples, and the slowest wave through them" : "The true curve and the first sample"), draw: drawTime },
  ],
  controls: [
    { kind: "choice", trait: "method", label: "Rule", options: [["zoh", "exact"], ["bilinear", "bilinear"], ["euler", "Euler"]] },
    { kind: "slider", trait: "delta", label: "the step delta", color: "delta", min: 0.05, max: LONGEST, step: 0.01, format: (value) => `${number(value)} s` },
    { kind: "slider", trait: "re", label: "Re λ: how it fades", min: RATES.re[0], max: RATES.re[1], step: 0.05 },
    { kind: "slider", trait: "im", label: "Im λ: how fast it turns", min: RATES.im[0], max: RATES.im[1], step: 0.05 },
  ],
  presets: [
    { label: "decays", state: { re: -0.6, im: 0, delta: 0.5, method: "zoh" } },
    { label: "rings", state: { re: -0.3, im: 4, delta: 0.15, method: "zoh" } },
    { label: "Euler explodes", state: { re: -0.3, im: 4, delta: 0.15, method: "euler" } },
    { label: "aliases", state: { re: -0.1, im: 5, delta: 1.1, method: "zoh" } },
  ],
});
