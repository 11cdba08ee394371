import { describe, expect, it } from 'vitest';
import type { Dialect } from '../../../core/dialects/dialect.ts';
import { DIALECT_NAMES, DIALECTS, type DialectName } from '../../../core/dialects/dialects.ts';
import type { Identity } from '../../../core/identity.ts';
import type { NasProfile } from '../../../core/nas.ts';
import { decodeAttributes, describeAttribute } from '../../../core/radius/codec.ts';
import type { PlannedService } from '../../../core/services/terms.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import type { Result } from '../../../core/subscriber/transition.ts';
import { craft, packetOf } from '../radius/craft.ts';
import { asked, brief, deactivation, nas, outcome, play, request, service, services } from '../support.ts';

/** A Vendor-Specific value holds 247 octets (RFC 2865 section 5.26); ERX-Service-Activate spends one on its tag. */
const MAX_ACTIVATION_OCTETS = 246;

const CONTEXT = { staying: [], options: { tagDeactivations: false } };

/** What a dialect says of services, an attribute a line. */
function said(
  dialect: Dialect,
  operation: 'activate' | 'deactivate',
  list: readonly PlannedService[],
  over: Partial<typeof CONTEXT> = {},
) {
  const context = { ...CONTEXT, ...over };
  const attributes =
    operation === 'activate'
      ? dialect.activate(list, context)
      : dialect.deactivate(
          list.map(({ activation }) => activation),
          context,
        );
  return attributes.map(describeAttribute);
}

/** The octets of the command that is sent. */
function octetsOf({ effects }: Result): Buffer {
  const command = effects.find((effect) => effect.kind === 'command');
  if (command === undefined) throw new Error('no command is sent');
  return Buffer.from(command.attributes, 'base64');
}

/** The attributes of the command that is sent, as the NAS decodes them. */
const told = (result: Result): readonly string[] =>
  decodeAttributes(packetOf(craft({ attributes: [octetsOf(result)] }))).map(describeAttribute);

const at = (dialect: DialectName, over: Partial<NasProfile> = {}) => ({
  nas: nas({ enforcement: 'coa', dialect, ...over }),
});
const ack = (session: Session | undefined) => outcome(session, 'ack');
const nak = (errorCause: number) => (session: Session | undefined) => outcome(session, 'nak', errorCause);

/** A session at rest that has these services. */
function having(dialect: DialectName, activate: readonly string[]): Session {
  const { session } = play([asked(request('before', { ...at(dialect, { enforcement: 'none' }), activate }))]);
  if (session === undefined) throw new Error('a request makes a session');
  return session;
}

