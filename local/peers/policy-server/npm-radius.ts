// The npm package `radius`, an implementation that is independent of ours. It compares digests as text, and computes
// the Message-Authenticator of a CoA-Request differently from RFC 5176: it serves as a peer only where it is right.
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Name and value, or name, tag and value; a Vendor-Specific has a vendor and a list. */
export type NpmAttribute =
  | readonly [name: string, value: string | number | Buffer | Date]
  | readonly [name: string, tag: number, value: string | number]
  | readonly [name: 'Vendor-Specific', vendor: number, attributes: readonly NpmAttribute[]];

export interface NpmPacket {
  readonly code: string;
  readonly identifier: number;
  readonly length: number;
  /** One value, or a list when the attribute occurs more than once; a tagged one as `[tag, value]`. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface NpmRadius {
  add_dictionary(file: string): void;
  decode(request: { packet: Buffer; secret: string }): NpmPacket;
  decode_without_secret(request: { packet: Buffer }): NpmPacket;
  encode(request: {
    code: string;
    identifier: number;
    secret: string;
    attributes: readonly NpmAttribute[];
    add_message_authenticator?: boolean;
  }): Buffer;
  encode_response(reply: {
    packet: NpmPacket;
    code: string;
    secret: string;
    attributes: NpmAttribute[];
  }): Buffer;
  verify_response(exchange: { request: Buffer; response: Buffer; secret: string }): boolean;
}

export const npmRadius: NpmRadius = createRequire(import.meta.url)('radius');
npmRadius.add_dictionary(join(import.meta.dirname, 'dictionary.erx'));
