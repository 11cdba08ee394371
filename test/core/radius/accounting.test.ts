import { describe, expect, it } from 'vitest';
import {
  prepareSecret,
  signForwarded,
  signReply,
  signRequest,
  verifyReply,
  verifyRequest,
  verifyStatusServer,
} from '../../../core/radius/authenticator.ts';
import { decodeAttributes, encodeAttributes } from '../../../core/radius/codec.ts';
import { encodeAccountingResponse } from '../../../core/requests/reply.ts';
import * as vector from './accounting-vectors.ts';
import { attribute, craft, flipped, MESSAGE_AUTHENTICATOR, packetOf } from './craft.ts';
import { SECRET } from './vectors.ts';

const secret = prepareSecret(SECRET);
const upstream = prepareSecret(vector.UPSTREAM_SECRET);
const radsec = prepareSecret(vector.STATUS_SECRET);

describe('an Accounting-Request', () => {
  it.each([
    ['Start', vector.START],
    ['Interim-Update', vector.INTERIM],
    ['Stop', vector.STOP],
    ['Accounting-On', vector.ON],
    ['Accounting-Off', vector.OFF],
    ['Start, retried', vector.START_RETRIED],
    ['Start of a service', vector.SERVICE_START],
  ])('is verified, and is the same when it is encoded and signed: %s', (_, bytes) => {
    const packet = packetOf(bytes);
    expect(verifyRequest(packet, secret)).toEqual({ ok: true });
    const attributes = encodeAttributes(decodeAttributes(packet));
    const { code, identifier } = packet;
    const signed = signRequest({ code, identifier, attributes }, secret, { messageAuthenticator: false });
    expect(signed).toEqual(bytes);
  });

  it('is refused with any bit flipped', () => {
    for (let bit = 160; bit < vector.ON.length * 8; bit += 7) {
      const { ok } = verifyRequest({ ...packetOf(vector.ON), bytes: flipped(vector.ON, bit) }, secret);
      expect(ok).toBe(false);
    }
  });
});

describe('an Accounting-Response', () => {
  it.each([
    ['Start', vector.START, vector.START_RESPONSE],
    ['Stop', vector.STOP, vector.STOP_RESPONSE],
    ['Accounting-On', vector.ON, vector.ON_RESPONSE],
  ])('is made and verified: %s', (_, request, response) => {
    expect(encodeAccountingResponse(packetOf(request), secret)).toEqual(response);
    expect(verifyReply(packetOf(response), packetOf(request), secret)).toEqual({ ok: true });
  });

  it('returns each Proxy-State in order, and nothing else', () => {
    const states = [attribute(33, Buffer.of(1)), attribute(33, Buffer.of(2, 3))];
    const request = packetOf(
      craft({
        code: 4,
        attributes: [states[0] as Buffer, attribute(44, Buffer.from('1')), states[1] as Buffer],
      }),
    );
    const response = packetOf(encodeAccountingResponse(request, secret));
    expect(response.bytes.subarray(20)).toEqual(Buffer.concat(states));
  });

  it('has no Message-Authenticator, also if the request has one', () => {
    const request = packetOf(craft({ code: 4, attributes: [MESSAGE_AUTHENTICATOR] }));
    expect(encodeAccountingResponse(request, secret)).toHaveLength(20);
  });
});

describe('a proxy', () => {
  it('forwards a request with its Proxy-State last', () => {
    const forwarded = signForwarded(
      packetOf(vector.START),
      { identifier: 31, proxyState: vector.PROXY_STATE },
      upstream,
    );
    expect(forwarded).toEqual(vector.START_FORWARDED);
    expect(verifyRequest(packetOf(forwarded), upstream)).toEqual({ ok: true });
  });

  it('takes its Proxy-State out of the answer', () => {
    const answer = packetOf(vector.FORWARDED_RESPONSE);
    expect(verifyReply(answer, packetOf(vector.START_FORWARDED), upstream)).toEqual({ ok: true });
    expect(encodeAccountingResponse(packetOf(vector.START), secret, answer)).toEqual(vector.START_RESPONSE);
  });

  it('leaves a Message-Authenticator where it is, and everything else as it is', () => {
    const before = attribute(33, Buffer.from('of another proxy'));
    const unknown = attribute(250, Buffer.from('whatever'));
    const malformed = attribute(8, Buffer.of(1));
    const attributes = [before, unknown, MESSAGE_AUTHENTICATOR, malformed];
    const request = packetOf(craft({ code: 4, attributes }));
    const forwarded = packetOf(signForwarded(request, { identifier: 9, proxyState: Buffer.of(7) }, upstream));
    expect(verifyRequest(forwarded, upstream, { requireMessageAuthenticator: true })).toEqual({ ok: true });
    expect(forwarded.attributes.map(({ type }) => type)).toEqual([33, 250, 80, 8, 33]);
    const others = ({ type }: { readonly type: number }) => type !== 80;
    expect(forwarded.attributes.slice(0, 4).filter(others)).toEqual(request.attributes.filter(others));
  });

  it('gives the client what else the server has answered, and its own Proxy-States', () => {
    const own = attribute(33, Buffer.from('of the NAS'));
    const request = packetOf(craft({ code: 4, attributes: [own] }));
    const forwarded = packetOf(signForwarded(request, { identifier: 9, proxyState: Buffer.of(7) }, upstream));
    const vendor = attribute(26, Buffer.of(0, 0, 19, 10, 1, 3, 65));
    const answer = signReply(
      forwarded,
      { code: 5, attributes: Buffer.concat([vendor, own, attribute(33, Buffer.of(7))]) },
      upstream,
      { messageAuthenticator: true },
    );
    const response = packetOf(encodeAccountingResponse(request, secret, packetOf(answer)));
    expect(verifyReply(response, request, secret)).toEqual({ ok: true });
    expect(response.bytes.subarray(20)).toEqual(Buffer.concat([vendor, own]));
  });

  it('refuses to forward what has no room for a Proxy-State', () => {
    const full = Array.from({ length: 16 }, () => attribute(26, Buffer.alloc(252)));
    const request = packetOf(craft({ code: 4, attributes: full }));
    const proxyState = Buffer.alloc(20);
    const forward = () => signForwarded(request, { identifier: 1, proxyState }, upstream);
    expect(forward).toThrow(RangeError);
  });
});

describe('a Status-Server', () => {
  it('is verified and answered', () => {
    const request = packetOf(vector.STATUS_SERVER);
    expect(verifyStatusServer(request, radsec)).toEqual({ ok: true });
    expect(encodeAccountingResponse(request, radsec)).toEqual(vector.STATUS_RESPONSE);
  });

  it('is refused with another secret, or without a Message-Authenticator', () => {
    expect(verifyStatusServer(packetOf(vector.STATUS_SERVER), secret)).toEqual({
      ok: false,
      reason: 'wrong-message-authenticator',
    });
    const bare = packetOf(craft({ code: 12, attributes: [attribute(32, Buffer.from('bng-1'))] }));
    expect(verifyStatusServer(bare, secret)).toEqual({ ok: false, reason: 'missing-message-authenticator' });
  });
});
