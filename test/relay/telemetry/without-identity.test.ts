import { expect, it } from 'vitest';
import type { RelayEvent } from '../../../relay/telemetry/events.ts';
import { withoutIdentity } from '../../../relay/telemetry/without-identity.ts';

const ids = { correlationId: 'r1', acctSessionId: '0001' };

it.each<[RelayEvent, object]>([
  [
    {
      kind: 'command-answered',
      correlationId: 'r1',
      commandId: 'r1/1',
      nas: 'bng-1',
      operation: 'activate',
      result: 'nak',
      errorCause: 503,
      text: 'no user ann@isp',
      latencyMs: 1,
    },
    { correlationId: 'r1', commandId: 'r1/1', nas: 'bng-1', result: 'nak', errorCause: 503 },
  ],
  [
    {
      kind: 'accounting-not-sent',
      ...ids,
      status: 'Stop',
      serviceSession: 'gold',
      attributes: Buffer.from('\x01\x09ann@isp').toString('base64'),
      error: 'RangeError: too long',
    },
    { ...ids, status: 'Stop', serviceSession: 'gold', error: 'RangeError: too long' },
  ],
  [
    { kind: 'feed-queued', feed: 'nases', ...ids, nas: 'bng-1', status: 'start' },
    { ...ids, nas: 'bng-1', status: 'start' },
  ],
])('$kind keeps its ids and loses what tells of the subscriber', (event, rest) => {
  const shown = withoutIdentity(event);
  expect(shown).toMatchObject(rest);
  expect(shown).not.toHaveProperty('text');
  expect(shown).not.toHaveProperty('attributes');
});
