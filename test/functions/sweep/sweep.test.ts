import { randomUUID } from 'node:crypto';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DUE_PER_NAS_AND_SECOND, DUE_QUEUE_NAME } from '../../../core/cloud/queues.ts';
import {
  type DueMessage,
  DueQueueMessage,
  type OutboxMessage,
  type OutcomeMessage,
  readMessage,
} from '../../../core/messages.ts';
import type { NasProfile } from '../../../core/nas.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { createDecide } from '../../../functions/decide/decide.ts';
import { createSessionStore } from '../../../functions/shared/session-store.ts';
import { createSweep, type SweepReport } from '../../../functions/sweep/sweep.ts';
import { type Fauxqs, startFauxqs } from '../../../local/cloud/fauxqs.ts';
import { ensureTable } from '../../../local/cloud/table.ts';
import { asked, NOW, nas, outcome, play, request, service, services } from '../../core/support.ts';
import { createQueue, dynoxide, LOCAL } from '../../local/cloud/emulators.ts';
import { type SqsCall, scriptedSqs } from '../../relay/support.ts';
import { context, INBOX_ARN, inboxRecord, NO_LOOK_UP, startTable, type Table } from '../support.ts';

const DUE_ARN = `arn:aws:sqs:us-east-1:000000000000:${DUE_QUEUE_NAME}`;

