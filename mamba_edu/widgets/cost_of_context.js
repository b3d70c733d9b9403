/** Chapter 1: a cache keeps every token, a state keeps its size. Where do the two meet, and what follows from there on? */

import { LENGTHS, LONGEST, bytes, compute, costs, counts, operations, short, tick, times, tokens, whole } from "./context_costs.js";
import { liveFigure } from "./kit.js";
import { linear, logarithmic, number } from "./marks.js";

// what is kept of the input has the input's colour, a state the state's
const LOOKS = [["attention", "u", null], ["RNN", "h", "2 3"], ["S4", "h", "7 4"], ["Mamba", "h", null]];
const VIEWS = {
  memory: { row: 0, title: "Bytes kept for one sequence", ends: [1e2, 1e13], says: bytes },
  token: { row: 1, title: "Operations for one token", ends: [1e4, 1e13], says: operations },
  prompt: { row: 2, title: "Operations for all tokens", ends: [1e2, 1e19], says: operations },
};

/** Whether the cache's growth is still the reader's to guess. */
const hidden = (s, view) => s.view === "memory" && !view.revealed;
const marked = (s, view) => view.hover?.l ?? s.length;
const octave = (l) => Math.min(20, Math.max(0, Math.round(Math.log2(l)))); // the nearest of LENGTHS

// ---- the curves -----------------------------------------------------------------------------------------------------

function drawCurves(p, s, d, view) {
  const { row, ends, says } = VIEWS[s.view];
  const x = logarithmic([1, LONGEST], [52, p.width - 76]);
  const y = logarithmic(ends, [p.height - 38, 12]);
  const bottom = y.range[0];
  const l = marked(s, view);
  const ticks = Array.from({ length: 7 }, (_, i) => 1000 ** (i + 1)).filter((value) => value >= ends[0] && value <= ends[1]);
  p.axis(y, { side: "left", at: 52, ticks, grid: x.range[1], format: (value) => tick(value, says) });
  p.axis(x, { at: bottom, ticks: [1, 16, 256, 4096, 65536, LONGEST], format: short, label: "tokens read" });
  p.rule(x(l), y.range[1], x(l), bottom, { color: "muted", dash: "2 3" });
  const [seen, now] = [hidden(s, view) ? 1 : LENGTHS.length, costs(s, l)[row]];
  const ys = LOOKS.map(([, color, dash], i) => {
    const points = d[s.view][i].map((cost, k) => [x(LENGTHS[k]), y(cost)]).slice(0, i ? LENGTHS.length : seen);
    if (points.length > 1) p.line(points, { color, dash, line: i % 3 ? 1.6 : 2.4 });
    else p.dot(...points[0], { color });
    if (i || seen > 1) p.dot(x(l), y(now[i]), { color, radius: 3.5 });
    return y(d[s.view][i].at(-1));
  });
  nameCurves(p, ys, y.range, x.range[1] + 8, seen);
  const move = (px) => ({ length: LENGTHS[octave(x.invert(px))] });
  p.handle("length", { x: x(s.length), y: bottom - 6, shape: "tall", trait: "length", label: "tokens read", value: tokens(s.length), move });
  if (seen === 1) drawGuess(p, s, d, x, y, view);
  else drawCrossing(p, s, d, x, y, view);
  p.pick = (px) => (px < x.range[0] - 8 || px > x.range[1] + 8 ? null : move(px));
  p.probe = (px, py) => probe(s, view, x, y, px, py);
}

/** Each name at the end of its curve, no two on one another, none below the axis. */
function nameCurves(p, ys, [bottom], left, seen) {
  const order = LOOKS.map((_, i) => i).filter((i) => i || seen > 1).sort((a, b) => ys[a] - ys[b]);
  const places = [];
  for (const i of order) places.push(Math.max(ys[i] + 4, (places.at(-1) ?? -15) + 15));
  for (let k = places.length - 1, free = bottom; k >= 0; k--, free -= 15) places[k] = free = Math.min(places[k], free);
  order.forEach((i, k) => p.text(left, places[k], LOOKS[i][0], { color: LOOKS[i][1], weight: i % 3 ? null : 600 }));
}

