// A NAS without a network: it takes datagrams, does what they say as a whole or not at all, and knows nothing of us.
import type { DialectName } from '../../../core/dialects/dialects.ts';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { prepareSecret, verifyRequest } from '../../../core/radius/authenticator.ts';
import { decodeAttributes, firstValue } from '../../../core/radius/codec.ts';
import { encodeReply } from '../../../core/requests/reply.ts';
import { readAsNas } from '../../../local/peers/nas-dialects.ts';
import { packetOf } from '../../relay/support.ts';

export const NAS_SECRET = prepareSecret('between relay and NAS...');

export class Nas {
  readonly #dialect: DialectName;
  readonly #services = new Map<string, readonly string[]>();

  constructor(dialect: DialectName) {
    this.#dialect = dialect;
  }

  /** What a subscriber session has. */
  services(acctSessionId: string): readonly string[] {
    return this.#services.get(acctSessionId) ?? [];
  }

  /** The answer to a CoA-Request. With a `refusal`, an Error-Cause, nothing is done. */
  answer(datagram: Uint8Array, refusal?: number): Uint8Array {
    const request = packetOf(datagram);
    const verified = verifyRequest(request, NAS_SECRET, { requireMessageAuthenticator: true });
    if (!verified.ok) throw new Error(`the NAS drops this in silence: ${verified.reason}`);
    const errorCause = refusal ?? this.#carryOut(decodeAttributes(request));
    return encodeReply(request, NAS_SECRET, errorCause === undefined ? 'ack' : 'nak', errorCause);
  }

  /** The Error-Cause when nothing was done: RFC 5176 section 2.3, all of it or nothing. */
  #carryOut(attributes: ReturnType<typeof decodeAttributes>): number | undefined {
    const acctSessionId = firstValue(attributes, 'Acct-Session-Id');
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
