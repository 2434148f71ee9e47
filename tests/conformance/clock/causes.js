// Why the library and Secondline may say different things. A stretch of time that only one of them counts is explained when it
// lies wholly within the time that one of these readings of a local time disputes; anything else is unexplained, and a failure.

import { asUtc, changesNear, offset, shown } from './zone.js';

export const CAUSES = {
  twice: 'closing time shown twice: Secondline closes at the second showing, the library at the first',
  opening: 'opening time skipped: Secondline opens when the clock jumps, the library as much later as the time lies in the gap',
  closing: 'closing time skipped: Secondline closes when the clock jumps, the library as much later as the time lies in the gap',
  stuck: 'asked in the second showing of an hour in which a window opens: the library stops with “infinite loop in nextChange”',
  database: 'time-zone database: the two releases differ about this date',
};

const DAY = 24 * 60 * 60 * 1000;

function minuteOf(time) {
  const [hour, minute] = time.split(':').map(Number);
  return hour * 60 + minute;
}

/** The local times, as if of UTC, at which something opens or closes on a date. */
function edges(definition, date) {
  const weekday = new Date(`${date}T00:00:00Z`).toUTCString().slice(0, 3);
  const windows = [
    ...definition.week.filter(({ day }) => day === weekday),
    ...definition.extra.filter(({ on }) => on === date),
  ];
  const closed = definition.holidays.filter(({ on, closed: hours }) => on === date && hours).map(({ closed: hours }) => hours);
  const local = (times) => times.map((time) => asUtc(date, minuteOf(time)));
  return {
    openings: local([...windows.map(({ from }) => from), ...closed.map(({ to }) => to)]),
    closings: local([...windows.map(({ to }) => to), ...closed.map(({ from }) => from)]),
  };
}

/** The times that the readings of local times around one change of the clock dispute, with the cause and who counts them. */
function disputed(definition, { at, by }) {
  const ahead = offset(at - 1);
  // Of the date before, too: its 24:00 is the midnight that a clock may show twice, or skip.
  const dates = new Set([at - 1 - DAY, at - 1, at].map((instant) => shown(instant).date));
  const all = [...dates].map((date) => edges(definition, date));
  const within = (list, from, length) => list.filter((time) => from <= time && time < from + length);
  if (by < 0) {
    const twice = within(all.flatMap(({ closings }) => closings), at + ahead + by, -by);
    return twice.map((time) => ({ cause: 'twice', ours: true, from: time - ahead, to: time - ahead - by }));
  }
  const skipped = (list) => within(list, at + ahead, by).map((time) => ({ from: at, to: time - ahead }));
  return [
    ...skipped(all.flatMap(({ openings }) => openings)).map((time) => ({ cause: 'opening', ours: true, ...time })),
    ...skipped(all.flatMap(({ closings }) => closings)).map((time) => ({ cause: 'closing', ours: false, ...time })),
  ];
}

/** The cause of a stretch that only we (`ours`) or only the library counts; nothing if there is none. */
export function causeOf(definition, [from, to], ours, databaseDiffers) {
  if (databaseDiffers(from) || databaseDiffers(to)) return 'database';
  const all = changesNear(from).flatMap((change) => disputed(definition, change));
  return all.find((stretch) => stretch.ours === ours && stretch.from <= from && to <= stretch.to)?.cause;
}

/** Why the library gave no answer about the time from an instant on; nothing if it should have. */
export function causeOfFailure(definition, from, error) {
  if (!String(error).includes('infinite loop in nextChange')) return undefined;
  const secondShowing = ({ at, by }) => by < 0 && at <= from && from < at - by;
  const opens = ({ at, by }) => {
    const begins = at + offset(at - 1) + by;
    return edges(definition, shown(at).date).openings.some((time) => begins <= time && time < begins - by);
  };
  return changesNear(from).some((change) => secondShowing(change) && opens(change)) ? 'stuck' : undefined;
}
