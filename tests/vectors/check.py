"""Says of each vector in `histories` what it expects, without Secondline, and compares.

A second reading of README.md, by counting: it goes through a stay in minutes and asks of each whether it is worked, where
Secondline computes with stretches of time. Local time is that of Python's zoneinfo. What must be is written in the vectors.

    python3 check.py        prints what differs, and how many agree; ends with 1 if one does not
"""

import datetime
import json
import pathlib
import re
import sys
from zoneinfo import ZoneInfo

UTC = datetime.timezone.utc
# All that the vectors state lies on whole minutes.
TICK = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)
# Longer than any stay in the vectors.
HORIZON = 60 * DAY
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def instant(text):
    return None if text is None else datetime.datetime.fromisoformat(text).astimezone(UTC)


def minute(text):
    hour, minutes = text.split(":")
    return int(hour) * 60 + int(minutes)


class Calendar:
    """One version of a calendar: which ticks are worked."""

    def __init__(self, definition):
        self.definition = definition
        self.zone = ZoneInfo(definition["zone"])
        self.day = definition["minutes_per_day"] * 60
        self.known, self.worked = {}, {}

    def local(self, at):
        return at.astimezone(self.zone)

    def instant(self, date, minutes, closes):
        """When the local clock shows a time: the first showing of an opening, the second of a closing, the end of a gap."""
        naive = datetime.datetime.combine(date, datetime.time()) + datetime.timedelta(minutes=minutes)
        at = naive.replace(tzinfo=self.zone, fold=int(closes)).astimezone(UTC)
        if at.astimezone(self.zone).replace(tzinfo=None) == naive:
            return at
        # A time that is not shown: from well before it up to the first instant that shows a later one.
        at = naive.replace(tzinfo=UTC) - 2 * DAY
        while at.astimezone(self.zone).replace(tzinfo=None) < naive:
            at += datetime.timedelta(minutes=1)
        return at

    def usual(self, date):
        """The minutes of a date that its weekday works."""
        windows = [window for window in self.definition["week"] if window["day"] == WEEKDAYS[date.weekday()]]
        return {now for window in windows for now in range(minute(window["from"]), minute(window["to"]))}

    def closed(self, holiday):
        hours = holiday.get("closed") or {"from": "00:00", "to": "24:00"}
        return set(range(minute(hours["from"]), minute(hours["to"])))

    def holidays(self, date):
        return [holiday for holiday in self.definition.get("holidays", []) if holiday["on"] == date.isoformat()]

    def windows(self, date):
        """The stretches of a date that are worked, as instants."""
        if date not in self.known:
            minutes = self.usual(date)
            for holiday in self.holidays(date):
                minutes -= self.closed(holiday)
            for extra in self.definition.get("extra", []):
                if extra["on"] == date.isoformat():
                    minutes |= set(range(minute(extra["from"]), minute(extra["to"])))
            starts = sorted(now for now in minutes if now - 1 not in minutes)
            ends = sorted(now + 1 for now in minutes if now + 1 not in minutes)
            self.known[date] = [(self.instant(date, one, False), self.instant(date, other, True))
                                for one, other in zip(starts, ends)]
        return self.known[date]

    def works(self, at):
        if at not in self.worked:
            date = self.local(at).date()
            self.worked[at] = any(start <= at < end for day in (date - DAY, date) for start, end in self.windows(day))
        return self.worked[at]

    def holiday(self, at, until):
        """The name of the holiday that closes usual hours in a closed stretch of one date."""
        date = self.local(at).date()
        overlaps = lambda minutes: any(
            at < self.instant(date, now + 1, True) and self.instant(date, now, False) < until for now in minutes)
        if overlaps(self.usual(date)):
            for holiday in self.holidays(date):
                if overlaps(self.closed(holiday)):
                    return holiday["name"]
        return None


def seconds(length, day):
    """A budget such as P1DT4H30M, where a day is so many seconds."""
    parts = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", length).groups("0")
    days, hours, minutes, rest = map(int, parts)
    return days * day + hours * 3600 + minutes * 60 + rest


