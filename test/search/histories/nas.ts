// A NAS on the network in memory. It does what CoA-Requests say, as a whole or not at all, and knows nothing of us. Its
// subscribers have logged in: it knows their names, and they may have services of which nobody but the NAS knows.
import type { DialectOptions } from '../../../core/dialects/dialect.ts';
import type { DialectName } from '../../../core/dialects/dialects.ts';
import { formatEndpoint } from '../../../core/endpoint.ts';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { verifyRequest } from '../../../core/radius/authenticator.ts';
import { decodeAttributes, firstValue } from '../../../core/radius/codec.ts';
import { encodeReply } from '../../../core/requests/reply.ts';
import { nameOf } from '../../../core/services/activation.ts';
import { readAsNas } from '../../../local/peers/nas-dialects.ts';
import type { MemoryNetwork } from '../../relay/memory-network.ts';
import { packetOf } from '../../relay/support.ts';
import { areExclusive, canonical, HOSTS, type NasManners, SECRET } from './deployment.ts';

export interface NasScript {
  /** The Error-Cause with which it refuses what it could carry out; undefined when it does not. */
  readonly refusal: () => number | undefined;
  /** Hears of each request that was carried out or refused. */
  readonly onTold: (acctSessionId: string, answer: string) => void;
}

/** A subscriber who has logged in. */
interface Online {
  readonly userName: string;
  /** As they were spelled when they were activated. */
  readonly services: readonly string[];
}

export class Nas {
  readonly #dialect: DialectName;
  readonly #manners: NasManners;
  readonly #options: DialectOptions;
  /** By Acct-Session-Id. */
  readonly #online = new Map<string, Online>();
  /** By source, Identifier and authenticator: a repeat gets the same reply (RFC 5080 section 2.2.2). */
  readonly #replies = new Map<string, Uint8Array>();

  constructor(dialect: DialectName, manners: NasManners, options: DialectOptions) {
    this.#options = options;
    this.#dialect = dialect;
    this.#manners = manners;
  }

  logIn(acctSessionId: string, subscriber: Online): void {
    this.#online.set(acctSessionId, subscriber);
  }

  logOff(acctSessionId: string): void {
    this.#online.delete(acctSessionId);
  }

  /** A service ends without a request, as a timed one does. */
  end(acctSessionId: string, service: string): void {
    this.#change(acctSessionId, (services) => services.filter((one) => one !== service));
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
    return this.#online.get(acctSessionId)?.services ?? [];
  }

  #change(acctSessionId: string, change: (services: readonly string[]) => readonly string[]): void {
    const subscriber = this.#online.get(acctSessionId);
    if (subscriber === undefined) return;
    this.#online.set(acctSessionId, { ...subscriber, services: change(subscriber.services) });
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
    const subscriber = this.#online.get(acctSessionId);
    const userName = firstValue(attributes, 'User-Name') ?? subscriber?.userName;
    if (subscriber === undefined || userName !== subscriber.userName) {
      return ERROR_CAUSE['Session-Context-Not-Found'];
    }
    const reading = readAsNas(this.#dialect, attributes, subscriber.services, this.#options);
    if (!reading.ok) return reading.errorCause;
    const named = (operation: 'activate' | 'deactivate') =>
      reading.operations.filter((one) => one.operation === operation).map(({ service }) => service);
    let left = subscriber.services;
    for (const service of named('deactivate')) {
      const kept = left.filter((one) => !this.#isMeant(one, service));
      if (kept.length === left.length) return ERROR_CAUSE['Session-Context-Not-Found'];
      left = kept;
    }
    const comes = named('activate');
    const { isStrict, refusesCoexistence } = this.#manners;
    const isRefused = comes.some(
      (one) =>
        (isStrict && left.includes(one)) ||
        (refusesCoexistence && left.some((other) => one !== other && areExclusive(one, other))),
    );
    if (isRefused) return ERROR_CAUSE['Administratively-Prohibited'];
    this.#change(acctSessionId, () => [...new Set([...left, ...comes])]);
    return undefined;
  }

  #isMeant(service: string, name: string): boolean {
    if (canonical(service) === canonical(name)) return true;
    return this.#manners.knowsBareNames === true && nameOf(canonical(service)) === canonical(name);
  }
}
