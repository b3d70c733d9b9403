/** Chapter 7: the weights are in the boxes that see one byte; what looks back has few of them, and keeps a state. */

import { argmax, causalConv1d, selectiveScan } from "./core.js";
import { liveFigure } from "./kit.js";
import { band, mix, number } from "./marks.js";

const BYTES = [..."[[Johann"]; // the last eight that have come in
const LAST = BYTES.length - 1;
const FLOAT = 4; // bytes of a float32
const [CONV, SCAN, GATE, PLUS] = [2, 5, 6, 8];

/**
 * The nine boxes for the reader's sizes. out: numbers that leave it for each token. weights: [parameter, ...its sizes].
 * keeps: the sizes of its state. shape: what goes in and comes out, in words.
 */
function boxes({ d_model: d, expand, d_conv: k, d_state: n }) {
  const [e, rank] = [expand * d, Math.ceil(d / 16)]; // d_inner, dt_rank
  const [model, inner] = [`(b, l, ${d})`, `(b, l, ${e})`];
  const chosen = `${rank} + ${n} + ${n} numbers → delta ${inner}; B, C (b, l, ${n})`;
  return [
    { name: "RMSNorm", color: "ink", out: d, weights: [["weight", d]], shape: `${model} → ${model}` },
    { name: "in_proj", color: "ink", out: 2 * e, weights: [["weight", d, 2 * e]], shape: `${model} → x and z, ${inner} each` },
    { name: "conv", color: "u", out: e, weights: [["weight", e, k], ["bias", e]], keeps: [k - 1, e], shape: `x ${inner} → ${inner}` },
    { name: "SiLU", color: "ink", out: e, weights: [], shape: `${inner} → ${inner}` },
    { name: "δ, B, C", color: "delta", out: e + 2 * n, weights: [["x_proj", e, rank + 2 * n], ["dt_proj", rank, e], ["bias", e]], shape: `${inner} → ${chosen}` },
    { name: "scan", color: "h", out: e, weights: [["A_log", e, n], ["D", e]], keeps: [e, n], shape: `${inner}, delta, B, C → y ${inner}` },
    { name: "× SiLU(z)", color: "y", out: e, weights: [], shape: `y and z, ${inner} each → ${inner}` },
    { name: "out_proj", color: "ink", out: d, weights: [["weight", e, d]], shape: `${inner} → ${model}` },
    { name: "+", color: "ink", out: d, weights: [], shape: `${model} and the block's input → ${model}` },
  ];
}

/** What a box does to time, in one channel, x: (l, 1): two boxes move something, all others take each token alone. */
function overTime(i, x, k) {
  if (i === CONV) return causalConv1d(x, [Array(k).fill(1)]).y;
  const ones = x.map(() => [1]);
  return i === SCAN ? selectiveScan(x, ones, [[-1]], ones, ones).y : x;
}

function compute(s) {
  const all = boxes(s);
  const weights = all.map((box) => box.weights.reduce((sum, [, ...sizes]) => sum + product(sizes), 0)); // (9)
  const state = all.map((box) => (box.keeps ? product(box.keeps) : 0)); // (9), numbers for each sequence
  const nudge = BYTES.map((_, i) => BYTES.map((_, t) => [Number(t === i)])); // (8, l, 1): a nudge at each byte
  const felt = (x) => x.map((y) => Number(y[LAST][0] !== 0)); // (8), does the last output move?
  let far = nudge;
  const own = all.map((_, i) => felt(nudge.map((x) => overTime(i, x, s.d_conv)))); // (9, 8)
  const reach = all.map((_, i) => felt((far = far.map((x) => overTime(i, x, s.d_conv))))); // (9, 8), from the input on
  const sum = (x) => x.slice(1, PLUS).reduce((a, b) => a + b, 0); // MambaBlock is in_proj to out_proj
  const back = all.flatMap((_, i) => (own[i].reduce((a, b) => a + b) > 1 ? [i] : []));
  const out = all.map((box) => box.out);
  return { all, names: all.map((box) => box.name), weights, state, out, own, reach, back, total: sum(weights), kept: sum(state) };
}

