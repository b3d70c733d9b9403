/** Chapter 6: one delta for all bytes forgets them all alike; a delta that sees the byte lets one of them survive. */

import { argmax, encodeUtf8, howMuchIsLeft, selectiveScan, softplus } from "./core.js";
import { liveFigure } from "./kit.js";
import { band, logarithmic, magnitude, number, signed } from "./marks.js";

const MOST_BYTES = 24;
const RATES = [-1, -2, -3, -4]; // A: state n forgets n times as fast as the first
const SIGNS = { 91: 1, 93: -1 }; // [ and ]
const DELTAS = [3e-4, 12]; // what the axis shows
const LEFT = 44; // room for the axis' words; the bytes stand under each other in all panels

function compute({ text, selective, weight, bias, state }) {
  const bytes = Array.from(encodeUtf8(text));
  const letter = softplus(bias);
  const bracket = selective ? softplus(weight + bias) : letter;
  const u = bytes.map((byte) => SIGNS[byte] ?? ((byte % 7) - 3) / 6); // (l)
  const delta = bytes.map((byte) => (byte in SIGNS ? bracket : letter)); // (l)
  const ones = bytes.map(() => RATES.map(() => 1)); // B and C, (l, 4)
  const column = (x) => x.map((value) => [value]); // (l, 1)
  const { h } = selectiveScan(column(u), column(delta), [RATES], ones, ones); // (l, 1, 4)
  const left = howMuchIsLeft(delta, RATES[state - 1]); // (l, l)
  const names = bytes.map((byte) => (byte === 32 ? "␣" : byte > 32 && byte < 127 ? String.fromCharCode(byte) : byte.toString(16)));
  const decay = delta.map((step) => RATES.map((rate) => Math.exp(step * rate))); // (l, 4)
  return { bytes, names, u, letter, bracket, delta, decay, h: h.map((channel) => channel[0]), left, last: bytes.length - 1 };
}

/** The marked step: under the pointer, else the player's. */
const marked = (s, d, view) => view.hover?.t ?? (s.step < 0 || s.step > d.last ? d.last : s.step);
const columns = (p, d) => band(d.bytes.length, [LEFT, p.width - 44]);
const keep = (step, s) => number(Math.exp(step * RATES[s.state - 1]));
const called = (d, t) => `“${d.names[t]}” (t = ${t})`;

/** Pointing marks the step; a click marks it for good, or guesses, as long as the answer is hidden. */
function touchSteps(p, x, d, s, view) {
  const words = (t) => `delta[t=${t}] = ${number(d.delta[t])}, keeps ${keep(d.delta[t], s)}`;
  p.probe = (px) => (x.index(px) === null ? null : { t: x.index(px), words: words(x.index(px)) });
  p.pick = (px) => (x.index(px) === null ? null : view.revealed ? { step: x.index(px) } : { guess: x.index(px) });
}

function drawSteps(p, s, d, view) {
  const x = columns(p, d);
  const t = marked(s, d, view);
  const y = logarithmic(DELTAS, [p.height - 6, 52]);
  p.axis(y, { side: "left", at: LEFT - 4, ticks: [0.001, 0.01, 0.1, 1, 10], grid: x.to });
  p.rect(x.at(t), 10, x.size, p.height - 10, { fill: "panel" });
  d.names.forEach((name, i) => {
    const color = i > t ? "muted" : "u";
    p.text(x.centre(i), 30, name, { color, anchor: "middle", size: Math.min(17, x.size * 0.85), weight: d.bytes[i] in SIGNS ? 600 : 400, mono: true });
  });
  p.stems(d.delta.map((step, i) => [x.centre(i), y(step)]), y.range[0], { color: "delta", radius: 3 });
  if (s.guess >= 0 && s.guess <= d.last) {
    p.text(x.centre(s.guess), 9, "▾", { anchor: "middle", size: 16 });
    p.outline(x.at(s.guess) + 1, 13, x.size - 1, 25);
  }
  const drag = (value, from, trait, low, high) => (_, py) => {
    if (Math.abs(py - y(value)) < 0.5) return null; // a step beyond the axis stays what it is
    return { [trait]: Number(Math.min(high, Math.max(low, from(y.invert(py)))).toFixed(1)) };
  };
  const raw = (step) => Math.log(Math.expm1(step)); // softplus backwards
  const level = (name, value, place, trait, move) => {
    p.rule(x.from, y(value), x.to + place, y(value), { color: "delta", dash: "2 4" });
    p.handle(trait, { x: x.to + place, y: y(value), trait, color: "delta", shape: "flat", label: `delta of ${name}, by ${trait}`, value: number(value), move });
  };
  if (s.selective) level("brackets", d.bracket, 32, "weight", drag(d.bracket, (step) => raw(step) - s.bias, "weight", -8, 8));
  level(s.selective ? "other bytes" : "every byte", d.letter, 12, "bias", drag(d.letter, raw, "bias", -8, 4));
  touchSteps(p, x, d, s, view);
}

