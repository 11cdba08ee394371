import { expect, test } from 'vitest';
import type { Attribute } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { checkRequest } from '../../../relay/radius/checks.ts';
import type { Client } from '../../../relay/site/clients.ts';
import { localClient, OLD_SECRET, SECRET, STRANGE_SECRET, signedRequest } from '../support.ts';

const NOW_MS = 1_700_000_000_000;
const NOW_SECONDS = NOW_MS / 1000;
const WINDOW_SECONDS = 300;

const check = (datagram: Uint8Array, client: Client | undefined = localClient()) =>
  checkRequest(datagram, client, NOW_MS, WINDOW_SECONDS);
const user: Attribute = { name: 'User-Name', value: 'client1' };
const stampedAt = (seconds: number) =>
  signedRequest({ attributes: [user, { name: 'Event-Timestamp', value: seconds }] });

test.each([
  ['a CoA-Request', CODE.CoaRequest],
  ['a Disconnect-Request', CODE.DisconnectRequest],
])('accepts %s with and without a Message-Authenticator', (_, code) => {
  for (const messageAuthenticator of [true, false]) {
    expect(check(signedRequest({ code, messageAuthenticator }))).toMatchObject({
      ok: true,
      packet: { code },
      secret: SECRET,
    });
  }
});

test('tries both secrets of a rotation and says which one it was', () => {
  const client = localClient({ secrets: [SECRET, OLD_SECRET] });
  expect(check(signedRequest(), client)).toMatchObject({ ok: true, secret: SECRET });
  expect(check(signedRequest({ secret: OLD_SECRET }), client)).toMatchObject({
    ok: true,
    secret: OLD_SECRET,
  });
});

test('takes octets after Length for padding', () => {
  const request = signedRequest();
  const result = check(Buffer.concat([request, Buffer.alloc(7, 0xff)]));
  expect(result.ok && Buffer.from(result.packet.bytes).equals(request)).toBe(true);
});

test.each([
  ['at its past edge', NOW_SECONDS - WINDOW_SECONDS],
  ['at its future edge', NOW_SECONDS + WINDOW_SECONDS],
])('accepts an Event-Timestamp inside of the window, %s', (_, seconds) => {
  expect(check(stampedAt(seconds))).toMatchObject({ ok: true });
});

const withLength = (length: number) => {
  const datagram = Buffer.from(signedRequest());
  datagram.writeUInt16BE(length, 2);
  return datagram;
};
const withLastAttributeLength = (length: number) => {
  const datagram = Buffer.from(signedRequest({ attributes: [user], messageAuthenticator: false }));
  datagram.writeUInt8(length, 21);
  return datagram;
};
const requireBoth = localClient({ requireMessageAuthenticator: true, requireEventTimestamp: true });
const rawAttribute = (type: number, octets: number): Attribute => ({
  unknown: { type },
  value: Buffer.alloc(octets),
});

test.each<[string, Uint8Array, Client | undefined]>([
  ['datagram-too-short', Buffer.alloc(19), localClient()],
  ['length-below-20', withLength(19), localClient()],
  ['length-above-4096', withLength(4097), localClient()],
  ['length-beyond-datagram', withLength(4096), localClient()],
  ['attribute-length-below-2', withLastAttributeLength(1), localClient()],
  ['attribute-past-end', withLastAttributeLength(255), localClient()],
  ['unexpected-code', signedRequest({ code: CODE.AccountingRequest }), localClient()],
  ['unexpected-code', signedRequest({ code: CODE.CoaAck }), localClient()],
  ['wrong-request-authenticator', signedRequest({ secret: STRANGE_SECRET }), localClient()],
  ['several-message-authenticators', signedRequest({ attributes: [rawAttribute(80, 16)] }), localClient()],
  [
    'wrong-message-authenticator',
    signedRequest({ attributes: [rawAttribute(80, 16)], messageAuthenticator: false }),
    localClient(),
  ],
  ['missing-message-authenticator', signedRequest({ messageAuthenticator: false }), requireBoth],
  ['missing-event-timestamp', signedRequest(), requireBoth],
  ['malformed-event-timestamp', signedRequest({ attributes: [rawAttribute(55, 3)] }), localClient()],
  [
    'malformed-event-timestamp',
    signedRequest({
      attributes: [NOW_SECONDS, NOW_SECONDS].map((value) => ({ name: 'Event-Timestamp', value })),
    }),
    localClient(),
  ],
  ['stale-event-timestamp', stampedAt(NOW_SECONDS - WINDOW_SECONDS - 1), localClient()],
  ['stale-event-timestamp', stampedAt(NOW_SECONDS + WINDOW_SECONDS + 1), localClient()],
])('discards for %s', (reason, datagram, client) => {
  expect(check(datagram, client)).toMatchObject({ ok: false, reason });
});

test('discards whatever comes from somebody who is no client', () => {
  expect(checkRequest(signedRequest(), undefined, NOW_MS, WINDOW_SECONDS)).toEqual({
    ok: false,
    reason: 'unknown-source',
  });
});

test('names what the secret that did sign found wrong, whichever of the two it is', () => {
  const request = signedRequest({
    attributes: [rawAttribute(80, 16)],
    messageAuthenticator: false,
    secret: OLD_SECRET,
  });
  for (const secrets of [
    [SECRET, OLD_SECRET],
    [OLD_SECRET, SECRET],
  ]) {
    expect(check(request, localClient({ secrets }))).toMatchObject({ reason: 'wrong-message-authenticator' });
  }
});
