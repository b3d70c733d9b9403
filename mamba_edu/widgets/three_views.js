/** Chapter 4: a state is carried through the input, a kernel is laid backwards over it, and both make one output. */

import { liveFigure } from "./kit.js";
import { band, linear, number, signed } from "./marks.js";
import { HIGHEST, STEPS, views } from "./views.js";

const held = (value, [low, high]) => Math.min(high, Math.max(low, value));
const largest = (values) => Math.max(...values.map(Math.abs)) || 1;
const places = (p) => band(STEPS, [52, p.width - 8]);
const level = (value) => Math.round(4 * held(value, [-HIGHEST, HIGHEST])) / 4 + 0; // quarters; + 0 makes -0 a 0
const side = (t) => (t < 3 ? "start" : t > 20 ? "end" : "middle"); // where words about step t begin
const brackets = (value) => (value < 0 ? `(${number(value)})` : number(value));

/** The input with another value at step t, in between a line from step `from`; from then on it is a drawn one. */
function drawn(d, t, value, from = t) {
  const between = (share) => level(d.heard[from] + share * (value - d.heard[from]));
  const put = (old, s) => {
    const share = (s - from) / (t - from);
    return s === t ? value : share > 0 && share < 1 ? between(share) : old;
  };
  return { input: "drawn", u: d.heard.map(put), t };
}

const marked = (s, view) => view.hover?.t ?? s.t;

function mark(p, x, t) {
  p.rect(x.at(t), 2, x.size, p.height - 4, { fill: "panel", round: 3 });
}

function stepsBelow(p, x, at) {
  for (const t of [0, 5, 10, 15, 20]) p.text(x.centre(t), at, number(t), { color: "muted", anchor: "middle", size: 11.5 });
}

/** Round numbers, two at most above 0 and two below. */
function levels(p, y) {
  p.axis(y, { side: "left", at: 44, ticks: y.ticks(5), format: (value) => number(value, 2) });
}

/** Pointing at a step marks it in all panels. */
function point(p, x, words) {
  p.probe = (px) => (x.index(px) === null ? null : { t: x.index(px), words: words(x.index(px)) });
}

// ---- the input, drawn by hand ---------------------------------------------------------------------------------------

function drawInput(p, s, d, view) {
  const [x, t] = [places(p), marked(s, view)];
  const y = linear([-HIGHEST, HIGHEST], [p.height - 24, 14]);
  mark(p, x, t);
  p.axis(y, { side: "left", at: 44, ticks: [-2, 0, 2] });
  p.rule(44, y(0), x.to, y(0));
  p.stems(d.heard.map((value, i) => [x.centre(i), y(value)]), y(0), { color: "u", radius: 3 });
  stepsBelow(p, x, p.height - 5);
  const put = (px, py, from) => drawn(d, held(Math.floor((px - x.from) / x.size), [0, STEPS - 1]), level(y.invert(py)), from);
  const value = `step ${s.t}: ${number(d.heard[s.t])}`;
  p.handle("pen", { x: x.centre(s.t), y: y(d.heard[s.t]), trait: "t", rise: "u", color: "u", label: "the pen: left and right the step, up and down the input there", value, move: (px, py) => put(px, py, s.t) });
  p.pick = (px, py) => (x.index(px) === null ? null : put(px, py));
  point(p, x, (i) => `u[t=${i}] = ${number(d.heard[i])}`);
}

// ---- the convolution ------------------------------------------------------------------------------------------------

function drawKernel(p, s, d, view) {
  const [x, t] = [places(p), marked(s, view)];
  const weights = d.heard.map((_, i) => (i <= t ? d.kernel[t - i] : 0));
  const products = weights.map((weight, i) => weight * d.heard[i]);
  const top = largest([...d.kernel, ...d.heard.flatMap((value) => d.kernel.map((weight) => value * weight))]);
  const y = linear([-top, top], [p.height - 24, 12]);
  mark(p, x, t);
  levels(p, y);
  p.rule(44, y(0), x.to, y(0));
  p.line(weights.map((weight, i) => [x.centre(i), i <= t ? y(weight) : null]), { color: "delta", line: 1.25 });
  weights.forEach((weight, i) => i <= t && p.dot(x.centre(i), y(weight), { color: "delta", radius: 2.5 }));
  products.forEach((product, i) => {
    if (product === 0) return;
    const [from, to] = [Math.min(y(0), y(product)), Math.max(y(0), y(product))];
    p.rect(x.at(i) + 0.2 * x.size, from, 0.6 * x.size, Math.max(1, to - from), { fill: "y", opacity: 0.75 });
  });
  p.text(x.centre(t), p.height - 5, `K[0] at ${t}`, { color: "delta", anchor: side(t), weight: 600 });
  p.pick = (px) => (x.index(px) === null ? null : { t: x.index(px) });
  p.probe = (px) => {
    const i = x.index(px);
    if (i === null || i > s.t) return null;
    return { words: `K[${s.t - i}] · u[${i}] = ${number(d.kernel[s.t - i])} · ${brackets(d.heard[i])} = ${number(d.products[i])}` };
  };
}

