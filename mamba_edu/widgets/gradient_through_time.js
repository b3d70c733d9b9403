/** Chapter 2: how far back a change of the state is felt, by real products of Jacobians. */

import { ENOUGH, LONGEST, through } from "./jacobians.js";
import { liveFigure } from "./kit.js";
import { linear, number } from "./marks.js";

const [LOW, HIGH] = [-8, 8]; // powers of ten that are drawn
const MARKS = [[11, "the bracket"], [32, "one link in ten"]]; // the chapter's
const LEFT = 48; // pixels, for the words of the axis
const NAMES = { linear: "a linear network", tanh: "a network with tanh", lstm: "an LSTM" };
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const steps = (count) => `${count} ${count === 1 ? "step" : "steps"}`;
const power = (value) => ({ 0: "1", [-2]: "1 %" })[value] ?? `1e${value}`.replace("-", "−");
const upper = (words) => words[0].toUpperCase() + words.slice(1);
const knob = ({ network, radius, bias }) => (network === "lstm" ? `forget bias ${number(bias)}` : `spectral radius ${number(radius)}`);

/** The marked state, in steps before the last: the pointer's, or else the one that was dragged there. */
const marked = ({ ago }, d, view) => (view.hover?.t in d.norms ? d.l - view.hover.t : Math.min(ago, d.l));

/** The place of a value on the axis of powers, held to its ends. */
const place = (value) => clamp(Math.log10(value), LOW, HIGH);

function drawCurve(p, s, d, view) {
  const x = linear([0, d.l], [LEFT, p.width - 16]);
  const y = linear([LOW, HIGH], [p.height - 38, 26]);
  const shown = view.revealed ? d.back : d.back.slice(0, 3); // the rest waits for a guess
  p.axis(y, { side: "left", at: LEFT - 8, ticks: [-8, -4, -2, 0, 4, 8], format: power });
  p.axis(x, { at: y(LOW), label: "steps ago" });
  p.rule(LEFT - 8, y(0), x(d.l), y(0));
  p.rule(LEFT - 8, y(Math.log10(ENOUGH)), x(d.l), y(Math.log10(ENOUGH)), { color: "muted", dash: "2 4" });
  for (const [at, words] of MARKS) {
    if (at > d.l) continue;
    p.rule(x(at), y(LOW), x(at), y(HIGH), { color: "hairline" });
    const anchor = at === MARKS[0][0] || x(at) > p.width - 60 ? "end" : "middle";
    p.text(x(at), 16, words, { color: "muted", anchor, halo: true });
  }
  const inside = shown.map((left, k) => [x(k), Math.log10(left) >= LOW && Math.log10(left) <= HIGH ? y(Math.log10(left)) : null]);
  p.line(inside, { color: "h" });
  const away = shown.findIndex((left) => place(left) !== Math.log10(left));
  if (away >= 0) p.text(x(away), shown[away] < 1 ? y(LOW) - 4 : y(HIGH) + 12, shown[away] < 1 ? "▾" : "▴", { color: "h", anchor: "middle" });
  const k = marked(s, d, view);
  if (k in shown) p.dot(x(k), y(place(shown[k])), { color: "h", radius: 5, hollow: true });
  p.probe = (px) => {
    const ago = Math.round(x.invert(px));
    return ago in shown ? { t: d.l - ago, words: `${steps(ago)} ago: ${number(shown[ago])}` } : null;
  };
  const ago = Math.min(s.ago, d.l);
  p.rule(x(ago), y(LOW), x(ago), y(HIGH), { color: "ink", dash: "2 4" });
  const move = (px) => ({ ago: clamp(Math.round(x.invert(px)), 0, d.l) });
  p.handle("ago", { x: x(ago), y: y(LOW) - 7, trait: "ago", label: "the marked state", value: `${steps(ago)} ago`, move });
  (view.revealed ? drawAnswer : drawGuess)(p, s, d, x, y(Math.log10(ENOUGH)));
}

/** The reader's marker waits on the line of one per cent. */
function drawGuess(p, { guess }, d, x, level) {
  const at = clamp(guess, 0, d.l);
  const [side, anchor] = at < d.l / 2 ? [14, "start"] : [-14, "end"];
  p.text(x(at) + side, level - 10, guess < 0 ? "drag me to where 1 % is left" : steps(guess), { anchor, halo: true });
  const move = (px) => ({ guess: clamp(Math.round(x.invert(px)), 0, d.l) });
  p.handle("guess", { x: x(at), y: level, shape: "tall", trait: "guess", label: "your guess", value: guess < 0 ? "none yet" : steps(guess), move });
}

function drawAnswer(p, { guess }, d, x, level) {
  if (guess >= 0 && guess <= d.l) p.text(x(guess), level + 18, "▴", { anchor: "middle", size: 15 });
  p.rule(x(d.reach), level - 8, x(d.reach), level + 8, { color: "warn", line: 2 });
  const words = d.reach === d.l ? `all ${d.l} steps` : steps(d.reach);
  const [below, anchor] = d.reach > d.l / 2 ? [34, "end"] : [-14, "start"]; // the curve is above, then below: words are where it isn't
  p.text(x(d.reach), level + below, words, { color: "warn", weight: 600, halo: true, anchor });
}

