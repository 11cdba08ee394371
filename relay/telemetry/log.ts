// Events as lines of JSON, for a container's standard output.
import type { RelayEvent, Report } from './events.ts';

/** Strangers and broken clients decide how often these happen, so each reason gets a line per span and no more. */
const SPAN_MS = 10_000;

const LEVEL = {
  listening: 'INFO',
  'weak-secret': 'WARN',
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
  'accounting-server-changed': 'WARN',
  'accounting-waiting': 'WARN',
  'reply-ignored': 'WARN',
  'queue-trouble': 'ERROR',
  'queue-recovered': 'INFO',
  'queue-entry-refused': 'ERROR',
  'message-left': 'ERROR',
} as const satisfies Record<RelayEvent['kind'], string>;

/**
 * A sink that gives each event to `write` as one line with a newline. Of what is discarded or ignored for one reason
 * there is a line in ten seconds, with the number of those `suppressed` since the line before.
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
    write(`${JSON.stringify(line)}\n`);
  };
}
