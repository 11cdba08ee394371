// A site without a network: clients that ask and repeat themselves, the NAS, and between them a relay and its rules.
//
// The relay drops a repeat of what waits for its answer, unless it was restarted, and a request with an old
// Event-Timestamp. It carries out the commands of one session in order, reports one that it receives for the second
// time as interrupted without sending it, and does not send one that comes too late. UDP loses commands and their
// answers; a command has no effect any more once its outcome is reported.
import {
  type CommandMessage,
  type InboxMessage,
  MESSAGE_VERSION,
  type OutcomeMessage,
  type ReplyMessage,
  type UNKNOWN_RESULTS,
} from '../../../core/messages.ts';
import { signRequest, verifyReply } from '../../../core/radius/authenticator.ts';
import { CODE, type Packet } from '../../../core/radius/packet.ts';
import { encodeReply } from '../../../core/requests/reply.ts';
import { outcomeOfReply } from '../../../relay/outcome.ts';
import { packetOf, SECRET } from '../../relay/support.ts';
import type { Choices } from './choices.ts';
import { NAS_REFUSAL } from './ledger.ts';
import { NAS_SECRET } from './nas.ts';
import type { Scene, Subscriber } from './scene.ts';
import { chooseWish, datagramOf, describeWish, type Wish } from './wish.ts';

interface Ask {
  readonly subscriber: Subscriber;
  readonly wish: Wish;
  /** The datagram, base64. */
  readonly bytes: string;
}

interface Command {
  readonly group: string;
  readonly body: CommandMessage;
  isReceivedBefore: boolean;
}

type Outcome = Pick<OutcomeMessage, 'result' | 'errorCause'>;

/** What becomes of a command. */
interface Fate {
  readonly what: string;
  readonly reachesNas?: true;
  readonly refusal?: number;
  /** What the relay reports, if it comes to that: what the NAS answered, or that it does not know. */
  readonly report?: 'answer' | (typeof UNKNOWN_RESULTS)[number];
  readonly relayDies?: true;
}

const CALM: Fate = { what: 'is answered', reachesNas: true, report: 'answer' };
const FATES: readonly (readonly [weight: number, fate: Fate])[] = [
  [12, CALM],
  [3, { what: 'is refused', reachesNas: true, refusal: NAS_REFUSAL, report: 'answer' }],
  [3, { what: 'is lost', report: 'timeout' }],
  [3, { what: 'is carried out, but the answer is lost', reachesNas: true, report: 'timeout' }],
  [1, { what: 'finds nobody listening', report: 'unreachable' }],
  [1, { what: 'is not sent, for the relay dies', relayDies: true }],
  [1, { what: 'is carried out, but the relay dies', reachesNas: true, relayDies: true }],
  [1, { ...CALM, what: 'is answered, and the relay dies when it has reported that', relayDies: true }],
];
const RECEIVED_BEFORE: Fate = { what: 'was received before', report: 'interrupted' };
const LATE: Fate = { what: 'comes too late', report: 'expired' };

const CLIENT = { name: 'policy', address: '127.0.0.1', port: 4000 };
/** How long the relay waits for an answer before it takes on a repeat. */
const IN_PROGRESS_MS = 30_000;
const EVENT_TIMESTAMP_WINDOW_MS = 300_000;

export class Site {
  readonly #scene: Scene;
  readonly #send: (group: string, message: InboxMessage) => void;
  readonly #asks: Ask[] = [];
  /** Since when requests wait for their answers, by their bytes. */
  readonly #inProgress = new Map<string, number>();
  #commands: readonly Command[] = [];

  /** @param send puts a message into the inbox */
  constructor(scene: Scene, send: (group: string, message: InboxMessage) => void) {
    this.#scene = scene;
    this.#send = send;
  }

  get hasCommands(): boolean {
    return this.#commands.length > 0;
  }

