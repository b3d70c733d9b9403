/** Chapter 13: recorded runs with one thing changed. What a change costs at the end, and how much of it the rate decides. */

import { liveFigure } from "./kit.js";
import { linear, logarithmic, mix, number } from "./marks.js";
import { record } from "./training_runs.js";

// five lines need telling apart: here the book's colours mean no more than that, but for delta and the state
const LOOKS = {
  none: ["unchanged", "ink"],
  plain_delta: ["plain delta bias", "delta"],
  decay_all: ["decay on all", "y"],
  no_warmup: ["no warm-up", "u"],
  no_clip: ["no clipping", "warn"],
  carry_state: ["state carried", "h"],
};
const CHANGES = Object.keys(record.changes);
const { rates } = record;
const TOP = 52; // pixels for the marker's handle and the axis' words
const SMALL = 0.01; // bits: differences are drawn by their logarithm from here on, smaller ones evenly
const OPEN = 0.2; // of the way: as far as a change is shown before the guess
const TICKS = { steps: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000], loss: [0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10], difference: [-3, -1, -0.3, -0.1, -0.03, -0.01, 0, 0.01, 0.03, 0.1, 0.3, 1, 3] };
const BARS = 52; // pixels left of the bars, for the rate and a bar's way below zero
const ROW = { name: 17, bar: 12, gap: 9, head: 42 };

const bits = (value) => value.toFixed(3).replace("-", "−");
const more = (value) => (value < 0 ? bits(value) : `+${bits(value)}`);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const called = (key) => LOOKS[key][0];

function compute(s) {
  const at = rates.indexOf(s.lr);
  const kind = s.validation ? "valid" : "train";
  const steps = s.validation ? record.checks : record.steps;
  const shown = CHANGES.filter((key) => s[key]);
  const truth = record.runs.none[at].map((run) => run[kind]);
  const lines = {};
  for (const key of ["none", ...shown]) {
    const own = record.runs[key][at].map((run) => run[kind]);
    const rows = s.against ? own.map((row, seed) => row.slice(0, truth[seed].length).map((loss, i) => loss - truth[seed][i])) : own;
    const length = Math.min(...rows.map((row) => row.length));
    lines[key] = rows.map((row) => row.slice(0, length)); // (seeds, l)
  }
  return { ...lines, lines, steps, at, ...ends(s) };
}

/**
 * The ends: `scores` and `costs` as rows, as Python's `data` has them; `best`, what the unchanged runs score at each rate; and
 * cost[key][rate], what a change costs: `seeds`, their `mean`, or `lost` where one of its runs diverged.
 */
function ends({ carried }) {
  const score = (key, rate) => record.runs[key][rate].map((run) => run.scores[Number(carried)]);
  const best = rates.map((_, rate) => score("none", rate));
  const [scores, costs, cost] = [[], [], {}];
  ["none", ...CHANGES].forEach((key, change) => {
    cost[key] = rates.map((_, rate) => {
      const own = score(key, rate);
      const finished = own.flatMap((value, seed) => (value === null ? [] : [seed]));
      const seeds = finished.map((seed) => own[seed] - best[rate][seed]);
      finished.forEach((seed) => scores.push([change, rate, seed, own[seed]]));
      if (change) finished.forEach((seed, i) => costs.push([change, rate, seed, seeds[i]]));
      const lost = finished.length < own.length;
      return { lost, seeds, mean: lost ? Infinity : mean(seeds) };
    });
  });
  return { scores, costs, best, cost };
}

// ---- the curves -----------------------------------------------------------------------------------------------------

/** The row of the drawn curves that is marked: under the pointer, else the slider's. */
function marked(s, d, view) {
  if (view.hover?.row !== undefined && view.hover.row < d.steps.length) return view.hover.row;
  return nearest(d.steps, record.steps[s.mark]);
}

function nearest(steps, step) {
  return steps.reduce((best, one, i) => (Math.abs(one - step) < Math.abs(steps[best] - step) ? i : best), 0);
}

/** How many rows of a line may be seen. */
function seen(key, d, view) {
  const all = d.lines[key][0].length;
  return view.revealed || key === "none" ? all : Math.min(all, Math.ceil(OPEN * d.steps.length));
}

