import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DueMessage,
  MalformedMessage,
  messageGroup,
  readMessage,
  writeMessage,
} from '../../core/messages.ts';

describe('a message', () => {
  it('comes back as it was written, whatever characters are in it, and is ASCII on its way', () => {
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
  ])('that nobody could have written is refused by its path: %s', (body, reason) => {
    expect(() => readMessage(DueMessage, body)).toThrow(MalformedMessage);
    expect(() => readMessage(DueMessage, body)).toThrow(reason);
  });
});

describe('the message group of a session', () => {
  it('is what SQS allows, for every Acct-Session-Id', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 253 }), (acctSessionId) => {
        expect(messageGroup(acctSessionId)).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
      }),
    );
  });

  it('is one for all requests without a session', () => {
    expect(messageGroup(undefined)).toBe(messageGroup(new Uint8Array()));
  });
});
