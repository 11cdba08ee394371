// Who may touch what (RFC 5176 section 6.1): decide over each operation, NAS, realm, service and way of naming the session.
import { describe, expect, it } from 'vitest';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import { choose } from '../../../core/look-up.ts';
import type { OutboxMessage, RequestMessage, SessionKey } from '../../../core/messages.ts';
import type { Attribute } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { keyOf } from '../../../core/subscriber/key.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { createDecide } from '../../../functions/decide/decide.ts';
import type { DecideReport } from '../../../functions/decide/report.ts';
import type { OutgoingMessage } from '../../../functions/shared/queue.ts';
import { having } from '../../core/support.ts';
import { signedRequest } from '../../relay/support.ts';
import { context, inboxRecord, requestMessage } from '../support.ts';

const CATALOGUE = parseServicesFile(
  'services.yaml',
  'services:\n  gold: {}\n  voice: { parameters: [rate] }\n',
);
const site = (clients: string) => `
site: demo
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:9464" }
clients:
${clients}
nases:
  - { name: bng-1, formerly: [old-1], address: "192.0.2.9:3799", secret: testing123, identifiedBy: [bng-1] }
  - { name: bng-2, address: "192.0.2.8:3799", secret: testing123, identifiedBy: [bng-2] }
`;
/** What each client of the matrix may touch, as the site file has it. */
const RIGHTS: Readonly<Record<string, string>> = {
  free: '',
  at: 'nases: [bng-1]',
  'at-old': 'nases: [old-1]',
  of: 'realms: [ISP1.com]',
  with: 'services: [gold]',
  on: 'operations: [activate]',
  off: 'operations: [deactivate, disconnect]',
  all: 'nases: [bng-1], realms: [isp1.com, isp3.com], services: [gold], operations: [activate, deactivate]',
};
const deployment = deploymentOf(CATALOGUE, [
  parseSiteFile(
    'demo.yaml',
    site(
      Object.entries(RIGHTS)
        .map(
          ([name, rights], index) =>
            `  - { name: ${name}, source: 192.0.2.${index + 1}, secret: testing123${rights && `, ${rights}`} }`,
        )
        .join('\n'),
    ),
  ),
]);
const NASES = deployment.nasesBySite['demo'] ?? [];
const profileOf = (name: string) => {
  const known = NASES.find(({ profile }) => profile.name === name);
  if (known === undefined) throw new Error(`no NAS ${name}`);
  return known.profile;
};
const IP = '198.51.100.7';

interface Kept {
  readonly nas: 'bng-1' | 'old-1' | 'bng-2';
  /** What the table knows of the subscriber's name. */
  readonly userName?: string;
}

/** A session with gold and voice, as the table has it. */
function session({ nas, userName }: Kept): Session {
  const profile = profileOf(nas === 'old-1' ? 'bng-1' : nas);
  const made = having(['gold', 'voice(1)'], { nas: profile });
  return {
    ...made,
    identity: { 'Framed-IP-Address': IP, ...(userName !== undefined && { 'User-Name': userName }) },
    ...(nas === 'old-1' && { storedUnder: nas }),
  };
}

/** decide over sessions in memory: what comes of a message, and of what it sends to itself. */
async function outcomeOf(message: RequestMessage, kept: readonly Session[]) {
  const table = new Map(kept.map((one) => [JSON.stringify(keyOf(one)), one]));
  const sent: OutboxMessage[] = [];
  const forwarded: OutgoingMessage[] = [];
  const reports: DecideReport[] = [];
  const decide = createDecide({
    deployment,
    store: {
      read: async ({ nas, acctSessionId }: SessionKey) => table.get(JSON.stringify({ nas, acctSessionId })),
      write: async (one) => {
        table.set(JSON.stringify(keyOf(one)), { ...one, revision: one.revision + 1 });
        return 'written';
      },
      remove: async (one) => (table.delete(JSON.stringify(keyOf(one))) ? 'removed' : 'lost'),
    },
    lookUp: {
      find: async ({ nasNames, ...sought }, _, __, barrierOf) => {
        const candidates = [...table.values()].filter((one) => nasNames.includes(keyOf(one).nas));
        const found = choose(candidates, sought, undefined, barrierOf);
        return found.ok ? { ok: true, value: keyOf(found.value) } : found;
      },
      remember: async () => {},
      recall: async () => undefined,
      bind: async (_, key) => key,
      boundTo: async () => undefined,
    },
    send: async (_, messages) => void sent.push(...messages.map(({ body }) => body as OutboxMessage)),
    forward: async (_, messages) => void forwarded.push(...messages),
    schedule: async () => {},
    now: () => 1_800_000_000_000,
    report: (event) => reports.push(event),
  });
  const before = [...table.values()];
  await decide({ Records: [inboxRecord(message)] }, context());
  for (const { body } of forwarded) await decide({ Records: [inboxRecord(body)] }, context());
  const discarded = reports.flatMap((one) => (one.kind === 'discarded' ? [one.reason] : []));
  const said = sent.map((one) =>
    one.kind === 'reply' ? `${one.answer} ${one.errorCause ?? ''}`.trim() : one.kind,
  );
  const failures = reports.flatMap((one) => (one.kind === 'failed' ? [String(one.error)] : []));
  return {
    result: [...discarded.map((reason) => `discarded: ${reason}`), ...said, ...failures].join(', '),
    isUntouched: before.every((one, index) => [...table.values()][index] === one),
  };
}

