/** Complex numbers as pairs [re, im], for the rules and recurrences of core.js. */

/** a times b. Numbers without an imaginary part have none to overflow: inf * 0 would be NaN. */
export const multiplyComplex = ([are, aim], [bre, bim]) =>
  aim === 0 && bim === 0 ? [are * bre, 0] : [are * bre - aim * bim, are * bim + aim * bre];

export function expComplex([re, im]) {
  const size = Math.exp(re);
  return im === 0 ? [size, 0] : [size * Math.cos(im), size * Math.sin(im)];
}

/** a / b in Smith's way, without squares, which could overflow. */
export function divideComplex([are, aim], [bre, bim]) {
  if (bim === 0) return [are / bre, aim === 0 ? 0 : aim / bre];
  if (Math.abs(bre) < Math.abs(bim)) return divideComplex([aim, -are], [bim, -bre]); // both times -i
  const ratio = bim / bre;
  const below = bre + bim * ratio;
  return [(are + aim * ratio) / below, (aim - are * ratio) / below];
}

/** (exp(x) - 1) / x, right at 0, where it is 1, and near it. */
export function expm1OverComplex([re, im]) {
  if (im === 0) return [re === 0 ? 1 : Math.expm1(re) / re, 0];
  const half = Math.sin(im / 2);
  const above = Math.expm1(re) * Math.cos(im) - 2 * half * half; // cos(im) - 1 = -2 sin(im / 2)^2 keeps its digits
  return divideComplex([above, Math.exp(re) * Math.sin(im)], [re, im]);
}
