/** Chapter 12: a byte costs -log2 p bits. A longer look back makes most bytes cheap and leaves the news dear. */

import { argmax, encodeUtf8 } from "./core.js";
import { known, prices, probabilities, readCounts } from "./counts.js";
import { liveFigure } from "./kit.js";
import { band, linear, number } from "./marks.js";

const MOST_BYTES = 200;
const ORDERS = [0, 1, 2, 3];
const SHOWN = 6; // next bytes
const LOOKS = ["no byte", "one byte", "two bytes", "three bytes"];
const LEFT = 38; // room for the axis' words
const RIGHT = 78; // and for the mean's, where there is room

let counts = null;

const sign = (byte) => (byte === 32 ? "␣" : byte > 32 && byte < 127 ? String.fromCharCode(byte) : byte.toString(16).padStart(2, "0"));
const share = (p) => (p >= 0.0995 ? `${Math.round(100 * p)}%` : p >= 0.00095 ? `${number(100 * p, 2)}%` : number(p, 2));
const price = (bits) => (bits >= 9.95 ? bits.toFixed(0) : bits.toFixed(1));
const whole = (n) => Math.round(n).toLocaleString("en-US");
const sum = (values) => values.reduce((total, value) => total + value, 0);
const size = (bits) => `${number(bits)} bits, ${number(bits / 8)} bytes`;

function compute({ text, order, step }) {
  const bytes = encodeUtf8(text);
  const last = bytes.length - 1;
  const at = step < 0 || step > last ? last : step;
  const rows = prices(counts, bytes, ORDERS.at(-1)); // (4, l)
  const bits = rows[order];
  return {
    bytes, order, last, at, bits,
    names: bytes.map(sign),
    known: bytes.map((_, t) => known(counts, bytes, t, order)),
    alone: rows[0],
    p: bits.map((value) => 2 ** -value),
    means: rows.map((row) => sum(row) / row.length),
    next: lookUp({ bytes, order }, at).next,
    letters: lettersOf(text),
    dearest: argmax(bits),
  };
}

/** What may come at t: the likeliest bytes with their p, the place of the true one among all, and how its p came about. */
function lookUp({ bytes, order }, t) {
  const { p, steps } = probabilities(counts, bytes, t, order, bytes[t]);
  const all = Array.from(p, (one, byte) => [byte, one]).sort((one, other) => other[1] - one[1] || one[0] - other[0]);
  return { next: all.slice(0, SHOWN), rank: all.findIndex(([byte]) => byte === bytes[t]) + 1, steps };
}

/** Where each character begins and how many bytes it has: [[character, first byte, bytes], ...]. */
function lettersOf(text) {
  let from = 0;
  return Array.from(text, (letter) => {
    const place = [letter, from, encodeUtf8(letter).length];
    from += place[2];
    return place;
  });
}

const called = (d, t) => `“${d.names[t]}” (t = ${t})`;
const marked = (d, view) => view.hover?.t ?? d.at;
/** The bytes that count at t, as they stand. */
const before = (d, t, k) => {
  const names = d.names.slice(t - k, t);
  return names.join(names.some((name) => name.length > 1) ? " " : "");
};
const after = (d, t, k) => (k ? `after “${before(d, t, k)}”` : "by frequency alone");

// ---- the price of each byte -----------------------------------------------------------------------------------------

/** Long texts go on in the next line. */
function lines(width, d, view) {
  const room = width - LEFT - (view.narrow ? 0 : RIGHT);
  const most = Math.max(1, Math.floor(room / (d.last > 63 ? 14 : 20)));
  const rows = Math.ceil(d.bytes.length / most);
  const each = Math.ceil(d.bytes.length / rows);
  const foreign = d.letters.some(([, , length]) => length > 1);
  const bars = rows === 1 ? 130 : rows < 4 ? 84 : 64;
  return { rows, each, foreign, bars, height: bars + (foreign ? 54 : 36), cell: Math.min(30, room / each) };
}

function drawPrices(p, s, d, view) {
  const form = lines(p.width, d, view);
  const shown = view.revealed ? d.bits : d.alone;
  const top = Math.max(8, ...shown, ...d.alone);
  for (let row = 0; row < form.rows; row++) {
    const from = row * form.each;
    const length = Math.min(form.each, d.bytes.length - from);
    const x = band(length, [LEFT, LEFT + length * form.cell]);
    const base = row * form.height + form.bars + 14;
    const y = linear([0, top], [base, base - form.bars + 18]);
    drawLine(p, s, d, view, { from, length, x, y, base, first: row === 0 });
  }
  const find = (px, py) => {
    const row = Math.floor(py / form.height);
    const column = Math.floor((px - LEFT) / form.cell);
    const t = row * form.each + column;
    return row >= 0 && column >= 0 && column < form.each && t <= d.last ? t : null;
  };
  p.probe = (px, py) => {
    const t = find(px, py);
    return t === null ? null : { t, words: readout(d, t, view) };
  };
  p.pick = (px, py) => {
    const t = find(px, py);
    return t === null ? null : view.revealed ? { step: t } : { guess: t };
  };
}

