// Events as lines of JSON, for the standard output of a container.
import { printableJson } from '../../core/printable.ts';
import type { RelayEvent, Report } from './events.ts';

/** Anyone can cause a discard, at any rate. So each reason is logged at most once in this time. */
const SPAN_MS = 10_000;

const LEVEL = {
  listening: 'INFO',
  'weak-secret': 'WARN',
  'configuration-warning': 'WARN',
  'accounting-not-configured': 'WARN',
  'socket-error': 'ERROR',
  draining: 'INFO',
  stopped: 'INFO',
  discarded: 'WARN',
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
  'queue-trouble': 'ERROR',
  'queue-recovered': 'INFO',
  'queue-entry-refused': 'ERROR',
  'message-left': 'ERROR',
} as const satisfies Record<RelayEvent['kind'], string>;

/**
 * Returns a sink that passes each event to `write` as one line with a newline. Of `discarded` and `reply-ignored` there
 * is one line for each reason in 10 s, with the number of events that were `suppressed` since the line before. `now`
 * returns wall time.
 */
export function logEvents(write: (line: string) => void, now: () => number): Report {
  const spans = new Map<string, { readonly endsAtMs: number; suppressed: number }>();
  return ({ kind, ...details }) => {
    const nowMs = now();
    let suppressed: number | undefined;
    if (kind === 'discarded' || kind === 'reply-ignored') {
      const reason = `${kind} ${'reason' in details ? details.reason : ''}`;
      const span = spans.get(reason);
      if (span !== undefined && nowMs < span.endsAtMs) {
        span.suppressed++;
        return;
      }
      suppressed = span?.suppressed;
      spans.set(reason, { endsAtMs: nowMs + SPAN_MS, suppressed: 0 });
    }
    const timestamp = new Date(nowMs).toISOString();
    const line = { level: LEVEL[kind], message: kind, timestamp, service: 'relay', ...details, suppressed };
    write(`${printableJson(JSON.stringify(line))}\n`);
  };
}