function drawPasses(p, s, d, view) {
  const x = linear([0, d.l], [LEFT, p.width - 16]);
  const y = linear([0, 1], [p.height - 38, 10]);
  p.axis(y, { side: "left", at: LEFT - 8, ticks: [0, 0.5, 1] });
  p.axis(x, { at: y(0), label: "steps ago" });
  const stems = d.passes.map((value, t) => [x(d.l - 1 - t), y(value)]); // step t + 1 leads to the state l - t - 1 steps ago
  p.stems(stems, y(0), { color: s.network === "lstm" ? "delta" : "y", radius: 2 });
  const now = stems[d.l - marked(s, d, view) - 1];
  if (now) p.dot(...now, { color: "ink", radius: 4, hollow: true });
  p.probe = (px) => {
    const t = d.l - Math.round(x.invert(px));
    return t - 1 in d.passes ? { t, words: `step ${t} lets ${number(d.passes[t - 1])} through` } : null;
  };
}

function describe(s, d, view) {
  const what = `${upper(NAMES[s.network])} of 8 numbers, ${knob(s)}, reads ${steps(d.l)}.`;
  const ago = Math.min(s.ago, d.l);
  if (!view.revealed) return `${what} One step keeps ${number(d.back[1])} of a change at most, two keep ${number(d.back[2])}. After how many is 1 % left? Marked: ${steps(ago)} ago.`;
  const reach = d.reach === d.l ? "More than 1 % is left of the very first" : `1 % is left for ${steps(d.reach)}`;
  return `${what} ${reach}; of a change at the mark, ${steps(ago)} ago, ${number(d.back[ago])} arrives, of one ${steps(d.l)} ago ${number(d.back[d.l])}.`;
}

function equation(s, d, view) {
  const ago = marked(s, d, view);
  const [t, a] = [d.l - ago, d.l - ago + 1];
  const factors = ago > 2 ? `J[${d.l}] ··· J[${a}]` : ago === 2 ? `J[${d.l}] J[${a}]` : ago === 1 ? `J[${d.l}]` : "1";
  const left = [["‖∂"], [`h[${d.l}]`, "h"], [" / ∂"], [`h[${t}]`, "h"], [`‖ = ‖${factors}‖`]];
  return view.revealed || ago < 3 ? [...left, [" = "], [number(d.norms[t]), "h"]] : left;
}

function verdict(guess, d) {
  const truth = d.reach === d.l ? `Over all ${d.l} steps more than 1 % is left.` : `At least 1 % is left for ${steps(d.reach)}.`;
  return guess < 0 || guess > d.l ? truth : `${truth} At your guess, ${steps(guess)}, it is ${number(d.back[guess])}.`;
}

export default liveFigure({
  name: "gradient-through-time",
  traits: ["network", "radius", "bias", "length", "ago", "guess"],
  compute: through,
  describe,
  equation,
  guess: {
    trait: "guess",
    prompt: "Your guess: drag the marker, or choose",
    options: (d) => Array.from({ length: d.l + 1 }, (_, k) => steps(k)),
    verdict,
  },
  panels: [
    { name: "left", height: 270, title: () => "What is left of a change of the state", draw: drawCurve },
    {
      name: "passes", height: 118, draw: drawPasses,
      title: ({ network }) => ({ linear: "No tanh: every step lets all through", tanh: "What tanh lets through: its mean slope", lstm: "The forget gates at each step, their mean" })[network],
    },
  ],
  controls: [
    { kind: "choice", trait: "network", label: "Network", options: [["linear", "linear"], ["tanh", "tanh"], ["lstm", "LSTM"]] },
    { kind: "slider", trait: "radius", label: "spectral radius of W_h", min: 0.5, max: 2, step: 0.01, when: (s) => s.network !== "lstm" },
    { kind: "slider", trait: "bias", label: "bias of the forget gate", min: 0, max: 6, step: 0.1, when: (s) => s.network === "lstm" },
    { kind: "slider", trait: "length", label: "steps", min: 20, max: LONGEST, step: 1 },
    { kind: "player", trait: "ago", label: "The marked state", last: (d) => d.l, says: (ago) => `${steps(ago)} ago`, opening: MARKS[0][0], pace: 200 },
  ],
  presets: [
    { label: "vanishes", state: { network: "linear", radius: 0.8, length: 60 } },
    { label: "explodes", state: { network: "linear", radius: 1.3, length: 60 } },
    { label: "tanh tames it?", state: { network: "tanh", radius: 1.3, length: 60 } },
    { label: "an LSTM, as it comes", state: { network: "lstm", bias: 0, length: 60 } },
    { label: "its gate open", state: { network: "lstm", bias: 3, length: 60 } },
  ],
});
