import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AccountingMessage,
  DueMessage,
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
        expect(readMessage(DueMessage, body)).toEqual(message);
      }),
    );
  });

  it.each([
    ['{', 'is not JSON'],
    ['{}', 'kind: '],
    ['{"kind":"due","session":{"nas":"","acctSessionId":"1"},"dueAtMs":1}', 'session.nas: '],
  ])('that no release wrote is refused, and the error names the path: %s', (body, reason) => {
    expect(() => readMessage(DueMessage, body)).toThrow(MalformedMessage);
    expect(() => readMessage(DueMessage, body)).toThrow(reason);
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
    due: DueMessage,
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
  expect(() => readMessage(DueMessage, JSON.stringify(later))).toThrow(
    `version: ${MESSAGE_VERSION + 1} is later than ${MESSAGE_VERSION}`,
  );
});
