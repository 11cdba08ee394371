import { describe, expect, it } from 'vitest';
import type { DialectOptions } from '../../../core/dialects/dialect.ts';
import type { DialectName } from '../../../core/dialects/dialects.ts';
import { type Attribute, encodeAttributes } from '../../../core/radius/codec.ts';
import {
  type AccountingRecord,
  eventTime,
  type RecordContext,
  readAccountingRequest,
} from '../../../core/requests/accounting-request.ts';
import { serviceSessionId } from '../../../core/service-accounting.ts';
import * as vector from '../radius/accounting-vectors.ts';
import { attribute, craft, packetOf, vendorSpecific } from '../radius/craft.ts';

const AT_MS = vector.START_SECONDS * 1000 + 400;
const nas = (dialect: DialectName = 'erx', options: DialectOptions = {}) => ({
  name: 'bng-1',
  identifiedBy: ['192.0.2.1', 'bng-1'],
  dialect,
  options,
});
const context = (over: Partial<RecordContext> = {}): RecordContext => ({
  receivedAtMs: AT_MS,
  windowSeconds: 300,
  nases: [nas()],
  ...over,
});

function recordOf(bytes: Uint8Array, over: Partial<RecordContext> = {}): AccountingRecord {
  const reading = readAccountingRequest(packetOf(bytes), context(over));
  if (!reading.ok) throw new Error(reading.reason);
  return reading.record;
}

const SESSION_ID = 'erx ge-0/0/1.100:0000001234';
const IDENTITY = {
  'User-Name': 'client1@isp1.com',
  'Framed-IP-Address': '198.51.100.7',
  'Calling-Station-Id': '02:00:00:00:00:01',
  'NAS-Port-Id': 'ge-0/0/1.100:100',
};
const START: AccountingRecord = {
  kind: 'start',
  status: 1,
  nas: 'bng-1',
  nasIdentity: { 'NAS-IP-Address': '192.0.2.1' },
  acctSessionId: SESSION_ID,
  identity: IDENTITY,
  classes: [Buffer.from('plan=gold').toString('hex')],
  delaySeconds: 0,
  eventAtMs: vector.START_SECONDS * 1000,
  isStamped: true,
};

describe('a record is read', () => {
  it('Start', () => {
    expect(recordOf(vector.START)).toEqual(START);
  });

  it('Interim-Update, with gigawords', () => {
    expect(recordOf(vector.INTERIM, { receivedAtMs: AT_MS + 900_000 })).toEqual({
      ...START,
      kind: 'interim',
      status: 3,
      eventAtMs: (vector.START_SECONDS + 900) * 1000,
      sessionTimeSeconds: 900,
      counters: {
        inputOctets: 1_000_000,
        outputOctets: 5_000_000_000,
        inputPackets: 8_000,
        outputPackets: 4_000_000,
      },
    });
  });

  it('Stop, with its cause', () => {
    const { kind, sessionTimeSeconds, terminateCause, counters } = recordOf(vector.STOP);
    expect({ kind, sessionTimeSeconds, terminateCause }).toEqual({
      kind: 'stop',
      sessionTimeSeconds: 3600,
      terminateCause: 1,
    });
    expect(counters).toEqual({
      inputOctets: 2_000_000,
      outputOctets: 10_000_000_000,
      inputPackets: 16_000,
      outputPackets: 8_000_000,
    });
  });

  it.each([
    ['Accounting-On', vector.ON, 'on', 7],
    ['Accounting-Off', vector.OFF, 'off', 8],
  ])('%s', (_, bytes, kind, status) => {
    expect(recordOf(bytes, { receivedAtMs: (vector.START_SECONDS + 7200) * 1000 })).toMatchObject({
      kind,
      status,
      nas: 'bng-1',
      nasIdentity: { 'NAS-IP-Address': '192.0.2.1', 'NAS-Identifier': 'bng-1' },
      identity: {},
      isStamped: true,
    });
  });

  it('retried with a later Acct-Delay-Time, as the same event', () => {
    const retried = recordOf(vector.START_RETRIED, { receivedAtMs: AT_MS + 5000 });
    expect(retried).toEqual({ ...START, delaySeconds: 5 });
  });

  it('Start of a service', () => {
    const serviceSessionId = `${SESSION_ID}:000001`;
    expect(recordOf(vector.SERVICE_START)).toMatchObject({
      kind: 'start',
      acctSessionId: serviceSessionId,
      service: { name: 'tiered(1280000, 5120000)', serviceSessionId, parentSessionId: SESSION_ID },
    });
  });
});

