import { expect, test } from 'vitest';
import { logEvents } from '../../../relay/telemetry/log.ts';

const source = { address: '192.0.2.1', port: 50_000 };

function logger() {
  const lines: Record<string, unknown>[] = [];
  let nowMs = 1_700_000_000_000;
  const report = logEvents(
    (line) => lines.push(JSON.parse(line)),
    () => nowMs,
  );
  return { lines, report, advance: (ms: number) => (nowMs += ms) };
}

test('writes an event as one line with its level and time', () => {
  const { lines, report } = logger();
  report({ kind: 'queue-trouble', queue: 'inbox', error: 'away' });
  expect(lines).toEqual([
    {
      level: 'ERROR',
      message: 'queue-trouble',
      timestamp: '2023-11-14T22:13:20.000Z',
      service: 'relay',
      queue: 'inbox',
      error: 'away',
    },
  ]);
});

test('writes one line for a reason in ten seconds, with the number of those that it left out', () => {
  const { lines, report, advance } = logger();
  const flood = (reason: 'unknown-source' | 'draining', count: number) => {
    for (let index = 0; index < count; index++) report({ kind: 'discarded', reason, source });
  };
  flood('unknown-source', 100);
  flood('draining', 1);
  advance(9_999);
  flood('unknown-source', 1);
  expect(lines).toMatchObject([{ reason: 'unknown-source' }, { reason: 'draining' }]);
  advance(1);
  flood('unknown-source', 1);
  expect(lines.at(-1)).toMatchObject({ reason: 'unknown-source', suppressed: 100 });
});

test('does not write what is only counted, and one line in ten seconds of what a feed can cause at any rate', () => {
  const { lines, report } = logger();
  report({ kind: 'feed-received', feed: 'bng-1', status: 'interim' });
  report({ kind: 'feed-kept', feed: 'bng-1', reason: 'unchanged' });
  report({ kind: 'feed-answered', feed: 'bng-1', latencyMs: 1 });
  for (const nas of ['bng-1', 'bng-1', 'bng-2'])
    report({ kind: 'feed-wrong-clock', feed: 'aaa', nas, offsetSeconds: 3600 });
  report({ kind: 'feed-queued', feed: 'bng-1', correlationId: 'a', nas: 'bng-1', status: 'start' });
  expect(lines.map(({ message, nas }) => [message, nas])).toEqual([
    ['feed-wrong-clock', 'bng-1'],
    ['feed-wrong-clock', 'bng-2'],
    ['feed-queued', 'bng-1'],
  ]);
});

test('writes every request and reply', () => {
  const { lines, report } = logger();
  const request = { correlationId: 'request', client: 'policy-server', source, code: 43, identifier: 1 };
  report({ kind: 'request-forwarded', ...request });
  report({ kind: 'request-forwarded', ...request });
  expect(lines.length).toBe(2);
});
