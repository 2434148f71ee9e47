// A process that repeats one hostile request from several connections until it is told to stop. It has the lowest priority: a real
// attacker works on another machine, and what is measured is the cost to the server.

import http from 'node:http';
import os from 'node:os';

import { REQUESTS } from './requests.js';
import { send } from './sending.js';

// Two of them anonymous, two with a token.
const CONNECTIONS = 4;

const [address] = process.argv.slice(2);
os.setPriority(os.constants.priority.PRIORITY_LOW);

let isRunning = false;
let running = Promise.resolve();

async function connection(request, token) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let sent = 0;
  while (isRunning) {
    await send(request, { address, token, agent });
    sent += 1;
  }
  agent.destroy();
  return sent;
}

process.on('message', async ({ start, token }) => {
  if (start === undefined) {
    isRunning = false;
    return;
  }
  await running;
  isRunning = true;
  const request = REQUESTS[start];
  const everyone = Array.from({ length: CONNECTIONS }, (_, n) => connection(request, n % 2 === 0 ? token : undefined));
  running = Promise.all(everyone);
  // Slow ones are not waited for.
  const counts = request.by === 'slow' ? [] : await running;
  if (request.by === 'slow') running = Promise.resolve();
  process.send(counts.reduce((sum, count) => sum + count, 0));
});
