import { createHash, createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  prepareSecret,
  signReply,
  signRequest,
  verifyReply,
  verifyRequest,
} from '../../../core/radius/authenticator.ts';
import { decodeAttributes, encodeAttributes } from '../../../core/radius/codec.ts';
import { parsePacket } from '../../../core/radius/packet.ts';
import { attribute, craft, flipped, MESSAGE_AUTHENTICATOR, packetOf, sealed } from './craft.ts';
import { COA_ACK, COA_ACK_MA, COA_REQUEST, COA_REQUEST_MA, REPLIES, REQUESTS, SECRET } from './vectors.ts';

const secret = prepareSecret(SECRET);
const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex');
const bitsOf = (octets: Uint8Array) => Array.from({ length: octets.length * 8 }, (_, bit) => bit);
const userName = attribute(1, Buffer.from('client1'));

const requestVerdict = (datagram: Buffer, options = {}) => verifyRequest(packetOf(datagram), secret, options);
const replyVerdict = (reply: Buffer, request: Buffer, options = {}) =>
  verifyReply(packetOf(reply), packetOf(request), secret, options);
const refused = (reason: string) => ({ ok: false, reason });

describe.each(Object.entries(REQUESTS))('%s', (_, vector) => {
  const { code, identifier, messageAuthenticator, bytes } = vector;

  it('is signed octet for octet', () => {
    const attributes = encodeAttributes(vector.attributes);
    expect(hex(signRequest({ code, identifier, attributes }, secret, { messageAuthenticator }))).toBe(
      hex(bytes),
    );
  });

  it('verifies, and decodes to its values', () => {
    const packet = packetOf(bytes);
    expect(packet).toMatchObject({ code, identifier });
    expect(verifyRequest(packet, secret)).toEqual({ ok: true });
    const decoded = decodeAttributes(packet);
    expect(decoded.slice(messageAuthenticator ? 1 : 0)).toEqual(vector.attributes);
  });

  it('is refused if any bit of it is flipped', () => {
    for (const bit of bitsOf(bytes)) {
      const parsed = parsePacket(flipped(bytes, bit));
      expect(parsed.ok && verifyRequest(parsed.packet, secret).ok, `bit ${bit}`).toBe(false);
    }
  });
});

describe.each(Object.entries(REPLIES))('%s', (_, vector) => {
  const { code, messageAuthenticator, bytes } = vector;
  const request = packetOf(vector.request.bytes);

  it('is signed octet for octet, with a Message-Authenticator if and only if the request had one', () => {
    const attributes = encodeAttributes(vector.attributes);
    expect(hex(signReply(request, { code, attributes }, secret))).toBe(hex(bytes));
  });

  it('verifies, and decodes to its values', () => {
    const packet = packetOf(bytes);
    expect(packet).toMatchObject({ code, identifier: request.identifier });
    expect(verifyReply(packet, request, secret)).toEqual({ ok: true });
    expect(decodeAttributes(packet).slice(messageAuthenticator ? 1 : 0)).toEqual(vector.attributes);
  });

  it('is refused if any bit of it is flipped', () => {
    for (const bit of bitsOf(bytes)) {
      const parsed = parsePacket(flipped(bytes, bit));
      expect(parsed.ok && verifyReply(parsed.packet, request, secret).ok, `bit ${bit}`).toBe(false);
    }
  });
});

describe('signRequest', () => {
  it('puts a Message-Authenticator first by default', () => {
    const request = { code: 43, identifier: 1, attributes: userName };
    expect(packetOf(signRequest(request, secret)).attributes.map(({ type }) => type)).toEqual([80, 1]);
    const options = { messageAuthenticator: false };
    expect(packetOf(signRequest(request, secret, options)).attributes.map(({ type }) => type)).toEqual([1]);
  });

  it('makes packets of up to 4096 octets, and throws for longer ones', () => {
    const attributes = Buffer.concat(
      [...Array(15).fill(attribute(25, Buffer.alloc(252))), Buffer.of(25, 248)],
      4058,
    );
    expect(packetOf(signRequest({ code: 43, identifier: 1, attributes }, secret)).bytes).toHaveLength(4096);
    const tooMany = Buffer.concat([attributes, Buffer.of(0)]);
    expect(() => signRequest({ code: 43, identifier: 1, attributes: tooMany }, secret)).toThrow(
      new RangeError('a RADIUS packet has at most 4096 octets, this one has 4097'),
    );
  });
});

