import { describe, expect, it } from 'vitest';
import { bandwidthAt, checkConfigValue, localMoment, parseBandwidthSchedule } from '../../../agent/contract/index.ts';

const rulesOf = (text: string) => {
  const parsed = parseBandwidthSchedule(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.rules;
};
const [SUNDAY, MONDAY, TUESDAY, FRIDAY, SATURDAY] = [0, 1, 2, 5, 6];
const at = (text: string, weekday: number, time: string) => {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return bandwidthAt(rulesOf(text), 50, { weekday, minuteOfDay: hour * 60 + minute });
};

describe('a bandwidth schedule', () => {
  const office = 'Mon-Fri 08:00-18:00 200; Sat,Sun 1000';

  it.each([
    [MONDAY, '07:59', 50],
    [MONDAY, '08:00', 200],
    [FRIDAY, '17:59', 200],
    [FRIDAY, '18:00', 50],
    [SATURDAY, '00:00', 1000],
    [SUNDAY, '23:59', 1000],
  ])('holds on its days and in its hours: day %d, %s is %d', (weekday, time, limit) => {
    expect(at(office, weekday, time)).toBe(limit);
  });

  it('passes midnight into the day after those it names', () => {
    const nights = 'Mon,Sat 22:00-06:00 unlimited';
    expect(at(nights, MONDAY, '21:59')).toBe(50);
    expect(at(nights, MONDAY, '22:00')).toBeNull();
    expect(at(nights, TUESDAY, '05:59')).toBeNull();
    expect(at(nights, TUESDAY, '06:00')).toBe(50);
    expect(at(nights, SUNDAY, '03:00')).toBeNull();
    expect(at(nights, MONDAY, '03:00')).toBe(50);
  });

  it('goes round the week, ends at 24:00, and takes the first rule that fits', () => {
    expect(at('fri-MON 10; 20', SUNDAY, '12:00')).toBe(10);
    expect(at('Fri-Mon 10; 20', TUESDAY, '12:00')).toBe(20);
    expect(at('18:00-24:00 7', TUESDAY, '23:59')).toBe(7);
    expect(at('18:00-24:00 7', TUESDAY, '00:00')).toBe(50);
    expect(at(' ; Tue , Fri  08:00-9:00 5;', TUESDAY, '08:30')).toBe(5);
  });

  it.each([
    '',
    ';',
    'Mon-Fri',
    'Mon 0',
    'Mon 1.5',
    'Mon 500000',
    'Mun 5',
    'Mon-Tue-Wed 5',
    '8-18 5',
    '08:00-08:00 5',
    '25:00-26:00 5',
    '08:60-09:00 5',
    'Mon 08:00-18:00 5 Mbit',
  ])('that says %j is refused with an example of a right one', (text) => {
    expect(parseBandwidthSchedule(text)).toMatchObject({ ok: false, problem: expect.stringContaining('such as') });
    expect(checkConfigValue('transfer-bandwidth-schedule', text)).toContain('such as');
  });

  it('follows the local clock through summer time: an hour left out is not waited for, one that comes twice counts twice', () => {
    const zone = process.env.TZ;
    process.env.TZ = 'Europe/Berlin';
    try {
      const limits = (fromMs: number) =>
        [-1, 0, 59, 60, 119, 120].map((minutes) =>
          bandwidthAt(rulesOf('Sun 02:00-03:00 1'), 50, localMoment(fromMs + minutes * 60_000)),
        );
      // 02:00 to 03:00 is left out on 29 March 2026, at 01:00 UTC; it comes twice on 25 October, from 00:00 UTC on.
      expect(limits(Date.UTC(2026, 2, 29, 1))).toEqual([50, 50, 50, 50, 50, 50]);
      expect(limits(Date.UTC(2026, 9, 25, 0))).toEqual([50, 1, 1, 1, 1, 50]);
      expect(localMoment(Date.UTC(2026, 6, 6, 22, 30))).toEqual({ weekday: TUESDAY, minuteOfDay: 30 });
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });
});
