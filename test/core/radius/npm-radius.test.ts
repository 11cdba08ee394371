// Against the npm package `radius`: the same octets where both are right, and by name where it differs. It compares
// digests as text and computes the CoA Message-Authenticator differently from RFC 5176.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  prepareSecret,
  signReply,
  signRequest,
  verifyReply,
  verifyRequest,
} from '../../../core/radius/authenticator.ts';
import { type Attribute, decodeAttributes, encodeAttributes } from '../../../core/radius/codec.ts';
import { parsePacket } from '../../../core/radius/packet.ts';
import { type NpmAttribute, npmRadius } from '../../../local/peers/policy-server/npm-radius.ts';
import { packetOf, sealed } from './craft.ts';
import { COA_REQUEST, COA_REQUEST_MA, REPLIES, REQUESTS, SECRET } from './vectors.ts';

const secret = prepareSecret(SECRET);
const without = <T extends { messageAuthenticator: boolean }>(vectors: Readonly<Record<string, T>>) =>
  Object.entries(vectors).filter(([, { messageAuthenticator }]) => !messageAuthenticator);

/** An attribute as we write it and as the package does. */
type Pair = readonly [ours: Attribute, theirs: NpmAttribute];

const word = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const tag = fc.integer({ min: 1, max: 31 });
const erx = (attribute: NpmAttribute): NpmAttribute => ['Vendor-Specific', 4874, [attribute]];

const pair: fc.Arbitrary<Pair> = fc.oneof(
  fc
    .constantFrom('User-Name', 'Acct-Session-Id', 'NAS-Identifier', 'Calling-Station-Id')
    .chain((name) => word.map((value): Pair => [{ name, value }, [name, value]])),
  fc
    .constantFrom('NAS-Port', 'Session-Timeout', 'Acct-Input-Octets', 'Acct-Input-Gigawords')
    .chain((name) => uint32.map((value): Pair => [{ name, value }, [name, value]])),
  fc
    .constantFrom('NAS-IP-Address', 'Framed-IP-Address')
    .chain((name) => fc.ipV4().map((value): Pair => [{ name, value }, [name, value]])),
  uint32.map(
    (value): Pair => [{ name: 'Event-Timestamp', value }, ['Event-Timestamp', new Date(value * 1000)]],
  ),
  fc.uint8Array({ minLength: 1, maxLength: 253 }).map((octets): Pair => {
    const value = Buffer.from(octets);
    return [{ name: 'Class', value }, ['Class', value]];
  }),
  fc
    .constantFrom('ERX-Virtual-Router-Name', 'ERX-Service-Deactivate', 'ERX-Service-Session')
    .chain((name) => word.map((value): Pair => [{ name, value }, erx([name, value])])),
  fc
    .tuple(tag, word)
    .map(
      ([tag, value]): Pair => [
        { name: 'ERX-Service-Activate', tag, value },
        erx(['ERX-Service-Activate', tag, value]),
      ],
    ),
  fc
    .constantFrom('ERX-Service-Timeout', 'ERX-Service-Volume', 'ERX-Service-Statistics')
    .chain((name) =>
      fc
        .tuple(tag, fc.integer({ min: 0, max: 0xff_ffff }))
        .map(([tag, value]): Pair => [{ name, tag, value }, erx([name, tag, value])]),
    ),
);

const request = fc.record({
  code: fc.constantFrom(
    ['Accounting-Request', 4] as const,
    ['Disconnect-Request', 40] as const,
    ['CoA-Request', 43] as const,
  ),
  identifier: fc.integer({ min: 0, max: 255 }),
  pairs: fc.array(pair, { maxLength: 12 }),
});

