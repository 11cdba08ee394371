// The cloud: decide and account as they are, on a table that is real or in memory, with queues in memory.
//
// The inbox is FIFO by session and delivers what failed again, before what comes after it; so does the stream. The due
// queue has no order and delivers twice. A batch fails in part, or as a whole when its function dies.
import { isDeepStrictEqual } from 'node:util';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { Context, DynamoDBRecord, SQSRecord } from 'aws-lambda';
import {
  DUE_QUEUE_NAME,
  INBOX_BATCH_SIZE,
  queueName,
  SWEEP_INTERVAL_SECONDS,
} from '../../../core/cloud/queues.ts';
import { STATE_SORT_KEY, sessionPartitionKey } from '../../../core/cloud/table.ts';
import {
  AccountingMessage,
  type DueMessage,
  type InboxMessage,
  MESSAGE_VERSION,
  OutboxMessage,
  readMessage,
  type SessionKey,
} from '../../../core/messages.ts';
import type { HistoryItem } from '../../../core/subscriber/history.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import { SHAPE } from '../../../core/subscriber/upgrade.ts';
import { createAccount } from '../../../functions/account/account.ts';
import type { createDecide, DecideDependencies } from '../../../functions/decide/decide.ts';
import type { OutgoingMessage } from '../../../functions/shared/queue.ts';
import type { SessionStore } from '../../../functions/shared/session-store.ts';
import { Choices } from './choices.ts';
import { deployment } from './deployment.ts';
import { type Call, Fault, interleave } from './interleave.ts';
import type { Scene, Subscriber } from './scene.ts';
import { Site } from './site.ts';

/** What is under test. */
export interface System {
  readonly store: SessionStore;
  readonly decide: typeof createDecide;
}

interface Message {
  readonly id: string;
  readonly group: string;
  readonly body: InboxMessage | DueMessage;
  /** Of a due message; the inbox knows no delay. */
  readonly availableAtMs: number;
  receives: number;
}

const CONTEXT = { getRemainingTimeInMillis: () => 600_000 } as Context;
/** After so many deliveries nothing goes wrong any more: what becomes of dead letters is another matter. */
const CALM_AFTER_RECEIVES = 3;

export class Cloud {
  readonly site: Site;
  readonly #scene: Scene;
  readonly #system: System;
  #inbox: readonly Message[] = [];
  #due: readonly Message[] = [];
  #stream: readonly DynamoDBRecord[] = [];
  /** By their keys. */
  readonly #history = new Map<string, HistoryItem>();

  constructor(scene: Scene, system: System) {
    this.#scene = scene;
    this.#system = system;
    this.site = new Site(scene, (group, body) => {
      const id = body.kind === 'request' ? body.correlationId : scene.name('o');
      this.#inbox = [...this.#inbox, { id, group, body, availableAtMs: 0, receives: 0 }];
    });
  }

  get hasMessages(): boolean {
    return this.#inbox.length > 0 || this.#available.length > 0;
  }

  get hasChanges(): boolean {
    return this.#stream.length > 0;
  }

  /** When something has to be done though nothing happens; undefined when never. */
  get nextMs(): number | undefined {
    const times = this.#scene.subscribers.flatMap(({ item }) => (item && dueAtMs(item.session)) ?? []);
    const messages = this.#due.map(({ availableAtMs }) => availableAtMs);
    return [...times, ...messages].sort((a, b) => a - b)[0];
  }

  // --- decide -------------------------------------------------------------------------------------------------

