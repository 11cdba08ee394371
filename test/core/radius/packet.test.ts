import { describe, expect, it } from 'vitest';
import { parsePacket } from '../../../core/radius/packet.ts';
import { attribute, packetOf } from './craft.ts';
import { COA_REQUEST } from './vectors.ts';

/** A datagram of `size` octets whose Length field says `length`. */
function datagram(length: number, size: number, ...attributes: readonly Buffer[]): Buffer {
  const octets = Buffer.concat([Buffer.alloc(20), ...attributes], size);
  octets.writeUInt16BE(length, 2);
  return octets;
}

/** `count` octets of attributes, from 2 up. */
function filling(count: number): Buffer {
  const whole = Array.from({ length: Math.ceil(count / 254) - 1 }, () => attribute(25, Buffer.alloc(252)));
  return Buffer.concat([...whole, attribute(25, Buffer.alloc(count - 254 * whole.length - 2))]);
}

describe('parsePacket', () => {
  it('reads the header and every attribute, with its offset', () => {
    const packet = packetOf(COA_REQUEST.bytes);
    expect(packet).toMatchObject({ code: 43, identifier: 42, bytes: COA_REQUEST.bytes });
    expect(packet.authenticator).toEqual(COA_REQUEST.bytes.subarray(4, 20));
    expect(packet.attributes.map(({ type, offset, value }) => [type, offset, value.length])).toEqual([
      [1, 20, 16],
      [4, 38, 4],
      [44, 44, 32],
      [55, 78, 4],
      [26, 84, 31],
      [26, 117, 10],
    ]);
  });

  it('reads a packet from the middle of a larger buffer', () => {
    const buffer = new Uint8Array([9, 9, 9, ...COA_REQUEST.bytes, 9]);
    const packet = packetOf(buffer.subarray(3, -1));
    expect(Buffer.from(packet.bytes)).toEqual(COA_REQUEST.bytes);
    expect(Buffer.from(packet.attributes[0]?.value ?? []).toString()).toBe('client1@isp1.com');
  });

  it('ignores octets after Length', () => {
    const padded = Buffer.concat([COA_REQUEST.bytes, Buffer.from('padding')]);
    expect(packetOf(padded)).toEqual(packetOf(COA_REQUEST.bytes));
  });

  it.each([20, 22, 4096])('accepts a Length of %i', (length) => {
    const attributes = length === 20 ? Buffer.alloc(0) : filling(length - 20);
    expect(packetOf(datagram(length, length, attributes)).bytes).toHaveLength(length);
  });

  it.each([
    ['an empty datagram', Buffer.alloc(0), 'datagram-too-short', 0],
    ['a datagram of 19 octets', datagram(20, 20).subarray(0, 19), 'datagram-too-short', 0],
    ['a Length of 0', datagram(0, 20), 'length-below-20', 2],
    ['a Length of 4', datagram(4, 40), 'length-below-20', 2],
    ['a Length of 19', datagram(19, 20), 'length-below-20', 2],
    ['a Length of 4097', datagram(4097, 4097, filling(4077)), 'length-above-4096', 2],
    ['a Length of 65535', datagram(65535, 65535), 'length-above-4096', 2],
    ['a Length of one octet more than there is', datagram(27, 26, filling(6)), 'length-beyond-datagram', 2],
    [
      'an attribute length of 0',
      datagram(26, 26, Buffer.of(1, 0, 0, 0, 0, 0)),
      'attribute-length-below-2',
      20,
    ],
    [
      'an attribute length of 1',
      datagram(26, 26, Buffer.of(1, 1, 0, 0, 0, 0)),
      'attribute-length-below-2',
      20,
    ],
    ['an attribute past the end', datagram(26, 26, Buffer.of(1, 7, 0, 0, 0, 0)), 'attribute-past-end', 20],
    [
      'a second attribute past the end',
      datagram(30, 30, filling(6), Buffer.of(1, 5, 0, 0)),
      'attribute-past-end',
      26,
    ],
    [
      'an attribute past Length that the datagram would have room for',
      datagram(24, 40, Buffer.of(1, 6, 0, 0, 0, 0)),
      'attribute-past-end',
      20,
    ],
    ['a lone type octet at the end', datagram(21, 21, Buffer.of(1)), 'attribute-past-end', 20],
  ])('refuses %s', (_, octets, reason, offset) => {
    expect(parsePacket(octets)).toEqual({ ok: false, reason, offset });
  });
});