class Stay:
    """A stay in a stage, told event by event."""

    def __init__(self, file):
        self.file = file
        self.eras, self.pauses = [], []
        self.entered = self.left = self.breached = self.override = self.original = None

    def calendar(self, at):
        return [calendar for since, calendar in self.eras if since <= at or since == self.eras[0][0]][-1]

    def works(self, at):
        return self.calendar(at).works(at)

    def stands(self, now):
        return self.left or now

    def pause(self, at, now):
        """The pause that holds the clock at an instant, as it is known now: of several the one that began first."""
        end = self.stands(now)
        if at >= end:
            return None
        ends = lambda pause: pause["until"] or pause["resume_at"] or end
        holds = [pause for pause in self.pauses if max(pause["from"], self.entered) <= at < ends(pause)]
        return min(holds, key=lambda pause: pause["from"], default=None)

    def runs(self, at, now):
        return self.works(at) and self.pause(at, now) is None

    def paused(self, now):
        ends = lambda pause: pause["until"] or pause["resume_at"]
        return self.left is None and any(
            pause["from"] <= now and (ends(pause) is None or now < ends(pause)) for pause in self.pauses)

    def elapsed(self, now):
        return self.count(self.entered, self.stands(now), lambda at: self.runs(at, now))

    def count(self, start, end, counts):
        ticks, at = 0, start
        while at < end:
            ticks += counts(at)
            at += TICK
        return ticks * TICK.seconds

    def after(self, start, length, counts):
        """The first instant by which so many seconds were counted."""
        at = start
        while length > 0:
            assert at < self.entered + HORIZON, "it never ends"
            length -= TICK.seconds * counts(at)
            at += TICK
        return at

    def budget(self):
        """The most specific one that matches."""
        matching = [rule for rule in self.policy["budgets"]
                    if rule.get("priority") in (None, self.priority) and rule.get("tier") in (None, self.tier)]
        return max(matching, key=lambda rule: ("priority" in rule) + ("tier" in rule))["budget"]

    def length(self, text):
        return seconds(text, self.eras[-1][1].day)

    def due(self, now):
        """When it has to be over, if it went on now."""
        if self.override:
            return self.override
        budget = self.budget()
        return None if budget is None else self.after(self.entered, self.length(budget), lambda at: self.runs(at, now))

    def settled(self, at, now):
        moves = self.override is None and self.paused(now) and at is not None and now < at
        return None if moves else at

    def alert(self, rule, now):
        due = self.due(now)
        if due is None:
            return None
        if "percent_used" in rule and self.override:
            whole = self.count(self.entered, due, self.works)
            return self.after(self.entered, whole * rule["percent_used"] / 100, self.works) if whole else None
        if "overdue_by" in rule and self.override:
            return self.after(due, self.length(rule["overdue_by"]), self.works)
        if self.override:
            return due
        budget = self.length(self.budget())
        worked = budget * rule["percent_used"] / 100 if "percent_used" in rule else budget
        worked += self.length(rule["overdue_by"]) if "overdue_by" in rule else 0
        return self.settled(self.after(self.entered, worked, lambda at: self.runs(at, now)), now)

    def note(self, now):
        """A due instant that passed is a breach, and stays one."""
        due = self.due(now)
        if self.breached is None and due is not None and due < self.stands(now):
            self.breached = due
        if self.original is None:
            self.original = self.settled(due, now)

    def named(self, name):
        return Calendar(self.file["calendars"][name])

    def follow(self, since, calendar):
        self.eras = [era for era in self.eras if era[0] < since] + [(since, calendar)]

    def tell(self, event):
        at, kind = instant(event["at"]), event["event"]
        if kind != "ENTER":
            self.note(at)
        if kind == "ENTER":
            self.entered, self.policy = at, self.file["policies"][event["policy"]]
            self.priority, self.tier = event.get("priority"), event.get("tier")
            self.since, self.calendar_name = at, self.policy["calendar"]
            self.eras = [(at, self.named(self.calendar_name))]
        elif kind == "PAUSE":
            self.pauses.append({"from": at, "until": None, "reason": event["reason"], "resume_at": instant(event.get("resume_at"))})
        elif kind == "RESUME":
            for pause in self.pauses:
                if pause["until"] is None and pause["reason"] == event["reason"]:
                    pause["until"] = min(at, pause["resume_at"] or at)
        elif kind == "PRIORITY":
            self.priority = event["priority"]
        elif kind == "POLICY":
            self.policy = self.file["policies"][event["policy"]]
            if self.policy["calendar"] != self.calendar_name:
                self.since, self.calendar_name = at, self.policy["calendar"]
                self.follow(at, self.named(self.calendar_name))
        elif kind == "CALENDAR":
            self.follow(max(instant(event["effective_at"]), self.since), self.named(event["version"]))
        elif kind == "OVERRIDE":
            self.override = instant(event["due_at"])
        elif kind == "LEAVE":
            for pause in self.pauses:
                pause["until"] = pause["until"] or min(at, pause["resume_at"] or at)
            self.left = at
        else:
            raise ValueError(kind)
        self.note(at)

    def explain(self, now):
        """What each tick up to the due time is, and ticks that are alike together."""
        due = self.due(now)
        until = max(due or self.stands(now), self.entered)
        pieces, at = [], self.entered
        while at < until:
            held, calendar = self.pause(at, now), self.calendar(at)
            date, era = calendar.local(at).date(), calendar
            kind = "PAUSED " + held["reason"] if held else "WORKING" if calendar.works(at) else "CLOSED"
            # A pause is one piece; the hours of a date and of a version are one each.
            key = (kind,) if held else (kind, date, id(era) if kind == "WORKING" else None)
            if pieces and pieces[-1]["key"] == key:
                pieces[-1]["to"] = at + TICK
            else:
                pieces.append({"key": key, "from": at, "to": at + TICK, "calendar": calendar})
            at += TICK
        segments = []
        for piece in pieces:
            why = piece["key"][0]
            if why == "CLOSED":
                holiday = piece["calendar"].holiday(piece["from"], piece["to"])
                why = "HOLIDAY " + holiday if holiday else "OUTSIDE_HOURS"
            if segments and segments[-1]["why"] == why != "WORKING":
                segments[-1]["to"] = piece["to"]
            else:
                segments.append({"from": piece["from"], "to": piece["to"], "why": why})
        return segments

    def status(self, now):
        due, warnings = self.due(now), [rule for rule in self.policy["alerts"] if rule["level"] == "WARNING"]
        if self.left:
            return "MISSED" if self.breached else "MET" if due else "NONE"
        if self.breached:
            return "BREACHED"
        if due is None:
            return "NONE"
        if self.paused(now):
            return "PAUSED"
        warned = [self.alert(rule, now) for rule in warnings]
        return "WARNING" if any(at is not None and at <= now for at in warned) else "ON_TRACK"

    def stand(self, now):
        """Everything that a vector expects; instants in the zone of the calendar."""
        self.note(now)
        zone = self.eras[-1][1].zone
        written = lambda at: None if at is None else at.astimezone(zone).isoformat()
        due = self.due(now)
        segments = [{
            "from": written(one["from"]), "to": written(one["to"]),
            "counted_seconds": int((one["to"] - one["from"]).total_seconds()) if one["why"] == "WORKING" else 0,
            "why": one["why"],
        } for one in self.explain(now)]
        return {
            "budget": self.budget(),
            "elapsed_seconds": self.elapsed(now),
            "status": self.status(now),
            "due_at": written(self.settled(due, now)),
            "original_due_at": written(self.original),
            "due_if_resumed_at": written(due) if self.paused(now) else None,
            "breached_at": written(self.breached),
            "alerts": {rule["level"]: written(self.alert(rule, now)) for rule in self.policy["alerts"]},
            "explain": segments,
        }


def stand(file, vector):
    stay = Stay(file)
    for event in vector["events"]:
        stay.tell(event)
    return stay.stand(instant(vector["now"]))


def same(one, other):
    """Whether two expectations are one; of an instant, its offset does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, str) and isinstance(other, str) and re.match(r"\d{4}-\d\d-\d\dT", one):
        return instant(one) == instant(other)
    return one == other


def main():
    agree, failed = 0, 0
    for path in sorted(pathlib.Path(__file__).parent.glob("histories/*.json")):
        file = json.loads(path.read_text(encoding="utf-8"))
        for vector in file["vectors"]:
            given = stand(file, vector)
            if same(given, vector["expect"]):
                agree += 1
                continue
            failed += 1
            print(f"FAILED {path.name} “{vector['name']}”:")
            for name in given:
                if not same(given[name], vector["expect"].get(name)):
                    print(f"  {name}: expected {json.dumps(vector['expect'].get(name))}, counted {json.dumps(given[name])}")
    print(f"{agree} agree, {failed} failed")
    return failed == 0 and agree > 0


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