// ---- the recurrence -------------------------------------------------------------------------------------------------

function waiting(p) {
  p.rect(0, 2, p.width, p.height - 8, { fill: "panel", round: 4 });
  p.text(p.width / 2, p.height / 2 + 2, "after your guess", { color: "muted", anchor: "middle" });
}

function drawState(p, s, d, view) {
  if (!view.revealed) return waiting(p);
  const [x, t] = [places(p), marked(s, view)];
  const rows = band(2, [6, p.height - 24]);
  const top = largest(d.h.flat());
  p.cells([0, 1].map((i) => d.h.map((h) => h[i])), { x, y: rows, fill: (value) => signed(value, top) });
  [0, 1].forEach((i) => p.text(44, rows.centre(i) + 4, `h${"₁₂"[i]}`, { color: "h", anchor: "end" }));
  p.outline(x.at(t), rows.from, x.size, rows.to - rows.from);
  if (t > 0) p.outline(x.at(t - 1), rows.from, x.size, rows.to - rows.from, { color: "muted", line: 1 });
  stepsBelow(p, x, p.height - 5);
  p.pick = (px) => (x.index(px) === null ? null : { t: x.index(px) });
  point(p, x, (i) => `h[t=${i}] = (${d.h[i].map((value) => number(value)).join(", ")})`);
}

// ---- the output, twice ----------------------------------------------------------------------------------------------

function drawOutput(p, s, d, view) {
  const [x, t] = [places(p), marked(s, view)];
  const top = d.most || 1;
  const y = linear([-top, top], [p.height - 48, 22]);
  mark(p, x, t);
  p.rule(44, y(0), x.to, y(0));
  stepsBelow(p, x, p.height - 5);
  if (!view.revealed) {
    const at = Math.max(0, s.guess);
    const words = s.guess < 0 ? "drag me to the step where |y| is largest" : `step ${s.guess}`;
    p.text(x.centre(at) + (at < 12 ? 14 : -14), y(0) - 16, words, { anchor: at < 12 ? "start" : "end", halo: true });
    const choose = (px) => ({ guess: held(Math.floor((px - x.from) / x.size), [0, STEPS - 1]) });
    p.handle("guess", { x: x.centre(at), y: y(0), shape: "tall", trait: "guess", label: "your guess, a step", value: s.guess < 0 ? "none yet" : `step ${s.guess}`, move: choose });
    point(p, x, (i) => `step ${i}`);
    return;
  }
  levels(p, y);
  if (s.guess >= 0) {
    p.rule(x.centre(s.guess), 14, x.centre(s.guess), p.height - 32, { color: "ink", dash: "2 3" });
    p.text(x.centre(s.guess), p.height - 19, "your guess", { anchor: side(s.guess), weight: 600 });
  }
  p.stems(d.recurrence.map((value, i) => [x.centre(i), y(value)]), y(0), { color: "y", radius: 2.5 });
  d.convolution.forEach((value, i) => p.add("circle", { cx: x.centre(i), cy: y(value), r: 5, style: "fill:none;stroke:var(--ss-delta);stroke-width:1.5" }));
  if (d.peak >= 0) p.text(x.centre(d.peak), d.recurrence[d.peak] > 0 ? 12 : p.height - 31, number(d.recurrence[d.peak]), { color: "y", weight: 600, halo: true, anchor: side(d.peak) });
  p.pick = (px) => (x.index(px) === null ? null : { t: x.index(px) });
  point(p, x, (i) => `y[t=${i}]: carried ${number(d.recurrence[i])}, looked back ${number(d.convolution[i])}`);
}

// ---- words ----------------------------------------------------------------------------------------------------------

function describe(s, d, view) {
  const sent = d.heard.flatMap((value, i) => (value ? [`${number(value)} at step ${i}`] : []));
  const input = s.input === "step" ? "1 at each step" : !sent.length ? "nothing" : sent.length > 4 ? `${sent.length} values that are not 0` : sent.join(", ");
  const first = d.kernel.slice(0, 5).map((value) => number(value, 2)).join(", ");
  const start = `In goes ${input}. The kernel begins ${first}.`;
  const here = `At step ${s.t} the input is ${number(d.heard[s.t])}`;
  if (!view.revealed) return `${start} ${here}. Where is the output largest?`;
  const gap = d.apart === 0 ? "The two ways agree at every step." : `Over all steps the two ways differ by ${number(d.apart)} at most, the rounding of float64.`;
  return `${start} ${here}, the state (${d.h[s.t].map((value) => number(value)).join(", ")}), the output ${number(d.recurrence[s.t])}. ${gap}`;
}

