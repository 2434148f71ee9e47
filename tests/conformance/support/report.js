// What every part prints: a table, a count, and an exit code.

/** Prints rows of equal length as columns; the last column may be of any width. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  for (const row of rows) {
    console.log(row.map((cell, column) => String(cell).padEnd(column < row.length - 1 ? widths[column] : 0)).join('  '));
  }
}

/** One text on one line, cut to a readable length. */
export function brief(text, length = 160) {
  const line = String(text).replaceAll(/\s+/g, ' ').trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

/** Named checks that are carried out one by one, each of which passes or throws. */
export class Checks {
  #rows = [];

  /** Carries out one check within a time; a failure is noted, and the next one goes on. */
  async check(name, action, seconds = 20) {
    const began = performance.now();
    let problem = null;
    let timer;
    try {
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`nothing within ${seconds} s`)), seconds * 1000);
      });
      await Promise.race([action(), late]);
    } catch (error) {
      // A socket's events have getters, which JSON does not show.
      problem = error?.message || [error?.code, error?.reason].filter(Boolean).join(' ') || JSON.stringify(error);
    }
    clearTimeout(timer);
    const took = `${Math.round(performance.now() - began)} ms`;
    this.#rows.push([problem === null ? 'ok' : 'FAILED', name, took, problem === null ? '' : brief(problem, 300)]);
  }

  /** Prints everything; answers whether all passed. */
  report() {
    table(this.#rows);
    const passed = this.#rows.filter(([status]) => status === 'ok').length;
    console.log(`${passed} of ${this.#rows.length} passed`);
    return passed === this.#rows.length && passed > 0;
  }
}

/** Runs a part: its exit code is 0 when `judge` answers true. */
export async function part(judge) {
  // So that whoever is told to stop takes its server along.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => process.exit(1));
  try {
    process.exit((await judge(...process.argv.slice(2))) ? 0 : 1);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}