/** An Accounting-Request with that status, session id and more. */
const request = (status: number, more: readonly (Attribute | Buffer)[] = [], id = '0001') =>
  craft({
    code: 4,
    attributes: [
      Buffer.from(encodeAttributes([{ name: 'Acct-Status-Type', value: status }])),
      attribute(44, Buffer.from(id)),
      attribute(4, Buffer.of(192, 0, 2, 1)),
      ...more.map((one) => (Buffer.isBuffer(one) ? one : Buffer.from(encodeAttributes([one])))),
    ],
  });

describe('what identifies', () => {
  const all: readonly Attribute[] = [
    { name: 'User-Name', value: 'ann@isp1.com' },
    { name: 'NAS-Port', value: 7 },
    { name: 'Framed-IPv6-Prefix', value: '2001:db8:1::/64' },
    { name: 'Delegated-IPv6-Prefix', value: '2001:db8:2::/56' },
    { name: 'Framed-IPv6-Address', value: '2001:db8:1::7' },
    { name: 'Chargeable-User-Identity', value: Buffer.of(0, 255) },
    { name: 'Acct-Multi-Session-Id', value: 'm1' },
    { name: 'ERX-Virtual-Router-Name', value: 'isp1' },
  ];

  it('is read in the forms in which a CoA-Request is read', () => {
    expect(recordOf(request(1, all)).identity).toEqual({
      'User-Name': 'ann@isp1.com',
      'NAS-Port': 7,
      'Framed-IPv6-Prefix': '2001:db8:1::/64',
      'Delegated-IPv6-Prefix': '2001:db8:2::/56',
      'Framed-IPv6-Address': '2001:db8:1::7',
      'Chargeable-User-Identity': '00ff',
      'Acct-Multi-Session-Id': 'm1',
      'ERX-Virtual-Router-Name': 'isp1',
    });
  });

  it('has no address of zeros: the NAS has given none yet, or has taken it back', () => {
    const zeros = [
      attribute(8, Buffer.alloc(4)),
      attribute(168, Buffer.alloc(16)),
      attribute(97, Buffer.of(0, 64, 0, 0, 0, 0, 0, 0, 0, 0)),
      attribute(123, Buffer.alloc(2)),
    ];
    const { identity } = recordOf(request(1, [...zeros, attribute(1, Buffer.from('0.0.0.0'))]));
    expect(identity).toEqual({ 'User-Name': '0.0.0.0' });
  });

  it('is the first of several, and absent where it is malformed: the record is not lost for it', () => {
    const addresses: readonly Attribute[] = [
      { name: 'Framed-IPv6-Address', value: '2001:db8::1' },
      { name: 'Framed-IPv6-Address', value: '2001:db8::2' },
    ];
    const malformed = [attribute(1, Buffer.of(0xff, 0xfe)), attribute(8, Buffer.of(1, 2))];
    expect(recordOf(request(1, [...addresses, ...malformed])).identity).toEqual({
      'Framed-IPv6-Address': '2001:db8::1',
    });
  });

  it('names the scope of an Accounting-On', () => {
    const { identity } = recordOf(request(7, [{ name: 'ERX-Virtual-Router-Name', value: 'isp1' }]));
    expect(identity).toEqual({ 'ERX-Virtual-Router-Name': 'isp1' });
  });
});

describe('the NAS of a record', () => {
  const identifier = (value: string): Attribute => ({ name: 'NAS-Identifier', value });

  it('is the one that has all of its identification, as in a CoA-Request', () => {
    expect(recordOf(request(1, [identifier('bng-1')])).nas).toBe('bng-1');
    expect(recordOf(request(1, [identifier('bng-2')]))).not.toHaveProperty('nas');
  });

  it('is the only one of the site for a record without any', () => {
    const bare = craft({ code: 4, attributes: [attribute(40, Buffer.of(0, 0, 0, 7))] });
    expect(recordOf(bare).nas).toBe('bng-1');
    const two = [nas(), { ...nas(), name: 'bng-2', identifiedBy: ['192.0.2.2'] }];
    expect(recordOf(bare, { nases: two })).not.toHaveProperty('nas');
  });
});

