import { expect, it } from 'vitest';
import type { DecideReport } from '../../../functions/decide/report.ts';
import { withoutIdentity } from '../../../functions/shared/without-identity.ts';
import { origin } from '../../core/support.ts';

const NAME = 'ann@isp';
const PACKET = Buffer.from(`\x01\x09${NAME}`).toString('base64');
const session = { nas: 'bng-1', acctSessionId: '0001' };
const decided: DecideReport = {
  kind: 'decided',
  correlationId: 'r1',
  session,
  nas: 'bng-1',
  userName: NAME,
  cause: `the NAS: nak 503, 'no user ${NAME}'`,
  outcome: { result: 'nak', errorCause: 503, text: `no user ${NAME}` },
  activated: ['gold'],
  deactivated: [],
  unconfirmed: [],
  drifted: [],
  unchecked: ['User-Name'],
  effects: [
    {
      kind: 'reply',
      correlationId: 'r1',
      origin: { ...origin('r1'), packet: PACKET },
      answer: 'nak',
      errorCause: 503,
    },
    {
      kind: 'command',
      correlationId: 'r1',
      commandId: 'c1',
      operation: 'deactivate',
      services: ['gold'],
      attributes: PACKET,
      startBeforeMs: 0,
    },
  ],
  lostRaces: 0,
  reason: `the NAS refused gold: no user ${NAME}`,
};

it.each<[string, DecideReport, object]>([
  [
    'a change',
    decided,
    {
      correlationId: 'r1',
      session,
      cause: 'the NAS: nak 503',
      outcome: { result: 'nak', errorCause: 503 },
      activated: ['gold'],
      unchecked: ['User-Name'],
      reason: 'not logged',
    },
  ],
  [
    'a refusal',
    {
      kind: 'refused',
      correlationId: 'r1',
      errorCause: 503,
      reason: `no session has User-Name ${NAME} and Framed-IP-Address 198.51.100.7`,
      queuedAtMs: 0,
    },
    { correlationId: 'r1', errorCause: 503, reason: 'not logged' },
  ],
  [
    'a session that was found',
    { kind: 'found', correlationId: 'r1', session, by: ['User-Name'] },
    { correlationId: 'r1', session, by: ['User-Name'] },
  ],
])('of %s, the identity is gone and the ids stay', (_, report, rest) => {
  const shown = withoutIdentity(report);
  expect(shown).toMatchObject(rest);
  expect(JSON.stringify(shown)).not.toContain(NAME);
  expect(JSON.stringify(shown)).not.toContain('198.51.100.7');
  expect(JSON.stringify(shown)).not.toContain(PACKET);
});

it('a change by a request keeps what was asked', () => {
  const { outcome: _, reason: __, effects: ___, ...rest } = decided;
  const asked = { ...rest, effects: [] };
  expect(withoutIdentity({ ...asked, cause: 'activate gold' })).toEqual({
    ...asked,
    cause: 'activate gold',
    userName: undefined,
  });
});
