/** The two planes of `discretisation`: an eigenvalue among the rates, and the factor that a rule and a step make of it. */

import { colour, linear, number } from "./marks.js";
import { complex, factor, held } from "./sampled.js";

export const RATES = { re: [-4, 0.5], im: [0, 5] };
const RIM = 1.7; // how far from 0 the plane of factors is shown

export const twentieth = (value, ends) => Number(held(value, ends).toFixed(2));

/** The colour of the samples; it tells no answer before the guess. */
export const look = (d, view) => (view.revealed && d.fate === "grow" ? "warn" : "h");

/** The plane of rates. The eigenvalue is dragged there; where samples fade is shaded. */
export function drawRates(p, s, d, view) {
  const unit = (p.height - 36) / 5.3; // pixels; the same both ways, so that circles are round
  const y = linear([0, 5.3], [p.height - 32, p.height - 32 - 5.3 * unit]);
  const x = linear([0.9 - (p.width - 8) / unit, 0.9], [4, p.width - 4]);
  const round = s.method === "euler" && view.revealed; // |1 + delta lambda| <= 1 is a disc, too
  const reach = (re) => (re > 0 ? 0 : round ? Math.sqrt(Math.max(0, re * (-2 / s.delta - re))) : Infinity);
  const columns = Array.from({ length: 201 }, (_, i) => 4 + ((x(0) - 4) * i) / 200);
  const border = columns.map((px) => `L${px.toFixed(1)} ${y(held(reach(x.invert(px)), y.domain)).toFixed(1)}`);
  const shade = { d: `M4 ${y(0)}${border.join("")}L${x(0)} ${y(0)}z`, style: `fill:${colour("panel")};stroke:${colour("hairline")}` };
  p.add("path", { ...shade, class: "live-shade" });
  p.axis(x, { at: y(0), label: "Re λ, per second" });
  p.rule(x(0), y(0), x(0), y(5.3), { color: "muted", line: 1.5 });
  for (const tick of [1, 2, 3, 4, 5]) p.text(x(0) + 7, y(tick) + 4, number(tick), { color: "muted", size: 11.5, halo: true });
  p.text(x(0) + 22, y(5) + 4, "Im λ", { color: "muted" });
  if (view.revealed && s.method === "zoh" && Math.PI / s.delta < 5.2) {
    p.rule(4, y(Math.PI / s.delta), p.width - 4, y(Math.PI / s.delta), { color: "delta", dash: "5 4" });
    p.text(8, y(Math.PI / s.delta) - 5, "π / delta: faster waves look slower", { color: "delta", halo: true });
  }
  const here = [x(s.re), y(s.im)];
  const seen = view.revealed && d.seen && [x(d.seen[0]), y(d.seen[1])];
  if (seen && seen[0] > 8 && seen[0] < p.width - 8 && seen[1] > 8 && Math.hypot(seen[0] - here[0], seen[1] - here[1]) > 2) {
    p.rule(...here, ...seen, { color: look(d, view), dash: "2 3" });
    p.dot(...seen, { color: look(d, view), radius: 5, hollow: true });
    const [side, anchor] = seen[0] > p.width - 130 ? [-9, "end"] : [9, "start"];
    p.text(seen[0] + side, seen[1] + (seen[1] > here[1] ? 16 : -9), "what the samples show", { color: look(d, view), halo: true, anchor });
  }
  const at = (px, py) => ({ re: twentieth(x.invert(px), RATES.re), im: twentieth(y.invert(py), RATES.im) });
  p.handle("rate", { x: here[0], y: here[1], trait: "re", rise: "im", label: "the eigenvalue lambda: left and right its real, up and down its imaginary part", value: complex(d.rate), move: at });
  p.pick = at;
  p.probe = (px, py) => {
    const { re, im } = at(px, py);
    if (x.invert(px) > RATES.re[1] || x.invert(px) < RATES.re[0] || y.invert(py) < 0) return null;
    const size = view.revealed ? `, |Ā| = ${number(Math.hypot(...factor(s.method, s.delta, [re, im])))}` : "";
    return { rate: [re, im], words: `λ = ${complex([re, im])}${size}` };
  };
}

