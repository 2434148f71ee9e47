// A process that repeats one hostile request from several connections until it is told to stop. It has a lower
// priority: a real attacker works on another machine, and what is measured is the cost to the server.

import http from 'node:http';
import os from 'node:os';

import { REQUESTS } from './requests.js';
import { send } from './sending.js';

// Two of them anonymous, two with a token.
const CONNECTIONS = 4;
// A third of the server's share where both want the processor.
const NICENESS = 5;

const [address] = process.argv.slice(2);
os.setPriority(NICENESS);

// What is repeated now.
let current = null;

async function connection(run, request, token) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let sent = 0;
  while (run.goesOn) {
    await send(request, { address, token, agent });
    sent += 1;
  }
  agent.destroy();
  return sent;
}

process.on('message', async ({ start, token }) => {
  if (start === undefined) {
    current.goesOn = false;
    // Slow ones are not waited for.
    const counts = current.isSlow ? [] : await current.connections;
    process.send({ sent: counts.reduce((sum, count) => sum + count, 0) });
    return;
  }
  const request = REQUESTS[start];
  const run = { goesOn: true, isSlow: request.by === 'slow' };
  const tokens = Array.from({ length: CONNECTIONS }, (_, number) => (number % 2 === 0 ? token : undefined));
  run.connections = Promise.all(tokens.map((whose) => connection(run, request, whose)));
  current = run;
  process.send({ begun: true });
});