  /** A client wants something, or several things at once. */
  ask(choices: Choices): void {
    const { subscribers, nowMs } = this.#scene;
    const subscriber = choices.weighted(subscribers.map((one, index) => [index === 0 ? 3 : 1, one]));
    const { userName, key, item } = subscriber;
    do {
      const has = Object.keys(item?.session.services ?? {});
      const wish = chooseWish(choices, { userName, has, nowMs });
      const datagram = datagramOf(wish, key.acctSessionId, this.#asks.length);
      const ask = { subscriber, wish, bytes: Buffer.from(datagram).toString('base64') };
      this.#asks.push(ask);
      this.#forward(ask, 'asks to');
    } while (choices.chance(40));
  }

  /** A client sends the same bytes once more, the latest most likely. */
  repeat(choices: Choices): void {
    if (this.#asks.length === 0) return;
    const ask = choices.oneOf(this.#asks.toReversed());
    const { nowMs } = this.#scene;
    const waitsMs = nowMs - (this.#inProgress.get(ask.bytes) ?? Number.NEGATIVE_INFINITY);
    const ageMs = nowMs - (ask.wish.timestampMs ?? nowMs);
    const isDropped = ageMs > EVENT_TIMESTAMP_WINDOW_MS || (waitsMs < IN_PROGRESS_MS && !choices.chance(30));
    if (!isDropped) this.#forward(ask, 'asks once more to');
  }

  #forward({ subscriber: { name, group, ledger }, wish, bytes }: Ask, verb: string): void {
    const correlationId = this.#scene.name('r');
    const receivedAtMs = ++this.#scene.nowMs;
    this.#scene.tell(`${correlationId}: ${name} ${verb} ${describeWish(wish)}`);
    this.#scene.tally.requests++;
    this.#inProgress.set(bytes, receivedAtMs);
    ledger.forwarded({ correlationId, receivedAtMs, wish, bytes });
    const origin = { kind: 'radius', relay: 'demo', client: CLIENT, packet: bytes } as const;
    this.#send(group, { version: MESSAGE_VERSION, kind: 'request', correlationId, receivedAtMs, origin });
  }

  /** The relay gets an answer and sends it to the client. */
  reply({ correlationId, origin, answer, errorCause }: ReplyMessage): void {
    const packet = packetOf(Buffer.from(origin.packet, 'base64'));
    const { result, ...heard } = this.#read(encodeReply(packet, SECRET, answer, errorCause), packet, SECRET);
    this.#scene.tell(`  ${correlationId} hears ${[result, heard.errorCause].join(' ')}`);
    this.#scene.tally[`${result}s`]++;
    this.#inProgress.delete(origin.packet);
    const { ledger } = this.#scene.subscriber((one) => one.ledger.has(correlationId));
    ledger.replied({ correlationId, answer: result, ...heard });
  }

  take(group: string, body: CommandMessage): void {
    this.#scene.tell(`  ${body.commandId}: ${body.operation} ${body.services.join(' ')}`);
    this.#commands = [...this.#commands, { group, body, isReceivedBefore: false }];
  }

  /** The relay receives a command, the first of some session. */
  carryOut(choices: Choices): void {
    const sessions = Map.groupBy(this.#commands, ({ group }) => group);
    const command = choices.oneOf([...sessions.values()].flatMap(([first]) => first ?? []));
    const { body, isReceivedBefore } = command;
    const isLate = this.#scene.nowMs > body.startBeforeMs;
    const fate = isReceivedBefore ? RECEIVED_BEFORE : isLate ? LATE : choices.weighted(FATES);
    command.isReceivedBefore = true;
    this.#scene.tell(`NAS: ${body.operation} ${body.services.join(' ')} ${fate.what}`);
    if (fate !== CALM) this.#scene.tally.faults++;
    const answer = fate.reachesNas && this.#tellNas(command, fate.refusal);
    const outcome = fate.report === 'answer' ? answer : fate.report && { result: fate.report };
    if (outcome) this.#report(command, outcome);
    if (!fate.relayDies) this.#commands = this.#commands.filter((one) => one !== command);
  }

  #tellNas({ group, body }: Command, refusal: number | undefined): Outcome {
    const attributes = Buffer.from(body.attributes, 'base64');
    const request = signRequest({ code: CODE.CoaRequest, identifier: 0, attributes }, NAS_SECRET);
    const answer = this.#scene.nas.answer(request, refusal);
    this.#scene.tally.commands++;
    const { ledger, item } = this.#scene.subscriber((one) => one.group === group);
    ledger.told(item?.session);
    return this.#read(answer, packetOf(request), NAS_SECRET);
  }

  #report({ group, body: { commandId, correlationId, session } }: Command, outcome: Outcome): void {
    const { result, errorCause } = outcome;
    const { troubles } = this.#scene.subscriber((one) => one.group === group).ledger;
    if (errorCause === NAS_REFUSAL) troubles.refusals++;
    if (result !== 'ack' && result !== 'nak') troubles.silences++;
    this.#scene.tell(`  ${commandId}: ${[result, errorCause].join(' ')}`);
    if (!this.#scene.takes(`${commandId}/outcome`)) return;
    const about = { commandId, correlationId, session, atMs: this.#scene.nowMs };
    this.#send(group, { version: MESSAGE_VERSION, kind: 'outcome', ...about, ...outcome });
  }

  #read(datagram: Uint8Array, request: Packet, secret: typeof SECRET): ReturnType<typeof outcomeOfReply> {
    const reply = packetOf(datagram);
    const verified = verifyReply(reply, request, secret);
    if (!verified.ok) this.#scene.violated(`an answer does not verify: ${verified.reason}`);
    return outcomeOfReply(reply);
  }
}
