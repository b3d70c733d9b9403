/**
 * What core.js asks of what it is given: one error that names the argument, what came and what was expected, TypeError
 * for the wrong kind of thing, RangeError for a shape or a value. Layouts are those of core.js.
 */

export const isArray = (x) => Array.isArray(x) || (ArrayBuffer.isView(x) && "length" in x);

export const isComplex = (x) => typeof x === "object" && x !== null && "re" in x && "im" in x;

/** What came, in a few words, for an error. */
export function inWords(x) {
  if (isArray(x)) {
    const shape = [];
    for (let axis = x; isArray(axis); axis = axis[0]) shape.push(axis.length);
    return `(${shape.join(", ")})`;
  }
  if (typeof x === "string") return JSON.stringify(x);
  return typeof x === "object" && x !== null ? "an object" : typeof x === "function" ? "a function" : String(x);
}

/** Check that x is nested as `dims`, e.g. "(l, d)", with numbers inside; return `sizes` with what it tells of them. */
export function requireShape(name, x, dims, sizes = {}) {
  const letters = dims.slice(1, -1).split(", ");
  const known = letters.filter((k) => k in sizes).map((k) => `${k}=${sizes[k]}`);
  const wanted = `${name} must have shape ${dims}${known.length ? ` with ${known.join(", ")}` : ""}`;
  const visit = (part, axis, where) => {
    const at = (what) => (where ? `, ${what} at ${where}` : "");
    if (!isArray(part)) throw new TypeError(`${wanted}, got ${inWords(x)}${at(inWords(part))}`);
    sizes[letters[axis]] ??= part.length;
    if (part.length !== sizes[letters[axis]]) {
      throw new RangeError(`${wanted}, got ${inWords(x)}${at(`length ${part.length}`)}`);
    }
    for (let i = 0; i < part.length; i++) {
      if (axis + 1 < letters.length) visit(part[i], axis + 1, `${where}[${i}]`);
      else if (typeof part[i] !== "number") {
        throw new TypeError(`${name} must hold numbers, got ${inWords(part[i])} at ${where}[${i}]`);
      }
    }
  };
  visit(x, 0, "");
  return sizes;
}

/** The same of a real or complex x -> {re, im}, im null where x is real. */
export function requireComplex(name, x, dims, sizes) {
  if (!isComplex(x)) {
    requireShape(name, x, dims, sizes);
    return { re: x, im: null };
  }
  requireShape(`${name}.re`, x.re, dims, sizes);
  requireShape(`${name}.im`, x.im, dims, sizes);
  return x;
}

export function requireNumber(name, x) {
  if (typeof x !== "number") throw new TypeError(`${name} must be a number, got ${inWords(x)}`);
  return x;
}

export function requireWhole(name, x, least) {
  if (Number.isSafeInteger(x) && x >= least) return x;
  const Kind = typeof x === "number" ? RangeError : TypeError;
  throw new Kind(`${name} must be a whole number of at least ${least}, got ${inWords(x)}`);
}

/** Refuse an option that nobody reads: misspelt, it would count as left out. */
export function requireOptions(options, names) {
  const wanted = `options must be an object with any of ${names.join(", ")}`;
  if (typeof options !== "object" || options === null || isArray(options)) {
    throw new TypeError(`${wanted}, got ${inWords(options)}`);
  }
  const unknown = Object.keys(options).filter((name) => !names.includes(name));
  if (unknown.length) throw new TypeError(`${wanted}, got ${unknown.join(", ")}`);
}
