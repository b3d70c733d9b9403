/** The first page: selection keeps a link's bracket and nothing around it; one step for every byte keeps both or neither. */

import { cumsum, selectiveScan } from "./core.js";
import { liveFigure } from "./kit.js";
import { element, linear } from "./marks.js";

const TEXT = "outspoken advocates of this strategy was [[Johann Most]], who said";
const [OPENS, CLOSES, LAST] = [TEXT.indexOf("[["), TEXT.indexOf("]]"), TEXT.length - 1];
const [KEEP, CLEAR] = [0.01, 8]; // delta inside the link, and at its end
const WINDOW = 24; // bytes on a phone
const NARROW = 560; // the kit's
const [CELL, ROW, TOP, BETWEEN] = [14, 4.5, 58, 36]; // in units of the still picture
const LEVELS = 12;

/** To the nearest dot of the screen: no seams between cells, no blurred rows. */
const snap = (px) => Math.round(px * (globalThis.devicePixelRatio || 1)) / (globalThis.devicePixelRatio || 1);
const outside = (t) => t < OPENS || t > CLOSES + 1;
const LINK = TEXT.slice(OPENS, CLOSES);
const CHANNELS = ["[", ...new Set([...(LINK + TEXT)].filter((byte) => /[a-z]/i.test(byte)))];
const enters = (t) => TEXT[t] !== "[" || TEXT[t - 1] === "["; // of two brackets the second
const U = Array.from(TEXT, (byte, t) => CHANNELS.map((own) => (own === byte && enters(t) ? 1 : 0))); // (l, d)
const STRANGERS = U.map((row, t) => row.map((value) => (outside(t) ? value : 0))); // (l, d)

/** The rule set by hand: from `[[` on every byte is written and kept, the second `]` clears. */
function chosen() {
  const delta = Array.from(TEXT, (_, t) => (t === CLOSES + 1 ? CLEAR : KEEP));
  return { delta, B: delta.map((step, t) => (t > OPENS && t <= CLOSES ? 1 / step : 0)) };
}

/** One delta and one B for all. */
function fixed(keep) {
  const delta = new Array(TEXT.length).fill(-Math.log(keep));
  return { delta, B: delta.map((step) => 1 / step) };
}

/** h (l, d); what is left of the bracket, and of all letters outside the link together, (l) each. */
function run({ delta, B }) {
  const column = B.map((value) => [value]); // (l, 1)
  const rates = CHANNELS.map(() => [-1]); // A, (d, 1)
  const scan = (u) => selectiveScan(u, u.map((row, t) => row.map(() => delta[t])), rates, column, column).h.map((row) => row.flat());
  const h = scan(U);
  return { delta, B, h, bracket: h.map((row) => row[0]), outside: scan(STRANGERS).map((row) => row.reduce((a, b) => a + b, 0)) };
}

const SELECTED = run(chosen());

function compute({ step, keep }) {
  const layers = [SELECTED, run(fixed(keep))];
  const both = (name) => layers.map((layer) => layer[name]);
  const parts = Object.fromEntries(["delta", "B", "h", "bracket", "outside"].map((name) => [name, both(name)]));
  const letters = cumsum(STRANGERS.map((row) => row.reduce((a, b) => a + b, 0)));
  return { bytes: Array.from(TEXT, (byte) => byte.charCodeAt(0)), letters, u: U, ...parts, t: step < 0 ? LAST : step };
}

/** On a phone the bytes pass behind the playhead, which still crosses the whole picture: its column, and back. */
const [BEFORE, AFTER] = [linear([0, CLOSES], [0, 17]), linear([CLOSES, LAST], [17, WINDOW - 1])];
const columnOf = (t) => Math.round(t <= CLOSES ? BEFORE(t) : AFTER(t));
const stepAt = (column) => Math.round(column <= 17 ? BEFORE.invert(column) : AFTER.invert(column));

/** Where things stand on a drawing of this width; a column is a byte, a row a state. */
function places(width, t) {
  const narrow = width < NARROW;
  const count = narrow ? WINDOW : TEXT.length;
  const unit = width / (count * CELL);
  const tops = [TOP, TOP + CHANNELS.length * ROW + BETWEEN].map((y) => y * unit);
  const first = narrow ? t - columnOf(t) : 0;
  const bottom = tops[1] + CHANNELS.length * ROW * unit;
  return { narrow, count, unit, first, tops, bottom, cell: CELL * unit, row: ROW * unit, x: (s) => snap((s - first) * CELL * unit) };
}

/** One path a shade: the states that have come in, or the faint ones that are to come. */
function drawStates(p, states, top, at, [from, to], faint) {
  const paths = Array.from({ length: LEVELS + 1 }, () => "");
  CHANNELS.forEach((_, n) => {
    const y = snap(top + n * at.row);
    const height = snap(top + (n + 1) * at.row) - y - 1;
    for (let s = from; s < to; s++) {
      const shade = Math.ceil(Math.min(1, states[s][n]) * LEVELS - 0.35); // under 3 % of full height: paper
      if (shade > 0) paths[shade] += `M${at.x(s)} ${y}H${at.x(s + 1)}v${height}H${at.x(s)}z`;
    }
  });
  paths.forEach((d, shade) => d && p.add("path", { d, style: "fill:var(--ss-h)", opacity: ((shade / LEVELS) * (faint ? 0.17 : 1)).toFixed(3) }));
}