const product = (sizes) => sizes.reduce((a, b) => a * b, 1);
const whole = (n) => n.toLocaleString("en-US");
const share = (part, d) => `${number((100 * part) / d.total, 2)}%`;
const size = (n) => (n < 10000 ? `${whole(n)} B` : n < 1e6 ? `${number(n / 1e3)} KB` : `${number(n / 1e6)} MB`);
const marked = (s, view) => view.hover?.stage ?? s.stage;
const letters = (row) => BYTES.filter((_, i) => row[i]).join("");

/** Where things stand, in pixels; the row of box i is `rows`' i-th place. On a phone, from the right to the left. */
function layout(p, { narrow }) {
  const rows = band(9, [48, 48 + 9 * (narrow ? 44 : 38)]);
  if (!narrow) return { rows, lanes: [6, 21, 36], box: [52, 212], bars: [246, p.width - 300], cells: band(8, [p.width - 218, p.width - 66]), end: p.width };
  const small = p.width < 320;
  const from = p.width - 54 - 8 * (small ? 9 : 11);
  return { rows, lanes: small ? [1, 6, 11] : [3, 10, 17], box: [small ? 20 : 30, from - 82], bars: [from - 70, from - 6], cells: band(8, [from, p.width - 54]), end: p.width + 4 };
}

function arrow(p, points, color) {
  p.line(points, { color, line: 1.25 });
  const [[fromX], [x, y]] = points.slice(-2);
  const [dx, dy] = fromX === x ? [0, 5] : [5, 0];
  p.add("path", { d: `M${x} ${y}l${-dx - dy * 0.7} ${-dy - dx * 0.7}l${dy * 1.4} ${dx * 1.4}z`, style: `fill:var(--ss-${color})` });
}

/** The way through the boxes: the main lane, z beside it, x past the box of delta, and the residual outermost. */
function drawWays(p, { rows, lanes, box }) {
  const [middle, half] = [(box[0] + box[1]) / 2, rows.size / 2 - 6];
  const [top, bottom] = [(i) => rows.centre(i) - half, (i) => rows.centre(i) + half];
  arrow(p, [[middle, rows.from - 16], [middle, top(0)]], "muted");
  for (let i = 0; i < PLUS; i++) arrow(p, [[middle, bottom(i)], [middle, top(i + 1)]], "muted");
  arrow(p, [[middle, bottom(PLUS)], [middle, rows.to + 6]], "muted");
  const past = (lane, from, to, color, name, row) => {
    arrow(p, [from, [lane, from[1]], [lane, rows.centre(to)], [box[0], rows.centre(to)]], color);
    p.text(lane + 2.5, rows.centre(row) + 4, name, { color, size: 11 });
  };
  past(lanes[0], [middle, rows.from - 11], PLUS, "muted", "", 0);
  past(lanes[1], [box[0], rows.centre(1)], GATE, "y", "z", 2);
  past(lanes[2], [middle, bottom(3) + 4], SCAN, "u", "x", 4);
}

function drawBox(p, { rows, box }, i, d, here, narrow) {
  const { name, color } = d.all[i];
  p.rect(box[0], rows.at(i) + 6, box[1] - box[0], rows.size - 12, { fill: "paper", stroke: color, line: here ? 2.5 : 1.25, round: 5 });
  const [middle, y] = [(box[0] + box[1]) / 2, rows.centre(i)];
  const out = whole(d.out[i]);
  p.text(narrow ? middle : box[0] + 12, narrow ? y - 2 : y + 4, name, { anchor: narrow ? "middle" : "start", size: narrow ? (box[1] - box[0] < 64 ? 10.5 : 12) : 13.5, weight: here ? 600 : 400 });
  p.text(narrow ? middle : box[1] - 16, narrow ? y + 11 : y + 4, out, { anchor: narrow ? "middle" : "end", color: "muted", size: 11.5 });
}

