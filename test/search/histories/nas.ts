// A NAS on the network in memory. It does what CoA-Requests say, as a whole or not at all, and knows nothing of us.
import type { DialectName } from '../../../core/dialects/dialects.ts';
import { formatEndpoint } from '../../../core/endpoint.ts';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { verifyRequest } from '../../../core/radius/authenticator.ts';
import { decodeAttributes, firstValue } from '../../../core/radius/codec.ts';
import { encodeReply } from '../../../core/requests/reply.ts';
import { readAsNas } from '../../../local/peers/nas-dialects.ts';
import type { MemoryNetwork } from '../../relay/memory-network.ts';
import { packetOf } from '../../relay/support.ts';
import { HOSTS, SECRET } from './deployment.ts';

export interface NasScript {
  /** The Error-Cause with which it refuses what it could carry out; undefined when it does not. */
  readonly refusal: () => number | undefined;
  /** Hears of each request that was carried out or refused. */
  readonly onTold: (acctSessionId: string, answer: string) => void;
}

export class Nas {
  readonly #dialect: DialectName;
  readonly #services = new Map<string, readonly string[]>();
  /** By source, Identifier and authenticator: a repeat gets the same reply (RFC 5080 section 2.2.2). */
  readonly #replies = new Map<string, Uint8Array>();

  constructor(dialect: DialectName) {
    this.#dialect = dialect;
  }

  listen(network: MemoryNetwork, script: NasScript): void {
    const send = network.listen(HOSTS.nas, (datagram, source) => {
      const key = `${formatEndpoint(source)} ${Buffer.from(datagram.subarray(1, 20)).toString('latin1')}`;
      const reply = this.#replies.get(key) ?? this.#answer(datagram, script);
      this.#replies.set(key, reply);
      send(reply, source);
    });
  }

  /** What a subscriber session has. */
  services(acctSessionId: string): readonly string[] {
    return this.#services.get(acctSessionId) ?? [];
  }

  #answer(datagram: Uint8Array, { refusal, onTold }: NasScript): Uint8Array {
    const request = packetOf(datagram);
    const verified = verifyRequest(request, SECRET.nas, { requireMessageAuthenticator: true });
    if (!verified.ok) throw new Error(`the NAS discards a request: ${verified.reason}`);
    const attributes = decodeAttributes(request);
    const acctSessionId = firstValue(attributes, 'Acct-Session-Id');
    const errorCause = refusal() ?? this.#carryOut(acctSessionId, attributes);
    onTold(acctSessionId ?? '', errorCause === undefined ? 'CoA-ACK' : `CoA-NAK ${errorCause}`);
    return encodeReply(request, SECRET.nas, errorCause === undefined ? 'ack' : 'nak', errorCause);
  }

  /** The Error-Cause when nothing was done: RFC 5176 section 2.3, all of it or nothing. */
  #carryOut(
    acctSessionId: string | undefined,
    attributes: ReturnType<typeof decodeAttributes>,
  ): number | undefined {
    if (acctSessionId === undefined) return ERROR_CAUSE['Missing-Attribute'];
    const services = new Set(this.services(acctSessionId));
    const reading = readAsNas(this.#dialect, attributes, [...services]);
    if (!reading.ok) return reading.errorCause;
    for (const { operation, service } of reading.operations) {
      if (operation === 'activate') services.add(service);
      else if (!services.delete(service)) return ERROR_CAUSE['Session-Context-Not-Found'];
    }
    this.#services.set(acctSessionId, [...services]);
    return undefined;
  }
}
