// Sets of time as lists of stretches [from, to), disjoint and in order.

/** What of them lies within [start, end). */
export function within(stretches, start, end) {
  return stretches.map(([from, to]) => [Math.max(from, start), Math.min(to, end)]).filter(([from, to]) => from < to);
}

/** What is left of some when others are taken away. */
export function without(some, others) {
  return others.reduce(
    (left, [start, end]) => left
      .flatMap(([from, to]) => [[from, Math.min(to, start)], [Math.max(from, end), to]])
      .filter(([from, to]) => from < to),
    some,
  );
}

/** How long they last together. */
export function length(stretches) {
  return stretches.reduce((sum, [from, to]) => sum + to - from, 0);
}

/** The first instant by which so much of them has passed since the start; nothing if they end before. */
export function reach(stretches, start, amount) {
  if (amount <= 0) return start;
  let left = amount;
  for (const [from, to] of stretches) {
    if (left <= to - from) return from + left;
    left -= to - from;
  }
  return null;
}