/** [[key, its mean at each row that may be seen]]. */
function means(d, view) {
  return Object.entries(d.lines).map(([key, rows]) => {
    return [key, Array.from({ length: seen(key, d, view) }, (_, i) => mean(rows.map((row) => row[i])))];
  });
}

/** Signed numbers to pixels: evenly around zero, by their logarithm further out. */
function bent(domain, range) {
  const bend = (value) => Math.sign(value) * Math.log1p(Math.abs(value) / SMALL);
  const inner = linear(domain.map(bend), range);
  return Object.assign((value) => inner(bend(value)), { domain, range });
}

function scales(p, s, d, view) {
  const right = p.width - (view.narrow ? 140 : 152);
  const x = (s.log_step ? logarithmic : linear)([s.log_step ? d.steps[0] : 0, d.steps.at(-1)], [46, right]);
  // evenly drawn, the large differences of the first steps would leave no room for those that stay
  const first = s.against && !s.log_loss ? Math.max(0, d.steps.findIndex((step) => step > record.warmup)) : 0;
  const levels = Object.entries(d.lines).flatMap(([key, rows]) => rows.flatMap((row) => row.slice(first, seen(key, d, view))));
  const [low, high] = [Math.min(...levels, Infinity), Math.max(...levels, -Infinity)];
  const room = s.against ? Math.max(0.02, 0.06 * (high - low)) : 0.02 * (high - low);
  const y = (!s.log_loss ? linear : s.against ? bent : logarithmic)([low - room, high + room], [p.height - 58, TOP]);
  return [x, y];
}

function curvesTitle(s) {
  const [steps, loss] = [s.log_step, s.log_loss].map((on) => (on ? "log" : "linear"));
  return `${s.validation ? "Validation" : "Training"} loss, rate ${number(s.lr)}; axes: ${steps} steps, ${loss} bits`;
}

const inside = (ticks, [low, high]) => ticks.filter((value) => value >= low && value <= high);

function drawCurves(p, s, d, view) {
  const [x, y] = scales(p, s, d, view);
  const [left, right] = x.range;
  const bottom = y.range[0];
  p.axis(x, { at: bottom, label: "step", ticks: s.log_step ? inside(TICKS.steps, x.domain) : null });
  const format = s.against ? (value) => (value > 0 ? `+${number(value)}` : number(value)) : number;
  const unit = s.against ? "bits per byte more than unchanged" : "bits per byte";
  p.axis(y, { side: "left", at: left, label: unit, grid: right, format, ticks: s.log_loss ? inside(s.against ? TICKS.difference : TICKS.loss, y.domain) : null });
  const from = record.device.replace(/ \d+-Core Processor/, "");
  p.text(0, p.height - 4, `recorded ${record.date}: ${from}, ${record.threads} threads`, { color: "muted", size: 11 });
  const place = (level) => (level < y.domain[0] || level > y.domain[1] ? null : y(level));
  const points = (row, length) => row.slice(0, length).map((level, i) => [x(d.steps[i]), place(level)]);
  const drawn = means(d, view).reverse(); // what is unchanged lies on top
  for (const [key, levels] of drawn) {
    const color = LOOKS[key][1];
    d.lines[key].forEach((row) => p.line(points(row, levels.length), { color: mix(color, "paper", 0.45), line: 0.8 }));
    p.line(points(levels, levels.length), { color, line: key === "none" ? 2.4 : 1.8 });
    if (view.revealed) crosses(p, key, d, x, place, color);
  }
  const row = marked(s, d, view);
  p.rule(x(d.steps[row]), 24, x(d.steps[row]), bottom, { color: "muted", dash: "2 3" });
  label(p, drawn, row, s, d, view, { x, place, right, bottom });
  const move = (px) => ({ mark: nearest(record.steps, x.invert(Math.min(x.range[1], px))) }); // no power without end
  const step = record.steps[s.mark];
  p.handle("mark", { x: x(step), y: 13, trait: "mark", shape: "tall", label: "marked step", value: `step ${step}`, move });
  touchCurves(p, drawn, d, x, y, move);
}