describe('erx', () => {
  const { erx } = DIALECTS;

  it('gives each activation a tag of its own, and under it what belongs to it', () => {
    const tier = service('tiered(1280000,5120000)', {
      statistics: 'time+volume',
      timeoutSeconds: 18_000,
      volumeMegabytes: 500,
      interimIntervalSeconds: 600,
    });
    expect(said(erx, 'activate', [tier, service('voice')])).toEqual([
      'ERX-Service-Activate:1 = "tiered(1280000,5120000)"',
      'ERX-Service-Statistics:1 = 2',
      'ERX-Service-Timeout:1 = 18000',
      'ERX-Service-Volume:1 = 500',
      'ERX-Service-Acct-Interval:1 = 600',
      'ERX-Service-Activate:2 = "voice"',
      'ERX-Service-Statistics:2 = 1',
    ]);
  });

  it.each([
    ['off', 0],
    ['time', 1],
    ['time+volume', 2],
  ] as const)('says how it is to be counted: %s is %i', (statistics, value) => {
    expect(said(erx, 'activate', [service('gold', { statistics })])).toContain(
      `ERX-Service-Statistics:1 = ${value}`,
    );
  });

  it('deactivates without a tag, or with one for each where the NAS wants it so', () => {
    const list = [service('gold'), service('voice')];
    expect(said(erx, 'deactivate', list)).toEqual([
      'ERX-Service-Deactivate = "gold"',
      'ERX-Service-Deactivate = "voice"',
    ]);
    expect(said(erx, 'deactivate', list, { options: { tagDeactivations: true } })).toEqual([
      'ERX-Service-Deactivate:1 = "gold"',
      'ERX-Service-Deactivate:2 = "voice"',
    ]);
  });

  it('tells the NAS so octet by octet', () => {
    const gold = service('gold', { timeoutSeconds: 3600 });
    const { last } = play([
      asked(request('r1', { ...at('erx', { serviceAccounting: 'nas' }), activate: [gold] })),
    ]);
    const text = (value: string) => Buffer.from(value).toString('hex');
    expect(octetsOf(last).toString('hex')).toBe(
      [
        // Acct-Session-Id, User-Name, NAS-IP-Address, NAS-Identifier
        `2c04${text('s1')}`,
        `0112${text('client1@isp1.com')}`,
        '0406c0000201',
        `2007${text('bng-1')}`,
        // Vendor 4874: vendor type, vendor length, tag, value
        `1a0d0000130a410701${text('gold')}`,
        '1a0c0000130a450601000001',
        '1a0c0000130a440601000e10',
      ].join(''),
    );
  });

  it('puts as many deactivations into a command as there are tags, and the rest into the next', () => {
    const nine = Array.from({ length: 9 }, (_, index) => `voice(${index + 1})`);
    const { results } = play(
      [
        asked(request('r1', { ...at('erx', { options: { tagDeactivations: true } }), deactivate: nine })),
        ack,
        ack,
      ],
      having('erx', nine),
    );
    expect(results.map(brief)).toEqual([
      [`deactivate ${nine.slice(0, 8).join(' ')}`],
      ['deactivate voice(9)'],
      ['ack'],
    ]);
    expect(results.slice(0, 2).map((result) => told(result).at(-1))).toEqual([
      'ERX-Service-Deactivate:8 = "voice(8)"',
      'ERX-Service-Deactivate:1 = "voice(9)"',
    ]);
  });

  it('has room for eight activations of the greatest length in one packet', () => {
    const longest = Array.from({ length: 8 }, (_, index) =>
      service(`s${index}(${'x'.repeat(MAX_ACTIVATION_OCTETS - 4)})`, {
        timeoutSeconds: 1,
        volumeMegabytes: 1,
        interimIntervalSeconds: 600,
      }),
    );
    const identity = { 'User-Name': 'u'.repeat(253), 'ERX-Virtual-Router-Name': 'v'.repeat(247) };
    const asking = { acctSessionId: 'a'.repeat(239), identity, activate: longest };
    const serviceAccounting = 'nas' as const;
    const profile = {
      serviceAccounting,
      identity: { 'NAS-IP-Address': '192.0.2.1', 'NAS-Identifier': 'n'.repeat(253) },
    };
    const { last } = play([asked(request('r1', { ...at('erx', profile), ...asking }))]);
    expect(told(last)).toHaveLength(5 + 8 * 5);
  });
});