function drawStates(p, s, d, view) {
  const x = columns(p, d);
  const t = marked(s, d, view);
  const y = band(RATES.length, [4, p.height - 4]);
  const largest = Math.max(...d.h.flat().map(Math.abs), 1e-12);
  p.cells(RATES.map((_, n) => d.h.map((row) => row[n])), { x, y, fill: (value, n, i) => (i > t ? "panel" : signed(value, largest)) });
  RATES.forEach((_, n) => p.text(LEFT - 8, y.centre(n) + 4, `n=${n + 1}`, { color: n + 1 === s.state ? "ink" : "muted", anchor: "end" }));
  p.outline(x.from, y.at(s.state - 1), x.to - x.from, y.size);
  p.outline(x.at(t), 4, x.size, p.height - 8);
  const found = (px, py) => ({ i: x.index(px), n: y.index(py) });
  p.probe = (px, py) => {
    const { i, n } = found(px, py);
    return i === null || n === null ? null : { t: i, words: `h[t=${i}, n=${n + 1}] = ${number(d.h[i][n])}` };
  };
  p.pick = (px, py) => {
    const { i, n } = found(px, py);
    return n === null ? null : { state: n + 1, ...(i !== null && view.revealed && { step: i }) };
  };
}

function drawLeft(p, s, d, view) {
  const x = columns(p, d);
  const t = marked(s, d, view);
  if (!view.revealed) return hide(p, x.from, x.to);
  const row = d.left[t];
  const best = argmax(row);
  const most = row[best] || 1;
  const y = (value) => p.height - 20 - (value / most) * (p.height - 44);
  p.bars(row, x, y, { color: (i) => (i === best ? "delta" : "muted") });
  p.rule(x.from, y(0) + 0.5, x.to, y(0) + 0.5);
  p.text(x.centre(best), y(most) - 6, number(most), { color: "delta", anchor: best > d.last - 2 ? "end" : "middle", weight: 600, halo: true });
  d.names.forEach((name, i) => p.text(x.centre(i), p.height - 4, name, { color: i > t ? "hairline" : "muted", anchor: "middle", size: Math.min(13, x.size * 0.7), mono: true }));
  if (s.guess >= 0 && s.guess <= d.last) p.outline(x.at(s.guess) + 1, p.height - 17, x.size - 1, 16);
  // the bars are of the marked step: pointing reads one and moves nothing
  const words = (i) => (i > t ? `t=${i} has not come yet` : `left of s=${i} at t=${t}: ${number(row[i])}`);
  p.probe = (px) => (x.index(px) === null ? null : { words: words(x.index(px)) });
}

function drawMatrix(p, s, d, view) {
  const size = Math.min(p.width - 26, p.height - 24);
  const cells = band(d.bytes.length, [24, 24 + size]);
  const rows = band(d.bytes.length, [2, 2 + size]);
  const t = marked(s, d, view);
  if (!view.revealed) return hide(p, 24, view.narrow ? p.width : 24 + size);
  const largest = Math.max(...d.left.flat());
  p.cells(d.left, { x: cells, y: rows, fill: (value, i, j) => (j > i ? null : magnitude(value, largest)) });
  const small = { color: "muted", anchor: "middle", size: Math.min(13, cells.size * 0.7), mono: true };
  d.names.forEach((name, i) => {
    p.text(12, rows.centre(i) + 4, name, { ...small, color: i === t ? "ink" : "muted" });
    p.text(cells.centre(i), size + 16, name, small);
  });
  p.outline(cells.from, rows.at(t), cells.at(t + 1) - cells.from, rows.size);
  const found = (px, py) => [rows.index(py), cells.index(px)];
  p.probe = (px, py) => {
    const [i, j] = found(px, py);
    return i === null || j === null || j > i ? null : { t: i, words: `left of s=${j} at t=${i}: ${number(d.left[i][j])}` };
  };
  p.pick = (px, py) => (found(px, py)[0] === null ? null : { step: found(px, py)[0] });
}

const matrixHeight = (width, s, d, view) => (view.narrow && !view.revealed ? 72 : Math.min(width, 380));

