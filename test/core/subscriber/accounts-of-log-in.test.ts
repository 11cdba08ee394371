// Services from log-in that a request has ended and that are there again: who accounts them.
import { describe, expect, it } from 'vitest';
import {
  accounted,
  ack,
  asked,
  brief,
  deactivation,
  nak,
  nas,
  play,
  request,
  services,
  told,
} from '../support.ts';

const FROM_LOG_IN = deactivation('bronze', { statistics: 'time' });
const at = (serviceAccounting: 'interlock' | 'nas') => ({
  nas: nas({ enforcement: 'coa', order: 'deactivate-first', serviceAccounting }),
});
const failed = (serviceAccounting: 'interlock' | 'nas') =>
  play([
    asked(request('r1', { ...at(serviceAccounting), activate: ['gold'], deactivate: [FROM_LOG_IN] })),
    ack,
    nak(501),
    ack,
    ack,
    ack,
  ]);

describe.each(['interlock', 'nas'] as const)('a service from log-in that is restored (%s)', (mode) => {
  it('is told with the statistics of the catalogue, so that its NAS accounts it as before', () => {
    const { results } = failed(mode);
    const restored = results.find((one) => brief(one).includes('activate bronze'));
    expect(restored && told(restored)).toContain('ERX-Service-Statistics:1 = 1');
  });

  it('has no Acct-Start of Interlock, neither then nor when it is activated again, and no Acct-Stop', () => {
    const before = failed(mode);
    expect(services(before.session)).toEqual({ bronze: 'active' });
    const after = play(
      [
        asked(request('r2', { ...at(mode), activate: ['bronze'] })),
        ack,
        asked(request('r3', { ...at(mode), deactivate: ['bronze'] })),
        ack,
      ],
      before.session,
    );
    expect(services(after.session)).toEqual({});
    expect([...accounted(undefined, before), ...accounted(before.session, after)]).toEqual([]);
  });
});