  /** decide gets a batch of its inbox, messages of the due queue, or both side by side. */
  async decide(choices: Choices): Promise<void> {
    const leftOut = this.#scene.subscribers.filter(() => choices.chance(15)).map(({ group }) => group);
    const most = INBOX_BATCH_SIZE - choices.below(INBOX_BATCH_SIZE);
    const requests = this.#inbox.filter(({ group }) => !leftOut.includes(group)).slice(0, most);
    const due = choices.chance(50) ? this.#available.map((one) => [one]) : [this.#available];
    const beside = requests.length === 0 || choices.chance(60) ? due : [];
    const twice = choices.chance(20) ? beside.slice(0, 1) : [];
    const batches = [requests, ...beside, ...twice].filter((batch) => batch.length > 0);
    if (batches.length === 0) return;

    this.#scene.tell(`decide: ${batches.map((batch) => batch.map(nameOf).join(' ')).join(' | ')}`);
    const isCalm = batches.flat().some(({ receives }) => receives >= CALM_AFTER_RECEIVES);
    for (const message of batches.flat()) message.receives++;
    const answers = await interleave(
      batches.map((batch) => (call) => {
        const handler = this.#system.decide(this.#dependencies(call));
        return handler({ Records: batch.map((message) => this.#record(message)) }, CONTEXT);
      }),
      isCalm ? new Choices() : choices,
      this.#tellCall,
    );
    const done = batches.flatMap((batch, index) => {
      const failed = answers[index]?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
      return failed === undefined ? [] : batch.filter(({ id }) => !failed.includes(id));
    });
    this.#inbox = this.#inbox.filter((message) => !done.includes(message));
    this.#due = this.#due.filter((message) => !done.includes(message));
  }

  #dependencies(call: Call): DecideDependencies {
    return {
      deployment,
      now: () => this.#scene.nowMs,
      report: (event) => event.kind === 'failed' && this.#failed('decide', event.error),
      store: {
        read: (key) =>
          call([
            [`reads ${this.#subscriber(key).name}`, () => this.#read(key)],
            ['cannot read', fail],
          ]),
        write: (session) => {
          const what = `writes ${this.#subscriber(keyOf(session)).name}`;
          const write = () => this.#write(session);
          return call([
            [what, write],
            ['cannot write', fail],
            [`${what}, but hears an error`, () => write().then(fail)],
            // The SDK repeats a write whose answer was lost, and the repeat fails its condition.
            [`${what}, but hears that somebody was faster`, () => write().then(() => 'lost')],
          ]);
        },
      },
      send: (_, messages) => send(call, messages, (message) => this.#takeFromDecide(message)),
      schedule: (session, dueAt) =>
        call([
          ['reminds', () => this.#schedule(session, dueAt)],
          ['cannot remind', failToRemind],
          ['reminds, but hears an error', () => this.#schedule(session, dueAt).then(failToRemind)],
        ]),
    };
  }

  async #read(key: SessionKey): Promise<Session | undefined> {
    const session = await this.#system.store.read(key);
    const { name, item } = this.#subscriber(key);
    if (!isDeepStrictEqual(session, item?.session))
      this.#scene.violated(`${name}: the table does not give what was written last`);
    return session;
  }

  async #write(session: Session): Promise<'written' | 'lost'> {
    const result = await this.#system.store.write(session);
    if (result === 'written') this.#written({ ...session, revision: session.revision + 1 });
    return result;
  }

  #written(session: Session): void {
    const subscriber = this.#subscriber(keyOf(session));
    const { ledger, key, item: before } = subscriber;
    const after = { session, image: marshall({ ...session, shape: SHAPE }) };
    subscriber.item = after;
    const dynamodb = {
      SequenceNumber: this.#scene.name('change'),
      Keys: { pk: { S: key.acctSessionId }, sk: { S: STATE_SORT_KEY } },
      NewImage: after.image,
      ...(before && { OldImage: before.image }),
    };
    this.#stream = [...this.#stream, { dynamodb } as DynamoDBRecord];
    this.#scene.tally.writes++;
    ledger.changed(before?.session, session, this.#scene.nowMs);
  }

  #takeFromDecide({ body, group, deduplicationId }: OutgoingMessage): void {
    if (!this.#scene.takes(deduplicationId)) return;
    const message = readMessage(OutboxMessage, JSON.stringify(body));
    if (message.kind === 'reply') this.site.reply(message);
    else this.site.take(group, message);
  }

  // --- account ------------------------------------------------------------------------------------------------

  /** account gets changes from the stream. */
  async account(choices: Choices): Promise<void> {
    const batch = this.#stream.slice(0, this.#stream.length - choices.below(this.#stream.length));
    this.#scene.tell(`account: ${batch.length} changes`);
    const [answer] = await interleave(
      [
        (call) => {
          const handler = createAccount({
            writeHistory: (item) => {
              const write = async () => this.#historyWritten(item);
              return call([
                [`writes history ${item.version}`, write],
                ['cannot write history', fail],
                [`writes history ${item.version}, but hears an error`, () => write().then(fail)],
              ]);
            },
            send: (_, messages) => send(call, messages, (message) => this.#takeFromAccount(message)),
            report: (event) => event.kind === 'failed' && this.#failed('account', event.error),
          });
          return handler({ Records: [...batch] }, CONTEXT);
        },
      ],
      choices,
      this.#tellCall,
    );
    // The stream goes on with the first one that failed, whatever became of those behind it.
    const failed = answer?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    const next = batch.findIndex(({ dynamodb }) => failed?.includes(dynamodb?.SequenceNumber ?? '') ?? true);
    this.#stream = this.#stream.slice(next === -1 ? batch.length : next);
    if (!this.hasChanges) this.#scene.subscribers.forEach(this.#checkHistory);
  }

  #historyWritten(item: HistoryItem): void {
    const key = `${item.pk} ${item.sk}`;
    const known = this.#history.get(key);
    if (known !== undefined && !isDeepStrictEqual(item, known))
      this.#scene.violated(`${key} tells something else when it is written again`);
    this.#history.set(key, item);
  }

  /** Each change is told by one item, in order, and what they tell adds up to what there is. */
  readonly #checkHistory = ({ name, key, item }: Subscriber): void => {
    const { services = {}, version = 0 } = item?.session ?? {};
    const pk = sessionPartitionKey(key.nas, key.acctSessionId);
    const history = [...this.#history.values()]
      .filter((one) => one.pk === pk)
      .sort((one, other) => (one.sk < other.sk ? -1 : 1));
    const told = history.map((one) => one.version).join(' ');
    if (told !== Array.from({ length: version }, (_, index) => index + 1).join(' '))
      this.#scene.violated(`${name}: of ${version} changes history tells ${told}`);

    const sum = new Map<string, string>();
    for (const { activated = [], deactivating = [], deactivated = [] } of history) {
      for (const activation of deactivated) sum.delete(activation);
      for (const activation of activated) sum.set(activation, 'active');
      for (const activation of deactivating) sum.set(activation, 'deactivating');
    }
    const present = Object.entries(services).map(([activation, { state }]) => [activation, state]);
    if (!isDeepStrictEqual(Object.fromEntries(sum), Object.fromEntries(present)))
      this.#scene.violated(`${name}: history adds up to ${JSON.stringify([...sum])}`);
  };

  #takeFromAccount({ body, group, deduplicationId }: OutgoingMessage): void {
    if (!this.#scene.takes(deduplicationId)) return;
    const message = readMessage(AccountingMessage, JSON.stringify(body));
    this.#scene.tell(`  Acct-${message.status} ${message.serviceSession} ${message.acctSessionId}`);
    this.#scene.subscriber((one) => one.group === group).ledger.accounted(message);
  }

  // --- sweep --------------------------------------------------------------------------------------------------

  /** What is due soon gets a message with a delay, each time anew. */
  sweep(): void {
    const { subscribers, nowMs } = this.#scene;
    for (const { key, item } of subscribers) {
      const dueAt = item && dueAtMs(item.session);
      if (dueAt !== undefined && dueAt <= nowMs + SWEEP_INTERVAL_SECONDS * 1000)
        void this.#schedule(key, dueAt);
    }
  }

  async #schedule(session: SessionKey, dueAt: number): Promise<void> {
    const { name, group } = this.#subscriber(session);
    const id = this.#scene.name('due');
    this.#scene.tell(`  ${id}: ${name} is due in ${Math.max(0, dueAt - this.#scene.nowMs) / 1000} s`);
    const body: DueMessage = { version: MESSAGE_VERSION, kind: 'due', session, dueAtMs: dueAt };
    this.#due = [...this.#due, { id, group, body, availableAtMs: dueAt, receives: 0 }];
  }

  get #available(): readonly Message[] {
    return this.#due
      .filter(({ availableAtMs }) => availableAtMs <= this.#scene.nowMs)
      .slice(0, INBOX_BATCH_SIZE);
  }

  // --- Small things -------------------------------------------------------------------------------------------

  #record({ id, group, body }: Message): SQSRecord {
    const isDue = body.kind === 'due';
    const queue = isDue ? DUE_QUEUE_NAME : queueName(this.#scene.site, 'inbox');
    return {
      messageId: id,
      body: JSON.stringify(body),
      attributes: isDue ? {} : { MessageGroupId: group },
      eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${queue}`,
    } as SQSRecord;
  }

  #subscriber({ acctSessionId }: SessionKey): Subscriber {
    return this.#scene.subscriber(({ key }) => key.acctSessionId === acctSessionId);
  }

  readonly #tellCall = (what: string, isFault: boolean): void => {
    if (isFault) this.#scene.tally.faults++;
    this.#scene.tell(`  ${what}`);
  };

  /** A function may fail because of what was done to it, or because others were faster again and again. */
  #failed(name: string, error: unknown): void {
    if (!(error instanceof Fault || String(error).endsWith('were lost to others')))
      this.#scene.violated(`${name} fails: ${error}`);
  }
}

/** No reason for a message to fail. */
const failToRemind = (): Promise<never> => Promise.reject(new Error('there are no reminders'));
const fail = (): Promise<never> => Promise.reject(new Fault('the cloud is out of order'));

function send(
  call: Call,
  messages: readonly OutgoingMessage[],
  take: (message: OutgoingMessage) => void,
): Promise<void> {
  const some = async (count: number) => messages.slice(0, count).forEach(take);
  const all = messages.length;
  return call([
    ['sends', () => some(all)],
    ['cannot send', fail],
    ['sends, but hears an error', () => some(all).then(fail)],
    ['sends one message and hears an error', () => some(1).then(fail)],
  ]);
}

const keyOf = ({ nas, acctSessionId }: Session): SessionKey => ({ nas: nas.name, acctSessionId });

const nameOf = ({ id, body }: Message) => (body.kind === 'outcome' ? `${body.commandId}/${body.result}` : id);