describe('signReply', () => {
  it('lets the caller decide about the Message-Authenticator, whatever the request had', () => {
    const reply = { code: 44, attributes: new Uint8Array() };
    for (const { bytes } of [COA_REQUEST, COA_REQUEST_MA]) {
      for (const messageAuthenticator of [true, false]) {
        const signed = packetOf(signReply(packetOf(bytes), reply, secret, { messageAuthenticator }));
        expect(signed.attributes.map(({ type }) => type)).toEqual(messageAuthenticator ? [80] : []);
        expect(verifyReply(signed, packetOf(bytes), secret)).toEqual({ ok: true });
      }
    }
  });

  it('throws for more than 4096 octets', () => {
    const reply = { code: 44, attributes: Buffer.alloc(4077) };
    expect(() => signReply(packetOf(COA_REQUEST.bytes), reply, secret)).toThrow(RangeError);
  });
});

describe('verifyRequest', () => {
  it('refuses a request signed with another secret', () => {
    expect(requestVerdict(craft({ attributes: [userName], secret: 'testing124' }))).toEqual(
      refused('wrong-request-authenticator'),
    );
  });

  it.each([
    ['first', [MESSAGE_AUTHENTICATOR, userName, userName]],
    ['in the middle', [userName, MESSAGE_AUTHENTICATOR, userName]],
    ['last', [userName, userName, MESSAGE_AUTHENTICATOR]],
  ])('accepts a Message-Authenticator that comes %s', (_, attributes) => {
    expect(requestVerdict(craft({ attributes }), { requireMessageAuthenticator: true })).toEqual({
      ok: true,
    });
  });

  it('refuses a Message-Authenticator with any bit flipped, though the Request Authenticator is right', () => {
    const bytes = COA_REQUEST_MA.bytes;
    for (const bit of bitsOf(bytes.subarray(22, 38))) {
      expect(requestVerdict(sealed(flipped(bytes, 22 * 8 + bit)))).toEqual(
        refused('wrong-message-authenticator'),
      );
    }
  });

  it('refuses a Message-Authenticator that was not computed over zeros in place of the authenticator', () => {
    const attributes = [MESSAGE_AUTHENTICATOR, userName];
    for (const messageAuthenticatorOver of [Buffer.alloc(16, 1), COA_REQUEST.bytes.subarray(4, 20)]) {
      expect(requestVerdict(craft({ attributes, messageAuthenticatorOver }))).toEqual(
        refused('wrong-message-authenticator'),
      );
    }
  });

  it.each([0, 15, 17])('refuses a Message-Authenticator of %i octets', (octets) => {
    const attributes = [userName, attribute(80, Buffer.alloc(octets))];
    expect(requestVerdict(craft({ attributes }))).toEqual(refused('wrong-message-authenticator'));
  });

  it('refuses two Message-Authenticators', () => {
    const attributes = [MESSAGE_AUTHENTICATOR, userName, MESSAGE_AUTHENTICATOR];
    expect(requestVerdict(craft({ attributes }))).toEqual(refused('several-message-authenticators'));
  });

  it('refuses a request without Message-Authenticator only if one is required', () => {
    expect(requestVerdict(COA_REQUEST.bytes)).toEqual({ ok: true });
    expect(requestVerdict(COA_REQUEST.bytes, { requireMessageAuthenticator: true })).toEqual(
      refused('missing-message-authenticator'),
    );
  });
});

