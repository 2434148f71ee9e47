// Random calendars and random questions about them.

import { clockChanges, dayLater, isShownTwice, shown } from './zone.js';

export const FIRST_YEAR = 2016;
export const LAST_YEAR = 2030;

const WEEK = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A minute of the day as calendars write it. */
export function timeOfDay(minute) {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

// In steps of five minutes. Clocks change in the first hours of the day: a quarter of the windows begin there, or all of them lie there.
function window(random) {
  const from = random.whole(0, random.chance(25) ? 4 * 12 : 24 * 12 - 1);
  const to = random.whole(from + 1, from < 4 * 12 && random.chance(50) ? 5 * 12 : 24 * 12);
  return { from: timeOfDay(from * 5), to: timeOfDay(to * 5) };
}

function onDays(days, windows) {
  return days.flatMap((day) => windows.map(([from, to]) => ({ day, from, to })));
}

function week(random) {
  switch (random.whole(1, 8)) {
    case 1: return onDays(WEEK.slice(0, 5), [['09:00', '17:00']]);
    case 2: return onDays(WEEK.slice(0, 5), [['08:30', '12:00'], ['12:45', '17:15']]);
    case 3: return onDays(WEEK, [['00:00', '06:00'], ['22:00', '24:00']]);
    case 4: return onDays(WEEK, [['00:00', '24:00']]);
    case 5: return [...onDays(WEEK.slice(1, 6), [['00:00', '02:30']]), ...onDays(WEEK.slice(0, 5), [['18:15', '24:00']])];
    default:
      return Array.from({ length: random.whole(1, 12) }, () => ({ day: random.one(WEEK), ...window(random) }));
  }
}

/** A calendar with holidays and extra openings around an instant, and that instant. */
export function calendar(random, zone) {
  let anchor = Date.UTC(random.whole(FIRST_YEAR, LAST_YEAR), 0, 1) + random.whole(0, 364) * DAY;
  const changes = clockChanges(new Date(anchor).getUTCFullYear());
  // A clock changes twice a year: without help few questions would be about it.
  if (changes.length > 0 && random.chance(50)) anchor = random.one(changes).at - random.whole(0, 3) * DAY;
  const near = () => dayLater(shown(anchor).date, random.whole(-3, 25));
  const holidays = Array.from({ length: random.whole(0, 7) }, () => ({
    on: near(), name: 'holiday', ...(random.chance(50) ? { closed: window(random) } : {}),
  }));
  const extra = Array.from({ length: random.whole(0, 3) }, () => ({ on: near(), name: 'extra', ...window(random) }));
  return { anchor, definition: { zone, minutes_per_day: random.one([450, 480, 600, 1440]), week: week(random), holidays, extra } };
}

/** A start near an instant, an end after it, and an amount of work, in milliseconds. */
export function question(random, anchor) {
  const start = anchor + random.whole(-2 * DAY, 20 * DAY);
  const longest = random.one([8 * HOUR, 3 * DAY, 10 * DAY, 10 * DAY, 30 * DAY]);
  const mostWork = random.one([2 * HOUR, 16 * HOUR, 40 * HOUR]);
  return { start, end: start + random.whole(0, longest), working: random.whole(0, mostWork) };
}

// The library reads a pause from the wall clock, which cannot say which of two hours is meant.
function wholeMinute(random, from, within) {
  for (;;) {
    const instant = Math.floor((from + random.whole(0, within)) / MINUTE) * MINUTE;
    if (!isShownTwice(instant)) return instant;
  }
}

/** A visit with pauses, seen at some time: everything on whole minutes, as pauses are. */
export function visit(random, anchor) {
  const entered = wholeMinute(random, anchor - 2 * DAY, 20 * DAY);
  const pauses = Array.from({ length: random.whole(0, 4) }, () => {
    const from = wholeMinute(random, entered - 10 * HOUR, 5 * DAY);
    return [from, wholeMinute(random, from, random.one([2 * HOUR, 20 * HOUR, 4 * DAY]))];
  });
  if (random.chance(25)) pauses.push([wholeMinute(random, entered, 5 * DAY), null]);
  const left = random.chance(40) ? wholeMinute(random, entered, 9 * DAY) : null;
  // Three quarters of whole minutes are whole milliseconds.
  const deadline = random.chance(20);
  const budget = deadline ? null : random.whole(1, 40 * 60) * MINUTE;
  const until = deadline ? wholeMinute(random, entered, 6 * DAY) : null;
  return { entered, left, pauses, budget, until, now: wholeMinute(random, entered, 14 * DAY) };
}