function equation(s, d, view) {
  const t = marked(s, view);
  const terms = d.heard.flatMap((value, i) => (i <= t && value !== 0 ? [[d.kernel[t - i], value, t - i, i]] : []));
  const shown = terms.slice(-4);
  const more = terms.length > 4 ? [[`${terms.length - 4} earlier products + `, "muted"]] : [];
  const plus = (i) => (i ? [[" + "]] : []);
  const letters = shown.flatMap(([, , j, i], k) => [...plus(k), [`K[${j}]`, "delta"], [" · "], [`u[${i}]`, "u"]]);
  const numbers = shown.flatMap(([weight, value], k) => [...plus(k), [brackets(weight), "delta"], [" · "], [brackets(value), "u"]]);
  const none = terms.length ? [] : [["0, nothing has come in"]];
  const name = [`y[t=${t}]`, "y"];
  if (!view.revealed) return [name, [" = "], ...more, ...letters, ...none];
  const sum = terms.length ? [["\n = "], ...more, ...numbers, [` = ${number(d.convolution[t])}`, "y"]] : [];
  const [h1, h2] = d.h[t];
  const carried = [["\n"], name, [" = C "], [`h[t=${t}]`, "h"], [` = ${number(s.c1)} · `], [brackets(h1), "h"], [` + ${brackets(s.c2)} · `], [brackets(h2), "h"], [` = ${number(d.recurrence[t])}`, "y"]];
  return [name, [" = "], ...more, ...letters, ...none, ...sum, ...carried];
}

function verdict(guess, d) {
  if (d.peak < 0) return "The output is 0 at every step.";
  const own = guess < 0 ? "" : guess === d.peak ? " Your step." : ` At your guess, step ${guess}, it is ${number(d.recurrence[guess])}.`;
  return `Furthest from zero at step ${d.peak}: y = ${number(d.recurrence[d.peak])}.${own}`;
}

const pokes = (values) => Array.from({ length: STEPS }, (_, t) => values[t] ?? 0);
const hand = { poles: "pair", re: -0.105, im: 0.785, c1: 0, c2: 1, delta: 1 };
const rate = (value) => `${number(value)} per s`;
const real = (state) => state.poles === "real";

export default liveFigure({
  name: "three-views",
  traits: ["poles", "re", "im", "re2", "c1", "c2", "delta", "input", "u", "t", "guess"],
  compute: views,
  describe,
  equation,
  guess: { trait: "guess", prompt: "Your guess: drag the marker, or choose a step", options: () => Array.from({ length: STEPS }, (_, t) => `step ${t}`), verdict },
  panels: [
    { name: "input", height: 140, title: () => "The input u: drag the pen to draw", draw: drawInput },
    { name: "kernel", height: 140, title: (s, d, view) => `Looked back from step ${marked(s, view)}: the kernel, backwards, and its products with u`, draw: drawKernel },
    { name: "state", height: (width, s, d, view) => (view.revealed ? 86 : 56), title: () => "Carried: the state, one column a step", draw: drawState },
    { name: "output", height: 176, title: (s, d, view) => (view.revealed ? "The output: dots carried, rings looked back" : "The output"), draw: drawOutput },
  ],
  controls: [
    { kind: "player", trait: "t", label: "the marked step t", last: () => STEPS - 1, says: (t) => `t = ${t}`, opening: 12 },
    { kind: "slider", trait: "u", label: "the input at the marked step", color: "u", min: -HIGHEST, max: HIGHEST, step: 0.25, read: (s, d) => d.heard[s.t], write: (value, s, d) => drawn(d, s.t, value) },
    { kind: "choice", trait: "input", label: "Input", options: [["impulse", "impulse"], ["step", "step"], ["drawn", "drawn"]] },
    { kind: "choice", trait: "poles", label: "Poles", options: [["pair", "a complex pair"], ["real", "two real"]] },
    { kind: "slider", trait: "re", label: "Re λ: how it fades", min: -2, max: 0, step: 0.005, format: rate },
    { kind: "slider", trait: "im", label: "Im λ: how fast it turns", min: 0, max: 3, step: 0.005, format: (value) => `${number(value)} rad/s`, when: (s) => !real(s) },
    { kind: "slider", trait: "re2", label: "the second λ", min: -2, max: 0, step: 0.005, format: rate, when: real },
    { kind: "slider", trait: "delta", label: "the step delta", color: "delta", min: 0.25, max: 2, step: 0.05, format: (value) => `${number(value)} s` },
    { kind: "slider", trait: "c1", label: "C: how much of h₁ is read", min: -1, max: 1, step: 0.05 },
    { kind: "slider", trait: "c2", label: "C: how much of h₂ is read", min: -1, max: 1, step: 0.05 },
  ],
  presets: [
    { label: "echo", state: { poles: "real", re: -0.3, re2: -0.5, c1: 1, c2: -1, delta: 1, input: "impulse" } },
    { label: "smoothing", state: { poles: "real", re: -0.3, re2: -0.6, c1: 0.2, c2: 0.1, delta: 1, input: "drawn", u: pokes([1, 2, 0, 1.5, 0.5, 2, 0, 1, 1.5, 0.5, 1, 1, -1, 0, -2, -0.5, -1.5, 0, -2, -1, -0.5, -1.5, -1, -1]) } },
    { label: "rings", state: { ...hand, input: "step" } },
    { label: "two impulses", state: { ...hand, input: "drawn", u: pokes({ 2: 1.5, 6: 1 }) } },
  ],
});
