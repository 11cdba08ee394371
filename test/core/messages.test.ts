import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AccountingMessage,
  type DueMessage,
  DueQueueMessage,
  FeedMessage,
  InboxMessage,
  MalformedMessage,
  MESSAGE_VERSION,
  messageGroup,
  OutboxMessage,
  readMessage,
  replyFor,
  writeMessage,
} from '../../core/messages.ts';

describe('a message', () => {
  it('is read as it was written, whatever characters it has, and its body is ASCII', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 });
    fc.assert(
      fc.property(text, text, (nas, acctSessionId) => {
        const message: DueMessage = {
          version: 1,
          kind: 'due',
          session: { nas, acctSessionId },
          dueAtMs: 1,
        };
        const body = writeMessage(message);
        expect(body).toMatch(/^[\x20-\x7e]*$/);
        expect(readMessage(DueQueueMessage, body)).toEqual(message);
      }),
    );
  });

  it.each([
    ['{', 'is not JSON'],
    ['{}', 'kind: '],
    ['{"kind":"due","session":{"nas":"","acctSessionId":"1"},"dueAtMs":1}', 'session.nas: '],
  ])('that no release wrote is refused, and the error names the path: %s', (body, reason) => {
    expect(() => readMessage(DueQueueMessage, body)).toThrow(MalformedMessage);
    expect(() => readMessage(DueQueueMessage, body)).toThrow(reason);
  });
});

describe('a message of the due queue', () => {
  const session = { nas: 'bng-1', acctSessionId: '0001' };
  it.each([
    { kind: 'due', session, dueAtMs: 1 },
    { kind: 'resync', session, to: 'table' },
    { kind: 'resync', session, to: 'nas', operator: 'ops@host' },
  ] as const)('is read as it was written: %o', (message) => {
    const written = { version: MESSAGE_VERSION, ...message };
    expect(readMessage(DueQueueMessage, writeMessage(written))).toEqual(written);
  });

  it('brings a session to nothing else than the table or the NAS', () => {
    const message = { version: MESSAGE_VERSION, kind: 'resync', session, to: 'both' };
    expect(() => readMessage(DueQueueMessage, writeMessage(message))).toThrow('to: ');
  });
});

describe('a message of a feed', () => {
  const text = fc.string({ unit: 'binary', minLength: 1 });
  const timeMs = fc.nat();
  const count = fc.maxSafeNat();
  const integer = fc.integer({ min: 0, max: 0xffff_ffff });
  const hexadecimal = fc.uint8Array({ minLength: 1 }).map((octets) => Buffer.from(octets).toString('hex'));
  const arbitrary: fc.Arbitrary<FeedMessage> = fc.record(
    {
      version: fc.constant(1 as const),
      kind: fc.constant('feed' as const),
      correlationId: text,
      relay: text,
      feed: text,
      receivedAtMs: timeMs,
      status: fc.constantFrom('start', 'stop', 'interim', 'on', 'off', 'stale'),
      nas: text,
      acctSessionId: text,
      eventAtMs: timeMs,
      isStamped: fc.boolean(),
      wrongStampMs: timeMs,
      identity: fc.record(
        { 'User-Name': text, 'NAS-Port': integer, 'ERX-Virtual-Router-Name': text },
        { requiredKeys: [] },
      ),
      classes: fc.array(hexadecimal),
      sessionTimeSeconds: integer,
      terminateCause: integer,
      interimIntervalSeconds: integer,
      counters: fc.record({ inputOctets: count, outputPackets: count }, { requiredKeys: [] }),
      service: fc.record({ name: text, serviceSessionId: text }),
    },
    {
      requiredKeys: [
        'version',
        'kind',
        'correlationId',
        'relay',
        'feed',
        'receivedAtMs',
        'status',
        'nas',
        'eventAtMs',
        'isStamped',
        'identity',
        'classes',
      ],
    },
  );

  it('is read as it was written, whatever it says', () => {
    fc.assert(
      fc.property(arbitrary, (message) => {
        expect(readMessage(FeedMessage, writeMessage(message))).toEqual(message);
      }),
    );
  });

  const least = {
    version: 1,
    kind: 'feed',
    correlationId: 'c',
    relay: 'demo',
    feed: 'bng-1',
    receivedAtMs: 2,
    status: 'on',
    nas: 'bng-1',
    eventAtMs: 1,
  } as const;

  it.each([
    { identity: { 'Framed-IP-Address': '198.51.100' } },
    { identity: { 'User-Name': 7 } },
    { identity: { 'NAS-Port': '7' } },
    { identity: { 'User-Name': 'x'.repeat(254) } },
    { eventAtMs: 1e300 },
  ])('brings nothing that no record can have: %j', (said) => {
    expect(() => readMessage(FeedMessage, writeMessage({ ...least, ...said }))).toThrow(MalformedMessage);
  });

  it('needs nothing but when, where and what', () => {
    expect(readMessage(FeedMessage, writeMessage(least))).toEqual({
      ...least,
      isStamped: false,
      identity: {},
      classes: [],
    });
  });

  it('may say more than this release reads', () => {
    const later = { ...least, mood: 'fine', identity: { 'User-Name': 'ann', 'Shoe-Size': 43 } };
    const read = readMessage(FeedMessage, writeMessage(later));
    expect(read).not.toHaveProperty('mood');
    expect(read.identity).toEqual({ 'User-Name': 'ann' });
  });
});

