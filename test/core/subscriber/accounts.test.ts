// Who accounts a service, when its accounting begins and ends, and what its records say of the subscriber.
import { describe, expect, it } from 'vitest';
import type { Identity } from '../../../core/identity.ts';
import type { AccountingMessage } from '../../../core/messages.ts';
import type { NasProfile } from '../../../core/nas.ts';
import { prepareSecret, signRequest } from '../../../core/radius/authenticator.ts';
import { type Attribute, decodeAttributes, firstValue } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { accountingRecords, unmadeRecords } from '../../../core/service-accounting.ts';
import type { PlannedService, Statistics } from '../../../core/services/terms.ts';
import type { ServiceRequest, Session } from '../../../core/subscriber/session.ts';
import {
  accounted,
  accountingId,
  ack,
  asked,
  brief,
  NOW,
  nak,
  nas,
  type Played,
  play,
  request,
  service,
  services,
  timeout,
  told,
} from '../support.ts';

const INTERLOCK = { nas: nas({ enforcement: 'coa' }) };
const NAS = { nas: nas({ enforcement: 'coa', serviceAccounting: 'nas' }) };

type Asking = Partial<Pick<ServiceRequest, 'nas' | 'identity' | 'classes' | 'acctSessionId'>>;

const activating = (id: string, who: Asking, ...activate: readonly (string | PlannedService)[]) =>
  asked(request(id, { identity: {}, ...who, activate }));
const deactivating = (id: string, who: Asking, ...deactivate: readonly string[]) =>
  asked(request(id, { identity: {}, ...who, deactivate }));
const reasonOf = ({ session }: Played) => session?.answered.at(-1)?.reason;

/** The records of all that was played, in order. */
function recordsOf({ results }: Played, start?: Session): readonly AccountingMessage[] {
  let before = start;
  return results.flatMap(({ session }) => {
    if (session === undefined) return [];
    const records = accountingRecords(before, session);
    before = session;
    return records.map(({ message }) => message);
  });
}

const packetOf = ({ attributes }: AccountingMessage) =>
  signRequest(
    { code: CODE.AccountingRequest, identifier: 0, attributes: Buffer.from(attributes, 'base64') },
    prepareSecret('s'),
  );

function attributesOf(message: AccountingMessage): readonly Attribute[] {
  const bytes = packetOf(message);
  const attributes = [];
  for (let offset = 20; offset < bytes.length; offset += bytes[offset + 1] ?? 2) {
    const value = bytes.subarray(offset + 2, offset + (bytes[offset + 1] ?? 2));
    attributes.push({ type: bytes[offset] ?? 0, value, offset });
  }
  return decodeAttributes({ attributes });
}

/** What of a record says which subscriber it is about. */
function subscriberIn(message: AccountingMessage): readonly Attribute[] {
  const own = ['Acct-Status-Type', 'Event-Timestamp', 'Acct-Session-Time', 'Acct-Terminate-Cause'];
  return attributesOf(message).filter(
    (one) => 'name' in one && !own.includes(one.name) && one.name !== 'Message-Authenticator',
  );
}