interface Wish {
  readonly client: string;
  readonly code?: number;
  readonly attributes: readonly Attribute[];
}

function messageOf({ client, code = CODE.CoaRequest, attributes }: Wish): RequestMessage {
  const message = requestMessage({});
  const packet = Buffer.from(signedRequest({ code, attributes })).toString('base64');
  const { origin } = message;
  return { ...message, origin: { ...origin, client: { ...origin.client, name: client }, packet } };
}

const OPERATIONS = {
  activate: (service: string): Attribute[] => [{ name: 'ERX-Service-Activate', tag: 1, value: service }],
  deactivate: (service: string): Attribute[] => [{ name: 'ERX-Service-Deactivate', value: service }],
  disconnect: (): Attribute[] => [],
} as const;
type Operation = keyof typeof OPERATIONS;

const named = (userName: string | undefined): Attribute[] =>
  userName === undefined ? [] : [{ name: 'User-Name', value: userName }];
const byId: Attribute = { name: 'Acct-Session-Id', value: 's1' };
const byAddress: Attribute = { name: 'Framed-IP-Address', value: IP };
const at = (nas: string): Attribute => ({ name: 'NAS-Identifier', value: nas });

/** How a request names the session of a subscriber who is known by `userName`. */
const WAYS: Readonly<Record<string, (nas: string, userName: string | undefined) => readonly Attribute[]>> = {
  'Acct-Session-Id and User-Name': (nas, userName) => [at(nas), byId, ...named(userName)],
  'Acct-Session-Id alone': (nas) => [at(nas), byId],
  'a look-up at the NAS': (nas) => [at(nas), byAddress],
  'a look-up at any NAS': () => [byAddress],
  'Acct-Session-Id at any NAS': () => [byId],
  'a look-up by User-Name': (_, userName) => [byAddress, ...named(userName)],
};

/** The rule, said once more and otherwise. */
function expectedOf(client: string, kept: Kept, operation: Operation, service: string): string {
  const name = kept.userName ?? '';
  if (client === 'of' && !/@isp1\.com$/i.test(name)) return 'discarded: realm';
  // A request that is barred for both is discarded for the one or the other.
  if (client === 'all' && !/@(isp1|isp3)\.com$/i.test(name)) return 'discarded: realm';
  if (['at', 'at-old', 'all'].includes(client) && kept.nas === 'bng-2') return 'discarded: nas';
  const isOtherService = operation !== 'disconnect' && !service.startsWith('gold');
  if (['with', 'all'].includes(client) && isOtherService) return 'nak 501';
  if (client === 'on' && operation !== 'activate') return 'nak 501';
  if (client === 'off' && operation === 'activate') return 'nak 501';
  if (client === 'all' && operation === 'disconnect') return 'nak 501';
  return 'ack';
}

