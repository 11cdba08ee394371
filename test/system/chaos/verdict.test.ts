import { expect, it } from 'vitest';
import { having, nas } from '../../core/support.ts';
import type { Life } from './lives.ts';
import { type Ended, wrong } from './verdict.ts';

const session = having(['gold'], { nas: nas({ enforcement: 'none' }) });
const [account] = Object.values(session.services).map((service) => service.account?.number);
const record = (status: string, more: readonly (readonly [string, string])[] = []) => [
  ['Acct-Status-Type', status] as const,
  ['Acct-Session-Id', `s1:${account}`] as const,
  ['ERX-Service-Session', 'gold'] as const,
  ...more,
];
const life: Life = {
  acctSessionId: 's1',
  userName: 'client1@isp1.com',
  isAccounted: false,
  possible: new Set(['gold']),
  sent: { gold: 1 },
  made: { gold: 1 },
  story: [],
  isOver: false,
};
const good: Ended = { life, session, has: ['gold'], told: [], accounted: [record('Start')] };
const told = (operation: 'activate' | 'deactivate', service: string, services: readonly string[]) => ({
  atMs: 0,
  acctSessionId: 's1',
  operation,
  service,
  services,
  answer: 'ack' as const,
});

it.each<[what: string, changes: Partial<Ended>, fault: string | undefined]>([
  ['nothing is wrong', {}, undefined],
  [
    'a record is repeated',
    { accounted: [record('Start'), record('Start', [['Acct-Delay-Time', '3']])] },
    undefined,
  ],
  ['the NAS has lost it', { has: [] }, 'the table has gold'],
  ['an ACK was not true', { life: { ...life, possible: new Set(['silver']) } }, 'leaves open only: silver'],
  ['a Start is lost', { accounted: [] }, 'is active and has no Start'],
  ['a Stop came too early', { accounted: [record('Start'), record('Stop')] }, 'is active and has a Stop'],
  ['a Stop is lost', { session: undefined, has: [], life: { ...life, possible: new Set(['']) } }, 'no Stop'],
  ['a Start came twice', { accounted: [record('Start'), record('Start', [['Class', '1']])] }, 'came twice'],
  ['it was done twice', { life: { ...life, sent: { gold: 0 }, made: {} } }, 'gold has 1 Starts'],
  [
    'a service session is missing',
    { life: { ...life, sent: { gold: 2 }, made: { gold: 2 } } },
    'gold has 1 Starts',
  ],
  [
    'there was a gap',
    {
      told: [
        told('activate', 'gold', ['gold']),
        told('deactivate', 'gold', []),
        told('activate', 'gold', ['gold']),
      ],
    },
    'was without a service of the group',
  ],
])('says so when %s', (_, changes, fault) => {
  const faults = [...wrong({ ...good, ...changes })].join('; ');
  if (fault === undefined) expect(faults).toBe('');
  else expect(faults).toContain(fault);
});