describe('an Acct-Stop', () => {
  const learned: Identity = {
    'User-Name': 'client1@isp1.com',
    'NAS-Port': 7,
    'NAS-Port-Id': 'ge-1/0/0.7',
    'Framed-IP-Address': '198.51.100.7',
    'Calling-Station-Id': '00-00-5e-00-53-01',
    'Chargeable-User-Identity': 'ff01',
  };
  const later = { identity: learned, classes: ['00ff'] };

  it.each<[what: string, who: Asking]>([
    ['without a NAS', { nas: nas() }],
    ['with what the NAS has confirmed', INTERLOCK],
  ])('says of the subscriber what its Start said, whatever was learned between them: %s', (_, who) => {
    const played = play([
      activating('r1', who, 'gold'),
      ack,
      activating('r2', { ...who, ...later }, 'voice'),
      ack,
      deactivating('r3', { ...who, ...later }, 'gold', 'voice'),
      ack,
    ]);
    const records = recordsOf(played);
    const of = (name: string) => records.filter(({ serviceSession }) => serviceSession === name);
    for (const [start, stop] of [of('gold'), of('voice')]) {
      if (start === undefined || stop === undefined) throw new Error('no records');
      expect([start.status, stop.status]).toEqual(['Start', 'Stop']);
      expect(subscriberIn(stop)).toEqual(subscriberIn(start));
      expect(start.acctSessionId).toBe(stop.acctSessionId);
    }
    const names = of('voice')
      .flatMap(attributesOf)
      .map((one) => 'name' in one && one.name);
    expect(names).toEqual(expect.arrayContaining([...Object.keys(learned), 'Class']));
  });

  it('does so though the session has ended and is known by nothing', () => {
    const start = play([activating('r1', { ...INTERLOCK, ...later }, 'gold'), ack]);
    const gone = play([activating('r2', INTERLOCK, 'silver'), nak(503)], start.session);
    const [, stop] = [...recordsOf(start), ...recordsOf(gone, start.session)];
    expect(stop && subscriberIn(stop)).toEqual(recordsOf(start).map(subscriberIn)[0]);
    expect(gone.session).toMatchObject({ identity: {}, classes: [], accountedAs: {} });
  });

  it('does so though the NAS is identified by another address by then', () => {
    const start = play([activating('r1', INTERLOCK, 'gold'), ack]);
    const moved = { nas: { ...INTERLOCK.nas, identity: { 'NAS-IP-Address': '192.0.2.99' } } };
    const end = play([deactivating('r2', moved, 'gold'), ack], start.session);
    const [stop] = recordsOf(end, start.session);
    expect(stop && firstValue(attributesOf(stop), 'NAS-IP-Address')).toBe('192.0.2.1');
  });
});

describe('what Starts say of the subscriber', () => {
  it('is in the item once for all services that were accounted alike, in whatever order DynamoDB gives it back', () => {
    const who = { ...INTERLOCK, identity: { 'User-Name': 'a', 'ERX-Virtual-Router-Name': 'b' } };
    const first = play([activating('r1', who, 'gold'), ack]).session;
    if (first === undefined) throw new Error('no session');
    const turned = Object.entries(first.accountedAs).map(([key, { identity, classes }]) => [
      key,
      { identity: Object.fromEntries(Object.entries(identity).reverse()), classes },
    ]);
    const read = { ...first, accountedAs: Object.fromEntries(turned) };
    const { session } = play([activating('r2', INTERLOCK, 'video', 'voice'), ack], read);
    expect(Object.keys(session?.accountedAs ?? {})).toEqual([String(NOW)]);
    const { session: ended } = play([deactivating('r3', INTERLOCK, 'gold', 'video', 'voice'), ack], session);
    expect(ended?.accountedAs).toEqual({});
  });

  it('is bounded, so that the item stays small', () => {
    const wordy = (index: number) => ({
      ...INTERLOCK,
      classes: Array.from({ length: 12 }, () => index.toString(16).padStart(2, '0').repeat(250)),
    });
    let played = play([activating('r0', wordy(0), 'service(0)'), ack]);
    const answers = Array.from({ length: 16 }, (_, index) => {
      played = play(
        [activating(`r${index + 1}`, wordy(index + 1), `service(${index + 1})`), ack],
        played.session,
      );
      return played.results.flatMap(brief).at(-1);
    });
    expect(answers.slice(0, 5)).toEqual(Array(5).fill('ack'));
    expect(answers.at(-1)).toBe('nak 506');
    expect(JSON.stringify(played.session?.accountedAs).length).toBeLessThan(66_000);
    // One that says nothing new, and one that is not accounted, go on.
    const same = play([activating('s', INTERLOCK, 'voice'), ack], played.session);
    expect(brief(same.last)).toEqual(['ack']);
  });
});

