/** How long is a memory? Step times rate says it alone: half is gone after ln 2 / (delta |A|) steps. */

import { selectiveScan } from "./core.js";
import { liveFigure } from "./kit.js";
import { linear, number } from "./marks.js";

const STEPS = 70;
const DELTA = [0.01, 1];
const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));
const steps = (t) => `${number(t)} ${t === 1 ? "step" : "steps"}`;

/** A state that starts at 1 and hears nothing: h, what is left after 0 to 70 steps, and when it is half. */
function compute({ delta, A }) {
  const each = (value) => Array.from({ length: STEPS }, () => [value]); // (l, 1)
  const { h } = selectiveScan(each(0), each(delta), [[A]], each(1), each(1), { h0: [[1]] }); // (l, 1, 1)
  return { h: [1, ...h.flat(2)], half: Math.log(2) / (delta * -A) };
}

function draw(p, s, d, view) {
  const x = linear([0, STEPS], [34, p.width - 14]);
  const y = linear([0, 1], [p.height - 38, 12]);
  const shown = view.revealed ? d.h : d.h.slice(0, 2); // one step gives the curve away only to those who compute
  p.axis(y, { side: "left", at: 26, ticks: [0, 0.5, 1] });
  p.axis(x, { at: y(0), label: "steps t" });
  p.rule(26, y(0.5), x(STEPS), y(0.5), { color: "muted", dash: "2 4" });
  p.stems(shown.map((left, t) => [x(t), y(left)]), y(0), { color: "h", radius: view.narrow ? 1.5 : 2.5 });
  const t = view.hover?.t;
  if (t in shown) p.dot(x(t), y(shown[t]), { color: "h", radius: 5, hollow: true });
  p.probe = (px) => {
    const t = Math.round(x.invert(px));
    return t in shown ? { t, words: `h[t=${t}] = ${number(shown[t])}` } : null;
  };
  (view.revealed ? drawAnswer : drawGuess)(p, s, d, x, y);
}

/** The reader's marker waits on the line of one half, which the curve will cross. */
function drawGuess(p, { guess }, d, x, y) {
  const at = { x: x(Math.max(0, guess)), y: y(0.5) };
  const early = guess < STEPS / 2;
  const words = guess < 0 ? "drag me to where half is left" : steps(guess);
  p.text(at.x + (early ? 14 : -14), at.y - 10, words, { anchor: early ? "start" : "end", halo: true });
  const move = (px) => ({ guess: clamp(Math.round(x.invert(px)), [0, STEPS]) });
  p.handle("guess", { ...at, trait: "guess", shape: "tall", label: "your guess", value: guess < 0 ? "none yet" : steps(guess), move });
}

/** The half-life can be held, too, and delta follows: further right is a longer memory, so a smaller step. */
function drawAnswer(p, { guess, A }, { half }, x, y) {
  if (guess >= 0) {
    p.rule(x(guess), y(0.5) + 4, x(guess), y(0), { color: "ink", dash: "4 3" });
    p.text(x(guess), y(0.5) + 6, "▴", { anchor: "middle", size: 16 });
  }
  p.rule(x(half), y(0.5), x(half), y(0), { color: "delta" });
  p.text(x(half), y(0.5) - 16, steps(half), { color: "delta", weight: 600, anchor: half > STEPS / 2 ? "end" : "start", halo: true });
  const move = (px) => ({ delta: Number(clamp(Math.log(2) / (Math.max(x.invert(px), 0.01) * -A), DELTA).toPrecision(3)) });
  const knob = { x: x(half), y: y(0.5), shape: "tall", color: "delta", flip: true };
  p.handle("half-life", { ...knob, trait: "delta", label: "half-life, by delta", value: steps(half), move });
}

function describe(s, d, view) {
  const one = `One step keeps ${number(d.h[1])} of the state.`;
  if (!view.revealed) return `${one} After how many steps is half of it gone?`;
  return `${one} Half of it is gone after ${steps(d.half)}, half of the rest after as many again.`;
}

function equation({ delta, A }, d, view) {
  const product = [[number(delta), "delta"], [` · ${number(-A)}`]];
  const decay = [["h[t]", "h"], [" = exp(−"], ...product, [" · t)"]];
  return view.revealed ? [...decay, ["\n1/2 at t = ln 2 / ("], ...product, [`) = ${number(d.half)}`]] : decay;
}

function verdict(guess, d) {
  const truth = `Half is left after ${steps(d.half)}.`;
  return guess < 0 ? truth : `${truth} At your guess, ${steps(guess)}, it is ${number(d.h[guess])}.`;
}

export default liveFigure({
  name: "half_life",
  traits: ["delta", "A", "guess"],
  compute,
  describe,
  equation,
  guess: { trait: "guess", prompt: "Your guess: drag the marker, or choose", options: (d) => d.h.map((_, t) => steps(t)), verdict },
  panels: [{ name: "decay", height: 230, title: () => "What is left of a state that hears nothing new", draw }],
  controls: [
    { kind: "slider", trait: "delta", label: "delta, the step", color: "delta", min: 0.01, max: 1, step: 0.02, log: true },
    { kind: "slider", trait: "A", label: "A, the rate", min: -4, max: -1, step: 0.1 },
  ],
  presets: [
    { label: "a small step", state: { delta: 0.02, A: -1 } },
    { label: "ten times the step", state: { delta: 0.2, A: -1 } },
    { label: "four times the rate", state: { delta: 0.02, A: -4 } },
  ],
});
