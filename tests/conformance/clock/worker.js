// One zone: asks Secondline and the library the same random questions, and explains where they differ. The variable TZ names the
// zone, because the library reads local time from JavaScript's Date. Prints one JSON object.
//
//   TZ=ZONE node worker.js BINARY SEED CALENDARS

import { Answers, MICROSECONDS } from './answers.js';
import { calendar, FIRST_YEAR, LAST_YEAR, question, visit } from './calendars.js';
import { causeOf, causeOfFailure } from './causes.js';
import { Library, rules } from './library.js';
import { Random } from './random.js';
import { length, reach, within, without } from './stretches.js';
import { ALERTS, happened, stand } from './visits.js';

const QUESTIONS = 40;
const VISITS = 4;
const DAY = 86_400_000;
// Examples that are kept of each cause.
const EXAMPLES = 3;

const zone = process.env.TZ;
const [binary, seed, calendars] = process.argv.slice(2);
const answers = new Answers(binary);
const random = new Random(`${seed} ${zone}`);
const result = { zone, tzdata: process.versions.tz, questions: 0, visits: 0, answers: 0, differ: 0, causes: {}, examples: {}, databaseDays: 0 };

/** The days at whose noon the two sides read different local times. */
async function daysThatDiffer(definition) {
  const noons = [];
  for (let noon = Date.UTC(FIRST_YEAR, 0, 1, 12); noon < Date.UTC(LAST_YEAR + 1, 3, 1); noon += DAY) noons.push(noon);
  const theirs = await answers.ask(definition, noons.map((noon) => ({ offset: noon * MICROSECONDS })));
  const differing = noons.filter((noon, index) => theirs[index] !== -new Date(noon).getTimezoneOffset() * 60);
  return new Set(differing.map((noon) => Math.floor(noon / DAY)));
}

function inMilliseconds(value) {
  if (typeof value === 'number') return value / MICROSECONDS;
  if (Array.isArray(value)) return value.map(inMilliseconds);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, inMilliseconds(inner)]));
}

function latest(values) {
  return Math.max(...JSON.stringify(values).match(/\d{12,}/g).map(Number));
}

/**
 * Explains an answer that differs, by the stretches of time that only one side counts, up to the latest instant in question. Our
 * own answer must follow from what we count, too.
 */
async function explain(definition, differs, what, { ours, theirs, from, library, pauses, follows }) {
  const to = latest([ours, theirs, from, what]) + 1;
  const [open] = await answers.ask(definition, [{ open: [from * MICROSECONDS, to * MICROSECONDS] }]);
  const counted = without(inMilliseconds(open), pauses);
  const theirCounted = library.open(from, to);
  const stretches = [
    ...without(counted, theirCounted).map((stretch) => ({ stretch, ours: true })),
    ...without(theirCounted, counted).map((stretch) => ({ stretch, ours: false })),
  ];
  const causes = new Set(stretches.map(({ stretch, ours: only }) => causeOf(definition, stretch, only, differs) ?? 'unexplained'));
  if (causes.size === 0 || !follows(counted, inMilliseconds(open))) causes.add('unexplained');
  const cause = causes.has('unexplained') ? 'unexplained' : [...causes].sort().join(' + ');
  note(cause, { zone, rules: rules(definition), pauses, what, ours, theirs, stretches });
}

function note(cause, example) {
  result.differ += 1;
  result.causes[cause] = (result.causes[cause] ?? 0) + 1;
  result.examples[cause] ??= [];
  if (result.examples[cause].length < EXAMPLES) result.examples[cause].push(example);
}

/** What the library answers about the time from an instant on, or undefined when it fails, which is noted. */
function attempt(definition, from, ask) {
  try {
    return ask();
  } catch (error) {
    const cause = causeOfFailure(definition, from, error) ?? 'unexplained';
    note(cause, { zone, rules: rules(definition), from, failed: String(error) });
    return undefined;
  }
}

async function compareQuestions(definition, anchor, differs) {
  const library = new Library(rules(definition));
  const questions = Array.from({ length: QUESTIONS }, () => question(random, anchor));
  const given = inMilliseconds(await answers.ask(definition, questions.flatMap(({ start, end, working }) => [
    { between: [start * MICROSECONDS, end * MICROSECONDS] },
    { add: [start * MICROSECONDS, working * MICROSECONDS] },
  ])));
  for (const [index, { start, end, working }] of questions.entries()) {
    const [between, due] = given.slice(2 * index);
    const theirBetween = attempt(definition, start, () => library.between(start, end));
    const theirDue = attempt(definition, start, () => library.add(start, working));
    result.questions += 1;
    result.answers += 2;
    if (theirBetween !== undefined && between !== theirBetween) {
      await explain(definition, differs, { from: start, to: end }, {
        ours: between, theirs: theirBetween, from: start, library, pauses: [],
        follows: (counted) => length(within(counted, start, end)) === between,
      });
    }
    if (theirDue !== undefined && due !== theirDue) {
      await explain(definition, differs, { from: start, working }, {
        ours: due, theirs: theirDue, from: start, library, pauses: [],
        follows: (counted) => reach(counted, start, working) === due,
      });
    }
  }
}

/** Measuring and adding on stretches of time. */
function onStretches(stretches) {
  return {
    between: (from, to) => length(within(stretches, from, to)),
    add: (from, work) => reach(within(stretches, from, Infinity), from, work),
  };
}

async function compareVisits(definition, anchor, differs) {
  const visits = Array.from({ length: VISITS }, () => visit(random, anchor));
  const microseconds = (value) => (value === null ? null : value * MICROSECONDS);
  const given = await answers.ask(definition, visits.map(({ pauses, ...instants }) => ({
    clock: {
      ...Object.fromEntries(Object.entries(instants).map(([name, value]) => [name, microseconds(value)])),
      pauses: pauses.map((pause) => pause.map(microseconds)),
    },
  })));
  const calendar = new Library(rules(definition));
  const workingDay = definition.minutes_per_day * 60_000;
  for (const [index, one] of visits.entries()) {
    const pauses = happened(one);
    const library = pauses.length > 0 ? new Library(rules(definition, pauses)) : calendar;
    const ours = inMilliseconds(given[index]);
    const theirs = stand(one, workingDay, calendar, library);
    result.visits += 1;
    result.answers += Object.keys(theirs).length - 1 + ALERTS.length;
    const text = (values) => JSON.stringify(values, Object.keys(theirs));
    if (text(ours) !== text(theirs)) {
      await explain(definition, differs, one, {
        ours, theirs, from: one.entered, library, pauses,
        follows: (counted, open) => text(stand(one, workingDay, onStretches(open), onStretches(counted))) === text(ours),
      });
    }
  }
}

let differing;
for (let number = 0; number < Number(calendars); number += 1) {
  const { anchor, definition } = calendar(random, zone);
  differing ??= await daysThatDiffer(definition);
  const differs = (instant) => [-1, 0, 1].some((days) => differing.has(Math.floor(instant / DAY) + days));
  await compareQuestions(definition, anchor, differs);
  await compareVisits(definition, anchor, differs);
}
result.databaseDays = differing.size;
answers.close();
console.log(JSON.stringify(result));
