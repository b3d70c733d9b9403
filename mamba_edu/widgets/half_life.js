/** How long is a memory? Half is gone after ln 2 / (delta |A|) steps. */

import { selectiveScan } from "./core.js";
import { liveFigure } from "./kit.js";
import { linear, number } from "./marks.js";

const STEPS = 70;
const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));
const steps = (t) => `${number(t)} ${t === 1 ? "step" : "steps"}`;

/** A state starts at 1 and hears nothing: what is left, and when it is half. */
function compute({ delta, A }) {
  const each = (value) => Array.from({ length: STEPS }, () => [value]); // (l, 1)
  const [u, one] = [each(0), each(1)];
  const { h } = selectiveScan(u, each(delta), [[A]], one, one, { h0: [[1]] });
  return { h: [1, ...h.flat(2)], half: Math.log(2) / (delta * -A) };
}

function draw(p, s, d, view) {
  const x = linear([0, STEPS], [34, p.width - 14]);
  const y = linear([0, 1], [p.height - 38, 12]);
  const shown = view.revealed ? d.h : d.h.slice(0, 2); // the rest waits for a guess
  const stems = shown.map((left, t) => [x(t), y(left)]);
  p.axis(y, { side: "left", at: 26, ticks: [0, 0.5, 1] });
  p.axis(x, { at: y(0), label: "steps t" });
  p.rule(26, y(0.5), x(STEPS), y(0.5), { color: "muted", dash: "2 4" });
  p.stems(stems, y(0), { color: "h", radius: view.narrow ? 1.5 : 2.5 });
  const now = stems[view.hover?.t];
  if (now) p.dot(...now, { color: "h", radius: 5, hollow: true });
  p.probe = (px) => {
    const t = Math.round(x.invert(px));
    return t in shown ? { t, words: `h[t=${t}] = ${number(shown[t])}` } : null;
  };
  (view.revealed ? drawAnswer : drawGuess)(p, s, d, x, y);
}

/** The reader's marker waits on the line that the curve will cross. */
function drawGuess(p, { guess }, d, x, y) {
  const knob = { x: x(Math.max(0, guess)), y: y(0.5), shape: "tall" };
  const [side, anchor] = guess < STEPS / 2 ? [14, "start"] : [-14, "end"];
  const hint = guess < 0 ? "drag me to where half is left" : steps(guess);
  p.text(knob.x + side, knob.y - 10, hint, { anchor, halo: true });
  const value = guess < 0 ? "none yet" : steps(guess);
  const move = (px) => ({ guess: clamp(Math.round(x.invert(px)), [0, STEPS]) });
  p.handle("guess", { ...knob, trait: "guess", label: "your guess", value, move });
}

/** The half-life can be held, too: to the right delta is smaller. */
function drawAnswer(p, { guess, A }, { half }, x, y) {
  if (guess >= 0) {
    p.rule(x(guess), y(0.5) + 4, x(guess), y(0), { color: "ink", dash: "4 3" });
    p.text(x(guess), y(0.5) + 6, "▴", { anchor: "middle", size: 16 });
  }
  p.rule(x(half), y(0.5), x(half), y(0), { color: "delta" });
  const anchor = half > STEPS / 2 ? "end" : "start";
  const look = { color: "delta", weight: 600, halo: true, anchor };
  p.text(x(half), y(0.5) - 16, steps(half), look);
  const knob = { x: x(half), y: y(0.5), shape: "tall", color: "delta", flip: true };
  const says = { label: "half-life, by delta", value: steps(half) };
  const move = (px) => {
    const delta = Math.log(2) / (Math.max(x.invert(px), 0.01) * -A);
    return { delta: Number(clamp(delta, [0.01, 1]).toPrecision(3)) };
  };
  p.handle("half-life", { ...knob, ...says, trait: "delta", move });
}

function describe(s, d, view) {
  const one = `One step keeps ${number(d.h[1])} of the state.`;
  if (!view.revealed) return `${one} After how many steps is half of it gone?`;
  const half = `Half of it is gone after ${steps(d.half)}`;
  return `${one} ${half}, half of the rest after as many again.`;
}

function equation({ delta, A }, d, view) {
  const product = [[number(delta), "delta"], [` · ${number(-A)}`]];
  const decay = [["h[t]", "h"], [" = exp(−"], ...product, [" · t)"]];
  if (!view.revealed) return decay;
  const half = [["\n1/2 at t = ln 2 / ("], ...product, [`) = ${number(d.half)}`]];
  return [...decay, ...half];
}

function verdict(guess, d) {
  const truth = `Half is left after ${steps(d.half)}.`;
  if (guess < 0) return truth;
  return `${truth} At your guess, ${steps(guess)}, it is ${number(d.h[guess])}.`;
}

export default liveFigure({
  name: "half-life",
  traits: ["delta", "A", "guess"],
  compute,
  describe,
  equation,
  guess: {
    trait: "guess",
    prompt: "Your guess: drag the marker, or choose",
    options: (d) => d.h.map((_, t) => steps(t)),
    verdict,
  },
  panels: [
    { name: "decay", height: 230, title: () => "What is left of the state", draw },
  ],
  controls: [
    {
      kind: "slider", trait: "delta", label: "the step delta", color: "delta",
      min: 0.01, max: 1, step: 0.02, log: true,
    },
    {
      kind: "slider", trait: "A", label: "the rate A",
      min: -4, max: -1, step: 0.1,
    },
  ],
  presets: [
    { label: "a small step", state: { delta: 0.02, A: -1 } },
    { label: "ten times the step", state: { delta: 0.2, A: -1 } },
    { label: "four times the rate", state: { delta: 0.02, A: -4 } },
  ],
});