/** A run that broke off ends with a cross. */
function crosses(p, key, d, x, place, color) {
  record.runs[key][d.at].forEach((run, seed) => {
    const last = d.lines[key][seed].length - 1;
    if (run.diverged === null || last < 0) return;
    const [px, py] = [x(d.steps[last]), place(d.lines[key][seed][last])];
    if (py === null) return;
    p.line([[px - 5, py - 5], [px + 5, py + 5]], { color, line: 2.5 });
    p.line([[px - 5, py + 5], [px + 5, py - 5]], { color, line: 2.5 });
  });
}

/** Names and values at the marked step stand at the right, one below the other, in the order of the lines. */
function label(p, drawn, row, s, d, view, { x, place, right, bottom }) {
  const floor = bottom - 4;
  const words = (key, levels) => {
    if (row < levels.length) return s.against && key !== "none" ? more(levels[row]) : bits(levels[row]);
    return view.revealed ? "diverged" : "…";
  };
  const lines = drawn.map(([key, levels]) => {
    const level = levels[Math.min(row, levels.length - 1)];
    const own = level === undefined ? null : place(level);
    if (own !== null && row < levels.length) p.dot(x(d.steps[row]), own, { color: LOOKS[key][1], radius: 3.5 });
    return { key, says: words(key, levels), y: own ?? TOP + 8 };
  });
  lines.sort((a, b) => a.y - b.y);
  lines.forEach((line, i) => (line.y = Math.max(line.y, i ? lines[i - 1].y + 16 : TOP)));
  for (let i = lines.length - 1, top = floor; i >= 0; i--, top = lines[i + 1].y - 16) lines[i].y = Math.min(lines[i].y, top);
  for (const { key, says, y } of lines) p.text(right + 10, y + 4, `${called(key)} ${says}`, { color: LOOKS[key][1], size: view.narrow ? 11 : 12, weight: key === "none" ? 600 : null });
}

function touchCurves(p, drawn, d, x, y, move) {
  p.probe = (px, py) => {
    if (px < x.range[0] - 8 || px > x.range[1] + 8 || py > y.range[0]) return null;
    const row = nearest(d.steps, x.invert(px));
    const here = drawn.filter(([, levels]) => row < levels.length);
    const [key, levels] = here.reduce((a, b) => (Math.abs(y(b[1][row]) - py) < Math.abs(y(a[1][row]) - py) ? b : a));
    return { row, words: `${called(key)}[step=${d.steps[row]}] = ${bits(levels[row])} bits per byte` };
  };
  p.pick = (px, py) => (px < x.range[0] - 8 || px > x.range[1] + 8 || py > y.range[0] ? null : move(px));
}

// ---- what each change costs -----------------------------------------------------------------------------------------

const rowTop = (i) => ROW.head + i * (ROW.name + rates.length * ROW.bar + ROW.gap);
const costsHeight = rowTop(CHANGES.length);

function drawCosts(p, s, d, view) {
  drawBaseline(p, s, d);
  const known = CHANGES.flatMap((key) => d.cost[key].flatMap((one) => one.seeds));
  const x = linear([Math.min(0, ...known), Math.max(0.001, ...known)], [BARS, p.width - 50]);
  CHANGES.forEach((key, i) => {
    const top = rowTop(i);
    const chosen = s.guess === i ? "▸ " : "";
    p.text(0, top + 12, chosen + called(key), { color: LOOKS[key][1], weight: s[key] ? 600 : null });
    const [first, height] = [top + ROW.name, rates.length * ROW.bar];
    if (view.revealed) {
      p.rule(x(0), first - 1, x(0), first + height + 1, { color: "muted" });
      d.cost[key].forEach((one, rate) => drawBar(p, x, one, first + rate * ROW.bar, LOOKS[key][1], rate, rate === d.at));
    } else p.rect(44, first, p.width - 44, height, { fill: "panel", round: 3 });
    if (chosen) p.outline(-5, top - 3, p.width + 5, ROW.name + rates.length * ROW.bar + 7, { color: "ink", line: 1 });
  });
  if (!view.revealed) p.text((44 + p.width) / 2, rowTop(2) + ROW.name + 22, "after your guess", { color: "muted", anchor: "middle" });
  touchCosts(p, s, d, view);
}

