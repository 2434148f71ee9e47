// Hostile requests: what becomes of each, how long it takes, and what a normal client notices while it is repeated. Then attacks
// that hold things: what the server has of memory and files, and what a normal client notices.

import { fork } from 'node:child_process';

import { Office } from '../support/office.js';
import { brief, part } from '../support/report.js';
import { exhaustion } from './exhaustion.js';
import { percentile, told } from './measuring.js';
import { NormalClient } from './normal_client.js';
import { REQUESTS } from './requests.js';
import { isAsItMust, send } from './sending.js';

// How long a request is repeated, and how long the calm around it is measured.
const SECONDS = Number(process.env.CONFORMANCE_SECONDS ?? 2);
const CALM_SECONDS = Math.min(1, SECONDS / 2);
// What a normal client may notice: its median against its median in the calm.
const RATIO = 3;
// Other programs on the machine can spoil a measurement; a hostile request spoils it every time.
const ATTEMPTS = 3;
// A refusal that takes longer than this has walked what it should not have.
const REFUSED_WITHIN_MS = 1_000;
// Each has a budget per minute, and both sides shall not run out of it.
const NORMAL_CLIENTS = 8;
const ATTACKERS = 8;
const TICKETS = 60;
// What the server may need for all of them; more is a request that makes it grow.
const MEMORY_MIB = 512;

await part(async (binary) => {
  const areRefused = REQUESTS.length === 0 || (await requests(binary));
  const areBorne = await exhaustion(binary, SECONDS);
  return areRefused && areBorne;
});

/** Sends every hostile request, and answers whether all are met as they must be. */
async function requests(binary) {
  const office = await Office.open(binary);
  const { server } = office;
  for (let number = 0; number < TICKETS; number += 1) await office.file(`Ticket ${number}`);
  const people = async (name, count) => {
    const tokens = [];
    for (let n = 0; n < count; n += 1) tokens.push(await server.person(`${name}${n}`, '--team', 'operations'));
    return tokens;
  };
  const normal = new NormalClient(server.address, await people('Norma', NORMAL_CLIENTS));
  const attackers = await people('Mallory', ATTACKERS);

  const outcomes = await probe(server, attackers);
  if (!outcomes) return false;
  await normal.measure(CALM_SECONDS);
  const attacker = fork(new URL('./attacker.js', import.meta.url), [server.address]);
  process.once('exit', () => attacker.kill('SIGKILL'));
  const columns = ['', 'hostile request', 'answer', 'code', 'ms', 'sent', 'normal p50', 'p99', 'calm p50', 'ratio'];
  const widths = [6, Math.max(...REQUESTS.map(({ name }) => name.length)), 6, 32, 5, 5, 10, 7, 8, 5];
  // Line by line, for there are minutes between the first and the last.
  const line = (cells) => console.log(cells.map((cell, column) => String(cell).padEnd(widths[column])).join('  ').trimEnd());
  line(columns);
  let failures = 0;
  for (const [index, request] of REQUESTS.entries()) {
    const outcome = outcomes[index];
    const effect = await notice(attacker, normal, index, attackers[index % attackers.length]);
    const isQuick = request.by === 'slow' || request.by === 'flood' || outcome.ms < REFUSED_WITHIN_MS;
    const isFine = isAsItMust(request, outcome) && isQuick && effect.ratio < RATIO;
    if (!isFine) failures += 1;
    line([
      isFine ? 'ok' : 'FAILED', request.name, outcome.status, brief(outcome.code ?? '', 32), outcome.ms.toFixed(0),
      effect.sent, effect.p50.toFixed(1), effect.p99.toFixed(1), effect.calm.toFixed(1), effect.ratio.toFixed(2),
    ]);
  }
  attacker.kill('SIGKILL');
  console.log(`${REQUESTS.length - failures} of ${REQUESTS.length} hostile requests are met as they must be`);
  if (normal.refused > 0) console.log(`the normal client was refused ${normal.refused} times for its own rate`);
  const memory = await server.peakMemory();
  console.log(`the server has had ${memory} MiB at most`);
  const isAlive = (await server.isAlive()) && memory < MEMORY_MIB;
  return (await office.close()) && isAlive && failures === 0;
}

/** Sends each request once, slow ones meanwhile; answers what became of them, or null when the server did not bear it. */
async function probe(server, attackers) {
  const once = (request, index) => send(request, { address: server.address, token: attackers[index % attackers.length] });
  const outcomes = REQUESTS.map((request, index) => (request.by === 'slow' ? once(request, index) : null));
  for (const [index, request] of REQUESTS.entries()) {
    outcomes[index] ??= await once(request, index);
    if (!(await server.isAlive()) || (await server.peakMemory()) > MEMORY_MIB) {
      const { status, code, ms } = outcomes[index];
      console.log(`“${request.name}” is too much for the server, which has had ${await server.peakMemory()} MiB.`);
      console.log(`Its answer: ${status} ${code}, after ${ms.toFixed(0)} ms. Nothing more is tried.`);
      return null;
    }
  }
  return Promise.all(outcomes);
}

/** What the normal client notices while the attacker repeats a request: the best of a few measurements. */
async function notice(attacker, normal, index, token) {
  let best = null;
  for (let attempt = 0; attempt < ATTEMPTS && !(best?.ratio < RATIO); attempt += 1) {
    const before = await normal.measure(CALM_SECONDS);
    await told(attacker, { start: index, token });
    const during = await normal.measure(SECONDS);
    const { sent } = await told(attacker, {});
    const calm = percentile([...before, ...(await normal.measure(CALM_SECONDS))], 0.5);
    const p50 = percentile(during, 0.5);
    const effect = { sent, p50, p99: percentile(during, 0.99), calm, ratio: p50 / calm };
    if (!(best?.ratio <= effect.ratio)) best = effect;
  }
  return best;
}