function readout(d, t, view) {
  const k = view.revealed ? d.known[t] : 0;
  const bits = (view.revealed ? d.bits : d.alone)[t];
  return `“${d.names[t]}” ${after(d, t, k)}: p[t=${t}] = ${number(2 ** -bits)}, ${number(bits)} bits`;
}

function titleOfPrices(s, d, view) {
  const title = "The price of each byte in bits";
  const back = `with ${LOOKS[s.order]} to look back on`;
  if (!s.order) return `${title}, by frequency alone`;
  return view.revealed ? `${title}: grey by frequency alone, green ${back}` : `${title}, by frequency alone; ${back} after your guess`;
}

function drawLine(p, s, d, view, { from, length, x, y, base, first }) {
  const t = marked(d, view);
  const bits = view.revealed ? d.bits : d.alone;
  const mean = sum(bits) / bits.length;
  const inside = (i) => i >= from && i < from + length;
  if (inside(t)) p.rect(x.at(t - from), y.range[1] - 14, x.size, base - y.range[1] + 34, { fill: "panel" });
  p.rule(LEFT, base + 0.5, x.to, base + 0.5);
  p.rule(LEFT, y(8), x.to, y(8), { dash: "1 3", color: "muted" });
  p.text(LEFT - 6, y(8) + 4, first ? "8 bits" : "8", { color: "muted", anchor: "end", size: 11 });
  for (let i = from; i < from + length; i++) {
    const left = x.at(i - from);
    p.rect(left + 1, y(d.alone[i]), x.size - 2, base - y(d.alone[i]), { fill: "hairline" });
    if (view.revealed) p.rect(left + x.size * 0.25, y(bits[i]), x.size * 0.5, Math.max(0.75, base - y(bits[i])), { fill: "y" });
  }
  nameBytes(p, s, d, view, { from, length, x, base });
  if (view.revealed && inside(d.dearest)) {
    p.text(x.centre(d.dearest - from), y(bits[d.dearest]) - 5, price(bits[d.dearest]), { color: "y", anchor: "middle", weight: 600, halo: true });
  }
  drawMean(p, mean, x, y, view, first);
}

function drawMean(p, mean, x, y, view, first) {
  const color = view.revealed ? "y" : "muted";
  p.rule(LEFT, y(mean), x.to, y(mean), { color, dash: "5 3", line: 1.2 });
  if (!first) return;
  if (!view.narrow) return void p.text(x.to + 6, y(mean) + 4, `mean ${mean.toFixed(2)}`, { color, size: 11.5 });
  const apart = y(mean) - y(8);
  const shift = Math.abs(apart) < 12 ? (apart < 0 ? -12 : 12) - apart : 0; // clear of the 8
  p.text(LEFT - 6, y(mean) + 4 + shift, mean.toFixed(2), { color, anchor: "end", size: 11 });
}

function nameBytes(p, s, d, view, { from, length, x, base }) {
  const t = marked(d, view);
  const [used, wanted] = [view.revealed ? d.known[t] : Math.min(s.order, t), Math.min(s.order, t)];
  for (let i = from; i < from + length; i++) {
    const seen = i >= t - used && i < t;
    const missed = i >= t - wanted && i < t - used; // the longer context is not kept
    const small = d.names[i].length > 1 ? Math.min(11, x.size * 0.52) : Math.min(17, x.size * 0.8);
    p.text(x.centre(i - from), base + 17, d.names[i], { anchor: "middle", mono: true, size: small, color: seen ? "u" : "ink", weight: seen || i === t ? 600 : 400 });
    const under = { color: seen ? "u" : "muted", line: seen ? 2 : 1, dash: seen ? null : "2 2" };
    if (seen || missed) p.rule(x.at(i - from) + 1, base + 22.5, x.at(i - from) + x.size - 1, base + 22.5, under);
    if (i === s.guess) p.outline(x.at(i - from) + 1, base + 3, x.size - 1, 19);
  }
  for (const [letter, start, bytes] of d.letters) {
    const [a, b] = [Math.max(start, from), Math.min(start + bytes, from + length)];
    if (bytes < 2 || a >= b) continue;
    p.rule(x.at(a - from) + 2, base + 27.5, x.at(b - from) - 2, base + 27.5, { color: "muted" });
    if (start >= from) p.text((x.at(a - from) + x.at(b - from)) / 2, base + 41, letter, { anchor: "middle", size: 14 });
  }
}

