/** When and whence the desktop application may update itself, as config.ini says it. Pure. */

/** Hours of the day, minutes after midnight of the local clock; may run past midnight. */
export interface UpdateWindow {
  fromMinute: number;
  toMinute: number;
}

const MINUTES_OF_DAY = 24 * 60;

/** `22:00-05:30`; null for what is no window, or none at all (equal times). */
export function parseUpdateWindow(text: string): UpdateWindow | null {
  const [, ...parts] = /^\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*$/.exec(text) ?? [];
  if (parts.length !== 4) return null;
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = parts.map(Number);
  if (fromHour > 23 || toHour > 24 || fromMinute > 59 || toMinute > 59) return null;
  const window = { fromMinute: fromHour * 60 + fromMinute, toMinute: toHour * 60 + toMinute };
  return window.toMinute > MINUTES_OF_DAY || window.fromMinute === window.toMinute ? null : window;
}

/** Whether a minute of the day lies in the window. */
export function isInUpdateWindow({ fromMinute, toMinute }: UpdateWindow, minute: number): boolean {
  if (fromMinute < toMinute) return minute >= fromMinute && minute < toMinute;
  return minute >= fromMinute || minute < toMinute;
}

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;

/** Whether a URL names this machine itself. */
export const isLoopbackUrl = (url: string): boolean => URL.canParse(url) && LOOPBACK.test(new URL(url).hostname);

/** Whether new versions may come from there: https, or this machine itself, which only test builds go on to accept. */
export function isUpdateUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackUrl(text));
}
