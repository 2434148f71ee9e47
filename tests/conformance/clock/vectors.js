// The published vectors against the library. The variable TZ names the zone, of which all vectors are checked. Prints one JSON object.
//
//   TZ=ZONE node vectors.js ZONE

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

import { CAUSES } from './causes.js';
import { Library, rules } from './library.js';
import { ALERTS, happened, stand } from './visits.js';

const HOUR = 3_600_000;
const folder = join(dirname(fileURLToPath(import.meta.url)), '../../vectors');

/** All vectors, each with its file and its calendar in place of that one's name. */
export function vectors() {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json')).sort();
  return files.flatMap((file) => {
    const { calendars, vectors: list } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    return list.map((vector) => ({ ...vector, file, calendar: { holidays: [], extra: [], ...calendars[vector.calendar] } }));
  });
}

/** The zones that have vectors. */
export function zonesOfVectors() {
  return [...new Set(vectors().map(({ calendar }) => calendar.zone))].sort();
}

function parse(text) {
  return text === null || text === undefined ? null : Date.parse(text);
}

/** The milliseconds of a budget such as P1DT4H30M. */
function milliseconds(text, workingDay) {
  const [, days, hours, minutes, seconds] = text.match(/^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/).map((part) => Number(part ?? 0));
  return days * workingDay + hours * HOUR + minutes * 60_000 + seconds * 1000;
}

/** What the library makes of a vector. */
export function reading({ calendar, budget, deadline_at, entered_at, left_at, pauses = [], now }) {
  const workingDay = calendar.minutes_per_day * 60_000;
  const visit = {
    entered: parse(entered_at), left: parse(left_at), now: parse(now), until: parse(deadline_at),
    budget: budget ? milliseconds(budget, workingDay) : null,
    pauses: pauses.map(({ from, until }) => [parse(from), parse(until)]),
  };
  const hours = new Library(rules(calendar));
  const stood = stand(visit, workingDay, hours, new Library(rules(calendar, happened(visit))));
  return {
    elapsed_seconds: stood.elapsed / 1000,
    remaining_seconds: stood.remaining === null ? null : stood.remaining / 1000,
    status: stood.status, due_at: stood.due, due_if_resumed_at: stood.due_if_resumed, breached_at: stood.breached,
    alerts: Object.fromEntries(ALERTS.map(({ level }, index) => [level, stood.alerts[index]])),
  };
}

/** What a vector expects, in the same form. */
function expected({ expect }) {
  return {
    elapsed_seconds: expect.elapsed_seconds, remaining_seconds: expect.remaining_seconds, status: expect.status,
    due_at: parse(expect.due_at), due_if_resumed_at: parse(expect.due_if_resumed_at), breached_at: parse(expect.breached_at),
    alerts: Object.fromEntries(ALERTS.map(({ level }) => [level, parse(expect.alerts[level])])),
  };
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const result = { agree: 0, differ: 0, failures: [] };
  for (const vector of vectors().filter(({ calendar }) => calendar.zone === argv[2])) {
    const [theirs, ours] = [reading(vector), expected(vector)].map((values) => JSON.stringify(values));
    if (vector.differs === undefined) {
      if (theirs === ours) result.agree += 1;
      else result.failures.push(`FAILED ${vector.file} “${vector.name}”: expected ${ours}, the library says ${theirs}`);
    } else if (theirs !== ours && vector.differs in CAUSES) {
      result.differ += 1;
    } else {
      result.failures.push(`FAILED ${vector.file} “${vector.name}”: said to differ by ${vector.differs}, but does not, or by no known cause`);
    }
  }
  console.log(JSON.stringify(result));
}