// ---- what may come at the marked byte -------------------------------------------------------------------------------

function drawNext(p, s, d, view) {
  if (!view.revealed) return hide(p);
  const t = marked(d, view);
  const { next, rank } = lookUp(d, t);
  const listed = rank <= SHOWN ? next : [...next.slice(0, SHOWN - 1), [d.bytes[t], d.p[t]]];
  const x = linear([0, Math.max(...listed.map(([, p]) => p))], [30, p.width - 112]);
  const rows = band(listed.length, [2, 2 + 24 * listed.length]);
  listed.forEach(([byte, probability], i) => {
    const it = byte === d.bytes[t];
    const look = { color: it ? "y" : "muted", weight: it ? 600 : 400 };
    const middle = rows.centre(i) + 4;
    p.text(14, middle, sign(byte), { ...look, color: it ? "y" : "ink", anchor: "middle", mono: true, size: byte > 32 && byte < 127 ? 15 : 12 });
    p.rect(x(0), rows.at(i) + 5, Math.max(1, x(probability) - x(0)), rows.size - 10, { fill: it ? "y" : "hairline" });
    const place = it && rank > SHOWN ? `, place ${rank}` : "";
    p.text(x(probability) + 7, middle, `${share(probability)}: ${price(-Math.log2(probability))} bits${place}`, look);
  });
  p.probe = (_, py) => {
    const i = rows.index(py);
    if (i === null) return null;
    const [byte, probability] = listed[i];
    return { words: `p(“${sign(byte)}” at t=${t}) = ${number(probability)}, ${number(-Math.log2(probability))} bits` };
  };
}

function titleOfNext(s, d, view) {
  const t = marked(d, view);
  if (!view.revealed) return `What may come at t = ${t}`;
  const [k, wanted] = [d.known[t], Math.min(s.order, t)];
  const what = `t = ${t}, ${after(d, t, k)}`;
  return k < wanted ? `${what} (“${before(d, t, wanted)}” not kept)` : `What may come at ${what}`;
}

// ---- the whole text, order by order ---------------------------------------------------------------------------------

function drawOrders(p, s, d, view) {
  const kept = counts.about.bits_per_byte_kept;
  const full = counts.about.bits_per_byte_full;
  const columns = [p.width - 66, p.width - 4];
  const x = linear([0, Math.max(8, ...d.means)], [56, p.width - 146]);
  const rows = band(4, [34, 34 + 4 * 25]);
  const small = { color: "muted", size: 11.5 };
  p.text(56, 28, "this text", small);
  p.text(columns[1], 12, "enwik8’s test split, counts", { ...small, anchor: "end" });
  ["kept", "all"].forEach((words, i) => p.text(columns[i], 28, words, { ...small, anchor: "end" }));
  ORDERS.forEach((order) => {
    const shown = view.revealed || order === 0;
    const on = order === s.order;
    const middle = rows.centre(order) + 4;
    if (on) p.rect(0, rows.at(order) + 1, p.width, rows.size - 2, { fill: "panel", round: 3 });
    p.text(4, middle, `${order} back`, { weight: on ? 600 : 400 });
    if (!shown) return p.text(56, middle, "after your guess", { color: "muted" });
    p.rect(x(0), rows.at(order) + 6, x(d.means[order]) - x(0), rows.size - 12, { fill: on ? "y" : "hairline" });
    p.text(x(d.means[order]) + 6, middle, d.means[order].toFixed(2), { weight: on ? 600 : 400, color: on ? "y" : "ink" });
    p.text(columns[0], middle, kept[`order ${order}`].toFixed(2), { anchor: "end" });
    p.text(columns[1], middle, full[`order ${order}`].toFixed(2), { anchor: "end" });
  });
  const { contexts, counted_bytes } = counts.about;
  p.text(4, 154, `Counted are ${whole(counted_bytes)} bytes of enwik8, not this text;`, small);
  p.text(4, 170, `kept ${whole(contexts.kept[3])} of ${whole(contexts.counted[3])} contexts of three bytes.`, small);
  p.pick = (_, py) => (rows.index(py) === null ? null : { order: rows.index(py) });
  p.probe = (_, py) => {
    const order = rows.index(py);
    if (order === null || (order && !view.revealed)) return null;
    return { words: `order ${order}: ${size(d.means[order] * d.bytes.length)}, ${number(d.means[order])} bits per byte` };
  };
}