describe('cisco', () => {
  const { cisco } = DIALECTS;

  it('names the command and the service in two Cisco-AVPairs', () => {
    expect(said(cisco, 'activate', [service('gold')])).toEqual([
      'Cisco-AVPair = "subscriber:command=activate-service"',
      'Cisco-AVPair = "subscriber:service-name=gold"',
    ]);
    expect(said(cisco, 'deactivate', [service('gold')])).toEqual([
      'Cisco-AVPair = "subscriber:command=deactivate-service"',
      'Cisco-AVPair = "subscriber:service-name=gold"',
    ]);
  });

  it('tells of one service at a time, first all that come, then all that go', () => {
    const { session, results } = play(
      [asked(request('r1', { ...at('cisco'), activate: ['gold', 'video'] })), ack, ack, ack, ack],
      having('cisco', ['silver', 'bronze', 'voice']),
    );
    expect(results.map(brief)).toEqual([
      ['activate gold'],
      ['activate video'],
      ['deactivate silver'],
      ['deactivate bronze'],
      ['ack'],
    ]);
    expect(results.slice(0, 4).map((result) => told(result).slice(-2))).toEqual(
      [
        ['activate', 'gold'],
        ['activate', 'video'],
        ['deactivate', 'silver'],
        ['deactivate', 'bronze'],
      ].map(([operation, name]) => [
        `Cisco-AVPair = "subscriber:command=${operation}-service"`,
        `Cisco-AVPair = "subscriber:service-name=${name}"`,
      ]),
    );
    expect(services(session)).toEqual({ voice: 'active', gold: 'active', video: 'active' });
  });

  it('touches nothing that the subscriber has before all that comes is confirmed', () => {
    const { session } = play(
      [asked(request('r1', { ...at('cisco'), activate: ['gold', 'video'] })), ack],
      having('cisco', ['silver']),
    );
    expect(services(session)).toEqual({ silver: 'active' });
  });

  it('takes back what was activated before the one that is refused, and passes the refusal on', () => {
    const { session, results } = play(
      [
        asked(request('r1', { ...at('cisco'), activate: ['gold', 'video', 'voice'] })),
        ack,
        ack,
        nak(506),
        ack,
        ack,
      ],
      having('cisco', ['both']),
    );
    expect(results.map(brief)).toEqual([
      ['activate gold'],
      ['activate video'],
      ['activate voice'],
      ['nak 506', 'deactivate gold'],
      ['deactivate video'],
      [],
    ]);
    expect(services(session)).toEqual({ both: 'active' });
    expect(session?.transition).toBeUndefined();
  });

  it('gives what the subscriber had before its former terms again, and does not take it back', () => {
    const { session, results } = play(
      [asked(request('r1', { ...at('cisco'), activate: ['silver', 'video'] })), ack, nak(506), ack],
      having('cisco', ['silver']),
    );
    expect(results.map(brief)).toEqual([
      ['activate silver'],
      ['activate video'],
      ['nak 506', 'activate silver'],
      [],
    ]);
    expect(services(session)).toEqual({ silver: 'active' });
  });

  it('takes back all that may be there when the NAS falls silent, and goes on trying', () => {
    const { session, results } = play(
      [
        asked(request('r1', { ...at('cisco'), activate: ['gold', 'video'] })),
        ack,
        (s) => outcome(s, 'timeout'),
        ack,
        (s) => outcome(s, 'timeout'),
      ],
      having('cisco', ['both']),
    );
    expect(results.map(brief)).toEqual([
      ['activate gold'],
      ['activate video'],
      ['nak 505', 'deactivate gold'],
      ['deactivate video'],
      [],
    ]);
    expect(services(session)).toEqual({ both: 'active', video: 'deactivating' });
    expect(session?.services['video']?.retry).toMatchObject({ attempts: 1 });
  });
});

