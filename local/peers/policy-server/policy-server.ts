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
  /** Sends a CoA-Request and retransmits it after 2, 6 and 14 s (RFC 5080 section 2.2.1). Rejects after 30 s. */
  request(attributes: readonly NpmAttribute[]): Promise<PolicyReply>;
  close(): void;
}

const REPEAT_AFTER_MS = [2_000, 4_000, 8_000, 16_000];
/** Type of Error-Cause (RFC 5176 section 3.5). It is read here: the package gives a name instead of the number. */
const ERROR_CAUSE = 101;

/** Opens a policy server on a free port. It sends to `das`, the Dynamic Authorization Server (RFC 5176 section 1.3). */
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
    throw new Error(`${das.address}:${das.port} does not reply`);
  }

  function readReply(reply: Buffer): PolicyReply {
    const { code } = npmRadius.decode({ packet: reply, secret });
    const at = reply.indexOf(Buffer.from([ERROR_CAUSE, 6]), 20);
    return at === -1 ? { code } : { code, errorCause: reply.readUInt32BE(at + 2) };
  }

  return { request, close: () => socket.close() };
}
