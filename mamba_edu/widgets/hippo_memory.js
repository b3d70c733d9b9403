/** Chapter 5: n numbers stand for the whole past. Which part of it they lose is up to A, and to how A's time passes. */

import { argmax } from "./core.js";
import { linearMemory, recall } from "./hippo.js";
import { liveFigure } from "./kit.js";
import { band, colour, linear, mix, number } from "./marks.js";

const SAMPLES = 128;
const PRECISION = 1e-3; // each number of the state is believed to three digits of its typical size
const QUARTERS = ["oldest", "second oldest", "second newest", "newest"];
const LEFT = 40; // room for the axes' words; samples stand under each other in all panels
const NAMES = {
  legs: () => "HiPPO’s LegS, A / t: memory stretched evenly over the whole past",
  fixed: (s) => `S4’s LegS, A fixed: memory warped, fading over ${Math.round(1 / s.delta)} samples`,
  real: (s) => `S4D-Real, A = −1${s.n > 1 ? ` … −${s.n}` : ""}: the rates of LegS, each for itself`,
  random: () => "random A and B, shifted until they are stable",
};
const REASONS = {
  legs: "A polynomial grips both its ends harder than its middle.",
  fixed: "What is old lies squeezed into a narrow end of its polynomials.",
  real: "Its fading sums are so alike that three digits tell few of them apart.",
  random: "Its sums are so alike that three digits tell few of them apart.",
};
const SIGNALS = {
  chirp: (s) => Math.cos(2 * Math.PI * (s / SAMPLES + 3.5 * (s / SAMPLES) ** 2)), // from 1 to 8 turns in all
  step: (s) => Number(s >= 40),
  bumps: (s) => Math.exp(-(((s - 30) / 8) ** 2) / 2) + 0.7 * Math.exp(-(((s - 95) / 8) ** 2) / 2),
  bracket: (s) => Number(s === 12 || s === 13), // [[
};
const short = (value) => (value === 0 || Math.abs(value) >= 0.005 ? value.toFixed(2).replace("-", "−") : number(value, 1));

// ---- the numbers ----------------------------------------------------------------------------------------------------

const cache = { key: "", memory: null };

/** The weights of all times, made once for each matrix, n and delta. */
function remember({ matrix, n, delta }) {
  const key = [matrix, n, matrix === "legs" || delta].join();
  if (cache.key !== key) Object.assign(cache, { key, memory: linearMemory(matrix, n, delta, SAMPLES) });
  return cache.memory;
}

