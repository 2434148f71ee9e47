// How a visit's clock stands, from nothing but ways to measure and to add working time. DESIGN.md, “The SLA clock”, and the README
// of tests/vectors say the rules.

/** The alert levels: at a share of the budget, or so many working days after the due instant. */
export const ALERTS = [
  { level: 'WARNING', percent: 75 },
  { level: 'BREACH', percent: 100 },
  { level: 'ESCALATION_TWO', days: 1 },
  { level: 'ESCALATION_THREE', days: 3 },
];

/** The pauses within a visit, up to when it is looked at: what lies ahead has not happened. */
export function happened({ entered, left, pauses, now }) {
  const end = left ?? now;
  const clipped = pauses.map(([from, until]) => [Math.max(from, entered), Math.min(until ?? end, end)]);
  return clipped.filter(([from, until]) => from < until);
}

/**
 * Everything there is to know of a visit, in milliseconds. `calendar` measures and adds working time, `running` that which is not
 * paused either.
 */
export function stand({ entered, left, pauses, budget, until, now }, workingDay, calendar, running) {
  const end = left ?? now;
  const paused = left === null && pauses.some(([from, to]) => from <= now && (to === null || now < to));
  // While paused nobody knows an instant that working time must still reach.
  const settled = (instant) => (paused && instant !== null && now < instant ? null : instant);
  const elapsed = running.between(entered, end);
  let [due, remaining, alerts] = [null, null, ALERTS.map(() => null)];
  if (until !== null) {
    due = until;
    remaining = calendar.between(end, until) - calendar.between(until, end);
    const whole = calendar.between(entered, until);
    alerts = ALERTS.map(({ percent, days }) => {
      if (days) return calendar.add(until, days * workingDay);
      if (percent === 100) return until;
      return whole > 0 ? calendar.add(entered, (whole * percent) / 100) : null;
    });
  } else if (budget !== null) {
    due = running.add(entered, budget);
    remaining = budget - elapsed;
    alerts = ALERTS.map(({ percent, days }) =>
      settled(running.add(entered, percent ? (budget * percent) / 100 : budget + days * workingDay)));
  }
  const breached = due !== null && due < end ? due : null;
  const status = () => {
    if (due === null) return 'NONE';
    if (left !== null) return breached === null ? 'MET' : 'MISSED';
    if (breached !== null) return 'BREACHED';
    if (paused) return 'PAUSED';
    return alerts[0] !== null && alerts[0] <= now ? 'WARNING' : 'ON_TRACK';
  };
  return {
    elapsed, remaining, due: until === null ? settled(due) : due, due_if_resumed: paused ? due : null, breached, paused,
    status: status(), alerts,
  };
}
