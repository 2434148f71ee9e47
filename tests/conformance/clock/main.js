// The working calendar and the SLA clock against two implementations that nobody here wrote, and against the published vectors.
// REPORT.md says what each can express, and what the differences are.
//
//   node main.js ANSWERS PYTHON
//
// ANSWERS is the example binary `clock`, PYTHON an interpreter with businesstimedelta.
//
//   CLOCK_SEED       another number for other cases; 1 unless told
//   CLOCK_CALENDARS  so many random calendars of each zone; 260 unless told. With fewer the cases need not be enough
//   CLOCK_EXAMPLES   a number of examples of each cause to print; 0 unless told, those without a cause always

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { part, table } from '../support/report.js';
import { CAUSES } from './causes.js';
import { zonesOfVectors } from './vectors.js';

// Clock changes by an hour and by half an hour, at midnight and at three, around Ramadan, abolished on the way, and none.
const ZONES = [
  'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca', 'America/Sao_Paulo', 'America/Havana',
  'Asia/Tehran', 'America/St_Johns', 'Asia/Kathmandu', 'Australia/Brisbane',
];
// Of each zone; a calendar has 40 questions and 4 visits.
const CALENDARS = Number(process.env.CLOCK_CALENDARS ?? 260);
// The same for the Python package, which is much slower; a calendar has 20 questions.
const PYTHON_CALENDARS = Math.ceil(CALENDARS / 10);
// A change of the cases must not make them fewer than the issue asks for.
const FEWEST_QUESTIONS = 100_000;

const here = dirname(fileURLToPath(import.meta.url));

const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill()));

/** Runs a program to its end; answers what it prints, and its exit code. */
function output(command, parameters, zone = 'UTC') {
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, { env: { ...process.env, TZ: zone }, stdio: ['ignore', 'pipe', 'inherit'] });
    running.add(child);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
    child.on('error', reject);
    child.on('close', (code) => {
      running.delete(child);
      resolve({ text, code });
    });
  });
}

/** Runs a worker to its end; answers the object that it prints. */
async function run(command, parameters, zone) {
  const { text, code } = await output(command, parameters, zone);
  if (code !== 0) throw new Error(`${command} ${parameters.join(' ')} in ${zone} ended with ${code}`);
  return JSON.parse(text);
}

/** Carries out jobs, as many at a time as the machine has processors; answers their results in order. */
async function all(jobs) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const number = next;
      next += 1;
      results[number] = await jobs[number]();
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  return results;
}

function added(results, name) {
  return results.reduce((sum, result) => sum + (result[name] ?? 0), 0);
}

function printCauses(results) {
  const causes = [...new Set(results.flatMap(({ causes: found }) => Object.keys(found)))].sort();
  for (const cause of causes) {
    const count = results.reduce((sum, { causes: found }) => sum + (found[cause] ?? 0), 0);
    const text = cause.split(' + ').map((name) => CAUSES[name] ?? results.at(-1).about?.[name] ?? 'NOT EXPLAINED').join('; and ');
    console.log(`${String(count).padStart(6)}  ${cause}: ${text}`);
  }
  const wanted = Number(process.env.CLOCK_EXAMPLES ?? 0);
  for (const { examples } of results) {
    for (const [cause, kept] of Object.entries(examples)) {
      for (const example of kept.slice(0, cause === 'unexplained' ? 3 : wanted)) console.log(cause, JSON.stringify(example));
    }
  }
  return !causes.includes('unexplained');
}

await part(async (answers, python) => {
  const seed = process.env.CLOCK_SEED ?? '1';
  const script = (name) => join(here, name);
  const zonesToCheck = zonesOfVectors();
  const [histories, other, ...rest] = await all([
    () => output(python, ['-B', join(here, '../../vectors/check.py')]),
    () => run(python, [script('businesstimedelta_worker.py'), answers, seed, PYTHON_CALENDARS, ...ZONES]),
    ...ZONES.map((zone) => () => run(process.execPath, [script('worker.js'), answers, seed, CALENDARS], zone)),
    ...zonesToCheck.map((zone) => () => run(process.execPath, [script('vectors.js'), zone], zone)),
  ]);
  const results = rest.slice(0, ZONES.length);
  const vectors = rest.slice(ZONES.length);

  console.log(`opening_hours (npm) on Node.js's time-zone database ${process.versions.tz}, seed ${seed}:`);
  table([
    ['zone', 'questions', 'visits', 'answers', 'differ', 'days on which the databases differ'],
    ...results.map(({ zone, questions, visits, answers: count, differ, databaseDays }) =>
      [zone, questions, visits, count, differ, databaseDays]),
    ['all', ...['questions', 'visits', 'answers', 'differ', 'databaseDays'].map((name) => added(results, name))],
  ]);
  const explained = printCauses(results);

  console.log(`\nbusinesstimedelta (PyPI) on pytz's time-zone database ${other.tzdata}, ${other.zones} zones:`);
  console.log(`${other.questions} questions, ${other.answers} answers, ${other.differ} differ`);
  const otherExplained = printCauses([other]);

  console.log('\nPublished histories, tests/vectors/histories, against check.py:');
  console.log(histories.text.trimEnd());

  console.log('\nPublished vectors, tests/vectors, against opening_hours:');
  const failures = vectors.flatMap(({ failures: list }) => list);
  failures.forEach((line) => console.log(line));
  const counts = { agree: added(vectors, 'agree'), differ: added(vectors, 'differ'), failed: failures.length };
  console.log(`${counts.agree} agree, ${counts.differ} differ as their vectors say, ${counts.failed} failed`);

  const enough = added(results, 'questions') >= FEWEST_QUESTIONS || process.env.CLOCK_CALENDARS !== undefined;
  if (!enough) console.log(`FAILED: fewer than ${FEWEST_QUESTIONS} questions`);
  return explained && otherExplained && enough && histories.code === 0 && counts.agree > 0 && failures.length === 0;
});
