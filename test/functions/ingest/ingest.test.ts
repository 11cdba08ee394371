import { randomUUID } from 'node:crypto';
import type { SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INBOX_BATCH_SIZE } from '../../../core/cloud/queues.ts';
import { ALL_BUCKETS, bucketOf } from '../../../core/cloud/table.ts';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import type { FeedMessage, OutboxMessage, RestartMessage } from '../../../core/messages.ts';
import { accountingRecords } from '../../../core/service-accounting.ts';
import { isClosed } from '../../../core/subscriber/life.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { createIngest, type IngestDependencies } from '../../../functions/ingest/ingest.ts';
import { createNasRestarts } from '../../../functions/ingest/nas-restarts.ts';
import type { IngestReport } from '../../../functions/ingest/report.ts';
import type { OutgoingMessage } from '../../../functions/shared/queue.ts';
import { createSessionStore, type SessionStore } from '../../../functions/shared/session-store.ts';
import { ack, asked, COA, NOW, nas, play, record, request, services } from '../../core/support.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { context, feedMessage, feedRecord, startTable, type Table } from '../support.ts';

const nasOf = (name: string, more = '') =>
  `{ name: ${name}, address: "192.0.2.9:3799", secret: testing123, identifiedBy: [${name}], enforcement: coa${more} }`;

const deployment = deploymentOf(
  parseServicesFile(
    'services.yaml',
    'services: { gold: { mutexGroup: 12, statistics: time }, silver: { mutexGroup: 12 }, bronze: { mutexGroup: 12 } }',
  ),
  [
    parseSiteFile(
      'demo.yaml',
      `
site: demo
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:9464" }
clients: [{ name: policy, source: 127.0.0.1, secret: testing123 }]
nases: [${nasOf('bng-1')}, ${nasOf('bng-2')}, ${nasOf('bng-new', ', formerly: [bng-old]')}, ${nasOf('bng-big')}]
`,
    ),
  ],
);

const at = (seconds: number) => NOW + seconds * 1000;

