// What a NAS accounts: an Accounting-Request for each thing that happens, sent until it has an answer (RFC 2866 section 2).
// Records do not wait for one another, so one that was lost arrives behind later ones. A repeat has the same bytes, or
// another Identifier and an Acct-Delay-Time.
import { ACCT_STATUS_TYPE } from '../../../core/radius/attributes.ts';
import { signRequest, verifyReply } from '../../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE, type Packet } from '../../../core/radius/packet.ts';
import type { ManualClock } from '../../relay/manual-clock.ts';
import type { MemoryNetwork } from '../../relay/memory-network.ts';
import { packetOf } from '../../relay/support.ts';
import { HOSTS, SECRET } from './deployment.ts';

export interface NasRecordsOptions {
  readonly clock: ManualClock;
  readonly network: MemoryNetwork;
  /** NAS-Identifier. */
  readonly nas: string;
  /** Whether the next repeat has an Acct-Delay-Time. */
  readonly raisesDelay: () => boolean;
  readonly tell: (what: string) => void;
}

/** An Accounting-Request that has no answer yet. */
interface Pending {
  readonly what: string;
  readonly attributes: readonly Attribute[];
  readonly eventAtMs: number;
  /** As it was sent last. */
  readonly request: Packet;
  readonly pause: { cancel(): void };
}

const FIRST_PAUSE_MS = 3_000;
/** The relay takes bytes that come again within 30 s for a repeat. */
const LONGEST_PAUSE_MS = 24_000;
const IDENTIFIERS = 256;

export class NasRecords {
  readonly #options: NasRecordsOptions;
  readonly #sendTo: ReturnType<MemoryNetwork['listen']>;
  /** By the number of the record. */
  readonly #pending = new Map<number, Pending>();
  /** The request that has each Identifier, and the number of its record. */
  readonly #requests = new Map<number, { readonly number: number; readonly request: Packet }>();
  #records = 0;
  #identifiers = 0;

  constructor(options: NasRecordsOptions) {
    this.#options = options;
    this.#sendTo = options.network.listen(HOSTS.nasAccounting, (datagram) => this.#hear(packetOf(datagram)));
  }

  /** How many records have no answer. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Sends a record of what happens now. `more`: what it says besides the Acct-Status-Type, the NAS and the time. */
  send(status: keyof typeof ACCT_STATUS_TYPE, more: readonly Attribute[], what: string): void {
    const eventAtMs = this.#options.clock.now();
    const attributes: readonly Attribute[] = [
      { name: 'Acct-Status-Type', value: ACCT_STATUS_TYPE[status] },
      { name: 'NAS-Identifier', value: this.#options.nas },
      { name: 'Event-Timestamp', value: Math.floor(eventAtMs / 1000) },
      ...more,
    ];
    const number = ++this.#records;
    const about = { what: `${status} ${what}`.trim(), attributes, eventAtMs };
    this.#options.tell(`  the NAS sends ${about.what}`);
    this.#transmit(number, about, this.#sign(number, attributes), FIRST_PAUSE_MS);
  }

  /** A NAS that reboots forgets what it had to send. */
  forget(): void {
    for (const { pause } of this.#pending.values()) pause.cancel();
    this.#pending.clear();
  }

  #transmit(
    number: number,
    about: Pick<Pending, 'what' | 'attributes' | 'eventAtMs'>,
    request: Packet,
    pauseMs: number,
  ): void {
    const { clock, tell } = this.#options;
    const pause = clock.setTimeout(() => {
      tell(`  the NAS repeats ${about.what}`);
      const next = this.#options.raisesDelay() ? this.#sign(number, this.#delayed(about)) : request;
      this.#transmit(number, about, next, Math.min(2 * pauseMs, LONGEST_PAUSE_MS));
    }, pauseMs);
    this.#pending.set(number, { ...about, request, pause });
    this.#sendTo(request.bytes, HOSTS.relayAccounting);
  }

  #delayed({ attributes, eventAtMs }: Pick<Pending, 'attributes' | 'eventAtMs'>): readonly Attribute[] {
    const seconds = Math.floor((this.#options.clock.now() - eventAtMs) / 1000);
    return [...attributes, { name: 'Acct-Delay-Time', value: seconds }];
  }

  #sign(number: number, attributes: readonly Attribute[]): Packet {
    const identifier = this.#identifiers++ % IDENTIFIERS;
    const parts = { code: CODE.AccountingRequest, identifier, attributes: encodeAttributes(attributes) };
    const request = packetOf(signRequest(parts, SECRET.feed, { messageAuthenticator: false }));
    this.#requests.set(identifier, { number, request });
    return request;
  }

  #hear(reply: Packet): void {
    const asked = this.#requests.get(reply.identifier);
    if (asked === undefined || !verifyReply(reply, asked.request, SECRET.feed).ok) return;
    this.#pending.get(asked.number)?.pause.cancel();
    this.#pending.delete(asked.number);
  }
}