describe('the time of the event', () => {
  const receivedAtMs = 2_000_000_000_000;
  const seconds = receivedAtMs / 1000;
  it.each([
    ['nothing: the arrival', {}, { eventAtMs: receivedAtMs, isStamped: false }],
    ['Acct-Delay-Time', { delaySeconds: 7 }, { eventAtMs: receivedAtMs - 7000, isStamped: false }],
    [
      'Event-Timestamp',
      { stampSeconds: seconds - 300 },
      { eventAtMs: receivedAtMs - 300_000, isStamped: true },
    ],
    [
      'an Event-Timestamp of the future',
      { stampSeconds: seconds + 300 },
      { eventAtMs: receivedAtMs + 300_000, isStamped: true },
    ],
    [
      'a wrong clock',
      { stampSeconds: seconds - 301 },
      { eventAtMs: receivedAtMs, isStamped: false, wrongStampMs: receivedAtMs - 301_000 },
    ],
    [
      'a wrong clock and Acct-Delay-Time',
      { stampSeconds: 0, delaySeconds: 9 },
      { eventAtMs: receivedAtMs - 9000, isStamped: false, wrongStampMs: 0 },
    ],
    [
      'a record that the client has kept for an hour, and says so',
      { stampSeconds: seconds - 3598, delaySeconds: 3600 },
      { eventAtMs: receivedAtMs - 3_598_000, isStamped: true },
    ],
    ['an Acct-Delay-Time of before 1970', { delaySeconds: 2 ** 31 - 1 }, { eventAtMs: 0, isStamped: false }],
    [
      'a negative Acct-Delay-Time',
      { delaySeconds: 2 ** 32 - 600 },
      { eventAtMs: receivedAtMs, isStamped: false },
    ],
    [
      'a fast clock, from which the client counts a negative Acct-Delay-Time',
      { stampSeconds: seconds + 600, delaySeconds: 2 ** 32 - 600 },
      { eventAtMs: receivedAtMs, isStamped: false, wrongStampMs: receivedAtMs + 600_000 },
    ],
  ])('%s', (_, said, expected) => {
    expect(eventTime({ receivedAtMs, windowSeconds: 300, ...said })).toEqual(expected);
  });
});

describe('counters', () => {
  it('are exact up to 2^53, and left out beyond', () => {
    const { counters } = recordOf(
      request(3, [
        { name: 'Acct-Input-Octets', value: 0xffff_ffff },
        { name: 'Acct-Input-Gigawords', value: 0x1f_ffff },
        { name: 'Acct-Output-Octets', value: 0 },
        { name: 'Acct-Output-Gigawords', value: 0x20_0000 },
      ]),
    );
    expect(counters).toEqual({ inputOctets: Number.MAX_SAFE_INTEGER });
  });
});

describe('nothing is learned from', () => {
  const status = attribute(40, Buffer.of(0, 0, 0, 1));
  const id = attribute(44, Buffer.from('0001'));
  it.each([
    ['no Acct-Status-Type', [id], 'status-type-missing'],
    ['a short Acct-Status-Type', [attribute(40, Buffer.of(1)), id], 'status-type-malformed'],
    ['two of them, even equal ones', [status, status, id], 'status-type-repeated'],
    ['no Acct-Session-Id', [status], 'session-id-missing'],
    ['an empty Acct-Session-Id', [status, attribute(44, Buffer.alloc(0))], 'session-id-malformed'],
    [
      'an Acct-Session-Id that is not UTF-8',
      [status, attribute(44, Buffer.of(0xff))],
      'session-id-malformed',
    ],
    ['two of them, even equal ones', [status, id, id], 'session-id-repeated'],
    ['one of 240 octets', [status, attribute(44, Buffer.alloc(240, 'x'))], 'session-id-too-long'],
    [
      'an Accounting-On with two of them',
      [attribute(40, Buffer.of(0, 0, 0, 7)), id, id],
      'session-id-repeated',
    ],
  ])('%s', (_, attributes, reason) => {
    expect(readAccountingRequest(packetOf(craft({ code: 4, attributes })), context())).toEqual({
      ok: false,
      reason,
    });
  });

  it.each([9, 10, 11, 12, 13, 14, 15, 18, 19, 0xffff_ffff])('Acct-Status-Type %i', (value) => {
    expect(recordOf(request(value))).toMatchObject({ kind: 'other', status: value });
  });

  it.each(['erx', 'cisco', 'generic'] as const)(
    'a service record of Interlock itself, which a server has copied: %s',
    (dialect) => {
      const id = serviceSessionId('0001', dialect === 'erx' ? AT_MS : 1);
      const own = request(1, [{ name: 'ERX-Service-Session', value: 'gold' }], id);
      expect(readAccountingRequest(packetOf(own), context({ nases: [nas(dialect)] }))).toEqual({
        ok: false,
        reason: 'service-record-of-interlock',
      });
    },
  );
});

