// A site on a network in memory: clients, the real relay, a NAS and an accounting server, and the site's queues.
//
// Datagrams are lost, come twice, late and out of order; a NAS or accounting server is away for a while, or refuses; calls
// to SQS fail, come late, or their answers get lost; the relay is killed, or stops in good order, and starts anew, perhaps
// on a host with another clock; it is paused, perhaps while another one takes its place; its clock is wrong, or steps.
import {
  AccountingMessage,
  FeedQueueMessage,
  InboxMessage,
  OutboxMessage,
  readMessage,
} from '../../../core/messages.ts';
import { decodeAttributes, firstValue } from '../../../core/radius/codec.ts';
import type { Packet } from '../../../core/radius/packet.ts';
import type { RelayEvent } from '../../../relay/telemetry/events.ts';
import { type Datagram, type Fate, MemoryNetwork } from '../../relay/memory-network.ts';
import { type CallFate, MemoryQueue } from '../../relay/memory-sqs.ts';
import { listenForAccounting } from './accounting-server.ts';
import type { Choices } from './choices.ts';
import { Clients } from './clients.ts';
import { canonical, HOSTS, hasFeed, NAS_REFUSAL, nasOf, relaySiteOf } from './deployment.ts';
import { NasRecords } from './nas-records.ts';
import { type RelayProcess, type StartRelay, startRelayProcess } from './relay-process.ts';
import type { Scene, Subscriber } from './scene.ts';
import { describeWish } from './wish.ts';

/** `silentForMs`: this datagram and those that follow it the same way are lost for so long. */
type PacketFate = readonly [name: string, fate: Fate | { readonly silentForMs: number }];

const CLIENT_FATES: readonly (readonly [weight: number, fate: PacketFate])[] = [
  [60, ['arrives', [0]]],
  [4, ['is lost', []]],
  [4, ['arrives twice', [0, 700]]],
  [4, ['is late', [300]]],
];
/** A NAS or accounting server may be away for longer than the relay asks it. */
const SERVER_FATES: typeof CLIENT_FATES = [
  ...CLIENT_FATES,
  [2, ['finds nobody listening', 'refused']],
  [2, ['is lost like all for 3 s', { silentForMs: 3_000 }]],
  [8, ['is lost like all for 31 s', { silentForMs: 31_000 }]],
];
const CALL_FATES: readonly (readonly [weight: number, fate: CallFate])[] = [
  [60, 'served'],
  [2, 'late'],
  [2, 'failed'],
  [2, 'answer-lost'],
  [1, 'refused'],
  [1, 'hung'],
];
const RECEIVE_FATES: typeof CALL_FATES = [
  [60, 'served'],
  [2, 'answer-lost'],
  [1, 'hung'],
];
/** What the clock of a relay may be ahead of the cloud's. */
const SKEWS_MS = [0, -1_500, 1_500, 31_000, -45_000];
/** A relay asks for commands, and gives a call up, within so long: it counts a command as older than it is by that at most. */
const CALL_MS = 8_000;
const REFUSAL_PERCENT = 12;
const KILLED_PERCENT = 66;
/** An Acct-Session-Id comes again after so long at the earliest: Event-Timestamps that are closer are of one event. */
const SAME_ID_AFTER_MS = 7_000;
/** Of one subscriber, one after the other, each with an Acct-Session-Id of its own. */
const MAX_SESSIONS = 3;
/** RFC 2865 section 3. */
const HEADER_OCTETS = 20;

const readFeed = (body: string) => readMessage(FeedQueueMessage, body);

export class Site {
  readonly inbox: MemoryQueue;
  readonly outcomes: MemoryQueue;
  readonly outbox: MemoryQueue;
  readonly accounting: MemoryQueue;
  readonly feed: MemoryQueue;
  readonly clients: Clients;
  readonly #scene: Scene;
  readonly #network: MemoryNetwork;
  readonly #relayUnderTest: StartRelay | undefined;
  /** Until when everything is lost one way, by source and destination. */
  readonly #silentUntilMs = new Map<string, number>();
  readonly #records: NasRecords | undefined;
  #relay: RelayProcess | undefined;
  /** It is paused, or one beside it has not ended yet. */
  #isPaused = false;
  #skewMs = 0;
  /** When a session ended last at the NAS, by Acct-Session-Id. */
  readonly #endedAtMs = new Map<string, number>();
  /** By command id. */
  readonly #startBeforeMs = new Map<string, number>();

