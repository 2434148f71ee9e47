"""The second implementation: the PyPI package businesstimedelta, which adds and measures by itself, on pytz.

Asks it and Secondline the same random questions in ten zones, and explains where they differ. What it can say is less: windows
that end before midnight, a lunch break within one, whole holidays. Prints one JSON object.

    python businesstimedelta_worker.py BINARY SEED CALENDARS ZONE…
"""

import datetime
import json
import random
import subprocess
import sys

import businesstimedelta
import pytz

QUESTIONS = 20
FIRST_YEAR, LAST_YEAR = 2016, 2030
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=pytz.utc)
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
EXAMPLES = 3

CAUSES = {
    "opening twice": "opening time shown twice: Secondline opens at the first showing, the library at the second",
    "closing twice": "closing time shown twice: Secondline closes at the second showing, the library at the first",
    "opening skipped": "opening time skipped: Secondline opens when the clock jumps, the library as much later as the time lies in the gap",
    "closing skipped": "closing time skipped: Secondline closes when the clock jumps, the library as much later as the time lies in the gap",
    "database": "time-zone database: the two releases differ about this date",
    "long holiday": "holiday on the date of a clock change: the library closes 24 hours from its first midnight, not the local date",
}


class Answers:
    """The Rust side, asked line by line."""

    def __init__(self, binary):
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, calendar, questions):
        self.process.stdin.write(json.dumps({"calendar": calendar, "ask": questions}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def microseconds(value):
    span = value - EPOCH if isinstance(value, datetime.datetime) else value
    return span // datetime.timedelta(microseconds=1)


def instant(value):
    return EPOCH + datetime.timedelta(microseconds=value)


def clock_changes(zone):
    """The instants at which the zone changes its clock, each with the offsets before and after it."""
    if not hasattr(zone, "_utc_transition_times"):
        return []
    offsets = [offset for offset, _, _ in zone._transition_info]
    changes = zip(zone._utc_transition_times[1:], offsets, offsets[1:])
    return [(pytz.utc.localize(at), before, after) for at, before, after in changes
            if before != after and FIRST_YEAR <= at.year <= LAST_YEAR + 1]


def days_that_differ(answers, zone):
    """The days at whose noon the two time-zone databases show different local times."""
    noons = [datetime.datetime(FIRST_YEAR, 1, 1, 12, tzinfo=pytz.utc) + days * DAY for days in range(366 * 16)]
    week = [{"day": "Mon", "from": "00:00", "to": "24:00"}]
    definition = {"zone": zone.zone, "minutes_per_day": 480, "week": week}
    offsets = answers.ask(definition, [{"offset": microseconds(noon)} for noon in noons])
    return {noon.date() for noon, offset in zip(noons, offsets)
            if noon.astimezone(zone).utcoffset() != datetime.timedelta(seconds=offset)}


def five_minutes(count):
    return datetime.time(count // 12, count % 12 * 5)


def windows(numbers):
    """One to three disjoint windows of a day that end before midnight, or one with a lunch break within."""
    first, last = (0, 60) if numbers.random() < 0.25 else (0, 287)
    edges = sorted(numbers.sample(range(first, last + 1), 2 * numbers.randint(1, 3)))
    return [(five_minutes(start), five_minutes(end)) for start, end in zip(edges[::2], edges[1::2])]


def make_calendar(numbers, zone, changes):
    anchor = datetime.datetime(numbers.randint(FIRST_YEAR, LAST_YEAR), 1, 1, tzinfo=pytz.utc) + numbers.randint(0, 364) * DAY
    of_year = [at for at, _, _ in changes if at.year == anchor.year]
    if of_year and numbers.random() < 0.5:
        anchor = numbers.choice(of_year) - numbers.randint(0, 3) * DAY
    days = sorted(numbers.sample(range(7), numbers.randint(1, 7)))
    hours = windows(numbers)
    holidays = {anchor.date() + numbers.randint(-3, 25) * DAY for _ in range(numbers.randint(0, 7))}
    # It looks for the next holiday one date after the other and fails where there is none: one after all questions.
    holidays.add(anchor.date() + 120 * DAY)
    lunch = len(hours) == 2 and numbers.random() < 0.5
    if lunch:
        (opening, start), (end, closing) = hours
        rules = [businesstimedelta.WorkDayRule(opening, closing, days, tz=zone),
                 businesstimedelta.LunchTimeRule(start, end, days, tz=zone)]
    else:
        rules = [businesstimedelta.WorkDayRule(start, end, days, tz=zone) for start, end in hours]
    rules.append(businesstimedelta.HolidayRule(holidays, tz=zone))
    week = [{"day": DAYS[day], "from": f"{start:%H:%M}", "to": f"{end:%H:%M}"} for day in days for start, end in hours]
    definition = {
        "zone": zone.zone, "minutes_per_day": 480, "week": week, "extra": [],
        "holidays": [{"on": day.isoformat(), "name": "holiday"} for day in sorted(holidays)],
    }
    return anchor, definition, businesstimedelta.Rules(rules), days, hours, holidays


def stretches_of(rules, start, end):
    """What the library counts, by its own walk."""
    found, at = [], start
    while at < end:
        opening, closing = rules.next(at)
        if opening < end:
            found.append((opening, min(closing, end)))
        at = closing
    return found


def without(some, others):
    left = some
    for start, end in others:
        parts = [part for one in left for part in ((one[0], min(one[1], start)), (max(one[0], end), one[1]))]
        left = [part for part in parts if part[0] < part[1]]
    return left


def disputed(zone_changes, days, hours, holidays):
    """The times that the readings around clock changes dispute: cause, whether only we count it, from, to."""
    for at, before, after in zone_changes:
        ahead = at.replace(tzinfo=None) + before
        dates = {(at + offset - HOUR / 3600).date() for offset in (before, after)} | {(at + after).date()}
        for date in dates:
            for closing, edge in [(closing, edge) for hour in hours for closing, edge in enumerate(hour)]:
                local = datetime.datetime.combine(date, edge)
                name = "closing" if closing else "opening"
                if after < before and ahead - (before - after) <= local < ahead:
                    first = pytz.utc.localize(local - before)
                    yield name + " twice", True, first, first + (before - after)
                if after > before and ahead <= local < ahead + (after - before):
                    yield name + " skipped", not closing, at, pytz.utc.localize(local - before)
            if date in holidays:
                # Local midnight plus 24 hours, and the end of the date, whichever is later.
                midnight = datetime.datetime.combine(date + DAY, datetime.time())
                one, other = sorted((pytz.utc.localize(midnight - after), pytz.utc.localize(midnight - before)))
                yield "long holiday", after > before, one, other


def main(binary, seed, calendars, names):
    answers = Answers(binary)
    result = {"package": "businesstimedelta", "tzdata": pytz.OLSON_VERSION, "zones": len(names), "questions": 0,
              "answers": 0, "differ": 0, "causes": {}, "about": CAUSES, "examples": {}}

    def explain(context, what, ours, theirs, start, end):
        definition, rules, days, hours, holidays, changes, differing = context
        upper = end + datetime.timedelta(microseconds=1)
        (open_,) = answers.ask(definition, [{"open": [microseconds(start), microseconds(upper)]}])
        ours_open = [(instant(a), instant(b)) for a, b in open_]
        theirs_open = stretches_of(rules, start, upper)
        only = [(True, part) for part in without(ours_open, theirs_open)]
        only += [(False, part) for part in without(theirs_open, ours_open)]
        near = [change for change in changes if start - 3 * DAY <= change[0] <= end + 3 * DAY]
        known = list(disputed(near, days, hours, holidays))
        causes = set()
        for mine, (opening, closing) in only:
            if any(edge.date() + nearby * DAY in differing for edge in (opening, closing) for nearby in (-1, 0, 1)):
                causes.add("database")
                continue
            found = [name for name, who, first, last in known if who == mine and first <= opening and closing <= last]
            causes.add(found[0] if found else "unexplained")
        if not causes:
            causes.add("unexplained")
        cause = "unexplained" if "unexplained" in causes else " + ".join(sorted(causes))
        result["differ"] += 1
        result["causes"][cause] = result["causes"].get(cause, 0) + 1
        kept = result["examples"].setdefault(cause, [])
        if len(kept) < EXAMPLES:
            kept.append({"calendar": definition, "what": what, "ours": str(ours), "theirs": str(theirs),
                         "only": [(mine, str(a), str(b)) for mine, (a, b) in only]})

    for name in names:
        zone = pytz.timezone(name)
        changes = clock_changes(zone)
        differing = days_that_differ(answers, zone)
        numbers = random.Random(f"{seed} {name}")
        for _ in range(calendars):
            anchor, definition, rules, days, hours, holidays = make_calendar(numbers, zone, changes)
            context = (definition, rules, days, hours, holidays, changes, differing)
            minutes = [time.hour * 60 + time.minute for hour in hours for time in hour]
            week_seconds = len(days) * 60 * (sum(minutes[1::2]) - sum(minutes[::2]))
            # Not beyond the last holiday.
            most_work = min(16 * 3600, 2 * week_seconds)
            questions = []
            for _ in range(QUESTIONS):
                # Whole seconds: what it measures has no parts of them.
                start = anchor + datetime.timedelta(seconds=numbers.randint(-2 * 86400, 20 * 86400))
                end = start + datetime.timedelta(seconds=numbers.randint(0, numbers.choice((8, 72, 240)) * 3600))
                questions.append((start, end, datetime.timedelta(seconds=numbers.randint(0, most_work))))
            given = answers.ask(definition, [ask for start, end, work in questions for ask in (
                {"between": [microseconds(start), microseconds(end)]},
                {"add": [microseconds(start), microseconds(work)]},
            )])
            for index, (start, end, work) in enumerate(questions):
                between, due = datetime.timedelta(microseconds=given[2 * index]), instant(given[2 * index + 1])
                result["questions"] += 1
                result["answers"] += 2
                their_between = rules.difference(start, end).timedelta
                their_due = start + businesstimedelta.BusinessTimeDelta(rules, timedelta=work) if work else start
                if between != their_between:
                    explain(context, f"between {start} and {end}", between, their_between, start, end)
                if due != their_due:
                    explain(context, f"{start} + {work}", due, their_due, start, max(due, their_due))
    answers.process.stdin.close()
    print(json.dumps(result))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
