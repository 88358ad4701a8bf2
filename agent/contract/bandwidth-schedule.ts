/** One line of a schedule: on these days, in these hours, this much. */
export interface BandwidthRule {
  /** 0 = Sunday … 6 = Saturday. Of a time that passes midnight, the days on which it begins. */
  days: readonly number[];
  /** Minutes of the local day; `toMinute` ≤ `fromMinute`: until that time of the next day. */
  fromMinute: number;
  toMinute: number;
  /** null = no limit. */
  megabitsPerSecond: number | null;
}

/** What a schedule's text says, or what is wrong with it in words that follow the key's name. */
export type ParsedSchedule = { ok: true; rules: BandwidthRule[] } | { ok: false; problem: string };

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const ALL_DAYS = [0, 1, 2, 3, 4, 5, 6];
const DAY_MINUTES = 24 * 60;
/** More than any network card; keeps arithmetic in whole numbers. */
export const MOST_MEGABITS = 400_000;
const EXAMPLE = 'such as "Mon-Fri 08:00-18:00 200; Sat,Sun unlimited"';

/**
 * Parses a schedule: rules divided by `;`, each `[days] [hours] limit`. Days are `Mon`, `Mon-Fri` or `Sat,Sun` (English, any
 * case), hours `08:00-18:00` by the local clock (24:00 is the end of the day; an end before its beginning means the next
 * day), the limit a whole number of megabits per second or `unlimited`. Left out: all days, the whole day. Pure.
 */
export function parseBandwidthSchedule(text: string): ParsedSchedule {
  const rules: BandwidthRule[] = [];
  const parts = text.split(';').map((part) => part.trim());
  for (const part of parts.filter((one) => one !== '')) {
    const rule = parseRule(part.split(/\s+/));
    if (typeof rule === 'string') return { ok: false, problem: `${rule} in "${part}"; rules are ${EXAMPLE}` };
    rules.push(rule);
  }
  return rules.length > 0 ? { ok: true, rules } : { ok: false, problem: `must hold rules ${EXAMPLE}` };
}

function parseRule(words: string[]): BandwidthRule | string {
  const limit = words.pop() ?? '';
  const isUnlimited = limit.toLowerCase() === 'unlimited';
  const megabits = Number(limit);
  if (!isUnlimited && !(/^\d+$/.test(limit) && megabits >= 1 && megabits <= MOST_MEGABITS))
    return `must end each rule with whole megabits per second from 1 to ${MOST_MEGABITS}, or "unlimited", which is missing`;
  const hours = words.at(-1)?.includes(':') ? parseHours(words.pop() ?? '') : { fromMinute: 0, toMinute: DAY_MINUTES };
  if (hours === null) return 'has hours that are not like 08:00-18:00';
  const days = words.length === 0 ? ALL_DAYS : parseDays(words.join(''));
  if (days === null) return 'has days that are not like Mon-Fri or Sat,Sun';
  return { days, ...hours, megabitsPerSecond: isUnlimited ? null : megabits };
}

function parseHours(text: string): { fromMinute: number; toMinute: number } | null {
  const [, fromHour, from, toHour, to] = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(text) ?? [];
  const fromMinute = Number(fromHour) * 60 + Number(from);
  const toMinute = Number(toHour) * 60 + Number(to);
  const isTime = Number(from) < 60 && Number(to) < 60 && fromMinute < DAY_MINUTES && toMinute <= DAY_MINUTES;
  return isTime && fromMinute !== toMinute ? { fromMinute, toMinute } : null;
}

function parseDays(text: string): number[] | null {
  const days = new Set<number>();
  for (const range of text.toLowerCase().split(',')) {
    const [first = '', last = first, ...more] = range.split('-');
    const [from, to] = [DAYS.indexOf(first), DAYS.indexOf(last)];
    if (from < 0 || to < 0 || more.length > 0) return null;
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === to) break;
    }
  }
  return [...days];
}

/** A moment as the local clock shows it. */
export interface LocalMoment {
  /** 0 = Sunday. */
  weekday: number;
  minuteOfDay: number;
}

/** Local clock at an instant; time zone and summer time are this machine's. */
export function localMoment(wallMs: number): LocalMoment {
  const date = new Date(wallMs);
  return { weekday: date.getDay(), minuteOfDay: date.getHours() * 60 + date.getMinutes() };
}

/**
 * The limit of the first rule that holds now, in megabits per second; `otherwise` when none does; null = no limit. Asked of the
 * local clock at each instant, so an hour that summer time leaves out is left out, and one that it repeats counts twice. Pure.
 */
export function bandwidthAt(
  rules: readonly BandwidthRule[],
  otherwise: number | null,
  { weekday, minuteOfDay }: LocalMoment,
): number | null {
  const yesterday = (weekday + 6) % 7;
  const rule = rules.find(({ days, fromMinute, toMinute }) => {
    if (fromMinute < toMinute) return days.includes(weekday) && minuteOfDay >= fromMinute && minuteOfDay < toMinute;
    return (
      (days.includes(weekday) && minuteOfDay >= fromMinute) || (days.includes(yesterday) && minuteOfDay < toMinute)
    );
  });
  return rule ? rule.megabitsPerSecond : otherwise;
}