describe.skipIf(dynoxide.skip)(dynoxide.title('sweep'), () => {
  let dynamodb: Table;
  let fauxqs: Fauxqs;
  let sqs: SQSClient;
  beforeAll(async () => {
    dynamodb = await startTable();
    fauxqs = await startFauxqs();
    sqs = new SQSClient({ endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false });
  });
  afterAll(async () => {
    sqs.destroy();
    await fauxqs.stop();
    await dynamodb.stop();
  });

  /** sweep on a table and a queue of its own, which it reaches through `sender`. */
  async function startSweep(sender = sqs, nasNames: ReadonlyMap<string, string> = new Map()) {
    const tableName = randomUUID();
    const queueName = randomUUID();
    await ensureTable(dynamodb.client, tableName);
    const { url } = await createQueue(sqs, queueName);
    const store = createSessionStore(dynamodb.client, tableName);
    const reports: SweepReport[] = [];
    return {
      store,
      reports,
      /** Stores a session whose service gold ends `timeoutSeconds` after NOW; zero: never. */
      async having(acctSessionId: string, timeoutSeconds: number, profile: Partial<NasProfile> = {}) {
        const activate = [service('gold', { timeoutSeconds }), 'voice'];
        const { session } = play([
          asked(request('r1', { nas: nas(profile), acctSessionId, activate })),
          ...(profile.enforcement === 'coa' ? [(s: Session | undefined) => outcome(s, 'ack')] : []),
        ]);
        if (session === undefined) throw new Error('a request makes a session');
        await store.write({ ...session, revision: 0 });
      },
      /** Runs at these times: the first is that of its start. */
      run(...times: readonly number[]): Promise<void> {
        const rest = [...times];
        const now = () => (rest.length > 1 ? rest.shift() : rest[0]) ?? NOW;
        const report = (event: SweepReport) => void reports.push(event);
        return createSweep({
          dynamodb: dynamodb.client,
          tableName,
          sqs: sender,
          dueQueueUrl: url,
          nasNames,
          now,
          report,
        })();
      },
      /** What decide will get and after how many seconds, in the order of sending. */
      async sent(): Promise<readonly { readonly message: DueMessage; readonly delaySeconds: number }[]> {
        const response = await fetch(`${fauxqs.endpoint}/_fauxqs/queues/${queueName}`);
        const { messages } = (await response.json()) as QueueContents;
        return [...messages.ready, ...messages.delayed].map(({ body, sentTimestamp, delayUntil }) => ({
          message: JSON.parse(body),
          delaySeconds: ((delayUntil ?? sentTimestamp) - sentTimestamp) / 1000,
        }));
      },
    };
  }
  type Sweep = Awaited<ReturnType<typeof startSweep>>;
  const idsOf = async ({ sent }: Sweep) => (await sent()).map(({ message }) => message.session.acctSessionId);

  it('sends the sessions that are due before its next run, and no others', async () => {
    const sweep = await startSweep();
    for (const seconds of [0, 10, 90, 100, 101, 3600]) await sweep.having(`after ${seconds}`, seconds);
    await sweep.run(NOW + 40_000);
    expect(await sweep.sent()).toEqual([
      {
        message: {
          version: 1,
          kind: 'due',
          session: { nas: 'bng-1', acctSessionId: 'after 10' },
          dueAtMs: NOW + 10_000,
        },
        delaySeconds: 0,
      },
      {
        message: {
          version: 1,
          kind: 'due',
          session: { nas: 'bng-1', acctSessionId: 'after 90' },
          dueAtMs: NOW + 90_000,
        },
        delaySeconds: 50,
      },
      {
        message: {
          version: 1,
          kind: 'due',
          session: { nas: 'bng-1', acctSessionId: 'after 100' },
          dueAtMs: NOW + 100_000,
        },
        delaySeconds: 60,
      },
    ]);
    expect(sweep.reports).toEqual([{ kind: 'swept', found: 3, left: 0, overdueMs: 30_000 }]);
  });

  it('delays each message to the second, and never delivers it too early', async () => {
    const sweep = await startSweep();
    await sweep.having('s1', 60);
    await sweep.run(NOW + 29_999);
    await sweep.run(NOW + 30_000);
    await sweep.run(NOW + 30_001);
    expect((await sweep.sent()).map(({ delaySeconds }) => delaySeconds)).toEqual([31, 30, 30]);
  });

  it('subtracts the time that it has run from the delay', async () => {
    const sweep = await startSweep();
    await sweep.having('s1', 60);
    await sweep.having('s2', 60);
    await sweep.run(NOW, NOW + 20_000, NOW + 61_000);
    expect((await sweep.sent()).map(({ delaySeconds }) => delaySeconds).sort()).toEqual([0, 40]);
  });

  it('finds all sessions, however many', async () => {
    const sweep = await startSweep();
    const ids = Array.from({ length: 23 }, (_, index) => `s${index}`);
    await Promise.all(ids.map((id) => sweep.having(id, 1)));
    await sweep.run(NOW + 1_000);
    expect((await idsOf(sweep)).toSorted()).toEqual(ids.toSorted());
    expect(sweep.reports).toEqual([{ kind: 'swept', found: 23, left: 0, overdueMs: 0 }]);
  });

  it('hands the sessions of a NAS to decide at a bounded rate, those that have waited longest first', async () => {
    const sweep = await startSweep();
    const numbers = Array.from({ length: 2 * DUE_PER_NAS_AND_SECOND + 5 }, (_, index) => index);
    await Promise.all(numbers.map((number) => sweep.having(`s${number}`, number + 1)));
    await sweep.having('elsewhere', 30, { name: 'bng-2' });
    await sweep.run(NOW + 3_600_000);
    const sent = await sweep.sent();
    const delays = sent
      .filter(({ message }) => message.session.nas === 'bng-1')
      .map(({ message, delaySeconds }) => [message.session.acctSessionId, delaySeconds]);
    const second = (number: number) => Math.floor(number / DUE_PER_NAS_AND_SECOND);
    expect(Object.fromEntries(delays)).toEqual(
      Object.fromEntries(numbers.map((number) => [`s${number}`, second(number)])),
    );
    expect(sent.find(({ message }) => message.session.nas === 'bng-2')?.delaySeconds).toBe(0);
    expect(sweep.reports).toEqual([
      { kind: 'swept', found: numbers.length + 1, left: 0, overdueMs: 3_599_000 },
    ]);
  });

  it('gives a NAS one rate, whatever it was called before', async () => {
    const sweep = await startSweep(sqs, new Map([['bng-1', 'bng-2']]));
    const ids = Array.from({ length: DUE_PER_NAS_AND_SECOND }, (_, index) => `s${index}`);
    await Promise.all(ids.map((id) => sweep.having(id, 1)));
    await sweep.having('new', 60, { name: 'bng-2' });
    await sweep.run(NOW + 3_600_000);
    const delays = (await sweep.sent()).map(({ message, delaySeconds }) => [
      message.session.nas,
      delaySeconds,
    ]);
    expect(delays.filter(([, delay]) => delay === 0)).toHaveLength(DUE_PER_NAS_AND_SECOND);
    expect(delays.at(-1)).toEqual(['bng-2', 1]);
  });

  it('leaves what does not fit into this run for the next one', async () => {
    const sweep = await startSweep();
    const ids = Array.from({ length: DUE_PER_NAS_AND_SECOND + 5 }, (_, index) => `s${index}`);
    await Promise.all(ids.map((id) => sweep.having(id, 60)));
    await sweep.run(NOW);
    expect(await idsOf(sweep)).toHaveLength(DUE_PER_NAS_AND_SECOND);
    await sweep.run(NOW + 60_000);
    expect(new Set(await idsOf(sweep))).toEqual(new Set(ids));
    expect(sweep.reports).toEqual([
      { kind: 'swept', found: DUE_PER_NAS_AND_SECOND, left: 5, overdueMs: 0 },
      { kind: 'swept', found: ids.length, left: 0, overdueMs: 0 },
    ]);
  });

  it.each(['erx FastEthernet 12/0:0001048580', '#', 'a#b##c', 'STATE', '"\\\n', 'ä\u{1f}'])(
    'names the session that is stored: %j',
    async (acctSessionId) => {
      const sweep = await startSweep();
      await sweep.having(acctSessionId, 1, { name: 'bng-2' });
      await sweep.run(NOW + 1_000);
      const [first] = await sweep.sent();
      expect(first?.message.session).toEqual({ nas: 'bng-2', acctSessionId });
      expect(await sweep.store.read({ nas: 'bng-2', acctSessionId })).toMatchObject({ acctSessionId });
    },
  );

  it('sends nothing when nothing is due', async () => {
    const sweep = await startSweep();
    await sweep.having('never', 0);
    await sweep.run(NOW + 86_400_000);
    expect(await sweep.sent()).toEqual([]);
    expect(sweep.reports).toEqual([{ kind: 'swept', found: 0, left: 0, overdueMs: 0 }]);
  });

  it('rejects if SQS does not take a message, and sends all others', async () => {
    const idOf = ({ MessageBody }: SqsCall['entries'][number]) =>
      readMessage(DueQueueMessage, MessageBody).session.acctSessionId;
    const taken: string[] = [];
    const refusing = await scriptedSqs(({ entries }) => {
      const refused = entries.filter((entry) => idOf(entry) === 'refused');
      taken.push(...entries.map(idOf).filter((id) => id !== 'refused'));
      return { Failed: refused.map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError' })) };
    });
    onTestFinished(refusing.stop);
    const sweep = await startSweep(refusing.sqs);
    await sweep.having('refused', 1);
    const ids = Array.from({ length: 12 }, (_, index) => `s${index}`);
    await Promise.all(ids.map((id) => sweep.having(id, 2)));
    await expect(sweep.run(NOW + 3_000)).rejects.toThrow('SQS did not take a message: InternalError');
    expect(taken.toSorted()).toEqual(ids.toSorted());
    expect(sweep.reports).toEqual([{ kind: 'swept', found: 12, left: 0, overdueMs: 2_000 }]);
  });

  describe('and then decide', () => {
    /** decide on the message that sweep sent, at the time in that message. */
    async function decideOn(sweep: Sweep) {
      const sent: OutboxMessage[] = [];
      const [due] = await sweep.sent();
      if (due === undefined) throw new Error('nothing was due');
      const { session: key, dueAtMs } = due.message;
      const decide = createDecide({
        deployment: { catalogue: { services: {}, refusingGroups: [], clearedGroups: [] }, nasesBySite: {} },
        store: sweep.store,
        ...NO_LOOK_UP,
        send: async (_, messages) => void sent.push(...messages.map(({ body }) => body as OutboxMessage)),
        schedule: async () => expect.fail('nothing else is due soon'),
        now: () => dueAtMs,
        report: () => {},
      });
      const deliver = (body: object, queueArn: string) =>
        decide({ Records: [inboxRecord(body, { queueArn })] }, context());
      expect(await deliver(due.message, DUE_ARN)).toEqual({ batchItemFailures: [] });
      return { sent, deliver, read: () => sweep.store.read(key), key, dueAtMs };
    }

    it('ends only that service, with cause 5, Session-Timeout, if enforcement is none', async () => {
      const sweep = await startSweep();
      await sweep.having('s1', 60);
      await sweep.run(NOW + 30_000);
      const { sent, read, dueAtMs } = await decideOn(sweep);
      const session = await read();
      expect(services(session)).toEqual({ voice: 'active' });
      expect(session?.ended).toEqual({ gold: { terminateCause: 5, correlationId: expect.any(String) } });
      expect(sent).toEqual([]);
      await sweep.run(dueAtMs);
      expect(sweep.reports.at(-1)).toEqual({ kind: 'swept', found: 0, left: 0, overdueMs: 0 });
    });

    it('has the NAS deactivate only that service, and ends it with cause 5 when the NAS has confirmed', async () => {
      const sweep = await startSweep();
      await sweep.having('s1', 60, { enforcement: 'coa' });
      await sweep.run(NOW + 30_000);
      const { sent, deliver, read, key, dueAtMs } = await decideOn(sweep);
      expect(services(await read())).toEqual({ gold: 'deactivating', voice: 'active' });
      expect(sent).toMatchObject([{ kind: 'command', operation: 'deactivate', services: ['gold'] }]);
      const [command] = sent;
      if (command?.kind !== 'command') throw new Error('there is no command');

      const { commandId, correlationId } = command;
      const about = { version: 1, kind: 'outcome', session: key, commandId, correlationId } as const;
      const confirmed: OutcomeMessage = { ...about, result: 'ack', atMs: dueAtMs };
      await deliver(confirmed, INBOX_ARN);
      const session = await read();
      expect(services(session)).toEqual({ voice: 'active' });
      expect(session?.ended).toEqual({ gold: { terminateCause: 5, correlationId } });
      expect(sent).toHaveLength(1);
      await sweep.run(dueAtMs);
      expect(sweep.reports.at(-1)).toEqual({ kind: 'swept', found: 0, left: 0, overdueMs: 0 });
    });
  });
});

/** A queue as fauxqs shows it. Times are milliseconds. */
interface QueueContents {
  readonly messages: Readonly<
    Record<
      'ready' | 'delayed',
      readonly { readonly body: string; readonly sentTimestamp: number; readonly delayUntil?: number }[]
    >
  >;
}