function drawGuess(p, { guess }, d, x, y, view) {
  p.text(x(1) + 9, y(d.memory[0][0]) + 4, view.narrow ? "a token in the cache" : "one token in attention’s cache", { color: "u", halo: true });
  const at = LENGTHS[Math.max(0, guess)];
  const knob = { x: x(at), y: y(d.memory[3][0]), shape: "tall" };
  const [side, anchor] = guess < 10 ? [12, "start"] : [-12, "end"];
  const hint = guess < 0 ? `drag me to where the cache ${view.narrow ? "is" : "is this large"}` : `${tokens(at)}?`;
  p.text(knob.x + side, knob.y - 12, hint, { anchor, halo: true });
  const move = (px) => ({ guess: octave(x.invert(px)) });
  p.handle("guess", { ...knob, trait: "guess", label: "your guess", value: guess < 0 ? "none yet" : tokens(at), move });
}

function drawCrossing(p, s, d, x, y, view) {
  const l = d.crossing[VIEWS[s.view].row];
  const at = s.view === "memory" ? d.memory[3][0] : costs(s, l)[VIEWS[s.view].row][0];
  if (s.view === "memory" && s.guess >= 0) {
    const guess = x(LENGTHS[s.guess]);
    p.rule(guess, y.range[1], guess, y.range[0], { color: "ink", dash: "4 3" });
    p.text(guess, y.range[1] - 2, "guess", { anchor: s.guess < 18 ? "middle" : "end", size: 11.5, halo: true });
  }
  p.dot(x(l), y(at), { color: "warn", radius: 6, hollow: true });
  const words = view.narrow ? tokens(l) : `${s.view === "memory" ? "as large" : "past = projections"} at ${tokens(l)}`;
  const room = x(l) - 9 - 7 * words.length > x(1); // left of the crossing, above the curve
  const [left, anchor, above] = room ? [x(l) - 9, "end", 12] : [x(1) + 4, "start", 36];
  p.text(left, y(at) - above, words, { color: "warn", weight: 600, halo: true, anchor });
}

function probe(s, view, x, y, px, py) {
  if (px < x.range[0] - 4 || px > x.range[1] + 4) return null;
  const { row, says } = VIEWS[s.view];
  const l = LENGTHS[octave(x.invert(px))];
  const now = costs(s, l)[row];
  const known = LOOKS.map((_, i) => i).filter((i) => i || !hidden(s, view));
  const near = known.reduce((best, i) => (Math.abs(y(now[i]) - py) < Math.abs(y(now[best]) - py) ? i : best));
  const beside = near && known.includes(0) ? `, attention ${says(now[0])}` : "";
  return { l, near, words: `${LOOKS[near][0]} at ${tokens(l)}: ${says(now[near])}${beside}` };
}

// ---- the bars: no logarithm -----------------------------------------------------------------------------------------

function drawBars(p, s, d, view) {
  const { row, says } = VIEWS[s.view];
  const now = costs(s, marked(s, view))[row];
  const known = now.map((cost, i) => (i || !hidden(s, view) ? cost : null));
  const x = linear([0, Math.max(...known)], [72, p.width - 104]);
  known.forEach((cost, i) => {
    const top = 4 + 24 * i;
    const [name, color] = LOOKS[i];
    p.text(0, top + 13, name, { color, weight: i % 3 ? null : 600 });
    if (cost !== null) p.rect(72, top + 2, Math.max(1, x(cost) - 72), 14, { fill: color });
    p.text(cost === null ? 72 : x(cost) + 8, top + 13, cost === null ? "?" : says(cost), { weight: view.hover?.near === i ? 600 : null });
  });
}

// ---- what is said ---------------------------------------------------------------------------------------------------