/** What the run as it should be reaches at each rate: three numbers that give nothing away. */
function drawBaseline(p, s, d) {
  const column = (p.width - 44) / rates.length;
  p.text(0, 12, "rate", { color: "muted", size: 11.5 });
  p.text(0, 28, "score", { color: "muted", size: 11.5 });
  rates.forEach((rate, i) => {
    const look = { weight: i === d.at ? 600 : null, color: i === d.at ? "ink" : "muted", size: 11.5 };
    p.text(44 + i * column, 12, number(rate), look);
    p.text(44 + i * column, 28, bits(mean(d.best[i])), look);
  });
}

function drawBar(p, x, { lost, seeds, mean: value }, top, color, rate, chosen) {
  const own = chosen ? color : mix(color, "paper", 0.4);
  const middle = top + ROW.bar / 2;
  p.text(38, middle + 4, number(rates[rate]), { color: chosen ? "ink" : "muted", anchor: "end", size: 10.5 });
  if (lost) {
    p.rule(x(0), middle, x.range[1], middle, { color: own, line: 3, dash: "3 3" });
    return p.text(x.range[1] + 4, middle + 4, "diverged", { color: chosen ? "ink" : "muted", size: 10.5 });
  }
  p.rect(Math.min(x(0), x(value)), top + 2, Math.max(0.75, Math.abs(x(value) - x(0))), ROW.bar - 4, { fill: own });
  for (const one of seeds) p.rule(x(one), top, x(one), top + ROW.bar, { color: chosen ? "ink" : "muted", line: 1.2 });
  const end = Math.max(x(0), x(value), ...seeds.map(x)) + 5;
  p.text(end, middle + 4, more(value), { color: chosen ? "ink" : "muted", size: 10.5, halo: true });
}

function touchCosts(p, s, d, view) {
  const found = (py) => {
    const i = Math.floor((py - ROW.head) / (rowTop(1) - rowTop(0)));
    const rate = Math.floor((py - rowTop(i) - ROW.name) / ROW.bar);
    return i < 0 || i >= CHANGES.length || rate >= rates.length ? null : { i, key: CHANGES[i], rate: rate < 0 ? null : rate };
  };
  p.probe = (px, py) => {
    if (py < ROW.head - 6) return { words: `${called("none")}, rate ${number(s.lr)}: ${seedWords(d.best[d.at], bits)} bits per byte` };
    const at = found(py);
    if (!at || !view.revealed) return null;
    const rate = at.rate ?? d.at;
    const { lost, seeds } = d.cost[at.key][rate];
    return { words: `${called(at.key)}, rate ${number(rates[rate])}: ${lost ? "diverged" : seedWords(seeds, more)}` };
  };
  p.pick = (_, py) => {
    const at = found(py);
    if (!at) return null;
    if (!view.revealed) return { guess: at.i };
    return at.rate === null ? { [at.key]: !s[at.key] } : { [at.key]: true, lr: rates[at.rate] };
  };
}

const seedWords = (values, words) => values.map(words).join(" and ");

// ---- words ----------------------------------------------------------------------------------------------------------

function describe(s, d, view) {
  const row = marked(s, d, view);
  const parts = means(d, view).map(([key, levels]) => `${called(key)} ${now(key, levels, row, s, d, view)}`);
  const unit = `bits per byte${s.against ? " more than unchanged" : ""}`;
  const where = `Step ${d.steps[row]}, ${s.validation ? "validation" : "training"}, rate ${number(s.lr)}`;
  const how = s.carried ? "each window begun where the last ended" : "each window from zero";
  const end = `Unchanged, it ends at ${bits(mean(d.best[d.at]))} on the whole validation text, ${how}.`;
  const fair = s.validation && s.carry_state ? " The run whose state is carried is validated so, too." : "";
  return `${where}, in ${unit}: ${parts.join("; ")}.${fair} ${end}${view.revealed ? ` ${harm(d)}` : ""}`;
}

function now(key, levels, row, s, d, view) {
  if (row < levels.length) {
    if (key === "none" || s.against) return s.against && key !== "none" ? more(levels[row]) : bits(levels[row]);
    return `${bits(levels[row])} (${more(levels[row] - mean(d.lines.none.map((one) => one[row])))})`;
  }
  if (!view.revealed) return "after your guess";
  const broke = record.runs[key][d.at].flatMap((run) => run.diverged ?? []);
  return `diverged at step ${Math.min(...broke)}`;
}

