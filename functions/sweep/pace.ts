// How fast sweep hands the sessions of one NAS to decide.

/** When a session that is due at `dueAtMs` is delivered; undefined when it stays for the next run. */
export type Pace = (nas: string, dueAtMs: number, nowMs: number) => number | undefined;

/**
 * At most `perSecond` sessions of a NAS in each second from `startedAtMs` to `horizonMs`. Sessions come in the order of
 * their times, so those that have waited longest are first.
 */
export function createPace(startedAtMs: number, horizonMs: number, perSecond: number): Pace {
  /** The latest second of each NAS that has sessions, counted from the start, and how many. */
  const latest = new Map<string, { readonly second: number; readonly sessions: number }>();
  return (nas, dueAtMs, nowMs) => {
    const earliest = Math.max(0, Math.ceil((Math.max(dueAtMs, nowMs) - startedAtMs) / 1000));
    const { second, sessions } = latest.get(nas) ?? { second: earliest, sessions: 0 };
    const free = sessions < perSecond ? second : second + 1;
    if (free <= earliest) {
      latest.set(nas, { second: earliest, sessions: second === earliest ? sessions + 1 : 1 });
      return dueAtMs;
    }
    const deliverAtMs = startedAtMs + free * 1000;
    if (deliverAtMs > horizonMs) return undefined;
    latest.set(nas, { second: free, sessions: free === second ? sessions + 1 : 1 });
    return deliverAtMs;
  };
}