function drawRow(p, at, i, s, d, view) {
  const { rows, bars, cells, end } = at;
  const [y, narrow] = [rows.centre(i), view.narrow];
  if (view.revealed && d.weights[i]) {
    const wide = (d.weights[i] / Math.max(...d.weights)) * (bars[1] - bars[0]);
    p.rect(bars[0], narrow ? y + 3 : y - 6, Math.max(1, wide), narrow ? 8 : 12, { fill: "ink" });
    p.text(narrow ? bars[0] : bars[0] + wide + 7, narrow ? y - 3 : y + 4, whole(d.weights[i]), { size: narrow ? 11.5 : 12 });
  } else if (view.revealed) p.text(bars[0], y + 4, "0", { color: "muted" });
  else p.rect(bars[0], y - 11, bars[1] - bars[0], 22, { fill: "panel", stroke: "hairline", round: 3 });
  if (s.guess === i) p.text(bars[0] - 5, y + 5, "▸", { anchor: "end", size: 15 });
  BYTES.forEach((_, t) => {
    const fill = d.own[i][t] ? "u" : d.reach[i][t] ? mix("u", "paper", 0.3) : "paper";
    p.rect(cells.at(t) + 1, y - 7, cells.size - 2, 14, { fill, stroke: fill === "paper" ? "hairline" : null });
  });
  const kept = d.state[i] * FLOAT;
  p.text(end - 6, y + 4, kept ? size(kept) : "0", { anchor: "end", color: kept ? "h" : "muted", weight: kept ? 600 : null, size: narrow ? 11 : 12 });
}

function drawHead(p, { rows, box, bars, cells, end }, view) {
  const head = (x, words, anchor = "start") => p.text(x, 12, words, { color: "muted", anchor });
  head(box[0], view.narrow ? "box, out" : "box");
  if (!view.narrow) head(box[1] - 16, "numbers out", "end");
  head(bars[0], "weights");
  head(cells.from, view.narrow ? "last n sees" : "its output at the last n sees");
  head(end - 6, "keeps", "end");
  BYTES.forEach((byte, t) => p.text(cells.centre(t), rows.from - 8, byte, { color: "u", anchor: "middle", size: 14, mono: true }));
}

function drawFoot(p, { rows, box, bars, cells, end }, d, view) {
  const y = rows.to + 28;
  p.rule(box[0], rows.to + 10, end, rows.to + 10);
  p.text(box[0], y, view.narrow ? "block" : "MambaBlock", { weight: 600 });
  if (view.revealed) p.text(bars[0], y, whole(d.total), { weight: view.narrow ? null : 600 });
  p.text(end - 6, y, size(d.kept * FLOAT), { color: "h", anchor: "end", weight: 600 });
  const from = Math.min(cells.from + 1, end - 248);
  for (const [fill, words, right] of [["u", "by the box itself", 0], [mix("u", "paper", 0.3), "by boxes before it", 120]]) {
    p.rect(from + right, y + 15, 12, 12, { fill });
    p.text(from + right + 17, y + 25, words, { color: "muted", size: 11.5 });
  }
}

function draw(p, s, d, view) {
  const at = layout(p, view);
  const { rows, box, bars, cells, end } = at;
  const now = marked(s, view);
  p.rect(box[0] - 6, rows.at(now), end - box[0] + 6, rows.size, { fill: "panel", round: 4 });
  for (const i of [1, PLUS]) p.rule(box[0], rows.at(i), end, rows.at(i), { dash: "2 4" });
  drawWays(p, at);
  d.all.forEach((_, i) => {
    drawBox(p, at, i, d, i === now, view.narrow);
    drawRow(p, at, i, s, d, view);
  });
  drawHead(p, at, view);
  drawFoot(p, at, d, view);
  const move = (_, y) => ({ stage: rows.index(Math.min(rows.to - 1, Math.max(rows.from, y))) });
  p.handle("token", { x: box[1], y: rows.centre(s.stage), trait: "stage", flip: "down", label: "the token, by box", value: d.names[s.stage], move });
  p.probe = (x, y) => (rows.index(y) === null ? null : { stage: rows.index(y), words: pointed(x, rows.index(y), at, d, view) });
  p.pick = (x, y) => {
    const stage = rows.index(y);
    if (stage === null) return null;
    return !view.revealed && x > bars[0] - 12 && x < bars[1] ? { guess: stage } : { stage };
  };
}

function pointed(x, i, { bars, cells, box }, d, view) {
  const t = cells.index(x);
  if (t !== null) return `${d.names[i]}, “${BYTES[t]}” ${t - LAST ? `${LAST - t} bytes ago` : "now"}: ${d.own[i][t] ? "read" : d.reach[i][t] ? "through the boxes before" : "not seen"}`;
  if (x > cells.to) return `${d.names[i]} keeps ${whole(d.state[i] * FLOAT)} bytes`;
  if (x > box[1] && x < cells.from) return view.revealed ? `${d.names[i]}: ${whole(d.weights[i])} weights` : "your guess?";
  return `${d.names[i]}: ${whole(d.out[i])} numbers out, ${whole(d.out[i] * FLOAT)} bytes`;
}