function hide(p) {
  p.rect(0, 2, p.width, p.height - 8, { fill: "panel", round: 4 });
  p.text(p.width / 2, p.height / 2 + 2, "after your guess", { color: "muted", anchor: "middle" });
}

// ---- words ----------------------------------------------------------------------------------------------------------

function describe(s, d, view) {
  const t = marked(d, view);
  const order = view.revealed ? s.order : 0;
  const raw = `${d.bytes.length} ${d.bytes.length === 1 ? "byte" : "bytes"}`;
  const whole = `With ${LOOKS[order]} to look back on, this text takes ${size(d.means[order] * d.bytes.length)}; as it stands, ${raw}.`;
  if (!view.revealed) {
    return `${whole} ${called(d, t)} costs ${number(d.alone[t])} bits. With ${LOOKS[s.order]} to look back on, which byte is dearest?`;
  }
  return `${whole} The dearest is ${called(d, d.dearest)}, ${number(d.bits[d.dearest])} bits; ${called(d, t)} costs ${number(d.bits[t])}, by frequency alone ${number(d.alone[t])}.`;
}

function equation(s, d, view) {
  const t = marked(d, view);
  const bits = (view.revealed ? d.bits : d.alone)[t];
  const step = lookUp(d, t).steps.at(view.revealed ? -1 : 0);
  const k = view.revealed ? d.known[t] : 0;
  const given = k ? [[" | "], [before(d, t, k), "u"]] : [];
  const p = number(2 ** -bits);
  return [
    [`bits[t=${t}] = −log2 p(`], [d.names[t], "y"], ...given, [`) = −log2 ${p} = `], [number(bits), "y"],
    [`\np = (${whole(step.count)} + ${whole(step.rest)} · ${number(step.shorter)}) / ${whole(step.total)}`],
    [view.narrow ? "" : k ? "   (counted + rest · p with a byte less) / all" : "   (counted + rest / 256) / all"],
  ];
}

function verdict(guess, d) {
  const truth = `The dearest is ${called(d, d.dearest)}, ${number(d.bits[d.dearest])} bits.`;
  if (guess < 0 || guess > d.last) return truth;
  return guess === d.dearest ? `${truth} You said so.` : `${truth} Your guess, ${called(d, guess)}, costs ${number(d.bits[guess])}.`;
}

const lengthOf = (text) => encodeUtf8(text).length;

function wrongText(text) {
  const length = lengthOf(text);
  if (length > MOST_BYTES) return `1 to ${MOST_BYTES} bytes; this has ${length}, and its first ${lengthOf(firstBytes(text))} are shown`;
  return length ? "" : `1 to ${MOST_BYTES} bytes; this has none`;
}

/** As many whole characters as fit. */
function firstBytes(text) {
  let [kept, length] = ["", 0];
  for (const letter of text) {
    length += lengthOf(letter);
    if (length > MOST_BYTES) break;
    kept += letter;
  }
  return kept;
}

export default liveFigure({
  name: "bits-per-byte",
  traits: ["text", "order", "step", "guess"],
  file: { name: "byte_counts", read: (data) => (counts = readCounts(data)) },
  compute,
  describe,
  equation,
  guess: {
    trait: "guess",
    prompt: "Your guess: which costs the most bits, once the bytes before it are known?",
    options: (d) => d.names.map((name, t) => `${name}   t = ${t}`),
    verdict,
  },
  panels: [
    { name: "prices", height: (width, s, d, view) => lines(width, d, view).rows * lines(width, d, view).height, title: titleOfPrices, draw: drawPrices },
    { name: "next", span: 6, height: (width, s, d, view) => (view.revealed || !view.narrow ? 152 : 72), title: titleOfNext, draw: drawNext },
    { name: "orders", span: 6, height: 176, title: () => "Bits per byte, by the bytes looked back on", draw: drawOrders },
  ],
  controls: [
    { kind: "text", trait: "text", label: "Text", wide: true, check: wrongText, cut: firstBytes },
    { kind: "choice", trait: "order", label: "Look back on", options: ORDERS.map((order) => [order, order ? `${order} ${order > 1 ? "bytes" : "byte"}` : "nothing"]) },
    { kind: "player", trait: "step", label: "The marked byte t", last: (d) => d.last, says: (t, d) => `t = ${t}, ${d.names[t]}` },
  ],
  presets: [
    { label: "a sentence", state: { text: "the history of the United States", order: 3 } },
    { label: "said three times", state: { text: "abracadabra abracadabra abracadabra", order: 3 } },
    { label: "two bytes a letter", state: { text: "Athens (Αθήνα)", order: 3 } },
    { label: "at random", state: { text: "q7#Xv~Zk)R2wJ|m", order: 3 } },
  ],
});
