// The npm package opening_hours, which evaluates OpenStreetMap's opening hours: the calendar in its language, and its answers.

import OpeningHours from 'opening_hours';

import { dayLater, shown } from './zone.js';
import { timeOfDay } from './calendars.js';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function written(date) {
  const [year, month, day] = date.split('-');
  return `${year} ${MONTHS[Number(month) - 1]} ${day}`;
}

/** A pause as closures of dates and parts of them. */
function closures(from, until) {
  const [begins, ends] = [shown(from), shown(until)];
  if (begins.date === ends.date) {
    return begins.minute < ends.minute
      ? [`${written(begins.date)} ${timeOfDay(begins.minute)}-${timeOfDay(ends.minute)} off`] : [];
  }
  const rules = [`${written(begins.date)} ${timeOfDay(begins.minute)}-24:00 off`];
  for (let date = dayLater(begins.date, 1); date < ends.date; date = dayLater(date, 1)) rules.push(`${written(date)} off`);
  if (ends.minute > 0) rules.push(`${written(ends.date)} 00:00-${timeOfDay(ends.minute)} off`);
  return rules;
}

/** The rules of a calendar: the week, what closes parts of it, what opens besides, and pauses, which close even that. */
export function rules(definition, pauses = []) {
  const days = new Map();
  for (const { day, from, to } of definition.week) {
    days.set(day.slice(0, 2), [...(days.get(day.slice(0, 2)) ?? []), `${from}-${to}`]);
  }
  const weekly = [...days].map(([day, windows]) => `${day} ${windows.join(',')}`);
  const closed = definition.holidays.map(({ on, closed: hours }) =>
    `${written(on)}${hours ? ` ${hours.from}-${hours.to}` : ''} off`);
  const extra = definition.extra.map(({ on, from, to }) => `${written(on)} ${from}-${to}`);
  const paused = pauses.flatMap(([from, until]) => closures(from, until));
  // A comma adds to the rules before it; after a semicolon a rule replaces them on its dates, but “off” closes only its hours.
  return [[...weekly, ...closed].join('; '), ...extra].join(', ') + paused.map((rule) => `; ${rule}`).join('');
}

/** A calendar as the library understands it. */
export class Library {
  #hours;

  constructor(text) {
    this.#hours = new OpeningHours(text);
  }

  /** The working time from one instant to another, in milliseconds; the wrong way round, which the library does not refuse, none. */
  between(from, to) {
    if (to <= from) return 0;
    return this.#hours.getOpenDuration(new Date(from), new Date(to))[0];
  }

  /** The open stretches from one instant to another. */
  open(from, to) {
    return this.#hours.getOpenIntervals(new Date(from), new Date(to)).map(([start, end]) => [start.getTime(), end.getTime()]);
  }

  /** The instant by which so much has been worked. The library walks from change to change, and so do we. */
  add(start, working) {
    if (working <= 0) return start;
    const at = this.#hours.getIterator(new Date(start));
    let [here, left] = [start, working];
    for (;;) {
      const open = at.getState();
      const there = at.advance() ? at.getDate().getTime() : Infinity;
      if (open && left <= there - here) return here + left;
      if (there === Infinity) throw new Error('the library sees no more working time');
      if (open) left -= there - here;
      here = there;
    }
  }
}