describe('with the npm package radius', () => {
  it('signs the same requests of codes 4, 40 and 43, and reads its own back', () => {
    fc.assert(
      fc.property(request, ({ code: [name, code], identifier, pairs }) => {
        const list = pairs.map(([ours]) => ours);
        const theirs = npmRadius.encode({
          code: name,
          identifier,
          secret: SECRET,
          attributes: pairs.map(([, theirs]) => theirs),
        });
        const attributes = encodeAttributes(list);
        expect(
          signRequest({ code, identifier, attributes }, secret, { messageAuthenticator: false }),
        ).toEqual(theirs);
        const packet = packetOf(theirs);
        expect(verifyRequest(packet, secret)).toEqual({ ok: true });
        expect(decodeAttributes(packet)).toEqual(list);
      }),
    );
  });

  it.each(without(REQUESTS))('agrees that a worked %s is right', (_, { bytes, identifier }) => {
    expect(npmRadius.decode({ packet: bytes, secret: SECRET })).toMatchObject({ identifier });
  });

  it.each(without(REPLIES))('agrees that a worked %s is right', (_, { bytes, request }) => {
    expect(npmRadius.verify_response({ request: request.bytes, response: bytes, secret: SECRET })).toBe(true);
  });

  it('reads the same values from a CoA-Request', () => {
    expect(npmRadius.decode({ packet: COA_REQUEST.bytes, secret: SECRET }).attributes).toEqual({
      'User-Name': 'client1@isp1.com',
      'NAS-IP-Address': '192.0.2.1',
      'Acct-Session-Id': 'erx FastEthernet 12/0:0001048580',
      'Event-Timestamp': new Date(1700000000_000),
      'Vendor-Specific': {
        'ERX-Service-Activate': [1, 'tiered(1280000, 5120000)'],
        'ERX-Service-Statistics': [1, 2],
      },
    });
  });

  it('signs the same reply, with the Proxy-State of the request', () => {
    const proxyState: Attribute = { name: 'Proxy-State', value: Buffer.from('first') };
    const causes: Attribute = { name: 'Error-Cause', value: 503 };
    const attributes = encodeAttributes([proxyState]);
    const asked = Buffer.from(
      signRequest({ code: 43, identifier: 5, attributes }, secret, { messageAuthenticator: false }),
    );
    const theirs = npmRadius.encode_response({
      packet: npmRadius.decode({ packet: asked, secret: SECRET }),
      code: 'CoA-NAK',
      secret: SECRET,
      attributes: [['Error-Cause', 503]],
    });
    const ours = { code: 45, attributes: encodeAttributes([causes, proxyState]) };
    expect(signReply(packetOf(asked), ours, secret)).toEqual(theirs);
    expect(verifyReply(packetOf(theirs), packetOf(asked), secret)).toEqual({ ok: true });
  });
});

describe('unlike the npm package radius', () => {
  it('accepts a CoA-Request with the Message-Authenticator of RFC 5176', () => {
    const packet = COA_REQUEST_MA.bytes;
    expect(() => npmRadius.decode({ packet, secret: SECRET })).toThrow('Message-Authenticator mismatch');
    expect(verifyRequest(packetOf(packet), secret)).toEqual({ ok: true });
  });

  it('refuses the CoA-Request that the package signs with a Message-Authenticator', () => {
    const packet = npmRadius.encode({
      code: 'CoA-Request',
      identifier: 1,
      secret: SECRET,
      attributes: [['User-Name', 'client1']],
      add_message_authenticator: true,
    });
    expect(verifyRequest(packetOf(packet), secret).ok).toBe(false);
    expect(verifyRequest(packetOf(sealed(packet)), secret)).toEqual({
      ok: false,
      reason: 'wrong-message-authenticator',
    });
  });

  it('refuses a Length of 4', () => {
    const packet = Buffer.from(COA_REQUEST.bytes);
    packet.writeUInt16BE(4, 2);
    const signed = sealed(packet);
    expect(npmRadius.decode({ packet: signed, secret: SECRET })).toMatchObject({ length: 4, attributes: {} });
    expect(parsePacket(signed)).toEqual({ ok: false, reason: 'length-below-20', offset: 2 });
  });

  it('refuses an attribute that runs past the end', () => {
    const packet = Buffer.concat([Buffer.of(43, 1, 0, 24), Buffer.alloc(16), Buffer.of(1, 200, 0x61, 0x62)]);
    const signed = sealed(packet);
    expect(npmRadius.decode({ packet: signed, secret: SECRET }).attributes).toEqual({ 'User-Name': 'ab' });
    expect(parsePacket(signed)).toEqual({ ok: false, reason: 'attribute-past-end', offset: 20 });
  });

  it('accepts padding after Length', () => {
    const packet = Buffer.concat([COA_REQUEST.bytes, Buffer.alloc(4)]);
    expect(() => npmRadius.decode({ packet, secret: SECRET })).toThrow('authenticator mismatch');
    expect(verifyRequest(packetOf(packet), secret)).toEqual({ ok: true });
  });
});