describe('generic', () => {
  const filters = (result: Result) => told(result).filter((line) => line.startsWith('Filter-Id'));
  const named = (...names: readonly string[]) => names.map((name) => `Filter-Id = "${name}"`);

  it('names all that the session has, since what a request names replaces what was there', () => {
    const { results } = play(
      [asked(request('r1', { ...at('generic'), activate: ['gold', 'video'] })), ack],
      having('generic', ['silver', 'voice']),
    );
    expect(results.map(brief)).toEqual([['activate gold video'], ['deactivate silver']]);
    expect(results.map(filters)).toEqual([
      // First the old beside the new,
      named('silver', 'voice', 'gold', 'video'),
      // and then what stays.
      named('voice', 'gold', 'video'),
    ]);
  });

  it('names none where nothing is left: to leave Filter-Id out would change nothing', () => {
    const { last } = play(
      [asked(request('r1', { ...at('generic'), deactivate: ['silver', 'voice'] }))],
      having('generic', ['silver', 'voice']),
    );
    expect(filters(last)).toEqual(named('none'));
  });

  it.each([
    { what: 'alone', activate: [], unknown: 'gold', answer: 'nak 503' },
    { what: 'alone, and the catalogue does not define it', activate: [], unknown: 'typo', answer: 'nak 404' },
    { what: 'beside an activation', activate: ['video'], unknown: 'gold', answer: 'nak 503' },
  ])(
    'is not asked about what the table does not know, which its list would wipe: $what',
    ({ activate, unknown, answer }) => {
      const named = deactivation(unknown, { isDefined: unknown !== 'typo' });
      const asking = request('r1', { ...at('generic'), activate, deactivate: ['voice', named] });
      const { last, session } = play([asked(asking)], having('generic', ['silver', 'voice']));
      expect(brief(last)).toEqual([answer]);
      expect(services(session)).toEqual({ silver: 'active', voice: 'active' });
    },
  );

  it('does not name what was asked for under another name in vain', () => {
    const start = { ...having('generic', ['silver']), identity: {} };
    const lastOfGroup = service('video', { groups: [7] });
    const wrong = { ...at('generic'), identity: { 'User-Name': 'wrong' }, activate: [lastOfGroup] };
    const { last } = play(
      [
        asked(request('w', wrong)),
        (s) => outcome(s, 'timeout'),
        asked(request('r', { ...at('generic'), identity: { 'User-Name': 'right' }, activate: ['voice'] })),
      ],
      start,
    );
    expect(filters(last)).toEqual(named('silver', 'voice'));
  });

  it('takes a bare name for the known services of that name', () => {
    const asking = request('r1', { ...at('generic'), deactivate: ['gold'] });
    const { last } = play([asked(asking)], having('generic', ['gold(1)', 'voice']));
    expect(filters(last)).toEqual(named('voice'));
  });

  it('names a service once that is activated again', () => {
    const { last } = play(
      [asked(request('r1', { ...at('generic'), activate: ['silver'] }))],
      having('generic', ['silver', 'voice']),
    );
    expect(filters(last)).toEqual(named('voice', 'silver'));
  });

  it('goes back to what the session had when the NAS falls silent', () => {
    const { last } = play(
      [asked(request('r1', { ...at('generic'), activate: ['gold'] })), (s) => outcome(s, 'timeout')],
      having('generic', ['silver', 'voice']),
    );
    expect(brief(last)).toEqual(['nak 505', 'deactivate gold']);
    expect(filters(last)).toEqual(named('silver', 'voice'));
  });

  it('does not name again what should be gone already', () => {
    const { last } = play(
      [
        asked(request('r1', { ...at('generic'), activate: ['gold'] })),
        ack,
        nak(506),
        asked(request('r2', { ...at('generic'), activate: ['video'] })),
      ],
      having('generic', ['silver', 'voice']),
    );
    expect(filters(last)).toEqual(named('voice', 'gold', 'video'));
  });
});

