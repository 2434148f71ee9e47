// A process that carries out one attack that holds things, until it is told to stop. It has a lower priority, as the attacker.

import os from 'node:os';

import { ATTACKS } from './attacks.js';

os.setPriority(5);
// A connection that breaks under an attack is no fault of the attacker's.
process.on('uncaughtException', (error) => console.error(`the attacker: ${error.message}`));

let current = null;

process.on('message', async ({ start, ...context }) => {
  if (start !== undefined) {
    current = await ATTACKS[start].begin(context);
    process.send({ begun: true });
    return;
  }
  const stopped = await current.stop();
  process.send(typeof stopped === 'string' ? { held: stopped, isFine: true } : stopped);
});
