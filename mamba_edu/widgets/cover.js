/** The first page: selection keeps a link's bracket and nothing around it; a fixed step keeps both or neither. */

import { cumsum, encodeUtf8, selectiveScan } from "./core.js";
import { liveFigure } from "./kit.js";
import { element, linear } from "./marks.js";

const TEXT = "outspoken advocates of this strategy was [[Johann Most]], who said";
const [OPENS, CLOSES, LAST] = [TEXT.indexOf("[["), TEXT.indexOf("]]"), TEXT.length - 1];
const [KEEP, CLEAR] = [0.01, 8]; // delta inside the link, and at its end
const WINDOW = 24; // bytes on a phone
const [NARROW, ROOMY] = [560, 800]; // widths: the kit's, and from where there is room for more words
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

const sum = (row) => row.reduce((a, b) => a + b, 0);

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
  const steps = delta.map((step) => CHANNELS.map(() => step)); // (l, d)
  const column = B.map((value) => [value]); // (l, 1)
  const A = CHANNELS.map(() => [-1]); // (d, 1)
  const scan = (u) => selectiveScan(u, steps, A, column, column).h.map((row) => row.flat());
  const h = scan(U);
  return { delta, B, h, bracket: h.map((row) => row[0]), outside: scan(STRANGERS).map(sum) };
}

const SELECTED = run(chosen());
let latest = { keep: null }; // while the playhead moves, the states are the same

function compute({ step, keep }) {
  if (latest.keep !== keep) latest = { keep, ...run(fixed(keep)) };
  const layers = [SELECTED, latest];
  const both = (name) => layers.map((layer) => layer[name]);
  const parts = Object.fromEntries(["delta", "B", "h", "bracket", "outside"].map((name) => [name, both(name)]));
  const letters = cumsum(STRANGERS.map(sum));
  return { bytes: encodeUtf8(TEXT), letters, u: U, ...parts, t: step < 0 ? LAST : step };
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
  const [cell, row] = [CELL * unit, ROW * unit];
  const x = (s) => snap((s - first) * cell); // the left edge of byte s
  return { narrow, count, unit, first, tops, bottom: tops[1] + CHANNELS.length * row, cell, row, x };
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
  paths.forEach((d, shade) => {
    const opacity = ((shade / LEVELS) * (faint ? 0.17 : 1)).toFixed(3);
    if (d) p.add("path", { d, style: "fill:var(--ss-h)", opacity });
  });
}

/** A map's name and what is left. */
function words(p, at, layer, name, d) {
  const size = Math.max(12, 11.5 * at.unit);
  const line = p.text(0, at.tops[layer] - (at.unit < 0.9 ? 5 : 9 * at.unit), name, { size, halo: true });
  const strong = (value) => element("tspan", { style: "fill:var(--ss-h);font-weight:600" }, value);
  const bracket = strong(d.bracket[layer][d.t].toFixed(2));
  const others = strong(d.outside[layer][d.t].toFixed(1));
  const short = p.width < ROOMY;
  const letters = short ? d.letters[d.t] : `the ${counted(d.letters[d.t])}`;
  const [left, out] = short ? ["left", "outside"] : ["is left", "outside the link"];
  const parts = [bracket, ` of [[ ${left}, `, others, ` of ${letters} ${out}`];
  const before = ["[[ has not come, ", others, ` of ${letters} left`];
  line.append(element("tspan", { dx: size, style: "fill:var(--ss-muted)" }, ...(d.t > OPENS ? parts : before)));
}

function drawBytes(p, at, d) {
  for (let t = at.first; t < at.first + at.count; t++) {
    if (TEXT[t] === " ") continue;
    const look = { color: outside(t) ? "muted" : "u", anchor: "middle", size: 20 * at.unit, mono: true };
    const letter = p.text((t - at.first + 0.5) * at.cell, 20 * at.unit, TEXT[t], look);
    if (t > d.t) letter.setAttribute("opacity", 0.5);
  }
}

function draw(p, s, d) {
  const at = places(p.width, d.t);
  const [from, to, now] = [at.first, at.first + at.count, at.x(d.t + 1)];
  drawBytes(p, at, d);
  for (const [layer, top] of at.tops.entries()) {
    const staff = CHANNELS.map((_, n) => `M0 ${snap(top + (n + 1) * at.row) - 0.5}H${p.width}`);
    p.add("path", { d: staff.join(""), style: "stroke:var(--ss-hairline);stroke-width:0.5" });
    drawStates(p, d.h[layer], top, at, [from, d.t + 1], false);
    drawStates(p, d.h[layer], top, at, [d.t + 1, to], true);
  }
  for (const x of [OPENS, CLOSES + 2].filter((end) => end >= from && end <= to).map(at.x)) {
    p.rule(x, 30 * at.unit, x, at.bottom, { color: "muted", line: 0.8, dash: "2.5 4" });
  }
  p.rule(now, 28 * at.unit, now, at.bottom, { color: "ink", line: 1.2 });
  ["With selection", "With a fixed step"].forEach((name, layer) => words(p, at, layer, name, d));
  if (p.width >= ROOMY) {
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
  p.handle("playhead", { x: now, y: 31 * at.unit, trait: "step", label: READ, value: said(d.t), move });
  const byteAt = (px) => at.first + Math.min(at.count - 1, Math.max(0, Math.floor(px / at.cell)));
  p.pick = (px) => ({ step: byteAt(px) });
  p.probe = (px, py) => {
    const [t, layer] = [byteAt(px), py < at.tops[1] - 20 * at.unit ? 0 : 1];
    const n = Math.floor((py - at.tops[layer]) / at.row);
    return n in CHANNELS ? { words: `h[t=${t}, ${CHANNELS[n]}] = ${d.h[layer][t][n].toFixed(2)}` } : null;
  };
}

const READ = "Bytes that have come in";
const digits = (keep) => keep.toFixed(3);
const counted = (letters) => `${letters} letter${letters === 1 ? "" : "s"}`;
const said = (t) => `${t + 1} of ${TEXT.length}`;

function describe(s, d) {
  const { t } = d;
  const came = t > OPENS;
  const bracket = (layer) => `${d.bracket[layer][t].toFixed(2)}${layer ? "" : " of the link's bracket"} and `;
  const amounts = (layer) => (came ? bracket(layer) : "") + d.outside[layer][t].toFixed(1);
  const others = `of the ${counted(d.letters[t])} ${came ? "outside the link" : "so far"}`;
  const last = `${said(t)} bytes have come in, the last is “${TEXT[t]}”${came ? "" : "; no link has opened"}.`;
  const fixed = `with a fixed step that keeps ${digits(s.keep)}, ${amounts(1)}`;
  return `${last} With selection ${amounts(0)} ${others} are left; ${fixed}.`;
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
    { kind: "player", trait: "step", label: READ, last: () => LAST, says: said, pace: 110, opening: CLOSES },
    { kind: "slider", trait: "keep", label: "The fixed step keeps", min: 0.5, max: 0.999, step: 0.001, format: digits },
  ],
});
