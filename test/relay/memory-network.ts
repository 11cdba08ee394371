// A UDP network in memory, on a clock that is moved by hand. What becomes of a datagram is decided from outside.
import type { Endpoint } from '../../core/endpoint.ts';
import { formatEndpoint } from '../../core/endpoint.ts';
import type { ChannelOwner, ServerEndpoint, Transport } from '../../relay/radius/transport.ts';
import type { ManualClock } from './manual-clock.ts';

export interface Datagram {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly bytes: Uint8Array;
}

/**
 * What becomes of a datagram: for each copy that arrives, how many milliseconds it takes. None is a loss. `refused`: it
 * is lost, and its sender gets an ICMP port unreachable, as it does where nothing listens.
 */
export type Fate = readonly number[] | 'refused';

interface Listener {
  onPacket(packet: Uint8Array, source: Endpoint): void;
  onRefused?(): void;
}

/** The transport of a host. */
export interface Host extends Transport {
  /** Closes everything that the host has opened, at once and without a word to its owner. */
  crash(): void;
  /** Keeps what arrives until `resume`, as the socket of a process that is stopped does. */
  pause(): void;
  resume(): void;
}

const FIRST_EPHEMERAL_PORT = 49_152;

export class MemoryNetwork {
  readonly #clock: ManualClock;
  readonly #fateOf: (datagram: Datagram) => Fate;
  /** By address and port. */
  readonly #listeners = new Map<string, Listener>();
  #nextPort = FIRST_EPHEMERAL_PORT;
  #inFlight = 0;

  /** By default all datagrams arrive at once. */
  constructor(clock: ManualClock, fateOf: (datagram: Datagram) => Fate = () => [0]) {
    this.#clock = clock;
    this.#fateOf = fateOf;
  }

  /** How many datagrams have been sent and have neither arrived nor been lost. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Listens on `local`, and gives the means to send from there. */
  listen(
    local: Endpoint,
    onPacket: (packet: Uint8Array, source: Endpoint) => void,
  ): (packet: Uint8Array, destination: Endpoint) => void {
    this.#open(local, { onPacket });
    return (bytes, destination) => this.#send({ source: local, destination, bytes });
  }

  /** A host with this address. */
  host(address: string): Host {
    const opened = new Set<string>();
    let kept: (() => void)[] | undefined;
    const take = (arrive: () => void) => (kept === undefined ? arrive() : void kept.push(arrive));
    const open = (local: Endpoint, { onPacket, onRefused }: Listener) => {
      this.#open(local, {
        onPacket: (packet, source) => take(() => onPacket(packet, source)),
        ...(onRefused && { onRefused: () => take(onRefused) }),
      });
      opened.add(formatEndpoint(local));
    };
    const close = async (local: Endpoint) => {
      const key = formatEndpoint(local);
      if (opened.delete(key)) this.#listeners.delete(key);
    };
    return {
      bind: async ({ port }, owner): Promise<ServerEndpoint> => {
        const local = { address, port: port === 0 ? this.#nextPort++ : port };
        open(local, { onPacket: (packet, source) => owner.onPacket(packet, source) });
        return {
          local,
          receiveBufferBytes: 0,
          send: async (bytes, destination) => this.#send({ source: local, destination, bytes }),
          close: () => close(local),
        };
      },
      connect: async (remote, owner: ChannelOwner) => {
        const local = { address, port: this.#nextPort++ };
        open(local, {
          onPacket: (packet, source) => {
            if (formatEndpoint(source) === formatEndpoint(remote)) owner.onPacket(packet);
          },
          onRefused: () => owner.onRefused(),
        });
        return {
          isReliable: false,
          send: (bytes) => this.#send({ source: local, destination: remote, bytes }),
          close: () => close(local),
        };
      },
      pause: () => {
        kept ??= [];
      },
      resume: () => {
        const arrived = kept ?? [];
        kept = undefined;
        // A process sees to its timers first.
        for (const arrive of arrived) this.#clock.setTimeout(arrive, 0);
      },
      crash: () => {
        kept = undefined;
        for (const key of opened) this.#listeners.delete(key);
        opened.clear();
      },
    };
  }

  #open(local: Endpoint, listener: Listener): void {
    const key = formatEndpoint(local);
    if (this.#listeners.has(key)) throw Object.assign(new Error(`${key} is in use`), { code: 'EADDRINUSE' });
    this.#listeners.set(key, listener);
  }

  #send(datagram: Datagram): void {
    const fate = this.#fateOf(datagram);
    if (fate === 'refused') this.#travel(0, () => this.#refuse(datagram));
    else for (const delayMs of fate) this.#travel(delayMs, () => this.#arrive(datagram));
  }

  #travel(delayMs: number, arrive: () => void): void {
    this.#inFlight++;
    this.#clock.setTimeout(() => {
      this.#inFlight--;
      arrive();
    }, delayMs);
  }

  #arrive(datagram: Datagram): void {
    const listener = this.#listeners.get(formatEndpoint(datagram.destination));
    if (listener === undefined) this.#refuse(datagram);
    else listener.onPacket(datagram.bytes, datagram.source);
  }

  #refuse({ source }: Datagram): void {
    this.#listeners.get(formatEndpoint(source))?.onRefused?.();
  }
}