function words(p, at, layer, name, s, d) {
  const size = Math.max(12, 11.5 * at.unit);
  const line = p.text(0, at.tops[layer] - 9 * at.unit, name, { size, halo: true });
  const strong = (value) => element("tspan", { style: "fill:var(--ss-h);font-weight:600" }, value);
  const bracket = d.t > OPENS ? [strong(d.bracket[layer][d.t].toFixed(2)), " of [ is left, "] : ["[ has not come, "];
  const letters = p.width < 800 ? `${d.letters[d.t]} outside` : `the ${d.letters[d.t]} letters outside the link`;
  const rest = element("tspan", { dx: size, style: "fill:var(--ss-muted)" }, ...bracket, strong(d.outside[layer][d.t].toFixed(1)), ` of ${letters}`);
  line.append(rest);
}

function draw(p, s, d) {
  const at = places(p.width, d.t);
  const [from, to, now] = [at.first, at.first + at.count, at.x(d.t + 1)];
  for (let t = from; t < to; t++) {
    const letter = { color: outside(t) ? "muted" : "u", anchor: "middle", size: 20 * at.unit, mono: true };
    if (TEXT[t] !== " ") p.text((t - from + 0.5) * at.cell, 20 * at.unit, TEXT[t], letter).style.opacity = t > d.t ? 0.5 : 1;
  }
  for (const [layer, top] of at.tops.entries()) {
    const staff = CHANNELS.map((_, n) => `M0 ${snap(top + (n + 1) * at.row) - 0.5}H${p.width}`);
    p.add("path", { d: staff.join(""), style: "stroke:var(--ss-hairline);stroke-width:0.5" });
    drawStates(p, d.h[layer], top, at, [from, d.t + 1], false);
    drawStates(p, d.h[layer], top, at, [d.t + 1, to], true);
  }
  for (const end of [OPENS, CLOSES + 2]) {
    if (end >= from && end <= to) p.rule(at.x(end), 30 * at.unit, at.x(end), at.bottom, { color: "muted", line: 0.8, dash: "2.5 4" });
  }
  p.rule(now, 28 * at.unit, now, at.bottom, { color: "ink", line: 1.2 });
  ["With selection", "With a fixed step"].forEach((name, layer) => words(p, at, layer, name, s, d));
  if (p.width >= 800) {
    const note = { color: "muted", size: 11.5 * at.unit, halo: true };
    p.text(at.x(OPENS) - 10 * at.unit, at.tops[0] - 9 * at.unit, "a link opens", { ...note, anchor: "end" });
    p.text(at.x(CLOSES + 2) + 10 * at.unit, at.tops[0] - 9 * at.unit, "and closes", note);
  }
  touch(p, at, d, now);
}

function touch(p, at, d, now) {
  const move = (px) => {
    const column = px / at.cell - 1;
    return { step: Math.min(LAST, Math.max(0, at.narrow ? stepAt(column) : Math.round(column))) };
  };
  p.handle("playhead", { x: now, y: 33 * at.unit, trait: "step", label: "Bytes that have come in", value: said(d.t), move });
  const byteAt = (px) => at.first + Math.min(at.count - 1, Math.max(0, Math.floor(px / at.cell)));
  p.pick = (px) => ({ step: byteAt(px) });
  p.probe = (px, py) => {
    const layer = py < at.tops[1] - 20 * at.unit ? 0 : 1;
    const n = Math.floor((py - at.tops[layer]) / at.row);
    return n in CHANNELS ? { words: `h[t=${byteAt(px)}, ${CHANNELS[n]}] = ${d.h[layer][byteAt(px)][n].toFixed(2)}` } : null;
  };
}

const said = (t) => `${t + 1} of ${TEXT.length}`;

function describe(s, d) {
  const { t, bracket, outside: others, letters } = d;
  const amounts = (layer) => `${t > OPENS ? `${bracket[layer][t].toFixed(2)} of the bracket` : "no bracket yet"} and ${others[layer][t].toFixed(1)}`;
  return (
    `${said(t)} bytes have come in, the last is “${TEXT[t]}”. With selection ${amounts(0)} of the ${letters[t]} letters outside the link are left; ` +
    `with a fixed step that keeps ${s.keep.toFixed(3)} at every byte, ${amounts(1)}.`
  );
}

export default liveFigure({
  name: "cover",
  traits: ["step", "keep"],
  compute,
  describe,
  panels: [
    {
      name: "maps",
      label: "A sentence over two maps of the same 22 states",
      height: (width) => places(width, 0).bottom + places(width, 0).unit,
      draw,
    },
  ],
  controls: [
    { kind: "player", trait: "step", label: "Bytes that have come in", last: () => LAST, says: said, pace: 110, opening: CLOSES },
    { kind: "slider", trait: "keep", label: "The fixed step keeps", min: 0.5, max: 0.999, step: 0.001, format: (keep) => keep.toFixed(3) },
  ],
});