function describe(s, d, view) {
  const i = marked(s, view);
  const seen = (row) => (i >= SCAN && row[0] ? "all that has come in" : row.indexOf(1) === LAST ? "“n” alone" : `“${letters(row)}”`);
  const [own, reach] = [seen(d.own[i]), seen(d.reach[i])];
  const through = own === reach ? "" : `; through the boxes before it, ${reach}`;
  const all = `the ${whole(d.kept * FLOAT)} bytes that the block keeps for the next token`;
  const keeps = d.state[i] ? `${whole(d.state[i] * FLOAT)} of ${all} are its own` : `None of ${all} are its own`;
  const part = i ? `${share(d.weights[i], d)} of the block's weights` : `${whole(d.weights[i])} weights, outside the block`;
  const weights = view.revealed ? ` It has ${d.weights[i] ? part : "no weights"}.` : "";
  return `${d.names[i]} itself sees ${own}${through}. ${keeps}.${weights}`;
}

function equation(s, d, view) {
  const { color, shape, out, weights, keeps } = d.all[marked(s, view)];
  const times = (sizes) => sizes.map(whole).join(" · ");
  const bytes = (sizes) => `${times(sizes)}${view.narrow ? "" : " numbers"} · ${FLOAT} bytes = ${whole(product(sizes) * FLOAT)} bytes`;
  const terms = weights.map(([name, ...sizes]) => `${name} ${times(sizes)}`).join(" + ");
  const sum = view.narrow || !terms ? "" : ` = ${whole(d.weights[marked(s, view)])}`;
  return [
    ["shape    "], [shape, color], ["\nout      "], [`${bytes([out])}${view.narrow ? "" : " for each token"}`],
    ["\nweights  "], [view.revealed ? `${terms || "none"}${sum}` : "after your guess"], ["\nkeeps    "], [keeps ? bytes(keeps) : "nothing", keeps && "h"],
  ];
}

function verdict(guess, d) {
  const best = argmax(d.weights);
  const back = d.back.map((i) => d.names[i]).join(" and ");
  const few = share(d.back.reduce((sum, i) => sum + d.weights[i], 0), d);
  const truth = `${d.names[best]}: ${whole(d.weights[best])} of ${whole(d.total)} weights, ${share(d.weights[best], d)}.`;
  const yours = guess < 0 ? "" : guess === best ? " You said so." : ` Your guess, ${d.names[guess]}, has ${share(d.weights[guess], d)}.`;
  return `${truth}${yours} What looks back and so keeps a state, ${back}, has ${few}.`;
}

const sizes = (d_model, expand, d_conv, d_state) => ({ d_model, expand, d_conv, d_state });

export default liveFigure({
  name: "block-dataflow",
  traits: ["d_model", "expand", "d_conv", "d_state", "stage", "guess"],
  compute,
  describe,
  equation,
  guess: { trait: "guess", prompt: "Your guess, before you move anything: which box has the most weights?", options: (d) => d.names, verdict },
  panels: [{ name: "block", height: (width, s, d) => 48 + 9 * (width < 560 ? 44 : 38) + 62, title: () => "A token goes through the block, top to bottom: drag it, or choose a box", draw }],
  controls: [
    { kind: "player", trait: "stage", label: "The token has come to", last: () => PLUS, says: (i, d) => d.names[i], pace: 900 },
    { kind: "slider", trait: "d_model", label: "d_model", min: 8, max: 2560, step: 8, format: whole },
    { kind: "slider", trait: "expand", label: "expand", min: 1, max: 4, step: 1, format: (e, s) => `${e}, d_inner = ${whole(e * s.d_model)}` },
    { kind: "slider", trait: "d_conv", label: "d_conv, tokens that conv reads", color: "u", min: 1, max: 8, step: 1 },
    { kind: "slider", trait: "d_state", label: "d_state, for each channel", color: "h", min: 1, max: 64, step: 1 },
  ],
  presets: [
    { label: "width 64", state: sizes(64, 2, 4, 16) },
    { label: "Mamba-130M", state: sizes(768, 2, 4, 16) },
    { label: "Mamba-2.8B", state: sizes(2560, 2, 4, 16) },
    { label: "narrow, long state", state: sizes(16, 2, 4, 64) },
  ],
});