describe('the identification of a session', () => {
  const EVERYTHING: Identity = {
    'ERX-Virtual-Router-Name': 'isp1',
    'Chargeable-User-Identity': '00ff',
    'Framed-IPv6-Prefix': '2001:db8::/56',
    'NAS-Port-Id': 'ge-1/0/1:100',
    'Acct-Multi-Session-Id': 'multi',
    'Calling-Station-Id': '00-00-5e-00-53-01',
    'Called-Station-Id': 'called',
    'Framed-IP-Address': '198.51.100.7',
    'NAS-Port': 7,
    'User-Name': 'client1@isp1.com',
  };
  const identity = {
    'NAS-IP-Address': '192.0.2.1',
    'NAS-IPv6-Address': '2001:db8::1',
    'NAS-Identifier': 'bng-1',
  };
  /** What stands before the change in an activation of gold. */
  const identified = (dialect: DialectName, known: Identity, profile: NasProfile['identity']) => {
    const asking = request('r1', {
      ...at(dialect, { identity: profile }),
      identity: known,
      activate: ['gold'],
    });
    return told(play([asked(asking)]).last).filter(
      (line) => !/^(ERX-Service|Cisco-AVPair|Filter-Id)/.test(line),
    );
  };

  it.each<[DialectName, readonly string[]]>([
    [
      'erx',
      [
        'Acct-Session-Id = "s1"',
        'User-Name = "client1@isp1.com"',
        'ERX-Virtual-Router-Name = "isp1"',
        'NAS-IP-Address = 192.0.2.1',
        'NAS-IPv6-Address = 2001:db8::1',
        'NAS-Identifier = "bng-1"',
      ],
    ],
    [
      'cisco',
      [
        'Acct-Session-Id = "s1"',
        'NAS-IP-Address = 192.0.2.1',
        'NAS-IPv6-Address = 2001:db8::1',
        'NAS-Identifier = "bng-1"',
      ],
    ],
    [
      'generic',
      [
        'Acct-Session-Id = "s1"',
        'User-Name = "client1@isp1.com"',
        'NAS-IP-Address = 192.0.2.1',
        'NAS-IPv6-Address = 2001:db8::1',
        'NAS-Identifier = "bng-1"',
      ],
    ],
  ])('of %s has its own order, whatever the order in which things became known', (dialect, expected) => {
    expect(identified(dialect, EVERYTHING, identity)).toEqual(expected);
  });

  it.each(DIALECT_NAMES)('of %s leaves out what is not known', (dialect) => {
    expect(identified(dialect, {}, {})).toEqual(['Acct-Session-Id = "s1"']);
  });

  it.each(['erx', 'generic'] as const)('of %s has what an earlier request said', (dialect) => {
    const { results } = play([
      asked(
        request('r1', { ...at(dialect), identity: { 'User-Name': 'client1@isp1.com' }, activate: ['gold'] }),
      ),
      ack,
      asked(request('r2', { ...at(dialect), identity: {}, activate: ['voice'] })),
    ]);
    const commands = results.filter(({ effects }) => effects.some(({ kind }) => kind === 'command'));
    expect(commands.map((result) => told(result)[1])).toEqual([
      'User-Name = "client1@isp1.com"',
      'User-Name = "client1@isp1.com"',
    ]);
  });
});

describe.each(DIALECT_NAMES)('a deactivation that a NAS of the dialect %s refuses', (dialect) => {
  const refused = (errorCause: number) =>
    play(
      [asked(request('r1', { ...at(dialect), activate: ['gold'] })), ack, nak(errorCause)],
      having(dialect, ['silver']),
    );

  it('with 503, Session-Context-Not-Found, is done: who is not there has no services', () => {
    const { session, last } = refused(503);
    expect(brief(last)).toEqual(['ack']);
    expect(services(session)).toEqual({ gold: 'active' });
    expect(session?.ended).toMatchObject({ silver: { correlationId: 'r1' } });
  });

  it.each([401, 404, 407, 501, 504, 506])('with %i is not done, and is tried again', (errorCause) => {
    const { session, last } = refused(errorCause);
    expect(brief(last)).toEqual(['ack']);
    expect(services(session)).toEqual({ silver: 'deactivating', gold: 'active' });
    expect(session?.services['silver']?.retry).toMatchObject({ attempts: 1 });
  });
});

describe('a service that the NAS cannot be told of', () => {
  it('is refused with 407 when its name is too long for the dialect, before anything is sent', () => {
    const long = `gold(${'9'.repeat(230)})`;
    const { last } = play([asked(request('r1', { ...at('cisco'), activate: [long] }))]);
    expect(brief(last)).toEqual(['nak 407']);
  });

  it('is refused with 506 when all of the names together are too long for a packet', () => {
    const long = Array.from({ length: 17 }, (_, index) => `voice(${String(index).padStart(230, '0')})`);
    const { last } = play([asked(request('r1', { ...at('generic'), activate: long }))]);
    expect(brief(last)).toEqual(['nak 506']);
  });
});