/** The plane of factors: the unit disc, and the powers of the factor, which are the samples. */
export function drawFactors(p, s, d, view) {
  if (!view.revealed) {
    p.rect(0, 2, p.width, p.height - 8, { fill: "panel", round: 4 });
    return p.text(p.width / 2, p.height / 2 + 2, "after your guess", { color: "muted", anchor: "middle" });
  }
  const half = Math.min(p.width, p.height) / 2 - 2;
  const x = linear([-RIM, RIM], [p.width / 2 - half, p.width / 2 + half]);
  const y = linear([-RIM, RIM], [p.height / 2 + half, p.height / 2 - half]);
  const shown = ([re, im]) => Math.abs(re) <= RIM && Math.abs(im) <= RIM;
  const place = ([re, im]) => [x(re), y(im)];
  p.add("circle", { cx: x(0), cy: y(0), r: x(1) - x(0), style: `fill:${colour("panel")};stroke:${colour("muted")};stroke-width:1.5` });
  p.axis(x, { at: y(0), ticks: [] });
  p.rule(x(0), y(-RIM), x(0), y(RIM));
  for (const [value, anchor, side] of [[-1, "end", -5], [1, "start", 5]]) p.text(x(value) + side, y(0) + 15, number(value), { color: "muted", anchor, size: 11.5 });
  p.text(x(RIM), y(0) - 6, "Re Ā", { color: "muted", anchor: "end" });
  const far = Math.max(1, ...d.pole.map((part) => Math.abs(part) / (RIM - 0.1)));
  if (far === 1) p.text(x(0) + 6, y(RIM) + 11, "Im Ā", { color: "muted" });
  if (s.method === "euler") {
    p.rule(x(1), y(-RIM), x(1), y(RIM), { color: "muted", dash: "5 4" });
    p.text(x(1) - 6, y(-RIM) - 6, "left of this line: Re λ < 0", { color: "muted", anchor: "end", halo: true });
  }
  p.line(d.h.map((value) => [x(value[0]), shown(value) ? y(value[1]) : null]), { color: look(d, view), line: 0.75 });
  d.h.slice(2).filter(shown).forEach((value) => p.dot(...place(value), { color: look(d, view), radius: 1.8 }));
  p.dot(x(1), y(0), { color: "ink", radius: 3 }); // h[0]
  const pole = place(d.pole.map((part) => part / far));
  p.dot(...pole, { color: look(d, view), radius: 6, hollow: far > 1 });
  const words = { color: look(d, view), weight: 600, halo: true };
  if (far > 1) p.text(held(pole[0], [96, p.width - 96]), pole[1] + (d.pole[1] > 0 ? 22 : -13), `Ā = ${complex(d.pole)} is out there`, { ...words, anchor: "middle" });
  else p.text(pole[0] + (d.pole[0] < 0 ? 10 : -10), pole[1] + (d.pole[1] > 1.4 ? 16 : -9), "Ā", { ...words, anchor: d.pole[0] < 0 ? "start" : "end" });
  const hover = view.hover?.rate ? factor(s.method, s.delta, view.hover.rate) : d.h[view.hover?.t];
  if (hover && shown(hover)) p.dot(...place(hover), { color: "ink", radius: 5, hollow: true });
  p.probe = (px, py) => {
    const gaps = d.h.map((value) => Math.hypot(x(value[0]) - px, y(value[1]) - py));
    const t = gaps.indexOf(Math.min(...gaps));
    if (gaps[t] < 12) return { t, words: `h[t=${t}] = ${complex(d.h[t])}` };
    const value = [Number(x.invert(px).toFixed(2)), Number(y.invert(py).toFixed(2))];
    return shown(value) ? { words: `Ā = ${complex(value)}, |Ā| = ${number(Math.hypot(...value))}` } : null;
  };
}
