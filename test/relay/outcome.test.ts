import { expect, test } from 'vitest';
import { signReply } from '../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';
import { outcomeOfReply } from '../../relay/outcome.ts';
import { packetOf, SECRET, signedRequest } from './support.ts';

const cause = (value: number): Attribute => ({ name: 'Error-Cause', value });
const brokenCause: Attribute = { unknown: { type: 101 }, value: Uint8Array.of(1, 247) };

test.each<[string, number, Attribute[], object]>([
  ['an ACK', CODE.CoaAck, [], { result: 'ack' }],
  ['an ACK with an Error-Cause, which has no place there', CODE.CoaAck, [cause(201)], { result: 'ack' }],
  [
    'an ACK with words',
    CODE.CoaAck,
    [{ name: 'Reply-Message', value: 'queued' }],
    { result: 'ack', text: 'queued' },
  ],
  [
    'a NAK with words',
    CODE.CoaNak,
    [cause(506), { name: 'Reply-Message', value: 'busy' }],
    { result: 'nak', errorCause: 506, text: 'busy' },
  ],
  ['a NAK with an Error-Cause', CODE.CoaNak, [cause(503)], { result: 'nak', errorCause: 503 }],
  ['a NAK with one that no RFC knows', CODE.CoaNak, [cause(4711)], { result: 'nak', errorCause: 4711 }],
  ['an ACK of a Disconnect-Request', CODE.DisconnectAck, [], { result: 'ack' }],
  ['its NAK', CODE.DisconnectNak, [cause(504)], { result: 'nak', errorCause: 504 }],
  ['a NAK without', CODE.CoaNak, [], { result: 'nak' }],
  ['a NAK with a broken one', CODE.CoaNak, [brokenCause], { result: 'nak' }],
])('understands %s', (_, code, attributes, outcome) => {
  const isDisconnect = code === CODE.DisconnectAck || code === CODE.DisconnectNak;
  const request = packetOf(signedRequest({ code: isDisconnect ? CODE.DisconnectRequest : CODE.CoaRequest }));
  const reply = signReply(request, { code, attributes: encodeAttributes(attributes) }, SECRET);
  expect(outcomeOfReply(packetOf(reply))).toEqual(outcome);
});