describe.skipIf(dynoxide.skip)(dynoxide.title('ingest'), () => {
  let table: Table;
  let store: SessionStore;
  beforeAll(async () => {
    table = await startTable();
    store = createSessionStore(table.client, table.name);
  });
  afterAll(() => table.stop());

  /** ingest on the table, with what it stored, sent and reported. */
  function startIngest(over: Partial<IngestDependencies> = {}) {
    const real = over.store ?? store;
    /** Each session that was stored, as the next one to read it gets it; and what it sends itself. */
    const images: Session[] = [];
    const sent: OutgoingMessage[] = [];
    const pages: OutgoingMessage[] = [];
    const reports: IngestReport[] = [];
    const handler = createIngest({
      deployment,
      restarts: createNasRestarts(table.client, table.name),
      send: async (_, messages) => void sent.push(...messages),
      goOn: async (_, messages) => void pages.push(...messages),
      schedule: async () => {},
      now: () => at(1000),
      report: (event) => reports.push(event),
      ...over,
      store: {
        ...real,
        write: async (session, signal) => {
          const result = await real.write(session, signal);
          if (result === 'written') images.push({ ...session, revision: session.revision + 1 });
          return result;
        },
      },
    });
    /** Gives the records that failed. */
    const deliver = async (...records: SQSRecord[]): Promise<readonly SQSRecord[]> => {
      const { batchItemFailures } = await handler({ Records: records }, context(60_000));
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      return records.filter(({ messageId }) => failed.has(messageId));
    };
    const feed = (...messages: readonly FeedMessage[]) => deliver(...messages.map((one) => feedRecord(one)));
    /** Delivers what ingest sends itself, until there is no more: gives all of it. SQS drops a second one of an id. */
    const goThrough = async () => {
      const seen = new Map<string, OutgoingMessage>();
      while (pages.length > 0) {
        const next = pages.splice(0).filter(({ deduplicationId }) => !seen.has(deduplicationId));
        for (const page of next) seen.set(page.deduplicationId, page);
        const records = next.map(({ body, group }) => feedRecord(body, { group }));
        // As many as an invocation gets.
        for (let start = 0; start < records.length; start += INBOX_BATCH_SIZE)
          expect(await deliver(...records.slice(start, start + INBOX_BATCH_SIZE))).toEqual([]);
      }
      return [...seen.values()];
    };
    return {
      images,
      sent,
      pages,
      reports,
      deliver,
      feed,
      goThrough,
      failures: () => reports.flatMap((event) => (event.kind === 'failed' ? [String(event.error)] : [])),
      accounted: () =>
        images.flatMap((after, index) => {
          const before = images
            .slice(0, index)
            .findLast(({ acctSessionId }) => acctSessionId === after.acctSessionId);
          return accountingRecords(before, after).map(
            ({ message }) => `${message.status} ${message.serviceSession}`,
          );
        }),
    };
  }

  const read = (acctSessionId: string, nasName = 'bng-1') => store.read({ nas: nasName, acctSessionId });

  /** A session in the table that began 100 s before `NOW`, with gold that a request has activated. */
  async function opened(
    acctSessionId: string,
    {
      nasName = 'bng-1',
      scope,
      began = -100,
      isAsked = true,
    }: { nasName?: string; scope?: string; began?: number; isAsked?: boolean } = {},
  ): Promise<void> {
    const profile = nas({ name: nasName, enforcement: 'coa' });
    const identity = { 'User-Name': acctSessionId, ...(scope && { 'ERX-Virtual-Router-Name': scope }) };
    const { session } = play([
      record('start', began, { acctSessionId, identity, nas: profile }),
      ...(isAsked
        ? [
            asked(request('r1', { ...COA, nas: profile, acctSessionId, identity: {}, activate: ['gold'] })),
            ack,
          ]
        : []),
    ]);
    if (session === undefined) throw new Error('an Acct-Start opens a session');
    expect(await store.write({ ...session, revision: 0 })).toBe('written');
  }

  describe('given the record of a session', () => {
    it('opens it, says who the subscriber is, and ends it with its services', async () => {
      const { feed, reports, accounted } = startIngest();
      const identity = { 'User-Name': 'ann@isp' };
      expect(await feed(feedMessage({ status: 'start', acctSessionId: 'life', identity }))).toEqual([]);
      expect(await read('life')).toMatchObject({ identity, life: { knownBy: 'start' } });
      await feed(
        feedMessage({
          status: 'stop',
          acctSessionId: 'life',
          identity,
          eventAtMs: at(60),
          terminateCause: 1,
        }),
      );
      expect(await read('life')).toMatchObject({ services: {}, life: { closed: { by: 'stop' } } });
      expect(
        reports.flatMap((event) => (event.kind === 'decided' ? [`${event.cause}: ${event.life}`] : [])),
      ).toEqual(['Acct-Start: opened', 'Acct-Stop: closed']);
      await opened('ending');
      await feed(feedMessage({ status: 'stop', acctSessionId: 'ending', eventAtMs: at(60) }));
      expect(services(await read('ending'))).toEqual({});
      expect(accounted()).toEqual([]);
      expect((await read('ending'))?.accountedAs).toEqual({});
    });

    it('changes it under the former name of its NAS, and opens no second one', async () => {
      const { feed } = startIngest();
      await opened('renamed', { nasName: 'bng-old' });
      await feed(
        feedMessage({ status: 'stop', nas: 'bng-new', acctSessionId: 'renamed', eventAtMs: at(60) }),
      );
      expect(await read('renamed', 'bng-new')).toBeUndefined();
      expect(await read('renamed', 'bng-old')).toMatchObject({
        life: { closed: { by: 'stop' } },
      });
    });

    it('goes on under that name when its Acct-Session-Id begins anew, after an Acct-Stop or without', async () => {
      const { feed, failures } = startIngest();
      const of = (status: 'start' | 'stop', acctSessionId: string, seconds: number) =>
        feedMessage({ status, nas: 'bng-new', acctSessionId, eventAtMs: at(seconds) });
      await opened('again', { nasName: 'bng-old' });
      await opened('anew', { nasName: 'bng-old' });
      await feed(of('stop', 'again', 60), of('start', 'again', 120), of('start', 'anew', 120));
      expect(failures()).toEqual([]);
      for (const acctSessionId of ['again', 'anew']) {
        expect(await read(acctSessionId, 'bng-new')).toBeUndefined();
        expect(await read(acctSessionId, 'bng-old')).toMatchObject({
          nas: { name: 'bng-new' },
          storedUnder: 'bng-old',
          services: {},
          life: { knownBy: 'start', began: { atMs: at(120) } },
        });
      }
    });

    it('repeats its effects after a crash between writing and sending, having written once', async () => {
      let isBroken = true;
      const sent: OutgoingMessage[] = [];
      const { deliver, images } = startIngest({
        send: async (_, messages) => {
          if (isBroken) throw new Error('crash');
          sent.push(...messages);
        },
      });
      // silver was there from log-in, before gold: it has to go, and the NAS is told.
      await opened('crash');
      const service = { name: 'silver', serviceSessionId: 'crash:9' };
      const silver = feedRecord(
        feedMessage({ status: 'start', acctSessionId: 'crash', service, eventAtMs: at(-99) }),
      );
      expect(await deliver(silver)).toEqual([silver]);
      expect(services(await read('crash'))).toEqual({ gold: 'active', silver: 'deactivating' });
      isBroken = false;
      expect(await deliver(silver)).toEqual([]);
      expect(sent.map(({ body }) => briefly(body as OutboxMessage))).toEqual(['deactivate silver']);
      expect(images).toHaveLength(1);
      expect(sent[0]).toMatchObject({ deduplicationId: (await read('crash'))?.transition?.commandId });
    });

    it('tries again where a request has won the write, and loses nothing of either', async () => {
      await opened('raced');
      let isThereARival = true;
      const { feed, reports } = startIngest({
        store: {
          ...store,
          write: async (session, signal) => {
            if (isThereARival) {
              isThereARival = false;
              const before = await read('raced');
              const rival = play(
                [asked(request('r2', { ...COA, acctSessionId: 'raced', identity: {}, activate: ['voice'] }))],
                before,
              );
              if (rival.session === undefined || before === undefined) throw new Error('there is a session');
              await store.write({ ...rival.session, revision: before.revision });
            }
            return store.write(session, signal);
          },
        },
      });
      expect(await feed(feedMessage({ status: 'stop', acctSessionId: 'raced', eventAtMs: at(60) }))).toEqual(
        [],
      );
      expect(reports).toEqual([expect.objectContaining({ kind: 'decided', lostRaces: 1, life: 'closed' })]);
      // The request that was under way is answered 503, not lost.
      expect((await read('raced'))?.answered.at(-1)).toMatchObject({ answer: 'nak', errorCause: 503 });
    });

    it('leaves it to the queue when it loses five times in a row', async () => {
      await opened('beaten');
      const { feed, failures } = startIngest({ store: { ...store, write: async () => 'lost' } });
      const stop = feedMessage({ status: 'stop', acctSessionId: 'beaten', eventAtMs: at(60) });
      expect(await feed(stop)).toHaveLength(1);
      expect(failures()).toEqual(['Error: 5 writes of bng-1 beaten in a row were lost to others']);
      expect(isClosed((await read('beaten')) ?? {})).toBe(false);
    });
  });

  describe('given what it cannot use', () => {
    it('fails a message of a NAS that the site does not have, and of no JSON, alone', async () => {
      const { deliver, failures } = startIngest();
      const unknown = feedRecord(feedMessage({ status: 'start', nas: 'bng-9', acctSessionId: 'u' }), {
        group: 'a',
      });
      const poison = feedRecord('poison', { group: 'b' });
      const good = feedRecord(feedMessage({ status: 'start', acctSessionId: 'good' }), { group: 'c' });
      expect(await deliver(unknown, poison, good)).toEqual([unknown, poison]);
      expect(failures().toSorted()).toEqual([
        'MalformedMessage: is not JSON',
        'NotInDeployment: nas: the site demo has no bng-9',
      ]);
      expect(await read('good')).toBeDefined();
    });

    it('ignores a service without its session or without a name that can be one, and says so', async () => {
      const { feed, reports, images } = startIngest();
      const unnamed = { name: 'gold(', serviceSessionId: 'ignored:1' };
      expect(
        await feed(
          feedMessage({
            status: 'start',
            service: { name: 'gold', serviceSessionId: '7' },
            correlationId: 'one',
          }),
          feedMessage({ status: 'stop', acctSessionId: 'ignored', service: unnamed, correlationId: 'two' }),
        ),
      ).toEqual([]);
      expect(reports).toEqual([
        { kind: 'ignored', correlationId: 'one', nas: 'bng-1', status: 'start', reason: 'no-session' },
        { kind: 'ignored', correlationId: 'two', nas: 'bng-1', status: 'stop', reason: 'no-service' },
      ]);
      expect(images).toEqual([]);
      expect(await read('ignored')).toBeUndefined();
    });
  });

  describe('given Accounting-On or -Off', () => {
    const on = (nasName: string, eventAtMs: number, over: Partial<FeedMessage> = {}) =>
      feedMessage({ status: 'on', nas: nasName, eventAtMs, ...over });

    it('ends 2,000 sessions over all parts, in messages of 20 at most, and none that began later', async () => {
      const ids = Array.from({ length: 2000 }, (_, index) => `big-${index}`);
      for (let start = 0; start < ids.length; start += 50) {
        await Promise.all(ids.slice(start, start + 50).map((id) => opened(id, { nasName: 'bng-big' })));
      }
      await opened('big-later', { nasName: 'bng-big', began: 50 });
      expect(new Set(ids.map(bucketOf))).toEqual(new Set(ALL_BUCKETS));
      const { feed, pages, goThrough, reports } = startIngest();
      const message = on('bng-big', at(0));
      expect(await feed(message)).toEqual([]);
      expect(pages).toHaveLength(ALL_BUCKETS.length);
      expect(reports).toEqual([
        {
          kind: 'restarted',
          correlationId: message.correlationId,
          nas: 'bng-big',
          status: 'on',
          eventAtMs: at(0),
        },
      ]);
      const all = await goThrough();
      const done = reports.flatMap((event) => (event.kind === 'decided' ? [event] : []));
      expect(done.filter(({ life }) => life === 'closed')).toHaveLength(ids.length);
      const sessions = await Promise.all(ids.map((id) => read(id, 'bng-big')));
      expect(
        sessions.every(
          (session) => session && isClosed(session) && Object.keys(session.services).length === 0,
        ),
      ).toBe(true);
      expect(isClosed((await read('big-later', 'bng-big')) ?? {})).toBe(false);

      // A message more where the last page of a part is full.
      const counts = Map.groupBy([...ids, 'big-later'], bucketOf);
      const wanted = [...counts.values()].reduce((sum, part) => sum + Math.ceil(part.length / 20), 0);
      expect(all.length).toBeGreaterThanOrEqual(wanted);
      expect(all.length).toBeLessThanOrEqual(wanted + ALL_BUCKETS.length);
      for (const { body, group } of all) {
        expect(JSON.stringify(body).length).toBeLessThan(1000);
        expect(group).toBe(`${message.correlationId}/${(body as RestartMessage).bucket}`);
        expect(group.length).toBeLessThanOrEqual(128);
      }
    }, 180_000);

    it('repeats a part harmlessly, also after a crash in the middle of it', async () => {
      const ids = Array.from({ length: 30 }, (_, index) => `part-${randomUUID()}-${index}`);
      for (const id of ids) await opened(id, { nasName: 'bng-2' });
      let writes = 0;
      const { feed, pages, deliver, reports } = startIngest({
        store: {
          ...store,
          write: async (session, signal) => {
            if (++writes === 12) throw new Error('crash');
            return store.write(session, signal);
          },
        },
      });
      await feed(on('bng-2', at(0)));
      const parts = pages.splice(0).map(({ body, group }) => feedRecord(body, { group }));
      const failed = await deliver(...parts);
      expect(failed).toHaveLength(1);
      expect(await deliver(...failed)).toEqual([]);
      const versions = async () =>
        (await Promise.all(ids.map((id) => read(id, 'bng-2')))).map((one) => one?.version);
      const closed = async () =>
        (await Promise.all(ids.map((id) => read(id, 'bng-2')))).every((one) => one && isClosed(one));
      expect(await closed()).toBe(true);
      const before = await versions();
      reports.splice(0);
      expect(await deliver(...parts)).toEqual([]);
      expect(await versions()).toEqual(before);
      expect(reports.filter((event) => event.kind === 'decided' && event.life !== undefined)).toEqual([]);
    });

    it('remembers the restart before a session ends, so that an earlier Acct-Start opens nothing meanwhile', async () => {
      const { feed, pages, reports } = startIngest({
        goOn: async () => {
          throw new Error('SQS is away');
        },
      });
      expect(await feed(on('bng-2', at(10)))).toHaveLength(1);
      expect(pages).toEqual([]);
      await feed(feedMessage({ status: 'start', nas: 'bng-2', acctSessionId: 'before', eventAtMs: at(5) }));
      await feed(feedMessage({ status: 'start', nas: 'bng-2', acctSessionId: 'after', eventAtMs: at(15) }));
      expect(await read('before', 'bng-2')).not.toMatchObject({ life: { knownBy: 'start' } });
      expect(await read('after', 'bng-2')).toMatchObject({ life: { knownBy: 'start' } });
      expect(reports.some(({ kind }) => kind === 'restarted')).toBe(false);
    });

    it('ends the sessions of the virtual router that it names, and no other', async () => {
      await opened('red', { scope: 'red' });
      await opened('blue', { scope: 'blue' });
      const { feed, goThrough } = startIngest();
      await feed(on('bng-1', at(0), { status: 'off', identity: { 'ERX-Virtual-Router-Name': 'red' } }));
      await goThrough();
      expect(await read('red')).toMatchObject({ life: { closed: { by: 'restart' } } });
      expect(isClosed((await read('blue')) ?? {})).toBe(false);
      // Nor does it keep one of another router from beginning.
      await feed(
        feedMessage({
          status: 'start',
          acctSessionId: 'blue 2',
          eventAtMs: at(-10),
          identity: { 'ERX-Virtual-Router-Name': 'blue' },
        }),
      );
      expect(await read('blue 2')).toMatchObject({ life: { knownBy: 'start' } });
    });

    it('counts from an Event-Timestamp that was not believed, where that is earlier: nothing ends that began later', async () => {
      await opened('old clock', { began: -1000, isAsked: false });
      await opened('new clock', { began: -400, isAsked: false });
      const { feed, goThrough, reports } = startIngest();
      await feed(on('bng-1', at(0), { isStamped: false, wrongStampMs: at(-500) }));
      await goThrough();
      expect(reports[0]).toMatchObject({ kind: 'restarted', eventAtMs: at(-500) });
      expect(await read('old clock')).toMatchObject({ life: { closed: { by: 'restart' } } });
      expect(isClosed((await read('new clock')) ?? {})).toBe(false);

      // One that is later than the arrival counts from the arrival.
      await feed(on('bng-1', at(-450), { isStamped: false, wrongStampMs: at(86_400) }));
      expect(reports.at(-1)).toMatchObject({ kind: 'restarted', eventAtMs: at(-450) });
    });

    it('is remembered when the NAS gets another name', async () => {
      await createNasRestarts(table.client, table.name).remember(
        'bng-old',
        undefined,
        at(-50),
        AbortSignal.timeout(10_000),
      );
      const { feed } = startIngest();
      await feed(feedMessage({ status: 'start', nas: 'bng-new', acctSessionId: 'late', eventAtMs: at(-60) }));
      expect(await read('late', 'bng-new')).not.toMatchObject({ life: { knownBy: 'start' } });
      await feed(feedMessage({ status: 'start', nas: 'bng-new', acctSessionId: 'late', eventAtMs: at(-40) }));
      expect(await read('late', 'bng-new')).toMatchObject({ life: { knownBy: 'start' } });
    });

    it('ends those of a renamed NAS under each of its names', async () => {
      await opened('n1', { nasName: 'bng-old' });
      await opened('n2', { nasName: 'bng-new' });
      const { feed, goThrough, pages } = startIngest();
      await feed(on('bng-new', at(0)));
      expect(pages).toHaveLength(2 * ALL_BUCKETS.length);
      await goThrough();
      expect(await read('n1', 'bng-old')).toMatchObject({ life: { closed: { by: 'restart' } } });
      expect(await read('n2', 'bng-new')).toMatchObject({ life: { closed: { by: 'restart' } } });
    });
  });
});

function briefly(message: OutboxMessage): string {
  return message.kind === 'reply' ? message.answer : `${message.operation} ${message.services.join(' ')}`;
}
