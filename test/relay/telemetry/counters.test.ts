import { expect, test } from 'vitest';
import { Counters } from '../../../relay/telemetry/counters.ts';
import { countEvents } from '../../../relay/telemetry/metrics.ts';

test('renders counters, gauges and histograms as Prometheus reads them', () => {
  const counters = new Counters();
  const count = counters.counter('requests_total', 'Requests, by client and code.');
  const observe = counters.histogram('latency_seconds', 'How long it took.', [0.1, 1]);
  counters.gauge('held', 'Held now.', () => [[{ queue: 'inbox' }, 3]]);
  count({ client: 'a', code: '43' });
  count({ client: 'a', code: '43' });
  count({ client: 'b "quoted" \\ \n', code: '43' });
  for (const seconds of [0.0625, 0.5, 2]) observe(seconds);
  expect(counters.render()).toBe(`# HELP requests_total Requests, by client and code.
# TYPE requests_total counter
requests_total{client="a",code="43"} 2
requests_total{client="b \\"quoted\\" \\\\ \\n",code="43"} 1
# HELP latency_seconds How long it took.
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 1
latency_seconds_bucket{le="1"} 2
latency_seconds_bucket{le="+Inf"} 3
latency_seconds_sum 2.5625
latency_seconds_count 3
# HELP held Held now.
# TYPE held gauge
held{queue="inbox"} 3
`);
});

test('counts replies by code and Error-Cause, and their latency where it is known', () => {
  const counters = new Counters();
  const report = countEvents(counters);
  const reply = {
    kind: 'reply-sent',
    correlationId: 'request',
    client: 'policy-server',
    destination: { address: '192.0.2.1', port: 50_000 },
  } as const;
  report({ ...reply, code: 44, latencyMs: 30 });
  report({ ...reply, code: 44 });
  report({ ...reply, code: 45, errorCause: 404, latencyMs: 700 });
  const text = counters.render();
  expect(text).toContain('interlock_relay_replies_total{code="44",error_cause=""} 2\n');
  expect(text).toContain('interlock_relay_replies_total{code="45",error_cause="404"} 1\n');
  expect(text).toContain('interlock_relay_reply_latency_seconds_bucket{le="0.05"} 1\n');
  expect(text).toContain('interlock_relay_reply_latency_seconds_sum 0.73\n');
});
