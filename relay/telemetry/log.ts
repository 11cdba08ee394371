// Events as lines of JSON, for the standard output of a container.
import { printableJson } from '../../core/printable.ts';
import type { Clock } from '../clock.ts';
import type { RelayEvent, Report } from './events.ts';

/** These come at any rate, some from anyone. So each reason is logged at most once in this time. */
const SPAN_MS = 10_000;

const SUPPRESSED: ReadonlySet<RelayEvent['kind']> = new Set([
  'discarded',
  'request-refused',
  'reply-ignored',
  'feed-discarded',
  'feed-refused',
  'feed-wrong-clock',
  'feed-unanswered',
  'feed-dropped',
]);

/** Undefined for what is only counted: a NAS sends such thousands of times a minute. */
const LEVEL = {
  listening: 'INFO',
  'weak-secret': 'WARN',
  'configuration-warning': 'WARN',
  'accounting-not-configured': 'WARN',
  'socket-error': 'ERROR',
  draining: 'INFO',
  stopped: 'INFO',
  discarded: 'WARN',
  'request-refused': 'WARN',
  'request-forwarded': 'INFO',
  'reply-sent': 'INFO',
  'reply-not-sent': 'ERROR',
  'command-sent': 'INFO',
  'command-answered': 'INFO',
  'command-unanswered': 'WARN',
  'command-not-sent': 'ERROR',
  'nas-secret-changed': 'WARN',
  'accounting-answered': 'INFO',
  'accounting-unanswered': 'WARN',
  'accounting-not-sent': 'ERROR',
  'accounting-server-changed': 'WARN',
  'accounting-waiting': 'WARN',
  'reply-ignored': 'WARN',
  'clock-skewed': 'WARN',
  'clock-in-step': 'INFO',
  'feed-discarded': 'WARN',
  'feed-received': undefined,
  'feed-refused': 'WARN',
  'feed-kept': undefined,
  'feed-unknown-nas': 'WARN',
  'feed-wrong-clock': 'WARN',
  'feed-queued': 'INFO',
  'feed-dropped': 'ERROR',
  'feed-forwarded': undefined,
  'feed-answered': undefined,
  'feed-unanswered': 'WARN',
  'queue-trouble': 'ERROR',
  'queue-recovered': 'INFO',
  'queue-entry-refused': 'ERROR',
  'message-repeated': 'INFO',
  'message-left': 'ERROR',
} as const satisfies Record<RelayEvent['kind'], string | undefined>;

/**
 * Returns a sink that passes each event to `write` as one line with a newline. Of what anyone can cause at any rate there is
 * one line for each reason in 10 s, with the number of events that were `suppressed` since the line before. The time in a
 * line is wall time.
 */
export function logEvents(write: (line: string) => void, clock: Pick<Clock, 'now' | 'monotonicNow'>): Report {
  const spans = new Map<string, { readonly endsAtMs: number; suppressed: number }>();
  return ({ kind, ...details }) => {
    const level = LEVEL[kind];
    if (level === undefined) return;
    const nowMs = clock.monotonicNow();
    let suppressed: number | undefined;
    if (SUPPRESSED.has(kind)) {
      const about = 'reason' in details ? details.reason : 'nas' in details ? details.nas : '';
      // Not by client where anyone may be one; one that is refused is known.
      const reason = `${kind} ${about} ${kind === 'request-refused' && 'client' in details ? details.client : ''}`;
      const span = spans.get(reason);
      if (span !== undefined && nowMs < span.endsAtMs) {
        span.suppressed++;
        return;
      }
      suppressed = span?.suppressed;
      spans.set(reason, { endsAtMs: nowMs + SPAN_MS, suppressed: 0 });
    }
    const timestamp = new Date(clock.now()).toISOString();
    const line = { level, message: kind, timestamp, service: 'relay', ...details, suppressed };
    write(`${printableJson(JSON.stringify(line))}\n`);
  };
}
