// schemathesis makes up operations from the introspected schema, as an administrator who types whatever the types allow. There is
// nothing that it may bring about but an answer: no fault of the server's own, no time-out, no panic, no end.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { Office } from '../support/office.js';
import { part, table } from '../support/report.js';

// An answer that takes longer hangs.
const ANSWER_SECONDS = 20;
const WORKERS = 4;
// What it has under way when the time is over may be finished, and failures are made smaller, which takes its time.
const GRACE_SECONDS = 180;
// Fewer would mean that it was kept from asking: by its own failure, or by a limit on its rate.
const ANSWERS_PER_MINUTE = 100;

await part(async (binary, minutes = '5') => {
  const seconds = Math.max(1, Math.round(Number(minutes) * 60));
  const office = await Office.open(binary);
  const { server, token } = office;
  for (let number = 0; number < 5; number += 1) await office.file(`Ticket ${number}`);
  const folder = await mkdtemp(join(tmpdir(), 'secondline-fuzz-'));
  const flags = [
    'run', server.http, '--header', `Authorization: Bearer ${token}`, '--max-time', seconds, '--workers', WORKERS,
    '--phases', 'fuzzing', '--checks', 'no_fault', '--request-timeout', ANSWER_SECONDS,
    '--rate-limit', 'auto', '--continue-on-failure', '--suppress-health-check', 'all', '--generation-database', 'none',
    '--no-color',
  ].map(String);
  const hooks = { PYTHONPATH: dirname(fileURLToPath(import.meta.url)), SCHEMATHESIS_HOOKS: 'hooks', PYTHONDONTWRITEBYTECODE: '1' };
  const fuzzer = spawn('schemathesis', flags, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
    env: { ...process.env, ...hooks },
  });
  process.once('exit', () => fuzzer.kill('SIGKILL'));
  for (const stream of [fuzzer.stdout, fuzzer.stderr]) {
    createInterface({ input: stream }).on('line', (line) => console.log(`  ${line}`));
  }
  const timer = setTimeout(() => fuzzer.kill('SIGKILL'), (seconds + GRACE_SECONDS) * 1000);
  const code = await new Promise((resolve) => fuzzer.once('exit', resolve));
  clearTimeout(timer);
  console.log(`schemathesis ended with ${code}`);
  const answers = await readFile(join(folder, 'answers'), 'utf8').catch(() => '');
  const counts = new Map();
  for (const line of answers.split('\n').filter(Boolean)) counts.set(line, (counts.get(line) ?? 0) + 1);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const rows = [...counts].sort(([, a], [, b]) => b - a).map(([answer, count]) => [count, answer]);
  table([...rows, [total, 'answers']]);
  await rm(folder, { recursive: true, force: true });
  const isAlive = await server.isAlive();
  console.log(isAlive ? 'the server answers' : 'the server does not answer any more');
  const isEnough = total >= (ANSWERS_PER_MINUTE * seconds) / 60;
  if (!isEnough) console.log(`that is too little for ${seconds} s`);
  return (await office.close()) && isAlive && isEnough && code === 0;
});