describe('the statistics of an active service, changed by activating it again', () => {
  const MINUTE_MS = 60_000;
  const ALL: readonly Statistics[] = ['off', 'time', 'time+volume'];
  const CASES = ALL.flatMap((from) => ALL.map((to) => [from, to] as const));
  /** Activated at NOW, activated again a minute later, and ended two minutes later. */
  const changed = (who: Asking, from: Statistics, to: Statistics) => {
    const first = play([activating('r1', who, service('gold', { statistics: from })), ack]);
    const again = service('gold', { statistics: to, asksForStatistics: true });
    const second = play([activating('r2', who, again), ack], first.session, NOW + MINUTE_MS);
    const end = play([deactivating('r3', who, 'gold'), ack], second.session, NOW + 3 * MINUTE_MS);
    const brief = (played: Played, before: Session | undefined) =>
      recordsOf(played, before).map((message) => {
        const time = firstValue(attributesOf(message), 'Acct-Session-Time');
        return [message.status, message.acctSessionId, message.correlationId, time]
          .filter((part) => part !== undefined)
          .join(' ');
      });
    return {
      first,
      second,
      end,
      records: [brief(first, undefined), brief(second, first.session), brief(end, second.session)],
    };
  };
  const id = accountingId(0);
  const other = accountingId(1);

  it.each(CASES)(
    '%s to %s: Interlock accounts from that moment on what it says, and nothing before',
    (from, to) => {
      const [before, at, after] = changed(INTERLOCK, from, to).records;
      const [was, is] = [from !== 'off', to !== 'off'];
      expect(before).toEqual(was ? [`Start ${id} r1`] : []);
      expect(at).toEqual(was === is ? [] : is ? [`Start ${other} r2`] : [`Stop ${id} r2 60`]);
      expect(after).toEqual(!is ? [] : was ? [`Stop ${id} r3 180`] : [`Stop ${other} r3 120`]);
    },
  );

  it.each(CASES)(
    '%s to %s: the NAS is told where it accounts, and told to account nothing where it does not',
    (from, to) => {
      const value = (statistics: Statistics) => `ERX-Service-Statistics:1 = ${ALL.indexOf(statistics)}`;
      const [mine, its] = [changed(INTERLOCK, from, to), changed(NAS, from, to)];
      expect(its.first.results[0] && told(its.first.results[0])).toContain(value(from));
      expect(its.second.results[0] && told(its.second.results[0])).toContain(value(to));
      expect(its.records).toEqual([[], [], []]);
      for (const { results } of [mine.first, mine.second])
        expect(results[0] && told(results[0])).toContain('ERX-Service-Statistics:1 = 0');
    },
  );

  it('stay as they were when the NAS refuses or does not answer', () => {
    const before = play([activating('r1', INTERLOCK, 'gold'), ack]).session;
    for (const answers of [[nak(506)], [timeout, ack]]) {
      const off = activating('r2', INTERLOCK, service('gold', { statistics: 'off' }));
      const { session } = play([off, ...answers], before);
      expect(session?.services).toEqual(before?.services);
    }
  });

  it('stay as they were for one that is unconfirmed when the request fails', () => {
    // gold was active; a request that would have replaced it failed, and so did its restoration.
    const start = play([activating('r1', INTERLOCK, 'gold'), ack]);
    const doubted = play(
      [asked(request('r2', { ...INTERLOCK, deactivate: ['gold'] })), timeout, nak(506)],
      start.session,
    ).session;
    expect(services(doubted)).toEqual({ gold: 'unconfirmed' });
    const played = play(
      [activating('r3', INTERLOCK, service('gold', { statistics: 'off' })), timeout],
      doubted,
    );
    expect(recordsOf(played, doubted)).toEqual([]);
    const end = play([deactivating('r4', INTERLOCK, 'gold'), ack], played.session);
    expect(accounted(played.session, end)).toEqual(['Stop gold 10']);
  });

  it('change nothing where the request waited while the service was activated', () => {
    const played = play([
      activating('r1', INTERLOCK, 'gold'),
      activating('r2', INTERLOCK, service('gold', { timeoutSeconds: 60 })),
      ack,
      ack,
    ]);
    expect(played.results.map(brief)).toEqual([['activate gold'], [], ['ack', 'activate gold'], ['ack']]);
    expect(recordsOf(played).map(({ status }) => status)).toEqual(['Start']);
  });

  it('give each accounting of one service an id of its own', () => {
    const steps: readonly Statistics[] = ['time', 'off', 'time', 'off', 'time+volume'];
    const played = play(
      steps.flatMap((statistics, index) => [
        activating(`r${index}`, INTERLOCK, service('gold', { statistics })),
        ack,
      ]),
    );
    const ids = recordsOf(played).map(({ status, acctSessionId }) => `${status} ${acctSessionId}`);
    expect(new Set(ids).size).toBe(5);
    expect(ids.map((one) => one.split(' ')[0])).toEqual(['Start', 'Stop', 'Start', 'Stop', 'Start']);
    expect(Object.values(played.session?.services ?? {})).toHaveLength(1);
  });
});

