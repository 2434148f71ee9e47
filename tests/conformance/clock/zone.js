// The zone of this process, which the variable TZ names: what JavaScript's own Date says of it.

const HOUR = 3_600_000;

/** By how much local time is ahead of UTC at an instant, in milliseconds. */
export function offset(instant) {
  return -new Date(instant).getTimezoneOffset() * 60_000;
}

const known = new Map();

/** The instants of a year at which the clocks change, each with what the clock is moved by. */
export function clockChanges(year) {
  if (!known.has(year)) {
    const changes = [];
    for (let hour = Date.UTC(year, 0, 1); hour < Date.UTC(year + 1, 0, 1); hour += 24 * HOUR) {
      if (offset(hour) === offset(hour + 24 * HOUR)) continue;
      let [before, after] = [hour, hour + 24 * HOUR];
      while (after - before > 1) {
        const middle = Math.floor((before + after) / 2);
        if (offset(middle) === offset(hour)) before = middle;
        else after = middle;
      }
      changes.push({ at: after, by: offset(after) - offset(before) });
    }
    known.set(year, changes);
  }
  return known.get(year);
}

/** The changes of the clock that are near an instant. */
export function changesNear(instant, within = 50 * HOUR) {
  const year = new Date(instant).getUTCFullYear();
  const candidates = [year - 1, year, year + 1].flatMap(clockChanges);
  return candidates.filter((change) => Math.abs(change.at - instant) <= within);
}

/** The local date and minute of the day that the clock shows, and what is left of the minute. */
export function shown(instant) {
  const local = new Date(instant + offset(instant));
  return { date: local.toISOString().slice(0, 10), minute: local.getUTCHours() * 60 + local.getUTCMinutes() };
}

/** Whether the clock shows the time of an instant twice. */
export function isShownTwice(instant) {
  return changesNear(instant).some((change) => change.by < 0 && Math.abs(instant - change.at) <= -change.by);
}

/** A local time as if it were one of UTC: a date and a minute of the day, which may be the 1440th. */
export function asUtc(date, minute) {
  return Date.parse(`${date}T00:00:00Z`) + minute * 60_000;
}

/** The date so many days later. */
export function dayLater(date, days) {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 24 * HOUR).toISOString().slice(0, 10);
}
