// Clients of a site: they ask, repeat themselves, and hear what a genuine reply says.

import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { verifyReply } from '../../../core/radius/authenticator.ts';
import type { Packet } from '../../../core/radius/packet.ts';
import { outcomeOfReply } from '../../../relay/outcome.ts';
import type { MemoryNetwork } from '../../relay/memory-network.ts';
import { packetOf } from '../../relay/support.ts';
import type { Choices } from './choices.ts';
import { canonical, HOSTS, SECRET } from './deployment.ts';
import type { Scene, Subscriber } from './scene.ts';
import { chooseWish, datagramOf, describeWish, type Wish } from './wish.ts';

/** A request, which may be sent several times. */
export interface Ask {
  readonly subscriber: Subscriber;
  readonly wish: Wish;
  readonly packet: Packet;
  /** The packet, base64. */
  readonly bytes: string;
}

export class Clients {
  readonly #scene: Scene;
  readonly #sendTo: ReturnType<MemoryNetwork['listen']>;
  /** By Identifier. */
  readonly #asks: Ask[] = [];
  #refusals = 0;

  constructor(scene: Scene, network: MemoryNetwork) {
    this.#scene = scene;
    this.#sendTo = network.listen(HOSTS.client, (datagram) => this.#hear(packetOf(datagram)));
  }

  /** A client wants something, or several things at once. */
  ask(choices: Choices): void {
    const { subscribers, nowMs } = this.#scene;
    const weightOf = (index: number, { name }: Subscriber) => (index === 0 || name.length > 1 ? 3 : 1);
    const subscriber = choices.weighted(subscribers.map((one, index) => [weightOf(index, one), one]));
    const { userName, key, item } = subscriber;
    do {
      const atNas = this.#scene.nas.services(key.acctSessionId);
      const known = new Set(atNas.map(canonical));
      const others = Object.keys(item?.session.services ?? {}).filter((activation) => !known.has(activation));
      const has = [...atNas, ...others];
      const wish = chooseWish(choices, { userName, has, nowMs });
      const packet = packetOf(datagramOf(wish, key.acctSessionId, this.#asks.length));
      const ask = { subscriber, wish, packet, bytes: Buffer.from(packet.bytes).toString('base64') };
      this.#asks.push(ask);
      this.#send(ask, 'asks to');
    } while (choices.chance(40));
  }

  /** A client sends the same bytes once more, the latest most likely. */
  repeat(choices: Choices): void {
    if (this.#asks.length > 0) this.#send(choices.oneOf(this.#asks.toReversed()), 'asks once more to');
  }

  /** Who sent these bytes, base64, and what for. */
  whoAsked(bytes: string): Ask {
    const ask = this.#asks.find((one) => one.bytes === bytes);
    if (ask === undefined) throw new Error(`nobody sent ${bytes}`);
    return ask;
  }

  #send({ subscriber, wish, packet }: Ask, verb: string): void {
    this.#scene.tell(`${subscriber.name} ${verb} ${describeWish(wish)}`);
    this.#sendTo(packet.bytes, HOSTS.relay);
  }

  /** The relay has answered a request itself. */
  refusedByRelay(): void {
    this.#refusals++;
  }

  #hear(reply: Packet): void {
    const ask = this.#asks[reply.identifier];
    if (ask === undefined) throw new Error(`nobody asked with the Identifier ${reply.identifier}`);
    const { subscriber, wish, packet, bytes } = ask;
    const verified = verifyReply(reply, packet, SECRET.client);
    if (!verified.ok) this.#scene.violated(`a client gets a reply that does not verify: ${verified.reason}`);
    const { result: answer, ...cause } = outcomeOfReply(reply);
    this.#scene.tell(`  ${subscriber.name} hears ${[answer, cause.errorCause].join(' ')}`);
    this.#scene.tally[`${answer}s`]++;
    // A request without Acct-Session-Id, or a repeat of it, may have come to another session of the subscriber.
    const family = this.#scene.subscribers.filter((one) => one.userName === subscriber.userName);
    const answered = family.find((one) => one.observer.hasAnswered(bytes, { answer, ...cause }));
    const isOfRelay = cause.errorCause === ERROR_CAUSE['Resources-Unavailable'] && this.#refusals > 0;
    if (answered === undefined && isOfRelay) return;
    const asked = answered ?? subscriber;
    asked.observer.heard(wish, bytes, { answer, ...cause });
  }
}