describe('who accounts', () => {
  const full = service('gold', {
    statistics: 'time+volume',
    volumeMegabytes: 100,
    interimIntervalSeconds: 600,
    timeoutSeconds: 60,
  });

  it('is the NAS where it is told of statistics, interval and volume; Interlock then sends nothing', () => {
    const played = play([activating('r1', NAS, full), ack, deactivating('r2', NAS, 'gold'), ack]);
    expect(played.results[0] && told(played.results[0]).slice(-5)).toEqual([
      'ERX-Service-Activate:1 = "gold"',
      'ERX-Service-Statistics:1 = 2',
      'ERX-Service-Timeout:1 = 60',
      'ERX-Service-Volume:1 = 100',
      'ERX-Service-Acct-Interval:1 = 600',
    ]);
    expect(recordsOf(played)).toEqual([]);
  });

  it('is Interlock otherwise: the NAS is told to account nothing, and of no interval', () => {
    const unlimited = { ...full, volumeMegabytes: 0 };
    const played = play([activating('r1', INTERLOCK, unlimited), ack]);
    expect(played.results[0] && told(played.results[0]).slice(-3)).toEqual([
      'ERX-Service-Activate:1 = "gold"',
      'ERX-Service-Statistics:1 = 0',
      'ERX-Service-Timeout:1 = 60',
    ]);
    expect(recordsOf(played).map(({ status }) => status)).toEqual(['Start']);
  });

  it('is told in the same way when a service is restored', () => {
    for (const [who, value] of [
      [NAS, 2],
      [INTERLOCK, 0],
    ] as const) {
      const unlimited = { ...full, volumeMegabytes: 0 };
      const active = play([activating('r1', who, unlimited), ack]).session;
      const { last } = play([deactivating('r2', who, 'gold'), timeout], active);
      expect(brief(last)).toEqual(['nak 505', 'activate gold']);
      expect(told(last)).toContain(`ERX-Service-Statistics:1 = ${value}`);
    }
  });

  it.each([
    ['the NAS', NAS, INTERLOCK, []],
    ['Interlock', INTERLOCK, NAS, ['Start', 'Stop']],
  ])(
    'stays %s for a service that is active, also when the site file has changed',
    (_, first, then, expected) => {
      const played = play([
        activating('r1', first, 'gold'),
        ack,
        activating('r2', then, service('gold', { timeoutSeconds: 60 })),
        ack,
        deactivating('r3', then, 'gold'),
        ack,
      ]);
      const [activation, , again] = played.results;
      const statistics = (result = activation) =>
        result && told(result).filter((line) => line.startsWith('ERX-Service-Statistics'));
      expect(statistics(again)).toEqual(statistics(activation));
      expect(recordsOf(played).map(({ status }) => status)).toEqual(expected);
      // The next one is accounted as the site file has it by then.
      const next = play([activating('r4', then, 'silver'), ack], played.session);
      expect(recordsOf(next, played.session).map(({ status }) => status)).toEqual(
        then === INTERLOCK ? ['Start'] : [],
      );
    },
  );
});

