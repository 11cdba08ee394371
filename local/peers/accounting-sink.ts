// The built-in RADIUS accounting server: it acknowledges every record and reports it.

import type { Endpoint } from '../../core/endpoint.ts';
import type { Secret } from '../../core/radius/authenticator.ts';
import { signReply, verifyRequest } from '../../core/radius/authenticator.ts';
import { type Attribute, decodeAttributes } from '../../core/radius/codec.ts';
import { CODE, parsePacket } from '../../core/radius/packet.ts';
import { udpTransport } from '../../relay/radius/udp.ts';
import { unlessTaken } from './unless-taken.ts';

export interface AccountingSink {
  readonly address: Endpoint;
  stop(): Promise<void>;
}

/**
 * Listens on `address`.
 * @returns undefined when the port is in use, or this machine does not have the address.
 */
export async function startAccountingSink(
  address: Endpoint,
  secrets: readonly Secret[],
  onRecord: (attributes: readonly Attribute[]) => void,
): Promise<AccountingSink | undefined> {
  const receive = (datagram: Uint8Array, source: Endpoint): void => {
    const parsed = parsePacket(datagram);
    if (!parsed.ok || parsed.packet.code !== CODE.AccountingRequest) return;
    const { packet } = parsed;
    const secret = secrets.find((candidate) => verifyRequest(packet, candidate).ok);
    if (secret === undefined) return;
    onRecord(decodeAttributes(packet));
    const attributes = new Uint8Array();
    const response = signReply(packet, { code: CODE.AccountingResponse, attributes }, secret);
    // A response that cannot be sent counts as lost: the relay retransmits.
    socket.send(response, source).catch(() => {});
  };
  const opened = await unlessTaken(udpTransport.bind(address, { onPacket: receive, onError: () => {} }));
  if (opened === undefined) return undefined;
  const socket = opened;
  return { address: socket.local, stop: () => socket.close() };
}
