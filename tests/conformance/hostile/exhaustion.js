// What attacks that hold things cost: the server's memory and files, and what a normal client notices, before and under each.

import { fork } from 'node:child_process';

import { Office } from '../support/office.js';
import { ATTACKS, UPLOAD_SIZE } from './attacks.js';
import { NormalClient } from './normal_client.js';
import { percentile, told } from './measuring.js';

// What most shells and service managers give a process.
const FILES = 1024;
// How much more the server may need, whatever strangers do: with the less than 50 that a release binary has, it stays below 150.
const STRANGERS_MIB = 100;
// The same of somebody with a token, who can be told to stop.
const CALLERS_MIB = 200;
const RATIO = 3;
// A machine that is busy with something else spoils one measurement.
const ATTEMPTS = 2;
const TICKETS = 50;
const DESCRIPTION = 'It ends early. '.repeat(1_300);
const UPLOADERS = 3;
const UPLOADS_EACH = 16;

/** Carries out every attack on a server of its own; prints a line for each and answers whether all are borne. */
export async function exhaustion(binary, seconds) {
  const widths = [6, Math.max(...ATTACKS.map(({ name }) => name.length)), 22, 11, 11, 10, 10, 6, 8];
  const line = (cells) => console.log(cells.map((cell, column) => String(cell).padEnd(widths[column])).join('  ').trimEnd());
  line(['', 'attack', 'holds', 'MiB before', 'MiB under', 'files', 'p50 before', 'under', 'failures']);
  let failures = 0;
  for (const [index, { name }] of ATTACKS.entries()) {
    let effect = null;
    for (let attempt = 0; attempt < ATTEMPTS && !effect?.isBorne; attempt += 1) effect = await attack(binary, index, seconds);
    if (!effect.isBorne) failures += 1;
    const { held, before, under, normal } = effect;
    line([
      effect.isBorne ? 'ok' : 'FAILED', name, held, before.memory, under.memory, `${before.files} → ${under.files}`,
      normal.before.toFixed(1), normal.under.toFixed(1), normal.failures,
    ]);
  }
  console.log(`${ATTACKS.length - failures} of ${ATTACKS.length} attacks that hold things are borne`);
  return failures === 0;
}

async function attack(binary, index, seconds) {
  const office = await Office.open(binary, [], { files: FILES });
  const { server } = office;
  for (let number = 0; number < TICKETS; number += 1) await office.file(`Ticket ${number}`, DESCRIPTION);
  const people = await Promise.all(
    Array.from({ length: UPLOADERS + 1 }, (_, n) => server.person(`Mallory${n}`, '--team', 'operations')),
  );
  // Who has a connection keeps it; whoever comes now needs one.
  const norma = await server.person('Norma', '--team', 'operations');
  const normal = new NormalClient(server.address, [norma], { isNew: true });
  const context = { address: server.address, tokens: people, uploads: await uploads(office, people.slice(1)) };

  await normal.measure(seconds / 2);
  const times = { before: await normal.measure(seconds) };
  const before = await server.resources();
  const holder = fork(new URL('./holder.js', import.meta.url));
  const kill = () => holder.kill('SIGKILL');
  process.once('exit', kill);
  await told(holder, { start: index, ...context });
  times.under = await normal.measure(Math.max(2, seconds));
  const under = { ...(await server.resources()), memory: await server.peakMemory() };
  const isAlive = await server.isAlive();
  const { held, isFine } = await told(holder, {});
  kill();
  process.off('exit', kill);

  const p50 = (samples) => percentile(samples, 0.5);
  const failed = times.under.filter((time) => time === Infinity).length;
  const effect = { before: p50(times.before), under: p50(times.under), failures: failed };
  const isEnded = await office.close();
  const needed = under.memory - before.memory;
  const isSmall = needed <= (ATTACKS[index].hasToken ? CALLERS_MIB : STRANGERS_MIB);
  const isBorne = isAlive && isFine && isEnded && isSmall && failed === 0 && effect.under < RATIO * effect.before;
  return { held, before, under, normal: effect, isBorne };
}

/** Addresses to which each of some people may upload several files. */
async function uploads(office, tokens) {
  const { id } = await office.file('Screenshots');
  const query = 'mutation($input: RequestUploadInput!) { requestUpload(input: $input) { upload { url } userErrors { message } } }';
  const input = { ticketId: id, fileName: 'a.png', contentType: 'image/png', size: UPLOAD_SIZE };
  const allowed = [];
  for (let n = 0; n < UPLOADS_EACH; n += 1) {
    for (const token of tokens) {
      const { requestUpload } = await office.server.ask(token, query, { input });
      allowed.push(requestUpload.upload.url);
    }
  }
  return allowed;
}