describe('a record of a service', () => {
  const vendorText = (vendor: number, type: number, text: string) =>
    vendorSpecific(vendor, attribute(type, Buffer.from(text)));

  it.each<[string, DialectName, readonly (Attribute | Buffer)[], string, object]>([
    [
      'Juniper, whose session id has colons',
      'erx',
      [vendorText(4874, 83, 'gold')],
      `${SESSION_ID}:000002`,
      { name: 'gold', parentSessionId: SESSION_ID },
    ],
    ['Juniper, with an id that has none', 'erx', [vendorText(4874, 83, 'gold')], '77', { name: 'gold' }],
    [
      'Cisco ISG: Cisco-Service-Info and Cisco-AVPair',
      'cisco',
      [
        vendorText(9, 251, 'Uann'),
        vendorText(9, 251, 'NGOLD'),
        vendorText(9, 1, 'parent-session-id=00000A17'),
      ],
      '00000A18',
      { name: 'GOLD', parentSessionId: '00000A17' },
    ],
    [
      'Cisco IOS XR: Cisco-AVPair',
      'cisco',
      [
        { name: 'Cisco-AVPair', value: 'subscriber:servicename=INTERNET(shape-rate=1000)' },
        { name: 'Cisco-AVPair', value: 'Parent-Session-Id=00000027' },
      ],
      '00000028',
      { name: 'INTERNET(shape-rate=1000)', parentSessionId: '00000027' },
    ],
    [
      'Cisco, the typed forms',
      'cisco',
      [vendorText(9, 51, 'GOLD'), vendorText(9, 52, '00000A17')],
      '00000A18',
      { name: 'GOLD', parentSessionId: '00000A17' },
    ],
    ['Cisco, without its session', 'cisco', [vendorText(9, 251, 'NGOLD')], '00000A18', { name: 'GOLD' }],
  ])('%s', (_, dialect, more, id, expected) => {
    for (const status of [1, 2, 3]) {
      const { service } = recordOf(request(status, more, id), { nases: [nas(dialect)] });
      expect(service).toEqual({ serviceSessionId: id, ...expected });
    }
  });

  it.each([
    ['nokia', vendorText(6527, 151, 'gold'), true],
    ['nokia', vendorText(2011, 185, 'Ngold'), false],
    ['huawei', vendorText(2011, 185, 'Ngold'), true],
    ['huawei', vendorText(2352, 190, 'gold'), false],
    ['redback', vendorText(2352, 190, 'gold'), true],
    ['redback', vendorText(6527, 151, 'gold'), false],
  ])('is read as the option of generic says: %s', (serviceRecords, named, isService) => {
    const { service } = recordOf(request(1, [named], '0002'), {
      nases: [nas('generic', { serviceRecords })],
    });
    expect(service?.name).toBe(isService ? 'gold' : undefined);
  });

  it.each<[DialectName, readonly Buffer[]]>([
    [
      'cisco',
      [vendorText(9, 251, 'Uann'), vendorText(9, 251, 'TX'), vendorText(9, 1, 'client-mac-address=…')],
    ],
    ['generic', [vendorText(9, 251, 'NGOLD'), vendorText(6527, 151, 'gold')]],
    ['erx', [vendorText(9, 251, 'NGOLD')]],
  ])('is none for %s without its form', (dialect, more) => {
    expect(recordOf(request(1, more), { nases: [nas(dialect)] })).not.toHaveProperty('service');
  });

  it('is none for an Accounting-On', () => {
    expect(recordOf(request(7, [vendorText(4874, 83, 'gold')]))).not.toHaveProperty('service');
  });
});