describe('verifyReply', () => {
  const request = COA_REQUEST_MA.bytes;
  const requestAuthenticator = request.subarray(4, 20);
  const reply = (over: object) => craft({ code: 44, identifier: 42, requestAuthenticator, ...over });

  it('refuses a reply with another Identifier', () => {
    expect(replyVerdict(reply({ identifier: 43 }), request)).toEqual(refused('identifier-mismatch'));
  });

  it.each([
    [4, 5, true],
    [4, 6, false],
    [40, 41, true],
    [40, 42, true],
    [40, 44, false],
    [43, 44, true],
    [43, 45, true],
    [43, 42, false],
    [43, 43, false],
    [43, 46, false],
  ])('to a request of code %i a reply of code %i: %s', (code, replyCode, isAnswer) => {
    const asked = craft({ code, identifier: 42 });
    const answered = craft({ code: replyCode, identifier: 42, requestAuthenticator: asked.subarray(4, 20) });
    expect(replyVerdict(answered, asked)).toEqual(isAnswer ? { ok: true } : refused('code-mismatch'));
  });

  it('refuses the reply to another request', () => {
    expect(replyVerdict(COA_ACK.bytes, COA_REQUEST.bytes)).toEqual({ ok: true });
    expect(replyVerdict(COA_ACK.bytes, request)).toEqual(refused('wrong-response-authenticator'));
  });

  it('refuses a reply signed with another secret', () => {
    expect(replyVerdict(reply({ secret: 'testing124' }), request)).toEqual(
      refused('wrong-response-authenticator'),
    );
  });

  it('refuses a Message-Authenticator with any bit flipped, though the Response Authenticator is right', () => {
    for (const bit of bitsOf(COA_ACK_MA.bytes.subarray(22, 38))) {
      const wrong = sealed(flipped(COA_ACK_MA.bytes, 22 * 8 + bit), requestAuthenticator);
      expect(replyVerdict(wrong, request)).toEqual(refused('wrong-message-authenticator'));
    }
  });

  it('accepts a Message-Authenticator over a zero authenticator only if that is allowed', () => {
    const attributes = [MESSAGE_AUTHENTICATOR];
    const proxied = reply({ attributes, messageAuthenticatorOver: Buffer.alloc(16) });
    expect(replyVerdict(proxied, request)).toEqual(refused('wrong-message-authenticator'));
    expect(replyVerdict(proxied, request, { zeroAuthenticator: true })).toEqual({ ok: true });
    expect(replyVerdict(reply({ attributes }), request, { zeroAuthenticator: true })).toEqual({ ok: true });
    const wrong = reply({ attributes, messageAuthenticatorOver: Buffer.alloc(16, 1) });
    expect(replyVerdict(wrong, request, { zeroAuthenticator: true })).toEqual(
      refused('wrong-message-authenticator'),
    );
  });

  it('refuses two Message-Authenticators', () => {
    const attributes = [MESSAGE_AUTHENTICATOR, MESSAGE_AUTHENTICATOR];
    expect(replyVerdict(reply({ attributes }), request)).toEqual(refused('several-message-authenticators'));
  });

  it('refuses a reply without Message-Authenticator only if one is required', () => {
    expect(replyVerdict(reply({}), request)).toEqual({ ok: true });
    expect(replyVerdict(reply({}), request, { requireMessageAuthenticator: true })).toEqual(
      refused('missing-message-authenticator'),
    );
  });
});

describe('prepareSecret', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 });
  const data = fc.uint8Array({ maxLength: 200 });

  it('digests as createHash and createHmac do, with secrets shorter and longer than a block', () => {
    fc.assert(
      fc.property(text, data, data, (key, first, second) => {
        const prepared = prepareSecret(key);
        const whole = Buffer.concat([first, second]);
        expect(prepared.md5(first, second)).toEqual(createHash('md5').update(whole).update(key).digest());
        expect(prepared.hmacMd5(first, second)).toEqual(createHmac('md5', key).update(whole).digest());
      }),
    );
  });

  it('does not show the secret', () => {
    const shown = [
      inspect(secret, { showHidden: true, depth: Number.POSITIVE_INFINITY }),
      JSON.stringify(secret),
      String(secret),
      inspect(Object.getOwnPropertyDescriptors(secret)),
    ].join();
    for (const form of ['utf8', 'hex', 'base64'] as const) {
      expect(shown).not.toContain(Buffer.from(SECRET).toString(form));
    }
    expect(Reflect.ownKeys(secret)).toEqual([]);
  });

  it('refuses an empty secret', () => {
    expect(() => prepareSecret('')).toThrow(new RangeError('a RADIUS shared secret must not be empty'));
  });
});
