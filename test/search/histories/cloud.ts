// The cloud: decide, ingest and account as they are, on a table that is real or in memory, with queues in memory.
//
// The stream delivers what failed again, before what comes after it. The due queue has no order and delivers twice. A
// batch fails in part, or as a whole when its function dies.
import { isDeepStrictEqual } from 'node:util';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { Context, DynamoDBRecord, SQSRecord, SQSRecordAttributes } from 'aws-lambda';
import {
  DUE_QUEUE_NAME,
  INBOX_BATCH_SIZE,
  QUEUES,
  queueName,
  SWEEP_INTERVAL_SECONDS,
} from '../../../core/cloud/queues.ts';
import { bucketOf, historyPartitionKey, STATE_SORT_KEY } from '../../../core/cloud/table.ts';
import type { Identity } from '../../../core/identity.ts';
import { choose, type Found } from '../../../core/look-up.ts';
import {
  type DueMessage,
  FeedQueueMessage,
  InboxMessage,
  MESSAGE_VERSION,
  readMessage,
  type SessionKey,
  writeMessage,
} from '../../../core/messages.ts';
import type { Refusal } from '../../../core/requests/reading.ts';
import type { HistoryItem } from '../../../core/subscriber/history.ts';
import { standingOf } from '../../../core/subscriber/life.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import { SHAPE } from '../../../core/subscriber/upgrade.ts';
import { createAccount } from '../../../functions/account/account.ts';
import type { createDecide, DecideDependencies } from '../../../functions/decide/decide.ts';
import { createIngest, type IngestDependencies } from '../../../functions/ingest/ingest.ts';
import type { NasRestarts } from '../../../functions/ingest/nas-restarts.ts';
import type { OutgoingMessage } from '../../../functions/shared/queue.ts';
import type { Image, SessionStore } from '../../../functions/shared/session-store.ts';
import type { Delivered, MemoryQueue } from '../../relay/memory-sqs.ts';
import { Choices } from './choices.ts';
import { deployment, hasFeed } from './deployment.ts';
import { type Call, Fault, interleave } from './interleave.ts';
import type { StartRelay } from './relay-process.ts';
import type { Scene, Subscriber } from './scene.ts';
import type { Site } from './site.ts';

/** What is under test. */
export interface System {
  readonly store: SessionStore;
  readonly decide: typeof createDecide;
  /** @default ingest as it is */
  readonly ingest?: typeof createIngest;
  /** @default the relay as it is */
  readonly startRelay?: StartRelay;
}

/** A message that decide gets. */
interface Delivery {
  readonly id: string;
  readonly body: string;
  readonly receives: number;
  /** Of a message of the inbox. */
  readonly inbox?: Delivered;
  /** Of a message of the queue of outcomes. */
  readonly outcome?: Delivered;
  /** Of a message of the feed queue. */
  readonly feed?: Delivered;
}

/** A message of the due queue. */
interface Due {
  readonly id: string;
  readonly body: string;
  readonly availableAtMs: number;
  receives: number;
}

const CONTEXT = { getRemainingTimeInMillis: () => 600_000 } as Context;
/** After so many deliveries nothing goes wrong any more: what becomes of dead letters is another matter. */
const CALM_AFTER_RECEIVES = 3;
/** For a little longer the end of a session is remembered. */
const OVERDUE_MS = 10 * 60_000;

export class Cloud {
  readonly #site: Site;
  readonly #scene: Scene;
  readonly #system: System;
  #due: readonly Due[] = [];
  #stream: readonly DynamoDBRecord[] = [];
  #wroteAtMs = 0;
  /** Sessions that a look-up has seen. */
  readonly #indexed = new Set<string>();
  #restartedAtMs: number | undefined;
  /** By correlation id. */
  readonly #refusals = new Map<string, Refusal>();
  readonly #bindings = new Map<string, SessionKey>();

  constructor(scene: Scene, site: Site, system: System) {
    this.#scene = scene;
    this.#site = site;
    this.#system = system;
  }