function hide(p, from, to) {
  p.rect(from, 2, to - from, p.height - 8, { fill: "panel", round: 4 });
  p.text((from + to) / 2, p.height / 2 + 2, "after your guess", { color: "muted", anchor: "middle" });
}

function describe(s, d, view) {
  const t = marked(s, d, view);
  const n = `state ${s.state}`;
  const steps = s.selective
    ? `A bracket steps by ${number(d.bracket)} and keeps ${keep(d.bracket, s)} of ${n}; any other byte steps by ${number(d.letter)} and keeps ${keep(d.letter, s)}.`
    : `Every byte steps by ${number(d.letter)}: it keeps ${keep(d.letter, s)} of ${n}, whatever it is.`;
  const now = ` At ${called(d, t)} ${n} is ${number(d.h[t][s.state - 1])}`;
  const best = argmax(d.left[t]);
  return `${steps}${now}${view.revealed ? `; the most is left of ${called(d, best)}, ${number(d.left[t][best])}` : ""}.`;
}

function equation(s, d, view) {
  const t = marked(s, d, view);
  const n = s.state;
  const before = t ? d.h[t - 1][n - 1] : 0;
  const [step, kept, u] = [number(d.delta[t]), number(d.decay[t][n - 1]), number(d.u[t])];
  const at = (i) => `h[t=${i}, n=${n}]`;
  return [
    [at(t), "h"], [" = exp("], [`−${n} · ${step}`, "delta"], [") · "], [at(t - 1), "h"], [" + "], [step, "delta"], [" · "], [`u[t=${t}]`, "u"],
    [`\n = ${kept} · `], [number(before), "h"], [" + "], [step, "delta"], [" · "], [u, "u"], [" = "], [number(d.h[t][n - 1]), "h"],
  ];
}

function verdict(guess, d) {
  const row = d.left[d.last];
  const best = argmax(row);
  const truth = `When ${called(d, d.last)} has come in, the most is left of ${called(d, best)}: ${number(row[best])}.`;
  if (guess < 0 || guess > d.last) return truth;
  return guess === best ? `${truth} You said so.` : `${truth} Of your guess, ${called(d, guess)}, ${number(row[guess])} is left.`;
}

function wrongText(text) {
  const length = encodeUtf8(text).length;
  return length >= 1 && length <= MOST_BYTES ? "" : `1 to ${MOST_BYTES} bytes; this has ${length}`;
}

export default liveFigure({
  name: "selection",
  traits: ["text", "selective", "weight", "bias", "state", "step", "guess"],
  compute,
  describe,
  equation,
  guess: {
    trait: "guess",
    prompt: "Your guess, before you move anything: of which byte is the most left at the end?",
    options: (d) => d.names.map((name, t) => `${name}   t = ${t}`),
    verdict,
  },
  panels: [
    { name: "steps", span: 7, height: 168, title: () => "The bytes, and delta, the step each of them takes", draw: drawSteps },
    { name: "matrix", span: 5, rows: 3, late: true, height: matrixHeight, title: (s) => `Left of byte s (across) at byte t (down), n = ${s.state}`, draw: drawMatrix },
    { name: "states", span: 7, height: 92, title: () => "The state h, four numbers", draw: drawStates },
    { name: "left", span: 7, height: (width, s, d, view) => (view.revealed || !view.narrow ? 112 : 72), title: (s, d, view) => `How much of each byte is left at t = ${marked(s, d, view)}`, draw: drawLeft },
  ],
  controls: [
    { kind: "player", trait: "step", label: "Up to step t", last: (d) => d.last, says: (t, d) => `t = ${t}, ${d.names[t]}` },
    { kind: "choice", trait: "selective", label: "Delta is", options: [[false, "the same for all bytes"], [true, "set by the byte"]] },
    { kind: "text", trait: "text", label: "Bytes", check: wrongText },
    { kind: "slider", trait: "bias", label: "bias: delta of every byte", color: "delta", min: -8, max: 4, step: 0.1 },
    { kind: "slider", trait: "weight", label: "weight: more, if it is a bracket", color: "delta", min: -8, max: 8, step: 0.1, when: (s) => s.selective },
    { kind: "slider", trait: "state", label: "state n, with A = −n", color: "h", min: 1, max: 4, step: 1, format: (n) => `n = ${n}, A = −${n}` },
  ],
  presets: [
    { label: "a long step for all", state: { selective: false, bias: 1.5 } },
    { label: "a short step for all", state: { selective: false, bias: -5 } },
    { label: "brackets alone", state: { selective: true, weight: 6, bias: -5 } },
    { label: "all but brackets", state: { selective: true, weight: -6, bias: 0.5 } },
  ],
});
