// What both tables need: an answer of a child process, and a share of some measurements.

/** Tells a child process something; answers what it says to that. */
export function told(child, message) {
  const answer = new Promise((resolve) => child.once('message', resolve));
  child.send(message);
  return answer;
}

export function percentile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Infinity;
}
