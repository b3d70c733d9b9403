/**
 * The byte counts of `data/byte_counts.json`: reading them, and what a byte costs by them. Form and rule are told in
 * `_counts.py`, which does the same.
 *
 *     p(x | context) = (count(context, x) + rest p(x | shorter context)) / (sum of counts + rest)
 */

const LETTERS = Array.from({ length: 92 }, (_, i) => String.fromCharCode(35 + i)).filter((letter) => !"\\<`$".includes(letter));
const DIGITS = new Map(LETTERS.map((letter, digit) => [letter, digit]));
const MORE = LETTERS.length - 1;

/** A function that gives the numbers of a stream, one at each call. */
function reader(letters) {
  let place = 0;
  return () => {
    let value = 0;
    for (;;) {
      const digit = DIGITS.get(letters[place++]);
      if (digit === undefined) throw new RangeError("the counts end too early");
      value += digit;
      if (digit < MORE) return value;
    }
  };
}

/**
 * Read the file's JSON. Returns {contexts, about}: contexts[k] is a Map from the last k bytes as one number, oldest first,
 * to { following, counts, rest, total }: bytes and their counts, the most frequent first.
 */
export function readCounts({ orders, ...about }) {
  const contexts = [];
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  let parents = [0];
  orders.forEach((packed, order) => {
    const next = Object.fromEntries(["listed", "gaps", "counts", "rests"].map((name) => [name, reader(packed[name])]));
    const found = new Map();
    const entries = [];
    for (const parent of parents) {
      const listed = next.listed();
      if (!listed) continue;
      const candidates = order ? contexts[order - 1].get(parent & (2 ** (8 * (order - 1)) - 1)).following : all;
      const context = readContext(listed, candidates, packed.levels, next);
      found.set(parent, context);
      for (const byte of context.following) entries.push(parent * 256 + byte);
    }
    contexts.push(found);
    parents = entries;
  });
  return { contexts, about };
}

function readContext(listed, candidates, levels, next) {
  let place = -1;
  const pairs = Array.from({ length: listed }, () => {
    place += 1 + next.gaps();
    return [levels[next.counts()], candidates[place]];
  });
  pairs.sort((one, other) => other[0] - one[0] || one[1] - other[1]);
  const counts = pairs.map(([count]) => count);
  const rest = levels[next.rests()];
  return { following: pairs.map(([, byte]) => byte), counts, rest, total: counts.reduce((sum, n) => sum + n, rest) };
}

/** The last k bytes before place t as one number. */
function number(bytes, t, k) {
  let value = 0;
  for (let i = t - k; i < t; i++) value = value * 256 + bytes[i];
  return value;
}

/** How many bytes before place t count: the longest kept context, of `order` bytes at most. */
export function known({ contexts }, bytes, t, order) {
  let k = Math.min(order, t);
  while (k > 0 && !contexts[k].has(number(bytes, t, k))) k--;
  return k;
}

/**
 * p of each next byte at place t of `bytes`: (256). And how the last step came to `byte`'s: `steps` has, from order 0 to the
 * longest kept context, { count, rest, shorter, total, p }.
 */
export function probabilities(models, bytes, t, order, byte) {
  let p = new Float64Array(256).fill(1 / 256);
  const steps = [];
  for (let k = 0; k <= known(models, bytes, t, order); k++) {
    const { following, counts, rest, total } = models.contexts[k].get(number(bytes, t, k));
    const counted = new Float64Array(256);
    following.forEach((next, i) => (counted[next] = counts[i]));
    const longer = p.map((shorter, next) => (counted[next] + rest * shorter) / total);
    steps.push({ count: counted[byte], rest, shorter: p[byte], total, p: longer[byte] });
    p = longer;
  }
  return { p, steps };
}

/** -log2 p of every byte by order 0 to `order`, (order + 1, l), without the 256 others. */
export function prices(models, bytes, order) {
  const rows = Array.from({ length: order + 1 }, () => []);
  bytes.forEach((byte, t) => {
    let p = 1 / 256;
    for (let k = 0; k <= order; k++) {
      const context = k <= t ? models.contexts[k].get(number(bytes, t, k)) : undefined;
      if (context) {
        const place = context.following.indexOf(byte);
        p = ((place < 0 ? 0 : context.counts[place]) + context.rest * p) / context.total;
      }
      rows[k].push(-Math.log2(p));
    }
  });
  return rows;
}
