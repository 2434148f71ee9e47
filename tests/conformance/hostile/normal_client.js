// A client of good will, whose answers are timed.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { send } from './sending.js';

// A pause, so that it is a person and no load.
const NORMAL_EVERY_MS = 10;

const NORMAL_QUERY = `{ viewer { person { name } }
  tickets(first: 20) { totalCount nodes { key subject stage company { name } sla { status dueAt } } } }`;

/** Asks one thing after another: on one connection, as a person with a browser does, or on a new one each time. */
export class NormalClient {
  refused = 0;
  #turn = 0;

  constructor(address, tokens, { isNew = false } = {}) {
    this.address = address;
    this.tokens = tokens;
    this.agent = isNew ? false : new http.Agent({ keepAlive: true, maxSockets: 1 });
  }

  /** The times of the answers within so many seconds, in milliseconds. */
  async measure(seconds) {
    const until = performance.now() + seconds * 1000;
    const times = [];
    while (performance.now() < until || times.length === 0) {
      const token = this.tokens[this.#turn++ % this.tokens.length];
      const body = JSON.stringify({ query: NORMAL_QUERY });
      const request = { by: 'http', method: 'POST', headers: { 'content-type': 'application/json' }, body };
      const { status, code, ms } = await send(request, { address: this.address, token, agent: this.agent });
      if (status === 429) {
        this.refused += 1;
        await sleep(1_000);
      } else if (status === 200 && !code) {
        times.push(ms);
        await sleep(NORMAL_EVERY_MS);
      } else {
        // Worse than late.
        times.push(Infinity);
      }
    }
    return times;
  }
}