function compute(s) {
  const t = s.time < 0 ? SAMPLES - 1 : s.time;
  const memory = remember(s);
  const u = Array.from({ length: SAMPLES }, (_, i) => SIGNALS[s.signal](i));
  const states = memory.states(u); // (128, n)
  const flat = memory.weights(t);
  const { history, kept } = recall(flat, states[t], PRECISION); // (t + 1) each
  const weights = history.map((_, i) => Array.from(flat.subarray(i * s.n, (i + 1) * s.n))); // (t + 1, n)
  const edges = [0, 1, 2, 3, 4].map((q) => Math.ceil((q * (t + 1)) / 4));
  const error = history.map((value, i) => Math.abs(value - u[i]));
  const rms = (values) => Math.sqrt(sum(values.map((value) => value * value)) / Math.max(1, values.length));
  const parts = (values) => QUARTERS.map((_, q) => values.slice(edges[q], edges[q + 1]));
  const errors = parts(error).map(rms);
  const shares = parts(kept).map(sum);
  return { t, u, states, weights, history, kept, error, edges, errors, shares, whole: rms(error), worst: argmax(errors) };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

// ---- the past -------------------------------------------------------------------------------------------------------

const samples = (p) => linear([0, SAMPLES - 1], [LEFT, p.width - 12]);
const marked = (d, view) => (view.hover?.s <= d.t ? view.hover.s : null);

/** What every panel of the past has: the sample under the pointer, marked and in words. */
function touch(p, x, d, view) {
  const s = marked(d, view);
  if (s !== null) p.rule(x(s), 4, x(s), p.height - 4, { color: "muted", dash: "2 3" });
  p.probe = (px) => {
    const i = Math.round(x.invert(px));
    if (i < 0 || i >= SAMPLES) return null;
    if (i > d.t) return { s: i, words: `s=${i} has not come yet` };
    const back = view.revealed ? `, read back ${short(d.history[i])}; ${short(d.kept[i])} of it kept` : "";
    return { s: i, words: `u[s=${i}] = ${short(d.u[i])}${back}` };
  };
}

function drawPast(p, s, d, view) {
  const x = samples(p);
  const seen = view.revealed ? [...d.u, ...d.history] : d.u;
  const [low, high] = [Math.min(-0.3, ...seen) - 0.1, Math.max(1, ...seen) + 0.1];
  const y = linear([low, high], [p.height - 40, 44]);
  const places = (values, from = 0) => values.map((value, i) => [x(from + i), y(value)]);
  p.axis(y, { side: "left", at: LEFT - 6, ticks: [-1, 0, 1].filter((tick) => tick > low && tick < high), grid: x.range[1] });
  p.axis(x, { at: y.range[0], ticks: [0, 32, 64, 96, SAMPLES - 1], label: "sample s" });
  p.line(places(d.u.slice(d.t), d.t), { color: "hairline", line: 1.5, dash: "3 3" });
  p.line(places(d.u.slice(0, d.t + 1)), { color: view.revealed ? mix("u", "paper", 0.4) : "u", line: view.revealed ? 5 : 2 });
  p.dot(x(d.t), y(d.u[d.t]), { color: "u", radius: 3 });
  p.text(LEFT, 14, "u came in", { color: "u", weight: 600 });
  if (view.revealed) {
    p.line(places(d.history), { color: "y", line: 2 });
    if (!d.t) p.dot(x(0), y(d.history[0]), { color: "y", hollow: true });
    p.text(LEFT + 76, 14, "read back", { color: "y", weight: 600 });
  }
  if (view.hover?.i < s.n) drawWeights(p, d, view.hover.i, x, y);
  p.rule(x(d.t), 32, x(d.t), y.range[0], { color: "muted" });
  touch(p, x, d, view);
  const move = (px) => ({ time: Math.min(SAMPLES - 1, Math.max(0, Math.round(x.invert(px)))) });
  p.handle("time", { x: x(d.t), y: 32, trait: "time", shape: "tall", label: "now, the last sample", value: `t = ${d.t}`, move });
}

/** What one number of the state listens to, in its own size. */
function drawWeights(p, d, i, x, y) {
  const column = d.weights.map((row) => row[i]);
  const largest = Math.max(...column.map(Math.abs)) || 1;
  p.line(column.map((value, k) => [x(k), y(value / largest)]), { color: "h", line: 1.5 });
  p.text(x.range[1], 14, `how h[i=${i}] weighs s`, { color: "h", weight: 600, anchor: "end" });
}

/** A filled curve over the past, and its four quarters. */
function drawQuarters(p, d, view, { x, y, values, sums, color, guess }) {
  const edge = (q) => Math.max(x.range[0], x(d.edges[q] - 0.5));
  const bottom = y.range[0];
  if (guess >= 0) p.rect(edge(guess), 20, edge(guess + 1) - edge(guess), bottom - 20, { fill: "panel" });
  if (view.revealed) {
    const points = values.flatMap((value, i) => [`${x(Math.max(0, i - 0.5)).toFixed(1)} ${y(value).toFixed(1)}`, `${x(Math.min(d.t, i + 0.5)).toFixed(1)} ${y(value).toFixed(1)}`]);
    const style = `fill:${mix(color, "paper", 0.35)};stroke:${colour(color)};stroke-width:1.2`;
    p.add("path", { d: `M${x(0).toFixed(1)} ${bottom}L${points.join("L")}L${x(d.t).toFixed(1)} ${bottom}Z`, style });
  }
  for (const q of [1, 2, 3]) p.rule(edge(q), 20, edge(q), bottom, { color: "muted", dash: "2 4" });
  p.rule(x.range[0], bottom, x.range[1], bottom);
  const room = (edge(4) - edge(0)) / 4;
  QUARTERS.forEach((_, q) => {
    const look = { color: view.revealed ? color : "muted", anchor: "middle", weight: 600 };
    if (room > 32) p.text((edge(q) + edge(q + 1)) / 2, 14, view.revealed ? short(sums[q]) : "?", look);
  });
  return edge;
}

function drawError(p, s, d, view) {
  const x = samples(p);
  const y = linear([0, Math.max(1, ...d.error)], [p.height - 6, 22]);
  p.axis(y, { side: "left", at: LEFT - 6, ticks: [0, 1] });
  const edge = drawQuarters(p, d, view, { x, y, values: d.error, sums: d.errors, color: "warn", guess: s.guess });
  if (s.guess >= 0) {
    const [from, to] = [edge(s.guess), edge(s.guess + 1)];
    p.outline(from + 1, 20, Math.max(2, to - from - 1), y.range[0] - 20);
    p.text((from + to) / 2, y.range[0] - 6, to - from > 70 ? "your guess" : "▴", { anchor: "middle", halo: true });
  } else if (!view.revealed) p.text(x(d.t / 2), 60, p.width > 300 && d.t > 60 ? "guess: click a quarter" : "", { anchor: "middle", color: "muted", halo: true });
  touch(p, x, d, view);
  p.pick = (px) => {
    const i = Math.round(x.invert(px));
    return i >= 0 && i <= d.t ? { guess: Math.min(3, Math.floor((4 * i) / (d.t + 1))) } : null;
  };
}

function drawKept(p, s, d, view) {
  const x = samples(p);
  const y = linear([0, 1], [p.height - 6, 22]);
  p.axis(y, { side: "left", at: LEFT - 6, ticks: [0, 1] });
  drawQuarters(p, d, view, { x, y, values: d.kept, sums: d.shares, color: "y", guess: -1 });
  touch(p, x, d, view);
}

// ---- the state ------------------------------------------------------------------------------------------------------

function drawState(p, s, d, view) {
  const row = d.states[d.t];
  const largest = Math.max(...row.map(Math.abs), 1e-12);
  const y = band(s.n, [6, p.height - 22]);
  const x = linear([-largest, largest], [40, p.width - 10]);
  p.rule(x(0), y.from, x(0), y.to);
  const every = Math.ceil(13 / y.size);
  row.forEach((value, i) => {
    const [from, to] = [Math.min(x(value), x(0)), Math.max(x(value), x(0))];
    const thick = Math.min(0.7 * y.size, 16);
    p.rect(from, y.centre(i) - thick / 2, to - from, thick, { fill: view.hover?.i === i ? "ink" : "h" });
    if (i % every === 0) p.text(32, y.centre(i) + 4, `${i}`, { color: "muted", anchor: "end", size: 11.5 });
  });
  p.text(0, y.centre(0) + 4, "i =", { color: "muted", size: 11.5 });
  for (const value of [-largest, 0, largest]) {
    p.text(x(value), p.height - 6, number(value, 2), { color: "muted", anchor: value < 0 ? "start" : value ? "end" : "middle", size: 11.5 });
  }
  p.probe = (px, py) => {
    const i = y.index(py);
    return i === null ? null : { i, words: `h[t=${d.t}, i=${i}] = ${number(row[i])}` };
  };
}

// ---- in words -------------------------------------------------------------------------------------------------------

const numbers = (n) => (n === 1 ? "1 number" : `${n} numbers`);
const CALLED = { chirp: "the chirp", step: "the step", bumps: "the two bumps", bracket: "the bracket, “[[” at 12 and 13" };
const past = (s, d) => `${d.t ? `${d.t + 1} samples` : "1 sample"} of ${CALLED[s.signal]}`;

function describe(s, d, view) {
  const what = `At t = ${d.t}, ${numbers(s.n)} of state ${s.n === 1 ? "stands" : "stand"} for ${past(s, d)}, by ${NAMES[s.matrix](s)}.`;
  if (!view.revealed) return `${what} Which quarter of the past is read back worst?`;
  const off = `Read back, the past is off by ${short(d.whole)} (root mean square), most in its ${QUARTERS[d.worst]} quarter, ${short(d.errors[d.worst])}.`;
  const kept = `That tells as much as ${sum(d.shares).toFixed(1)} independent numbers could: ${d.shares.map((share) => share.toFixed(2)).join(", ")} for the four quarters, oldest first.`;
  return `${what} ${off} ${kept}${s.n > 2 && d.t > 2 * s.n ? ` ${REASONS[s.matrix]}` : ""}`;
}

/** How the state came about, how it is read back, and the number under the pointer. */
function equation(s, d, view) {
  const step = s.matrix === "legs" ? [["1 / (t + 1/2)"], [` = ${number(1 / (d.t + 0.5))}`]] : [["delta", "delta"], [` = ${number(s.delta)}`]];
  const lines = [["h[t]", "h"], [" = Ā "], ["h[t−1]", "h"], [" + B̄ "], ["u[t]", "u"], [", Ā and B̄ by the trapezoid rule with step "], ...step];
  lines.push(["\nread back", "y"], [": of all pasts the one with the smallest |past|² + |misfit|² / 0.001², misfit in each "], ["h[i]", "h"], ["’s typical size; the same rule for every A"]);
  if (view.hover?.i < s.n) lines.push([`\nh[t=${d.t}, i=${view.hover.i}]`, "h"], [` = the sum over s of weight[s, i=${view.hover.i}] · `], ["u[s]", "u"], [` = ${number(d.states[d.t][view.hover.i])}`]);
  const at = marked(d, view);
  if (at === null) return lines;
  lines.push([`\nu[s=${at}]`, "u"], [` = ${number(d.u[at])}`]);
  if (view.revealed) lines.push([", "], [`read back[s=${at}]`, "y"], [` = ${number(d.history[at])}, error ${number(d.error[at])}`]);
  return lines;
}

function verdict(guess, d) {
  const truth = `The ${QUARTERS[d.worst]} quarter is read back worst, off by ${short(d.errors[d.worst])}.`;
  if (guess < 0) return truth;
  return guess === d.worst ? `${truth} You said so.` : `${truth} In the ${QUARTERS[guess]}, your guess, it is ${short(d.errors[guess])}.`;
}

export default liveFigure({
  name: "hippo-memory",
  traits: ["signal", "matrix", "n", "delta", "time", "guess"],
  compute,
  describe,
  equation,
  guess: {
    trait: "guess",
    prompt: "Your guess: click a quarter below, or choose. Which is read back worst?",
    options: () => QUARTERS.map((words) => `the ${words} quarter`),
    verdict,
  },
  panels: [
    { name: "past", span: 8, height: 224, title: (s) => NAMES[s.matrix](s).replace(/^./, (first) => first.toUpperCase()), draw: drawPast },
    { name: "state", span: 4, rows: 3, late: true, height: (width, s, d, view) => (view.narrow ? 48 + Math.max(60, Math.min(270, 15 * s.n)) : 500), title: (s, d) => `The state h at t = ${d.t}`, draw: drawState },
    { name: "error", span: 8, height: 96, title: () => "How far off; above, each quarter’s root mean square", draw: drawError },
    { name: "kept", span: 8, height: 86, title: () => "How much is kept; above, the numbers of state it takes", draw: drawKept },
  ],
  controls: [
    { kind: "player", trait: "time", label: "Up to sample t", pace: 120, last: () => SAMPLES - 1, says: (t) => `t = ${t}` },
    { kind: "choice", trait: "matrix", label: "A is", options: [["legs", "LegS, A\u00a0/\u00a0t"], ["fixed", "LegS, fixed"], ["real", "S4D-Real"], ["random", "random"]] },
    { kind: "choice", trait: "signal", label: "The signal", options: [["chirp", "chirp"], ["step", "step"], ["bumps", "two bumps"], ["bracket", "[["]] },
    { kind: "slider", trait: "n", label: "the state's size n", color: "h", min: 1, max: 64, step: 1 },
    { kind: "slider", trait: "delta", label: "the step delta of a fixed A", color: "delta", min: 0.01, max: 0.1, step: 0.05, log: true, when: (s) => s.matrix !== "legs" },
  ],
  presets: [
    { label: "stretched evenly", state: { matrix: "legs", signal: "bumps", n: 12, time: 127 } },
    { label: "warped", state: { matrix: "fixed", signal: "bumps", n: 12, time: 127, delta: 0.03 } },
    { label: "the same rates, apart", state: { matrix: "real", signal: "bumps", n: 12, time: 127, delta: 0.03 } },
    { label: "a bracket, long ago", state: { matrix: "legs", signal: "bracket", n: 32, time: 127 } },
  ],
});
