// Times as an operator reads them.

export interface Times {
  /** A time in milliseconds since 1970-01-01 UTC: `2026-11-22T13:00:00+01:00 (5 min 3 s ago)`. */
  at(atMs: number): string;
  /** How long until then: `55 min`; `0 s` for a time in the past. */
  until(untilMs: number): string;
}

/** Times as they are at `nowMs` in `timeZone`, such as `Europe/Berlin`. */
export function timesAt(nowMs: number, timeZone: string): Times {
  // The Swedish format is that of ISO 8601, except for the T and the minus sign.
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'longOffset',
  });
  const iso = (atMs: number) => {
    const [day, time, offset = ''] = format.format(atMs).split(' ');
    return `${day}T${time}${offset.replace('GMT', '').replace('−', '-')}`;
  };
  const age = (atMs: number) =>
    atMs > nowMs ? `in ${duration(atMs - nowMs)}` : `${duration(nowMs - atMs)} ago`;
  return {
    at: (atMs) => `${iso(atMs)} (${age(atMs)})`,
    until: (untilMs) => duration(Math.max(0, untilMs - nowMs)),
  };
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** The two largest units that it has: `1 d 2 h`, `5 min`, `0 s`. */
function duration(ms: number): string {
  let seconds = Math.round(ms / 1000);
  const parts = UNITS.flatMap(([unit, size]) => {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    return count === 0 ? [] : [`${count} ${unit}`];
  });
  return parts.slice(0, 2).join(' ') || '0 s';
}
