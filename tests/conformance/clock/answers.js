// The Rust side: the example binary `clock`, asked line by line.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Milliseconds as the binary takes and gives instants and lengths: in microseconds. */
export const MICROSECONDS = 1000;

/** A running binary. */
export class Answers {
  #child;
  #lines;

  constructor(binary) {
    this.#child = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Asks about one calendar; answers in the order of the questions. */
  async ask(calendar, ask) {
    this.#child.stdin.write(`${JSON.stringify({ calendar, ask })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the binary stopped answering');
    return JSON.parse(value);
  }

  /** Lets the binary end. */
  close() {
    this.#child.stdin.end();
  }
}