describe('the message group of a session', () => {
  it('is valid for SQS, for every Acct-Session-Id', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 253 }), (acctSessionId) => {
        expect(messageGroup(acctSessionId)).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
      }),
    );
  });

  it('is the same for all requests without Acct-Session-Id', () => {
    expect(messageGroup(undefined)).toBe(messageGroup(new Uint8Array()));
  });
});

describe('a message of 0.1.0, which has no version,', () => {
  const PAST: Readonly<Record<string, Record<string, unknown>>> = JSON.parse(
    readFileSync(join(import.meta.dirname, 'past-messages/0.1.0.json'), 'utf8'),
  );
  const SCHEMAS = {
    request: InboxMessage,
    outcome: InboxMessage,
    due: DueQueueMessage,
    reply: OutboxMessage,
    command: OutboxMessage,
    accounting: AccountingMessage,
  };
  const read = (kind: keyof typeof SCHEMAS, over: object = {}) =>
    readMessage(SCHEMAS[kind], JSON.stringify({ ...PAST[kind], ...over }));

  it.each(Object.keys(SCHEMAS) as (keyof typeof SCHEMAS)[])('is read: %s', (kind) => {
    const message = read(kind);
    expect(message).toMatchObject({ version: MESSAGE_VERSION, kind });
    // Written in today's version, it is read as the same message.
    expect(readMessage(SCHEMAS[kind], writeMessage(message))).toEqual(message);
  });

  it('has the origin of a request in its client and packet', () => {
    const { client, packet } = PAST['request'] ?? {};
    expect(read('request')).toMatchObject({ origin: { kind: 'radius', client, packet } });
  });

  it('has the origin of a reply in its client, whose name is its address, and its request', () => {
    expect(read('reply')).toMatchObject({
      origin: {
        kind: 'radius',
        client: { name: '192.0.2.10', address: '192.0.2.10', port: 53424 },
        packet: PAST['reply']?.['request'],
      },
    });
  });

  it('is answered in the version that its relay reads', () => {
    const reply = read('reply');
    if (reply.kind !== 'reply') throw new Error('no reply');
    expect(replyFor(reply)).toEqual(PAST['reply']);
    const named = { ...reply, origin: { ...reply.origin, relay: 'demo' } };
    expect(replyFor(named)).toEqual(named);
  });

  it('is refused if 0.1.0 never wrote it, and the error names the path', () => {
    expect(() => read('request', { packet: 7 })).toThrow('origin.packet: ');
  });
});

it('a message of a later version is refused by that version', () => {
  const later = { version: MESSAGE_VERSION + 1, kind: 'due' };
  expect(() => readMessage(DueQueueMessage, JSON.stringify(later))).toThrow(
    `version: ${MESSAGE_VERSION + 1} is later than ${MESSAGE_VERSION}`,
  );
});