  /** @param relayUnderTest the relay as it is, unless there is another one */
  constructor(scene: Scene, relayUnderTest: StartRelay | undefined) {
    const { clock } = scene;
    this.#scene = scene;
    this.#relayUnderTest = relayUnderTest;
    this.#network = new MemoryNetwork(clock, (datagram) => this.#fateOf(datagram));
    this.clients = new Clients(scene, this.#network);
    this.#records = hasFeed(scene.site) ? this.#newRecords() : undefined;
    scene.nas.listen(this.#network, {
      ...(this.#records && { records: this.#records }),
      refusal: () => this.#refusal(),
      onTold: (acctSessionId, answer) => this.#seeNas(acctSessionId, answer),
    });
    for (const { key } of this.#records === undefined ? [] : scene.subscribers)
      if (scene.nas.beganAtMs(key.acctSessionId) === clock.now()) scene.nas.announce(key.acctSessionId);
    listenForAccounting(this.#network, (record) => this.#seeRecord(record));
    this.inbox = new MemoryQueue(clock, ({ body }) => this.#seeInbox(readMessage(InboxMessage, body)));
    this.outcomes = new MemoryQueue(clock, ({ body }) => this.#seeInbox(readMessage(InboxMessage, body)));
    this.outbox = new MemoryQueue(clock, ({ body }) => this.#seeOutbox(readMessage(OutboxMessage, body)));
    this.accounting = new MemoryQueue(clock, ({ body }) => {
      const record = readMessage(AccountingMessage, body);
      scene.tell(`  Acct-${record.status} ${record.serviceSession} ${record.acctSessionId}`);
      this.#subscriber(record.acctSessionId).observer.accounted(record);
    });
    this.feed = new MemoryQueue(clock, ({ body }) => this.#seeFeed(readFeed(body)));
  }

  #newRecords(): NasRecords {
    const { clock, site } = this.#scene;
    return new NasRecords({
      clock,
      network: this.#network,
      nas: nasOf(site).name,
      raisesDelay: () => this.#scene.choices.chance(50),
      tell: (what) => this.#scene.tell(what),
    });
  }

  /** Whether nothing is under way here. */
  get isQuiet(): boolean {
    const queued =
      this.inbox.size + this.outcomes.size + this.outbox.size + this.accounting.size + this.feed.size;
    const isAnswered = (this.#records?.pending ?? 0) === 0 && this.#scene.nas.isUp;
    const isAlone = this.#relay !== undefined && !this.#isPaused;
    return queued === 0 && isAnswered && this.#network.inFlight === 0 && isAlone;
  }

  // --- The relay ----------------------------------------------------------------------------------------------

  async startRelay(): Promise<void> {
    this.#relay = await this.#start(HOSTS.relay.address);
  }

  #start(address: string): Promise<RelayProcess> {
    const { clock, site } = this.#scene;
    return startRelayProcess({
      start: this.#relayUnderTest,
      address,
      site: relaySiteOf(site),
      newId: () => this.#scene.name('r'),
      clock,
      skewMs: () => this.#skewMs,
      network: this.#network,
      queues: {
        inbox: this.inbox,
        outcomes: this.outcomes,
        outbox: this.outbox,
        accounting: this.accounting,
        feed: this.feed,
      },
      fateOf: (action) => this.#fateOfCall(action),
      report: (event) => this.#seeEvent(event),
    });
  }

  /** The relay is killed, or stops in good order; after a while another one takes its place. */
  restartRelay(choices: Choices): void {
    const relay = this.#relay;
    if (relay === undefined || this.#isPaused) return;
    const startsAfterMs = choices.oneOf([200, 5_000, 70_000]);
    const replace = () => {
      if (this.#relay !== relay) return;
      this.#relay = undefined;
      relay.kill();
      this.#scene.clock.setTimeout(() => void this.startRelay(), startsAfterMs);
    };
    if (choices.chance(20)) this.stepClock(choices);
    this.#scene.tally.restarts++;
    if (choices.chance(KILLED_PERCENT)) {
      this.#scene.fault('the relay is killed');
      replace();
    } else {
      this.#scene.fault('the relay drains');
      void relay.drain().then(replace);
    }
  }

  /** The relay stands still for a while, as at a pause of its host. Another one may work meanwhile, and a while beside it. */
  pauseRelay(choices: Choices): void {
    const relay = this.#relay;
    if (relay === undefined || this.#isPaused) return;
    const { clock } = this.#scene;
    const pauseMs = choices.oneOf([3_000, 8_000, 20_000, 70_000]);
    const besideMs = choices.oneOf([0, 2_000, 20_000]);
    this.#scene.fault(`the relay is paused for ${pauseMs / 1000} s`);
    this.#scene.tally.restarts++;
    this.#isPaused = true;
    relay.pause();
    const standBy = choices.chance(60) ? this.#start(HOSTS.standBy.address) : undefined;
    clock.setTimeout(() => {
      this.#scene.tell('the relay goes on');
      relay.resume();
      clock.setTimeout(() => void end(), besideMs);
    }, pauseMs);
    const end = async () => {
      const other = await standBy;
      await other?.drain();
      other?.kill();
      this.#isPaused = false;
    };
  }

  /** The clock of the relay steps; whether time passes does not depend on it. */
  stepClock(choices: Choices): void {
    this.#skewMs = choices.oneOf(SKEWS_MS);
    this.#scene.fault(`the clock of the relay is ahead by ${this.#skewMs / 1000} s`);
  }

  #seeEvent(event: RelayEvent): void {
    const { nowMs } = this.#scene;
    switch (event.kind) {
      case 'reply-not-sent':
        this.#scene.violated(`the relay does not send a reply: ${event.reason}`);
        break;
      case 'message-left':
        // Calls to SQS failed for longer than the visibility timeout.
        if (event.reason === 'not-held') this.#scene.tell(`  the relay leaves a message: ${event.detail}`);
        else this.#scene.violated(`the relay leaves a message: ${event.detail}`);
        break;
      case 'command-sent':
        this.#scene.tally.commands++;
        break;
      case 'command-not-sent':
        if (event.reason === 'expired' && nowMs < this.#startBefore(event) - CALL_MS)
          this.#scene.violated(`${event.commandId} is not sent, and there is time for that`);
        this.#scene.tell(`  ${event.commandId} is not sent: ${event.reason}`);
        break;
      case 'request-refused':
        this.#scene.tell(`  the relay refuses a request: ${event.reason}`);
        this.clients.refusedByRelay();
        break;
      case 'discarded':
        this.#scene.tell(`  the relay discards a datagram: ${event.reason}`);
        break;
    }
  }

  #startBefore({ commandId }: { readonly commandId: string }): number {
    return this.#startBeforeMs.get(commandId) ?? 0;
  }

  // --- The NAS by itself --------------------------------------------------------------------------------------

  /** The NAS ends a service of a subscriber; seldom the subscriber logs off. */
  endSomething(choices: Choices): void {
    const { nas, subscribers } = this.#scene;
    const { name, key, observer } = choices.oneOf(subscribers);
    const services = nas.services(key.acctSessionId);
    if (choices.chance(15)) {
      nas.logOff(key.acctSessionId);
      this.#scene.fault(`${name} logs off`);
      observer.endedByNas(services.map(canonical), { isLogOff: true, isAccounted: false });
    } else if (services.length > 0 && choices.chance(50)) {
      const service = choices.oneOf(services);
      nas.end(key.acctSessionId, service);
      this.#scene.fault(`the NAS ends ${service} of ${name}`);
      observer.endedByNas([canonical(service)], { isLogOff: false, isAccounted: false });
    }
  }

  /** Where the NAS accounts: a subscriber logs off or on, a service ends, an Interim-Update is due, or all of it reboots. */
  happen(choices: Choices): void {
    const { nas, subscribers } = this.#scene;
    if (!nas.isUp) return;
    if (choices.chance(6)) {
      this.#reboot(choices);
      return;
    }
    const subscriber = choices.oneOf(subscribers);
    const { name, key, observer } = subscriber;
    const { acctSessionId } = key;
    if (nas.beganAtMs(acctSessionId) === undefined) {
      this.#logOn(subscriber, choices);
      return;
    }
    const services = nas.services(acctSessionId);
    const accounted = new Set(nas.accounted(acctSessionId));
    const what = choices.weighted([
      [4, 'updates'],
      [3, 'logs off'],
      [services.length > 0 ? 3 : 0, 'loses a service'],
    ]);
    if (what === 'updates') {
      this.#scene.tell(`the NAS accounts what ${name} has`);
      nas.update(acctSessionId);
    } else if (what === 'logs off') {
      this.#scene.fault(`${name} logs off`);
      nas.logOff(acctSessionId);
      observer.endedByNas(services.map(canonical), { isLogOff: true, isAccounted: true });
      this.#endedAtMs.set(acctSessionId, this.#scene.nowMs);
      if (choices.chance(40)) this.#logOn(subscriber, choices);
    } else {
      const service = choices.oneOf(services);
      this.#scene.fault(`the NAS ends ${service} of ${name}`);
      nas.end(acctSessionId, service);
      observer.endedByNas([canonical(service)], { isLogOff: false, isAccounted: accounted.has(service) });
    }
  }

  /** Under the same Acct-Session-Id after a while, as by a NAS that counts anew, or at once under another one. */
  #logOn(subscriber: Subscriber, choices: Choices): void {
    const { nowMs, nas, subscribers } = this.#scene;
    const { name, userName, key } = subscriber;
    const family = subscribers.filter((one) => one.userName === userName);
    if (family.some((one) => nas.beganAtMs(one.key.acctSessionId) !== undefined)) return;
    const endedAtMs = this.#endedAtMs.get(key.acctSessionId) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - endedAtMs >= SAME_ID_AFTER_MS && choices.chance(60))
      this.#scene.logOnAgain(subscriber, choices);
    else if (family.length < MAX_SESSIONS)
      this.#scene.logOn({ name: `${name[0]}${family.length + 1}`, userName }, choices);
  }

  #reboot(choices: Choices): void {
    const { nas, subscribers, clock, nowMs } = this.#scene;
    this.#scene.fault('the NAS reboots');
    const had = subscribers.map(({ key }) => nas.services(key.acctSessionId).map(canonical));
    const wereOnline = subscribers.map(({ key }) => nas.beganAtMs(key.acctSessionId) !== undefined);
    nas.goDown();
    for (const [index, { key, observer }] of subscribers.entries()) {
      if (!wereOnline[index]) continue;
      this.#endedAtMs.set(key.acctSessionId, nowMs);
      observer.endedByNas(had[index] ?? [], { isLogOff: true, isAccounted: true });
    }
    clock.setTimeout(
      () => {
        this.#scene.tell('the NAS is up again');
        nas.restart();
      },
      choices.oneOf([2_000, 45_000]),
    );
  }

  // --- Queues -------------------------------------------------------------------------------------------------

  #seeFeed(message: ReturnType<typeof readFeed>): void {
    if (message.kind === 'restart') return;
    const { correlationId, status, acctSessionId = '', service } = message;
    this.#scene.tell(`  ${correlationId}: ${status} of ${acctSessionId} ${service?.name ?? ''}`.trimEnd());
    this.#scene.tally.fed++;
  }

  #seeInbox(message: InboxMessage): void {
    if (message.kind === 'outcome') {
      const { commandId, session, result, errorCause } = message;
      this.#scene.tell(`  ${commandId}: ${[result, errorCause].join(' ')}`);
      this.#subscriber(session.acctSessionId).observer.outcome(message);
      return;
    }
    const { correlationId, origin, session } = message;
    const bytes = origin.packet;
    const { subscriber, wish } = this.clients.whoAsked(bytes);
    if (session !== undefined) {
      this.#scene.tell(`  ${correlationId}: found`);
      this.#scene.tally.found++;
      const found = this.#subscriber(session.acctSessionId);
      if (found.userName !== subscriber.userName)
        this.#scene.violated(`${correlationId} is for ${subscriber.name}, and goes to ${found.name}`);
      const from = this.#scene.subscriber((one) => one.observer.has(correlationId));
      if (from === found) found.observer.found(correlationId);
      else found.observer.takeOver(from.observer.giveUp(correlationId));
      return;
    }
    this.#scene.tell(`  ${correlationId}: ${subscriber.name} ${describeWish(wish)}`);
    this.#scene.tally.requests++;
    subscriber.observer.forwarded({ correlationId, queuedAtMs: this.#scene.nowMs, wish, bytes });
  }

  #seeOutbox(message: OutboxMessage): void {
    if (message.kind === 'command') {
      const { commandId, operation, services, deactivates = [], session, startBeforeMs } = message;
      this.#startBeforeMs.set(commandId, startBeforeMs);
      const others = deactivates.map((one) => ` -${one}`).join('');
      this.#scene.tell(`  ${commandId}: ${operation} ${services.join(' ')}${others}`);
      this.#subscriber(session.acctSessionId).observer.commanded(message);
      return;
    }
    const { correlationId, answer, errorCause } = message;
    this.#scene.tell(`  ${correlationId}: ${[answer, errorCause].join(' ')}`);
    const { observer } = this.#scene.subscriber((one) => one.observer.has(correlationId));
    observer.replied({ correlationId, answer, ...(errorCause !== undefined && { errorCause }) });
  }

  // --- NAS and accounting server ------------------------------------------------------------------------------

  #refusal(): number | undefined {
    if (!this.#scene.choices.chance(REFUSAL_PERCENT)) return undefined;
    this.#scene.fault('the NAS refuses what it could do');
    return NAS_REFUSAL;
  }

  #seeNas(acctSessionId: string, answer: string): void {
    const { name, observer, item } = this.#subscriber(acctSessionId);
    const services = this.#scene.nas.services(acctSessionId).join(', ');
    this.#scene.tell(`  NAS: ${name}: ${answer}, has ${services || 'nothing'}`);
    observer.toldNas(item?.session);
  }

  #seeRecord(request: Packet): void {
    const acctSessionId = firstValue(decodeAttributes(request), 'Acct-Session-Id') ?? '';
    this.#scene.tell(`  the accounting server gets a record of ${acctSessionId}`);
    this.#scene.tally.records++;
    const attributes = Buffer.from(request.bytes.subarray(HEADER_OCTETS)).toString('base64');
    this.#subscriber(acctSessionId).observer.delivered(attributes);
  }

  // --- What goes wrong ----------------------------------------------------------------------------------------

  #fateOf({ source, destination }: Datagram): Fate {
    const { nowMs, choices } = this.#scene;
    const way = `${source.address} > ${destination.address}`;
    if ((this.#silentUntilMs.get(way) ?? 0) > nowMs) return [];
    const isClient = [source, destination].some(({ address }) => address === HOSTS.client.address);
    const [name, fate] = choices.weighted(isClient ? CLIENT_FATES : SERVER_FATES);
    if (name !== 'arrives') this.#scene.fault(`${way}: a datagram ${name}`);
    if (typeof fate !== 'object' || !('silentForMs' in fate)) return fate;
    this.#silentUntilMs.set(way, nowMs + fate.silentForMs);
    return [];
  }

  #fateOfCall(action: string): CallFate {
    const fates = action === 'ReceiveMessage' ? RECEIVE_FATES : CALL_FATES;
    const fate = this.#scene.choices.weighted(fates);
    if (fate !== 'served') this.#scene.fault(`SQS: ${action} is ${fate}`);
    return fate;
  }

  /** By the Acct-Session-Id of a subscriber session, or of a service session in it. */
  #subscriber(acctSessionId: string): Subscriber {
    const [subscriberSession] = acctSessionId.split(':');
    return this.#scene.subscriber(({ key }) => key.acctSessionId === subscriberSession);
  }
}