describe('what a client may touch', () => {
  const cases = Object.keys(RIGHTS).flatMap((client) =>
    Object.keys(WAYS).map((way) => [client, way] as const),
  );

  it.each(cases)('holds for %s, by %s', async (client, way) => {
    const wrong: string[] = [];
    for (const nas of ['bng-1', 'old-1', 'bng-2'] as const)
      for (const userName of [
        'ann@isp1.com',
        'ann@ISP1.COM',
        'ann@isp2.com',
        'ann@isp2@isp3.com',
        'ann',
        undefined,
      ])
        for (const operation of Object.keys(OPERATIONS) as Operation[])
          for (const service of ['gold', 'voice(1)']) {
            const kept = { nas, ...(userName !== undefined && { userName }) };
            const naming = WAYS[way]?.(nas === 'old-1' ? 'bng-1' : nas, userName) ?? [];
            const attributes = [...naming, ...OPERATIONS[operation](service)];
            const code = operation === 'disconnect' ? CODE.DisconnectRequest : CODE.CoaRequest;
            const { result, isUntouched } = await outcomeOf(messageOf({ client, code, attributes }), [
              session(kept),
            ]);
            const expected = expectedOf(client, kept, operation, service);
            const isBarred = result.startsWith('discarded') && expected.startsWith('discarded');
            const isRight =
              (result === expected || (isBarred && client === 'all')) && isUntouched === (expected !== 'ack');
            if (!isRight)
              wrong.push(`${operation} ${service} at ${nas} of ${userName}: ${result}, not ${expected}`);
          }
    expect(wrong).toEqual([]);
  });

  const gold = OPERATIONS.activate('gold');

  it.each([
    ['the session, whatever the request says', 'ann@isp2.com', [...named('bob@isp1.com'), at('bng-1'), byId]],
    ['the request, where the session is not known', undefined, [...named('ann@isp2.com'), at('bng-1'), byId]],
    ['neither of them', undefined, [at('bng-1'), byId]],
  ])('is judged by the realm of %s', async (_, userName, naming) => {
    const kept = userName === undefined ? [] : [session({ nas: 'bng-1', userName })];
    const message = messageOf({ client: 'of', attributes: [...naming, ...gold] });
    expect(await outcomeOf(message, kept)).toEqual({ result: 'discarded: realm', isUntouched: true });
  });

  it('is judged by the realm of the request where nothing is known of the session', async () => {
    const naming = [...named('ann@isp1.com'), at('bng-1'), byId];
    const message = messageOf({ client: 'of', attributes: [...naming, ...gold] });
    expect((await outcomeOf(message, [])).result).toBe('ack');
  });

  it.each([
    ['an attribute that is not supported', [at('bng-2'), byId, { name: 'Filter-Id', value: 'x' }, ...gold]],
    ['no service', [at('bng-2'), byId]],
    ['no session', [at('bng-2'), ...gold]],
  ] as const)('is judged before a fault of the request: %s', async (_, attributes) => {
    const { result } = await outcomeOf(messageOf({ client: 'at', attributes }), []);
    expect(result).toBe('discarded: nas');
  });

  it('is what a look-up chooses from, where others match as well', async () => {
    const kept = [
      session({ nas: 'bng-2', userName: 'ann@isp1.com' }),
      session({ nas: 'bng-1', userName: 'ann@isp1.com' }),
    ];
    const attributes = [byAddress, ...gold];
    expect((await outcomeOf(messageOf({ client: 'at', attributes }), kept)).result).toBe('ack');
    expect((await outcomeOf(messageOf({ client: 'free', attributes }), kept)).result).toBe('nak 508');
    expect((await outcomeOf(messageOf({ client: 'at', attributes }), [])).result).toBe('nak 503');
  });

  it('needs each operation and each service of a request', async () => {
    const both = [at('bng-1'), byId, ...gold, ...OPERATIONS.deactivate('voice(1)')];
    const kept = [session({ nas: 'bng-1' })];
    expect((await outcomeOf(messageOf({ client: 'on', attributes: both }), kept)).result).toBe('nak 501');
    expect((await outcomeOf(messageOf({ client: 'with', attributes: both }), kept)).result).toBe('nak 501');
    expect((await outcomeOf(messageOf({ client: 'free', attributes: both }), kept)).result).toBe('ack');
  });

  it('is nothing for a client that the deployed site file does not name, where others are restricted', async () => {
    const attributes = [at('bng-1'), byId, ...gold];
    for (const client of ['newcomer', 'constructor', '__proto__'])
      expect((await outcomeOf(messageOf({ client, attributes }), [])).result).toBe('discarded: client');
  });
});