describe('a request that cannot be accounted as it asks is refused before the NAS is told', () => {
  const quota = service('gold', { volumeMegabytes: 100, statistics: 'time+volume' });
  const at = (over: Partial<NasProfile>) => ({ nas: nas({ enforcement: 'coa', ...over }) });
  const byNas = { serviceAccounting: 'nas' } as const;

  it.each<[why: string, who: Asking, planned: PlannedService, reason: RegExp]>([
    ['Interlock counts no volume', at({}), quota, /Interlock accounts it and counts no volume/],
    ['Interlock counts no volume, without a NAS', { nas: nas() }, quota, /counts no volume/],
    [
      'cisco is told of none',
      at({ ...byNas, dialect: 'cisco', options: {} }),
      quota,
      /cannot be told of a volume/,
    ],
    ['generic is told of none', at({ ...byNas, dialect: 'generic', options: {} }), quota, /cannot be told/],
    ['a NAS that is not told', { nas: nas(byNas) }, quota, /cannot be told/],
    [
      'cisco is told of no statistics',
      at({ ...byNas, dialect: 'cisco', options: {} }),
      service('gold', { asksForStatistics: true }),
      /the statistics of gold are those of bng-1/,
    ],
  ])('%s: 501', (_, who, planned, reason) => {
    const played = play([activating('r1', who, planned)]);
    expect(brief(played.last)).toEqual(['nak 501']);
    const kept = play([activating('r0', who, 'voice'), ack], undefined);
    expect(reasonOf(play([activating('r1', who, planned)], kept.session))).toMatch(reason);
  });

  it('is carried out where the catalogue alone has statistics of which the NAS is not told', () => {
    const cisco = at({ ...byNas, dialect: 'cisco', options: {} });
    const played = play([activating('r1', cisco, service('gold')), ack]);
    expect(brief(played.last)).toEqual(['ack']);
    expect(recordsOf(played)).toEqual([]);
  });

  it('goes by who accounts the active service, and not by the site file of today', () => {
    const active = play([activating('r1', INTERLOCK, 'gold'), ack]).session;
    expect(brief(play([activating('r2', NAS, quota)], active).last)).toEqual(['nak 501']);
  });

  /** Class attributes of so many octets, in attributes of 252 at most. */
  const classes = (octets: number): readonly string[] => {
    const rest = octets % 250;
    return [
      ...Array.from({ length: Math.floor(octets / 250) }, () => 'ab'.repeat(248)),
      ...(rest > 2 ? ['ab'.repeat(rest - 2)] : []),
    ];
  };
  /** The largest packets that requests of this kind lead to, and the first size that is refused. */
  const largest = (who: Asking, teaching: (octets: number) => ReturnType<typeof asked>) => {
    for (let octets = 3_000; ; octets += 10) {
      const start = play([activating('r0', who, 'voice'), ack]).session;
      const taught = play([teaching(octets), ack], start);
      if (taught.results.flatMap(brief).includes('nak 506'))
        return { octets, reason: reasonOf(taught), first: taught.results[0] };
      // Whatever is activated next, its records fit.
      const longest = `${'x'.repeat(200)}(${'y'.repeat(44)})`;
      const next = play(
        [activating('r9', who, service(longest)), ack, deactivating('r10', who, longest), ack],
        taught.session,
      );
      for (const message of [...recordsOf(taught, start), ...recordsOf(next, taught.session)])
        expect(packetOf(message).length).toBeLessThanOrEqual(4095);
      expect(recordsOf(next, taught.session)).toHaveLength(2);
    }
  };

  it.each<[what: string, teaching: (octets: number) => ReturnType<typeof asked>]>([
    ['an activation', (octets) => activating('r1', { ...INTERLOCK, classes: classes(octets) }, 'gold')],
    [
      'a deactivation, which teaches it',
      (octets) => deactivating('r1', { ...INTERLOCK, classes: classes(octets) }, 'voice'),
    ],
  ])('506 if a record would not fit into a packet: %s', (_, teaching) => {
    const { octets, reason, first } = largest(INTERLOCK, teaching);
    expect(octets).toBeGreaterThan(3_500);
    expect(octets).toBeLessThan(4_000);
    expect(reason).toMatch(/does not fit into one Accounting-Request/);
    expect(first?.effects.map(({ kind }) => kind)).toEqual(['reply']);
  });

  it('is carried out where the NAS accounts, and where it only ends what there is', () => {
    const big = classes(3_900);
    expect(brief(play([activating('r1', { ...NAS, classes: big }, 'gold'), ack]).last)).toEqual(['ack']);
    const active = play([activating('r1', INTERLOCK, 'gold'), ack]).session;
    if (active === undefined) throw new Error('no session');
    const known: Session = { ...active, classes: big };
    const { last } = play([deactivating('r2', { ...INTERLOCK, classes: big }, 'gold'), ack], known);
    expect(brief(last)).toEqual(['ack']);
  });
});