/** How many changes cost bits with every seed, rate by rate: the figure's claim, counted. */
function harm(d) {
  const harmful = rates.map((_, rate) => CHANGES.filter((key) => d.cost[key][rate].lost || Math.min(...d.cost[key][rate].seeds) > 0).length);
  const dearest = rates.map((_, rate) => worst(d, rate));
  const list = rates.map((rate, i) => `${harmful[i]}${i ? "" : " cost bits with every seed"} at ${number(rate)}`).join(", ");
  const one = new Set(dearest).size === 1;
  const each = rates.map((rate, i) => `${one ? price(dearest[i], d, i) : priced(dearest[i], d, i)} at ${number(rate)}`).join(", ");
  const named = one ? `${called(dearest[0])} is the dearest at each: ` : "The dearest: ";
  return `Of the five changes, ${list}. ${capital(named)}${each}.`;
}

const worst = (d, rate) => CHANGES.reduce((a, b) => (d.cost[b][rate].mean > d.cost[a][rate].mean ? b : a));
const price = (key, d, rate) => (d.cost[key][rate].lost ? "diverged" : more(d.cost[key][rate].mean));
const priced = (key, d, rate) => `${called(key)} ${price(key, d, rate)}`;
const capital = (words) => words[0].toUpperCase() + words.slice(1);

function verdict(guess, d) {
  const key = worst(d, d.at);
  const { lost, mean: most } = d.cost[key][d.at];
  const rate = `At rate ${number(rates[d.at])}`;
  const dear = lost ? `${called(key)} costs most: it diverged.` : `${called(key)} costs most: ${more(most)} bits per byte at the end.`;
  const truth = `${rate}, ${most > 0 ? dear : `none of the five costs a thing; ${called(key)} comes closest, ${more(most)}.`}`;
  if (guess < 0) return truth;
  const own = CHANGES[guess];
  if (own === key) return `${truth} You said so.`;
  return `${truth} Your guess, ${priced(own, d, d.at)}.`;
}

const all = (on) => Object.fromEntries(CHANGES.map((key) => [key, on]));
const onOff = (words) => [[false, words[0]], [true, words[1]]];

export default liveFigure({
  name: "training-curves",
  traits: ["lr", ...CHANGES, "validation", "against", "log_step", "log_loss", "carried", "mark", "guess"],
  compute,
  describe,
  guess: {
    trait: "guess",
    prompt: "Your guess: which change costs most at the end, at the rate chosen below?",
    options: () => CHANGES.map((key) => record.changes[key]),
    verdict,
  },
  panels: [
    { name: "curves", span: 8, height: Math.max(costsHeight, 320), title: curvesTitle, draw: drawCurves },
    { name: "costs", span: 4, height: costsHeight, title: () => "Cost at the end, bits per byte", draw: drawCosts },
  ],
  controls: [
    { kind: "choice", trait: "lr", label: "learning rate", options: rates.map((rate) => [rate, number(rate)]) },
    { kind: "slider", trait: "mark", label: "marked step", min: 0, max: record.steps.length - 1, step: 1, format: (row) => `step ${record.steps[row]}` },
    { kind: "switches", label: "shown beside the run as it should be", options: CHANGES.map((key) => [key, record.changes[key], LOOKS[key][1]]) },
    { kind: "choice", trait: "validation", label: "bytes", options: onOff(["training", "validation"]) },
    { kind: "choice", trait: "against", label: "drawn", options: onOff(["the loss", "the difference"]) },
    { kind: "choice", trait: "log_step", label: "steps", options: onOff(["linear", "logarithmic"]) },
    { kind: "choice", trait: "log_loss", label: "loss", options: onOff(["linear", "logarithmic"]) },
    { kind: "choice", trait: "carried", label: "score at the end: each window begins", options: onOff(["from zero", "where the last ended"]) },
  ],
  presets: [
    { label: `all five, rate ${number(rates[0])}`, state: { lr: rates[0], ...all(true), validation: true, against: true, log_loss: false } },
    { label: `all five, rate ${number(rates.at(-1))}`, state: { lr: rates.at(-1), ...all(true), validation: true, against: true, log_loss: false } },
    { label: "no warm-up, from its first step", state: { lr: rates.at(-1), ...all(false), no_warmup: true, validation: false, against: false, log_step: true } },
  ],
});
