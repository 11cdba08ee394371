// A policy server that shares no code with Interlock: its packets are made and checked by the npm package `radius`.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Endpoint } from '../../../core/endpoint.ts';
import { type NpmAttribute, npmRadius } from './npm-radius.ts';

export interface PolicyReply {
  /** `CoA-ACK` or `CoA-NAK`. */
  readonly code: string;
  readonly errorCause?: number;
}

export interface PolicyServer {
  /** Sends a CoA-Request and repeats it as RFC 5080 has it until it is answered. */
  request(attributes: readonly NpmAttribute[]): Promise<PolicyReply>;
  close(): void;
}

const REPEAT_AFTER_MS = [2_000, 4_000, 8_000, 16_000];
/** FreeRADIUS' and npm's dictionaries have names for the values of Error-Cause; the numbers are what we compare. */
const ERROR_CAUSE = 101;

export function openPolicyServer(das: Endpoint, secret: string): PolicyServer {
  const socket = createSocket('udp4');
  let identifier = 0;

  async function request(attributes: readonly NpmAttribute[]): Promise<PolicyReply> {
    identifier = (identifier + 1) % 256;
    const packet = npmRadius.encode({ code: 'CoA-Request', identifier, secret, attributes });
    for (const waitMs of REPEAT_AFTER_MS) {
      socket.send(packet, das.port, das.address);
      const signal = AbortSignal.timeout(waitMs);
      try {
        for (;;) {
          const [reply] = (await once(socket, 'message', { signal })) as [Buffer];
          if (npmRadius.verify_response({ request: packet, response: reply, secret }))
            return readReply(reply);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
    throw new Error(`${das.address}:${das.port} does not answer`);
  }

  function readReply(reply: Buffer): PolicyReply {
    const { code } = npmRadius.decode({ packet: reply, secret });
    const at = reply.indexOf(Buffer.from([ERROR_CAUSE, 6]), 20);
    return at === -1 ? { code } : { code, errorCause: reply.readUInt32BE(at + 2) };
  }

  return { request, close: () => socket.close() };
}