describe('a record that cannot be made', () => {
  it('keeps no other one from being sent', () => {
    const active = play([activating('r1', INTERLOCK, 'gold', 'voice'), ack]).session;
    if (active === undefined) throw new Error('no session');
    const { gold, ...others } = active.services;
    if (gold?.account === undefined) throw new Error('no account');
    // As an item of 0.1.0 may be.
    const big = { identity: {}, classes: Array.from({ length: 17 }, () => 'ab'.repeat(250)) };
    const damaged: Session = {
      ...active,
      services: { ...others, gold: { ...gold, account: { ...gold.account, as: 'big' } } },
      accountedAs: { ...active.accountedAs, big },
    };
    const { session } = play([deactivating('r2', INTERLOCK, 'gold', 'voice'), ack], damaged);
    expect(accountingRecords(damaged, session).map(({ message }) => message.serviceSession)).toEqual([
      'voice',
    ]);
    expect(unmadeRecords(damaged, session)).toEqual([
      {
        status: 'Stop',
        acctSessionId: accountingId(0),
        serviceSession: 'gold',
        correlationId: 'r2',
        reason: expect.stringMatching(/^expected at most 4057 octets, got \d+$/),
      },
    ]);
  });
});

describe('a subscriber session that begins anew under the same Acct-Session-Id', () => {
  it('has other numbers, and records with other ids, within the five minutes of deduplication', () => {
    const idsOf = (atMs: number) => {
      const begun = play([activating('r1', INTERLOCK, 'gold', 'voice'), ack], undefined, atMs);
      const ended = play([deactivating('r2', INTERLOCK, 'gold', 'voice'), ack], begun.session, atMs + 10);
      let before: Session | undefined;
      return [...begun.results, ...ended.results].flatMap(({ session }) => {
        const records = accountingRecords(before, session);
        before = session;
        return records.map((record) => record.id);
      });
    };
    const ids = [...idsOf(NOW), ...idsOf(NOW + 100), ...idsOf(NOW + 200)];
    expect(ids).toHaveLength(12);
    expect(new Set(ids).size).toBe(12);
  });

  it('and so has the same service, ended and activated again in one life', () => {
    const played = play([
      activating('r1', INTERLOCK, 'gold'),
      ack,
      deactivating('r2', INTERLOCK, 'gold'),
      ack,
      activating('r3', INTERLOCK, 'gold'),
      ack,
    ]);
    expect(recordsOf(played).map(({ status, acctSessionId }) => `${status} ${acctSessionId}`)).toEqual([
      `Start ${accountingId(0)}`,
      `Stop ${accountingId(0)}`,
      `Start ${accountingId(1)}`,
    ]);
  });
});
