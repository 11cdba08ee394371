import fc from 'fast-check';
import { expect, test } from 'vitest';
import { prepareSecret, signRequest, verifyReply } from '../../../core/radius/authenticator.ts';
import { type Attribute, decodeAttributes, encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE, type Packet, parsePacket } from '../../../core/radius/packet.ts';
import { encodeReply } from '../../../core/requests/reply.ts';

const secret = prepareSecret('testing123');

test.each([
  ['CoA-ACK', 'ack', undefined, '2c2a0014e5f77c0796ff65822c7a3ce49e02c50d', false],
  ['CoA-NAK', 'nak', 503, '2d2a001a39db5bd75e3346a4da2781bb48f97d856506000001f7', false],
  [
    'CoA-ACK to a request with a Message-Authenticator',
    'ack',
    undefined,
    '2c2a00268934b01d541f8866eaf91fa40ac341a55012b63da60fd37feef17082f603ce0e4248',
    true,
  ],
  [
    'CoA-NAK to a request with a Message-Authenticator',
    'nak',
    503,
    '2d2a002cd67e99681e126db5103e2baf69be95d75012a5b5e87b7972d59f4adba913a4f176b06506000001f7',
    true,
  ],
] as const)(
  'writes the %s that radclient 3.2.1 accepts',
  (_, answer, errorCause, octets, messageAuthenticator) => {
    const request = requestWith(
      [
        { name: 'User-Name', value: 'client1@isp1.com' },
        { name: 'NAS-IP-Address', value: '192.0.2.1' },
        { name: 'Acct-Session-Id', value: 'erx FastEthernet 12/0:0001048580' },
        { name: 'Event-Timestamp', value: 1700000000 },
        { name: 'ERX-Service-Activate', tag: 1, value: 'tiered(1280000, 5120000)' },
        { name: 'ERX-Service-Statistics', tag: 1, value: 2 },
      ],
      { messageAuthenticator },
    );
    expect(Buffer.from(encodeReply(request, secret, answer, errorCause)).toString('hex')).toBe(octets);
  },
);

test('answers a Disconnect-Request with Disconnect-ACK or Disconnect-NAK', () => {
  const request = requestWith([{ name: 'User-Name', value: 'client1' }], { code: CODE.DisconnectRequest });
  expect(encodeReply(request, secret, 'ack')[0]).toBe(CODE.DisconnectAck);
  expect(encodeReply(request, secret, 'nak', 404)[0]).toBe(CODE.DisconnectNak);
});

test('echoes State and every Proxy-State unchanged and in order', () => {
  const echoed = [
    { name: 'Proxy-State', value: Buffer.from('first') },
    { name: 'State', value: Buffer.from('kept') },
    { name: 'Proxy-State', value: Buffer.of(0) },
    { name: 'Proxy-State', value: Buffer.from('last') },
  ] as const;
  const [first, state, second, last] = echoed;
  const user: Attribute = { name: 'User-Name', value: 'client1' };
  const request = requestWith([first, user, state, second, last], { messageAuthenticator: false });
  expect(attributesOf(encodeReply(request, secret, 'ack'))).toEqual(echoed);
});

test('omits State from the reply to a Disconnect-Request, in which RFC 5176 section 3.6 does not allow it', () => {
  const request = requestWith([{ name: 'State', value: Buffer.from('stray') }], {
    code: CODE.DisconnectRequest,
    messageAuthenticator: false,
  });
  expect(attributesOf(encodeReply(request, secret, 'nak', 404))).toEqual([
    { name: 'Error-Cause', value: 404 },
  ]);
});

test('puts no Error-Cause into an ACK', () => {
  const request = requestWith([], { messageAuthenticator: false });
  expect(attributesOf(encodeReply(request, secret, 'ack', 503))).toEqual([]);
});

test('omits the Error-Cause, not the Proxy-State, if both do not fit into 4096 octets', () => {
  const request = requestWith(proxyStates(4096 - 20), { messageAuthenticator: false });
  expect(request.bytes.length).toBe(4096);
  const reply = encodeReply(request, secret, 'nak', 402);
  expect(Buffer.from(reply.subarray(20)).equals(request.bytes.subarray(20))).toBe(true);
});

test('verifies, whatever it echoes and however long that is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4096 - 38 }),
      fc.boolean(),
      fc.constantFrom(...(['ack', 'nak'] as const)),
      fc.constantFrom(CODE.CoaRequest, CODE.DisconnectRequest),
      (octets, messageAuthenticator, answer, code) => {
        const request = requestWith(proxyStates(octets), { code, messageAuthenticator });
        const reply = packetOf(encodeReply(request, secret, answer, 503));
        expect(
          verifyReply(reply, request, secret, { requireMessageAuthenticator: messageAuthenticator }),
        ).toEqual({
          ok: true,
        });
      },
    ),
  );
});

function requestWith(
  attributes: readonly Attribute[],
  { code = CODE.CoaRequest as number, messageAuthenticator = true } = {},
): Packet {
  const encoded = encodeAttributes(attributes);
  return packetOf(
    signRequest({ code, identifier: 42, attributes: encoded }, secret, { messageAuthenticator }),
  );
}

/** Proxy-States of `octets` in all, or one or two fewer if that cannot be reached. */
function proxyStates(octets: number): Attribute[] {
  const states: Attribute[] = [];
  for (let left = octets; left >= 3; ) {
    const length = Math.min(left, 255);
    states.push({ name: 'Proxy-State', value: Buffer.alloc(length - 2, states.length) });
    left -= length;
  }
  return states;
}

const attributesOf = (reply: Uint8Array) => decodeAttributes(packetOf(reply));

function packetOf(datagram: Uint8Array): Packet {
  const parsed = parsePacket(datagram);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.packet;
}