function describe(s, d, view) {
  const l = marked(s, view);
  const { row, says } = VIEWS[s.view];
  const [attention, rnn, s4, mamba] = costs(s, l)[row];
  const states = `S4 ${says(s4)}, an RNN ${says(rnn)}`;
  if (hidden(s, view)) {
    return `After ${tokens(l)} Mamba keeps ${says(mamba)}, as after the first; ${states}. Attention keeps ${says(d.memory[0][0])} more with each token.`;
  }
  const ratio = `${says(attention)}, ${times(attention / mamba)} times Mamba’s ${says(mamba)}`;
  if (s.view === "memory") {
    return `After ${tokens(l)} attention’s cache holds ${ratio}; ${states}. The next token adds ${says(d.memory[0][0])} to the cache and nothing to a state.`;
  }
  const past = row === 1 ? l / (l + d.crossing[1]) : (l + 1) / (l + 2 + d.crossing[2]);
  const whose = row === 1 ? `Token ${whole(l)} costs` : `${l === 1 ? "One token costs" : `All ${tokens(l)} cost`}`;
  return `${whose} attention ${ratio} operations; ${states}. Of attention’s, ${number(100 * past)}\u00a0% are for the past.`;
}

function equation(s, d, view) {
  const l = marked(s, view);
  const { row, says } = VIEWS[s.view];
  const [attention, , , mamba] = costs(s, l)[row].map(says);
  const [width, layers] = [whole(s.d_model), whole(s.n_layer)];
  if (s.view === "memory") {
    const cache = [["cache", "u"], [` = 2 · ${whole(l)} · ${width} · ${layers} · 4 B${hidden(s, view) ? "" : ` = ${attention}`}`]];
    return [...cache, ["\nMamba’s state", "h"], [` = (${s.d_state} + 3) · 2 · ${width} · ${layers} · 4 B = ${mamba}`]];
  }
  const past = row === 1 ? ` + 4 · ${whole(l)} · ${width}` : ` · ${whole(l)} + 2 · ${whole(l)} · ${whole(l + 1)} · ${width}`;
  const { weights, turned } = counts(s);
  const fixed = `(2 · ${whole(weights[3])} + 7 · ${whole(turned[3])}) · ${row === 1 ? "" : `${whole(l)} · `}${layers}`;
  return [["attention", "u"], [` = (8 · ${width}²${past}) · ${layers} = ${attention}`], ["\nMamba", "h"], [` = ${fixed} = ${mamba}`]];
}

function verdict(guess, d) {
  const truth = `The cache passes Mamba’s state at ${tokens(d.crossing[0])}: d_state + 3, at any width and number of layers.`;
  if (guess < 0) return truth;
  return `${truth} At your guess, ${tokens(LENGTHS[guess])}, it is ${times(d.memory[0][guess] / d.memory[3][guess])} times as large.`;
}

export default liveFigure({
  name: "cost-of-context",
  traits: ["view", "length", "n_layer", "d_model", "d_state", "guess"],
  compute,
  describe,
  equation,
  guess: {
    trait: "guess",
    prompt: "Your guess: drag the marker, or choose",
    options: () => LENGTHS.map(tokens),
    verdict,
  },
  panels: [
    { name: "curves", height: 310, title: (s) => `${VIEWS[s.view].title}, by the tokens read`, draw: drawCurves },
    { name: "bars", height: 104, title: (s, d, view) => `At ${tokens(marked(s, view))}, without logarithms`, draw: drawBars },
  ],
  controls: [
    { kind: "choice", trait: "view", label: "what is counted", options: [["memory", "memory"], ["token", "one token"], ["prompt", "all tokens"]] },
    { kind: "slider", trait: "length", label: "tokens read", min: 1, max: LONGEST, step: 1, log: 2, format: whole },
    { kind: "slider", trait: "d_model", label: "width d_model", min: 64, max: 8192, step: 64, format: whole },
    { kind: "slider", trait: "n_layer", label: "layers", min: 1, max: 96, step: 1 },
    { kind: "slider", trait: "d_state", label: "Mamba’s d_state", color: "h", min: 1, max: 256, step: 1 },
  ],
  presets: [
    { label: "[[Anarchism]], this book’s model", state: { length: 13, n_layer: 4, d_model: 192, d_state: 16 } },
    { label: "Mamba 130M, 2,048 tokens", state: { length: 2048, n_layer: 24, d_model: 768, d_state: 16 } },
    { label: "Mamba 2.8B, a million tokens", state: { length: LONGEST, n_layer: 64, d_model: 2560, d_state: 16 } },
  ],
});