  get hasMessages(): boolean {
    const { inbox, outcomes, feed } = this.#site;
    return [inbox, outcomes, feed].some(({ hasVisible }) => hasVisible) || this.#available.length > 0;
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

  /**
   * decide gets a batch of its inbox, one of outcomes, messages of the due queue, or several of these side by side; ingest gets
   * one of the feed queue.
   */
  async decide(choices: Choices): Promise<void> {
    const leftOut = this.#scene.subscribers.filter(() => choices.chance(15)).map(({ group }) => group);
    const most = INBOX_BATCH_SIZE - choices.below(INBOX_BATCH_SIZE);
    const { inbox, outcomes } = this.#site;
    const requests: readonly Delivery[] = inbox
      .receive(most, QUEUES.inbox.visibilityTimeoutSeconds * 1000, leftOut)
      .map((message) => ({
        id: message.id,
        body: message.body,
        receives: message.receiveCount,
        inbox: message,
      }));
    const reported: readonly Delivery[] =
      requests.length === 0 || choices.chance(60)
        ? outcomes
            .receive(INBOX_BATCH_SIZE, QUEUES.outcomes.visibilityTimeoutSeconds * 1000)
            .map((message) => ({
              id: `outcome in ${message.id}`,
              body: message.body,
              receives: message.receiveCount,
              outcome: message,
            }))
        : [];
    const due = choices.chance(50) ? this.#available.map((one) => [one]) : [this.#available];
    const beside = requests.length === 0 || choices.chance(60) ? due : [];
    const twice = choices.chance(20) ? beside.slice(0, 1) : [];
    const { feed } = this.#site;
    const records: readonly Delivery[] = feed.hasVisible
      ? feed
          .receive(
            INBOX_BATCH_SIZE - choices.below(INBOX_BATCH_SIZE),
            QUEUES.feed.visibilityTimeoutSeconds * 1000,
          )
          .map((message) => ({
            id: `record in ${message.id}`,
            body: message.body,
            receives: message.receiveCount,
            feed: message,
          }))
      : [];
    for (const { feed: message } of records) if (message !== undefined) this.#noteOverdue(message);
    const batches = [requests, reported, ...beside, ...twice, records].filter((batch) => batch.length > 0);
    if (batches.length === 0) return;
    for (const message of beside.flat()) message.receives++;

    this.#scene.tell(
      `decide${records.length > 0 ? ' and ingest' : ''}: ${batches.map((batch) => batch.map(nameOf).join(' ')).join(' | ')}`,
    );
    const isCalm = batches.flat().some(({ receives }) => receives > CALM_AFTER_RECEIVES);
    const answers = await interleave(
      batches.map((batch) => (call) => {
        const handler =
          batch === records
            ? (this.#system.ingest ?? createIngest)(this.#ingestDependencies(call))
            : this.#system.decide(this.#dependencies(call));
        return handler({ Records: batch.map((message) => this.#record(message)) }, CONTEXT);
      }),
      isCalm ? new Choices() : choices,
      this.#tellCall,
    );
    const done = batches.flatMap((batch, index) => {
      const failed = answers[index]?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
      return failed === undefined ? [] : batch.filter(({ id }) => !failed.includes(id));
    });
    const isDone = (id: string) => done.some((message) => message.id === id);
    this.#due = this.#due.filter(({ id }) => !isDone(id));
    // What failed stays hidden, or comes again at once.
    const staysHidden = choices.chance(30);
    for (const { id, inbox: { receipt } = { receipt: '' } } of requests)
      if (isDone(id)) inbox.delete(receipt);
      else if (!staysHidden) inbox.setVisibility(receipt, 0);
    for (const { id, outcome: { receipt } = { receipt: '' } } of reported)
      if (isDone(id)) outcomes.delete(receipt);
      else if (!staysHidden) outcomes.setVisibility(receipt, 0);
    for (const { id, feed: { receipt } = { receipt: '' } } of records)
      if (isDone(id)) feed.delete(receipt);
      else if (!staysHidden) feed.setVisibility(receipt, 0);
  }

  #noteOverdue({ body, sentAtMs }: Delivered): void {
    if (this.#scene.nowMs - sentAtMs < OVERDUE_MS) return;
    const message = readMessage(FeedQueueMessage, body);
    const { acctSessionId = undefined } = message.kind === 'restart' ? {} : message;
    const about = this.#scene.subscribers.find(({ key }) => key.acctSessionId === acctSessionId);
    for (const { userName, observer } of this.#scene.subscribers)
      if (about === undefined || userName === about.userName) observer.recordOverdue();
  }

  #ingestDependencies(call: Call): IngestDependencies {
    const { deployment, now, store, send: sendOut, schedule } = this.#dependencies(call);
    const { remember, latest, sessions } = this.#restarts;
    return {
      deployment,
      now,
      store,
      send: sendOut,
      schedule,
      restarts: {
        latest: (...args) =>
          call([
            ['looks for a restart', () => latest(...args)],
            ['cannot look for a restart', fail],
          ]),
        remember: (...args) =>
          call([
            ['remembers a restart', () => remember(...args)],
            ['cannot remember a restart', fail],
            ['remembers a restart, but hears an error', () => remember(...args).then(fail)],
          ]),
        sessions: (...args) =>
          call([
            ['lists sessions of the NAS', () => sessions(...args)],
            ['cannot list sessions', fail],
          ]),
      },
      goOn: (_, messages) => send(call, messages, this.#site.feed),
      report: (event) => event.kind === 'failed' && this.#failed('ingest', event.error),
    };
  }

  /** The restarts that a table keeps, and its index by NAS. */
  readonly #restarts: NasRestarts = {
    latest: async () => this.#restartedAtMs,
    remember: async (_, __, eventAtMs) => {
      this.#restartedAtMs = Math.max(this.#restartedAtMs ?? eventAtMs, eventAtMs);
    },
    sessions: async ({ bucket }) => ({
      keys: this.#scene.subscribers
        .filter(({ key, item }) => item !== undefined && bucketOf(key.acctSessionId) === bucket)
        .map(({ key }) => key),
    }),
  };

  #dependencies(call: Call): DecideDependencies {
    return {
      deployment,
      // A write takes time, so that no two are decided in the same millisecond.
      now: () => Math.max(this.#scene.nowMs, this.#wroteAtMs + 1),
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
        remove: (session) => {
          const what = `removes ${this.#subscriber(keyOf(session)).name}`;
          const remove = () => this.#remove(session);
          return call([
            [what, remove],
            ['cannot remove', fail],
            [`${what}, but hears an error`, () => remove().then(fail)],
          ]);
        },
      },
      lookUp: {
        find: ({ identity }) =>
          call([
            ['looks a session up', () => this.#find(identity)],
            ['cannot look a session up', fail],
          ]),
        remember: (correlationId, refusal) => {
          const remember = async () => void this.#refusals.set(correlationId, refusal);
          return call([
            ['remembers a refusal', remember],
            ['cannot remember a refusal', fail],
            ['remembers a refusal, but hears an error', () => remember().then(fail)],
          ]);
        },
        bind: (key, session) => {
          const bind = async () => {
            const bound = this.#bindings.get(key) ?? session;
            this.#bindings.set(key, bound);
            return bound;
          };
          return call([
            ['binds a request to its session', bind],
            ['cannot bind a request', fail],
            ['binds a request, but hears an error', () => bind().then(fail)],
          ]);
        },
        boundTo: (key) =>
          call([
            ['looks for the session that a request was bound to', async () => this.#bindings.get(key)],
            ['cannot look for the session that a request was bound to', fail],
          ]),
        recall: (correlationId) =>
          call([
            ['recalls a refusal', async () => this.#refusals.get(correlationId)],
            ['cannot recall a refusal', fail],
          ]),
      },
      send: (_, messages) => send(call, messages, this.#site.outbox),
      forward: (_, messages) => send(call, messages, this.#site.inbox),
      schedule: (session, dueAt) =>
        call([
          ['reminds', () => this.#schedule(session, dueAt)],
          ['cannot remind', failToRemind],
          ['reminds, but hears an error', () => this.#schedule(session, dueAt).then(failToRemind)],
        ]),
    };
  }

  /** Through an index, which may be behind. */
  async #find(identity: Identity): Promise<Found<SessionKey>> {
    const { choices, subscribers, site } = this.#scene;
    const isBehind = choices.chance(20);
    // What an index has had once, it has from then on.
    const among = subscribers.filter(({ key }) => !isBehind || this.#indexed.has(key.acctSessionId));
    const sessions = among.flatMap(({ item }) => (item === undefined ? [] : [item.session]));
    if (hasFeed(site)) for (const { acctSessionId } of sessions) this.#indexed.add(acctSessionId);
    const chosen = choose(sessions, { identity }, (session) => standingOf(session, this.#scene.nowMs));
    return chosen.ok ? { ok: true, value: keyOf(chosen.value) } : chosen;
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

  async #remove(session: Session): Promise<'removed' | 'lost'> {
    const subscriber = this.#subscriber(keyOf(session));
    const removed = await this.#system.store.remove(session);
    const { item } = subscriber;
    if (item?.session.revision !== session.revision) return removed;
    delete subscriber.item;
    // Nothing is decided in the millisecond of a removal either.
    this.#wroteAtMs = Math.max(this.#wroteAtMs, this.#scene.nowMs);
    this.#changed(subscriber, item.image, undefined);
    this.#scene.tally.removals++;
    subscriber.observer.removed(item.session, this.#wroteAtMs);
    return removed;
  }

  #written(session: Session): void {
    const subscriber = this.#subscriber(keyOf(session));
    const { observer, item: before } = subscriber;
    const after = { session, image: marshall({ ...session, shape: SHAPE }) };
    subscriber.item = after;
    this.#wroteAtMs = Math.max(this.#wroteAtMs, session.changedAtMs);
    this.#changed(subscriber, before?.image, after.image);
    this.#scene.tally.writes++;
    observer.written({ before: before?.session, after: session, nowMs: session.changedAtMs });
  }

  /** The stream gets a record. */
  #changed({ key }: Subscriber, before: Image | undefined, after: Image | undefined): void {
    const dynamodb = {
      ApproximateCreationDateTime: Math.floor(this.#scene.nowMs / 1000),
      SequenceNumber: this.#scene.name('change'),
      Keys: { pk: { S: key.acctSessionId }, sk: { S: STATE_SORT_KEY } },
      ...(after && { NewImage: after }),
      ...(before && { OldImage: before }),
    };
    this.#stream = [...this.#stream, { dynamodb } as DynamoDBRecord];
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
            nasSites: new Map(),
            writeHistory: (item) => {
              const write = async () => this.#historyWritten(item);
              return call([
                [`writes history ${item.version}`, write],
                ['cannot write history', fail],
                [`writes history ${item.version}, but hears an error`, () => write().then(fail)],
              ]);
            },
            send: (_, messages) => send(call, messages, this.#site.accounting),
            setAside: async (_, reason) => this.#failed('account', reason),
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
    if (this.hasChanges) return;
    for (const { observer, item } of this.#scene.subscribers) observer.historyComplete(item?.session);
  }

  #historyWritten(item: HistoryItem): void {
    const { observer } = this.#scene.subscriber(
      ({ key }) => historyPartitionKey(key.nas, key.acctSessionId) === item.pk,
    );
    observer.historyWritten(item);
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
    const { name } = this.#subscriber(session);
    const id = this.#scene.name('due');
    this.#scene.tell(`  ${id}: ${name} is due in ${Math.max(0, dueAt - this.#scene.nowMs) / 1000} s`);
    const body: DueMessage = { version: MESSAGE_VERSION, kind: 'due', session, dueAtMs: dueAt };
    this.#due = [...this.#due, { id, body: writeMessage(body), availableAtMs: dueAt, receives: 0 }];
  }

  get #available(): readonly Due[] {
    return this.#due
      .filter(({ availableAtMs }) => availableAtMs <= this.#scene.nowMs)
      .slice(0, INBOX_BATCH_SIZE);
  }

  // --- Small things -------------------------------------------------------------------------------------------

  #record({ id, body, inbox, outcome, feed, receives }: Delivery): SQSRecord {
    const message = inbox ?? outcome ?? feed;
    const kind = inbox !== undefined ? 'inbox' : outcome !== undefined ? 'outcomes' : 'feed';
    const queue = message === undefined ? DUE_QUEUE_NAME : queueName(this.#scene.site, kind);
    return {
      messageId: id,
      body,
      attributes:
        message === undefined ? {} : { ...attributesOf(message), ApproximateReceiveCount: String(receives) },
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

function send(call: Call, messages: readonly OutgoingMessage[], queue: MemoryQueue): Promise<void> {
  const some = async (count: number) => {
    for (const { body, ...message } of messages.slice(0, count))
      queue.send({ ...message, body: writeMessage(body) });
  };
  const all = messages.length;
  return call([
    ['sends', () => some(all)],
    ['cannot send', fail],
    ['sends, but hears an error', () => some(all).then(fail)],
    ['sends one message and hears an error', () => some(1).then(fail)],
  ]);
}

const keyOf = ({ nas, acctSessionId }: Session): SessionKey => ({ nas: nas.name, acctSessionId });

function attributesOf({ group, sequence, sentAtMs }: Delivered): Partial<SQSRecordAttributes> {
  return { MessageGroupId: group, SequenceNumber: String(sequence), SentTimestamp: String(sentAtMs) };
}

function nameOf({ id, inbox, outcome, feed, body }: Delivery): string {
  if (feed !== undefined) {
    const message = readMessage(FeedQueueMessage, body);
    return message.kind === 'restart' ? `${message.correlationId}/${message.bucket}` : message.correlationId;
  }
  if (inbox === undefined && outcome === undefined) return id;
  const message = readMessage(InboxMessage, body);
  return message.kind === 'outcome' ? `${message.commandId}/${message.result}` : message.correlationId;
}
