// Packets made with Node's createHash and createHmac, for tests: valid ones, and ones with a chosen fault.
import { createHash, createHmac } from 'node:crypto';
import { type Packet, parsePacket } from '../../../core/radius/packet.ts';
import { SECRET } from './vectors.ts';

const ZERO = Buffer.alloc(16);

export const attribute = (type: number, value: Uint8Array) =>
  Buffer.concat([Buffer.of(type, 2 + value.length), value]);

export const vendorSpecific = (vendor: number, inside: Uint8Array) => {
  const id = Buffer.alloc(4);
  id.writeUInt32BE(vendor);
  return attribute(26, Buffer.concat([id, inside]));
};

/** A Message-Authenticator that `craft` fills in. */
export const MESSAGE_AUTHENTICATOR = attribute(80, ZERO);

/**
 * A packet with a valid authenticator and `attributes` as given. Every attribute 80 gets the HMAC over the packet
 * with all of them zero and `messageAuthenticatorOver` in the place of the authenticator.
 */
export function craft({
  code = 43,
  identifier = 1,
  attributes = [],
  requestAuthenticator = ZERO,
  messageAuthenticatorOver = requestAuthenticator,
  secret = SECRET,
}: {
  code?: number;
  identifier?: number;
  attributes?: readonly Buffer[];
  requestAuthenticator?: Uint8Array;
  messageAuthenticatorOver?: Uint8Array;
  secret?: string;
}): Buffer {
  const packet = Buffer.concat([Buffer.of(code, identifier, 0, 0), ZERO, ...attributes]);
  packet.writeUInt16BE(packet.length, 2);
  packet.set(messageAuthenticatorOver, 4);
  const digest = createHmac('md5', secret).update(packet).digest();
  let offset = 20;
  for (const { length, [0]: type } of attributes) {
    if (type === 80) packet.set(digest.subarray(0, length - 2), offset + 2);
    offset += length;
  }
  return sealed(packet, requestAuthenticator, secret);
}

/** `packet` with its authenticator computed again. */
export function sealed(packet: Buffer, requestAuthenticator: Uint8Array = ZERO, secret = SECRET): Buffer {
  const copy = Buffer.from(packet);
  copy.set(requestAuthenticator, 4);
  copy.set(createHash('md5').update(copy).update(secret).digest(), 4);
  return copy;
}

/** `octets` with the bit `index` flipped. */
export function flipped(octets: Buffer, index: number): Buffer {
  const copy = Buffer.from(octets);
  copy.writeUInt8(copy.readUInt8(index >> 3) ^ (1 << (index & 7)), index >> 3);
  return copy;
}

/** The packet in `datagram`, which has to parse. */
export function packetOf(datagram: Uint8Array): Packet {
  const parsed = parsePacket(datagram);
  if (!parsed.ok) throw new Error(`${parsed.reason} at ${parsed.offset}`);
  return parsed.packet;
}
