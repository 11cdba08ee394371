import { randomUUID } from 'node:crypto';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import { type CommandMessage, messageGroup, type OutboxMessage } from '../../../core/messages.ts';
import { accountingRecords } from '../../../core/service-accounting.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { createDecide, type DecideDependencies } from '../../../functions/decide/decide.ts';
import type { DecideReport } from '../../../functions/decide/report.ts';
import { createSiteSender, type OutgoingMessage } from '../../../functions/shared/queue.ts';
import { createSessionLookUp } from '../../../functions/shared/session-look-up.ts';
import { createSessionStore, type SessionStore } from '../../../functions/shared/session-store.ts';
import { startFauxqs } from '../../../local/cloud/fauxqs.ts';
import { accountedAs, ack, asked, CLIENT, COA, play, record, request, services } from '../../core/support.ts';
import { createFifoQueue, dynoxide, LOCAL } from '../../local/cloud/emulators.ts';
import { type Asked, context, inboxRecord, requestMessage, startTable, type Table } from '../support.ts';

const SERVICES = `
services:
  gold: { mutexGroup: 12, statistics: time }
  silver: { mutexGroup: 12, statistics: time }
  bronze: { mutexGroup: 12, statistics: time }
  voice: {}
`;

const siteFile = (site: string, nases: string) => `
site: ${site}
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:9464" }
clients: [{ name: policy, source: 127.0.0.1, secret: testing123 }]
nases: [${nases}]
`;
const nas = (name: string, enforcement = 'none') =>
  `{ name: ${name}, address: "192.0.2.9:3799", secret: testing123, identifiedBy: [${name}], enforcement: ${enforcement} }`;

const deployment = deploymentOf(parseServicesFile('services.yaml', SERVICES), [
  parseSiteFile('demo.yaml', siteFile('demo', nas('bng-1'))),
  parseSiteFile('told.yaml', siteFile('told', nas('bng-told', 'coa'))),
  parseSiteFile('two.yaml', siteFile('two', `${nas('bng-a')}, ${nas('bng-b')}`)),
]);
const TOLD_ARN = 'arn:aws:sqs:us-east-1:000000000000:told-inbox.fifo';
const DUE_ARN = 'arn:aws:sqs:us-east-1:000000000000:interlock-due';
const OTHER_ARN = 'arn:aws:sqs:us-east-1:000000000000:elsewhere-inbox.fifo';

const NOW = Date.UTC(2026, 10, 22, 12);

describe.skipIf(dynoxide.skip)(dynoxide.title('decide'), () => {
  let table: Table;
  beforeAll(async () => {
    table = await startTable();
  });
  afterAll(() => table.stop());

  /** decide on the table, with what it stored, sent and reported. */
  function startDecide(over: Partial<DecideDependencies> = {}) {
    const store = over.store ?? createSessionStore(table.client, table.name);
    /** Each session that was stored, as the next one to read it gets it. */
    const images: Session[] = [];
    const sent: { readonly site: string; readonly message: OutgoingMessage }[] = [];
    /** What decide sent to the inbox. */
    const forwarded: OutgoingMessage[] = [];
    const reports: DecideReport[] = [];
    /** When sessions are to be looked at, seconds from now on. */
    const reminders: number[] = [];
    const handler = createDecide({
      deployment,
      lookUp: createSessionLookUp({
        dynamodb: table.client,
        tableName: table.name,
        store,
        now: () => NOW,
        pause: async () => {},
      }),
      forward: async (_, messages) => void forwarded.push(...messages),
      send: async (site, messages) => void sent.push(...messages.map((message) => ({ site, message }))),
      schedule: async (_, dueAtMs) => void reminders.push((dueAtMs - NOW) / 1000),
      now: () => NOW,
      report: (event) => reports.push(event),
      ...over,
      store: {
        read: store.read,
        write: async (session, signal) => {
          const result = await store.write(session, signal);
          if (result === 'written') images.push({ ...session, revision: session.revision + 1 });
          return result;
        },
        remove: store.remove,
      },
    });
    /** Gives the records that failed. */
    const deliver = async (...records: SQSRecord[]): Promise<readonly SQSRecord[]> => {
      const { batchItemFailures } = await handler({ Records: records }, context());
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      return records.filter(({ messageId }) => failed.has(messageId));
    };
    return {
      images,
      sent,
      forwarded,
      reports,
      reminders,
      deliver,
      read: (acctSessionId: string, nas = 'bng-1') => store.read({ nas, acctSessionId }),
      /** `ack`, `nak 404` or `activate gold`, in the order in which they were sent. */
      said: () => sent.map(({ message }) => brief(message.body as OutboxMessage)),
      /** By correlation id. */
      answers: () =>
        new Map(
          sent.map(({ message }) => [
            (message.body as OutboxMessage).correlationId,
            brief(message.body as OutboxMessage),
          ]),
        ),
      /** What the stream makes of all that was stored. */
      accounted: () => accountingOf(images),
      failures: () => reports.flatMap((event) => (event.kind === 'failed' ? [String(event.error)] : [])),
      lostRaces: () =>
        reports.reduce((sum, event) => sum + (event.kind === 'decided' ? event.lostRaces : 0), 0),
    };
  }

  const asking = (asked: Asked, group?: string) => inboxRecord(requestMessage(asked), group ? { group } : {});

  describe('given a message of the queue of outcomes', () => {
    const queueArn = 'arn:aws:sqs:us-east-1:000000000000:told-outcomes.fifo';
    const outcomeOf = ({ correlationId, commandId, session }: CommandMessage) => ({
      version: 1,
      kind: 'outcome',
      correlationId,
      commandId,
      session,
      result: 'ack',
      atMs: NOW,
    });

    it('goes on with what waits for that outcome', async () => {
      const { deliver, sent, said } = startDecide();
      const request = requestMessage({ acctSessionId: randomUUID(), activate: ['gold'] });
      await deliver(inboxRecord(request, { queueArn: TOLD_ARN }));
      const command = sent[0]?.message.body as CommandMessage;
      expect(await deliver(inboxRecord(outcomeOf(command), { queueArn }))).toEqual([]);
      expect(said()).toEqual(['activate gold', 'ack']);
    });

    it('takes no request from there, whose order would be that of another queue', async () => {
      const { deliver, failures } = startDecide();
      const record = inboxRecord(requestMessage({ acctSessionId: 'x', activate: ['gold'] }), { queueArn });
      expect(await deliver(record)).toEqual([record]);
      expect(failures()).toEqual([expect.stringContaining('MalformedMessage')]);
    });
  });

  describe('given a request that its client waits for no longer', () => {
    const patient = (over: object) => {
      const message = requestMessage({ acctSessionId: randomUUID(), activate: ['gold'] });
      return inboxRecord({ ...message, ...over });
    };
    const sentAt = (record: SQSRecord, atMs: number): SQSRecord => ({
      ...record,
      attributes: { ...record.attributes, SentTimestamp: String(atMs) },
    });

    it.each<[what: string, over: object, queuedAtMs: number, answer: string]>([
      ['10 s after the inbox took it', {}, NOW - 10_000, 'nak 506'],
      ['less', {}, NOW - 9_999, 'ack'],
      ['its session has been found since', { arrivedAtMs: NOW - 10_000 }, NOW, 'nak 506'],
      ['what the site file says of the client', { patienceSeconds: 30 }, NOW - 29_999, 'ack'],
      ['a relay of before has no say', { patienceSeconds: undefined }, NOW - 10_000, 'nak 506'],
      ['the relay has had it for long', { receivedAtMs: NOW - 9_000, clockSkewMs: 1_000 }, NOW, 'nak 506'],
      ['the clock of the relay is behind', { receivedAtMs: NOW - 60_000, clockSkewMs: -60_000 }, NOW, 'ack'],
      [
        'the clock of the relay is ahead',
        { receivedAtMs: NOW + 60_000, clockSkewMs: 0 },
        NOW - 10_000,
        'nak 506',
      ],
      ['nothing is known of the clock of the relay', { receivedAtMs: NOW - 60_000 }, NOW, 'ack'],
    ])('tells its age: %s', async (_, over, queuedAtMs, answer) => {
      const { deliver, said } = startDecide();
      expect(await deliver(sentAt(patient(over), queuedAtMs))).toEqual([]);
      expect(said()).toEqual([answer]);
    });

    it('looks no session up for it, and sends on what was delivered before', async () => {
      const unused = () => Promise.reject(new Error('a session was looked up'));
      const key = { nas: 'bng-1', acctSessionId: 'found' };
      const find = async () => ({ ok: true, value: key }) as const;
      const record = sentAt(asking({ activate: ['gold'] }), NOW - 10_000);
      const first = startDecide({
        lookUp: { find: unused, bind: unused, boundTo: unused, remember: unused, recall: unused },
      });
      expect(await first.deliver(record)).toEqual([]);
      expect(first.said()).toEqual(['nak 506']);
      const again = startDecide({
        lookUp: {
          find,
          bind: async () => key,
          boundTo: async () => undefined,
          remember: async () => {},
          recall: async () => undefined,
        },
      });
      const attributes = { ...record.attributes, ApproximateReceiveCount: '2' };
      await again.deliver({ ...record, attributes });
      expect([again.said(), again.forwarded.length]).toEqual([[], 1]);
    });
  });

  describe('given a request', () => {
    it('stores the session, then answers through the outbox of the site', async () => {
      const { deliver, read, sent, reports } = startDecide();
      const message = requestMessage({ acctSessionId: 'first', activate: ['gold', 'voice'] });
      expect(await deliver(inboxRecord(message))).toEqual([]);
      expect(await read('first')).toMatchObject({
        version: 1,
        acctSessionId: 'first',
        identity: { 'User-Name': 'client1@isp1.com' },
        services: { gold: { state: 'active', number: NOW }, voice: { state: 'active', number: NOW + 1 } },
      });
      const { correlationId } = message;
      expect(sent).toEqual([
        {
          site: 'demo',
          message: {
            group: correlationId,
            deduplicationId: `${correlationId}/reply/${NOW}`,
            body: {
              version: 1,
              kind: 'reply',
              correlationId,
              origin: message.origin,
              answer: 'ack',
              atMs: NOW,
            },
          },
        },
      ]);
      expect(reports).toMatchObject([
        {
          kind: 'decided',
          correlationId,
          cause: 'activate gold, activate voice',
          activated: ['gold', 'voice'],
          deactivated: [],
          lostRaces: 0,
        },
      ]);
    });

    it('switches within the group', async () => {
      const { deliver, read, said, accounted, reports } = startDecide();
      await deliver(asking({ acctSessionId: 'switch', activate: ['gold'] }));
      await deliver(asking({ acctSessionId: 'switch', activate: ['silver'], identifier: 2 }));
      expect(services(await read('switch'))).toEqual({ silver: 'active' });
      expect(said()).toEqual(['ack', 'ack']);
      expect(accounted()).toEqual(['Start gold', 'Start silver', 'Stop gold']);
      expect(reports.at(-1)).toMatchObject({ activated: ['silver'], deactivated: ['gold'] });
    });

    it('refuses what it does not understand, and stores nothing', async () => {
      const { deliver, read, sent, reports } = startDecide();
      const message = requestMessage({ acctSessionId: 'refused', activate: ['platinum'] });
      expect(await deliver(inboxRecord(message))).toEqual([]);
      expect(await read('refused')).toBeUndefined();
      const { correlationId } = message;
      expect(sent).toMatchObject([
        { site: 'demo', message: { body: { correlationId, answer: 'nak', errorCause: 404 } } },
      ]);
      expect(reports).toMatchObject([
        { kind: 'refused', correlationId, errorCause: 404, reason: 'there is no service platinum' },
      ]);
    });

    it('refuses what does not fit its session, says why, and keeps the services', async () => {
      const { deliver, read, said, reports } = startDecide();
      const acctSessionId = 'misfit';
      const more = [{ name: 'NAS-Port', value: 7 }] as const;
      await deliver(asking({ acctSessionId, activate: ['gold'], more }));
      // More often than answers are kept.
      for (let identifier = 2; identifier < 20; identifier++) {
        const other = [{ name: 'NAS-Port', value: 8 }] as const;
        await deliver(asking({ acctSessionId, activate: ['silver'], more: other, identifier }));
      }
      expect(services(await read(acctSessionId))).toEqual({ gold: 'active' });
      expect(said()).toEqual(['ack', ...Array(18).fill('nak 503')]);
      expect(reports.slice(1).map((event) => event.kind === 'decided' && event.reason)).toEqual(
        Array(18).fill('NAS-Port is not that of the session'),
      );
    });

    it.each([
      [59, [59]],
      [60, []],
      [0, []],
    ])('has a session with a Service-Timeout of %i seconds looked at in %j', async (value, reminded) => {
      const { deliver, reminders } = startDecide();
      const more = [{ name: 'ERX-Service-Timeout', tag: 1, value }] as const;
      const asked: Asked = { acctSessionId: `timeout ${value}`, activate: ['gold'], more };
      await deliver(asking(asked));
      // What changes nothing about that says nothing about it.
      await deliver(asking({ ...asked, activate: ['voice'], more: [], identifier: 2 }));
      expect(reminders).toEqual(reminded);
    });

    it('answers, and says so, when it cannot have a session looked at in time', async () => {
      const schedule = () => Promise.reject(new Error('the due queue is gone'));
      const { deliver, said, reports, failures } = startDecide({ schedule });
      const more = [{ name: 'ERX-Service-Timeout', tag: 1, value: 9 }] as const;
      expect(await deliver(asking({ acctSessionId: 'forgotten', activate: ['gold'], more }))).toEqual([]);
      expect(said()).toEqual(['ack']);
      expect(reports.at(-1)).toEqual({
        kind: 'not-scheduled',
        session: { nas: 'bng-1', acctSessionId: 'forgotten' },
        error: new Error('the due queue is gone'),
      });
      expect(failures()).toEqual([]);
    });

    it('ends at the first service when the client goes there and back with the same bytes', async () => {
      const { deliver, read, said, accounted } = startDecide();
      const there: Asked = { acctSessionId: 'back', activate: ['gold'] };
      await deliver(asking(there));
      await deliver(asking({ ...there, activate: ['silver'], identifier: 2 }));
      await deliver(asking(there));
      expect(services(await read('back'))).toEqual({ gold: 'active' });
      expect(said()).toEqual(['ack', 'ack', 'ack']);
      expect(accounted()).toEqual(['Start gold', 'Start silver', 'Stop gold', 'Start gold', 'Stop silver']);
    });
  });

  describe('given a request without Acct-Session-Id', () => {
    const by = (userName: string, activate: readonly string[], identifier = 1): Asked => ({
      userName,
      activate: [...activate],
      identifier,
    });
    /** A message that decide sent to the inbox, as it comes back; the same one each time. */
    const comesBack = ({ body, group }: OutgoingMessage) => inboxRecord(body, { group });
    const redelivered = (record: SQSRecord): SQSRecord => ({
      ...record,
      attributes: { ...record.attributes, ApproximateReceiveCount: '2' },
    });

    it('finds the session, and carries the request out in the message group of that', async () => {
      const { deliver, read, said, forwarded, reports } = startDecide();
      await deliver(asking({ acctSessionId: 'ann', userName: 'ann@isp', activate: ['gold'] }));
      const message = requestMessage(by('ann@isp', ['silver'], 2));
      expect(await deliver(inboxRecord(message))).toEqual([]);
      const session = { nas: 'bng-1', acctSessionId: 'ann' };
      expect(forwarded).toEqual([
        {
          body: { ...message, session, arrivedAtMs: message.receivedAtMs },
          group: messageGroup(Buffer.from('ann')),
          deduplicationId: `${message.correlationId}/found`,
        },
      ]);
      expect(reports.at(-1)).toEqual({
        kind: 'found',
        correlationId: message.correlationId,
        session,
        by: ['User-Name'],
      });
      expect(said()).toEqual(['ack']);
      for (const one of forwarded) expect(await deliver(comesBack(one))).toEqual([]);
      expect(said()).toEqual(['ack', 'ack']);
      expect(services(await read('ann'))).toEqual({ silver: 'active' });
    });

    it('sends it with one deduplication identifier, however often it is delivered', async () => {
      const { deliver, forwarded } = startDecide();
      await deliver(asking({ acctSessionId: 'twice', userName: 'twice@isp', activate: ['gold'] }));
      const record = inboxRecord(requestMessage(by('twice@isp', ['silver'], 2)));
      await deliver(record);
      await deliver(redelivered(record));
      expect(forwarded).toHaveLength(2);
      expect(forwarded[1]).toEqual(forwarded[0]);
    });

    it.each([
      ['503 where no session is known by it', 'nobody@isp', 503, 'no session has User-Name nobody@isp'],
      ['508 where several are', 'both@isp', 508, '2 sessions have User-Name both@isp'],
    ])('is refused with %s, and stores no session', async (_, userName, errorCause, reason) => {
      const { deliver, said, forwarded, reports, images } = startDecide();
      for (const [identifier, acctSessionId] of [`${userName} 1`, `${userName} 2`].entries())
        if (errorCause === 508)
          await deliver(asking({ acctSessionId, userName, activate: ['gold'], identifier }));
      const stored = images.length;
      await deliver(asking(by(userName, ['gold'], 9)));
      expect(said().at(-1)).toBe(`nak ${errorCause}`);
      expect(reports.at(-1)).toMatchObject({ kind: 'refused', errorCause, reason });
      expect(forwarded).toEqual([]);
      expect(images).toHaveLength(stored);
    });

    it('is refused with 402 where nothing identifies a session, and with 404 before anything is looked up', async () => {
      const { deliver, said } = startDecide();
      const port = [{ name: 'NAS-Port', value: 7 }] as const;
      await deliver(asking({ activate: ['gold'], more: port, userName: null }));
      await deliver(asking(by('nobody@isp', ['platinum'], 2)));
      expect(said()).toEqual(['nak 402', 'nak 404']);
    });

    it('is refused again when it is delivered again, though its session is there by now', async () => {
      const { deliver, said, read, forwarded } = startDecide();
      const record = inboxRecord(requestMessage(by('early@isp', ['silver'])));
      await deliver(record);
      await deliver(
        asking({ acctSessionId: 'early', userName: 'early@isp', activate: ['gold'], identifier: 2 }),
      );
      await deliver(redelivered(record));
      expect(said()).toEqual(['nak 503', 'ack', 'nak 503']);
      expect(forwarded).toEqual([]);
      expect(services(await read('early'))).toEqual({ gold: 'active' });
      // A repeat of the client is another message.
      await deliver(asking(by('early@isp', ['silver'])));
      expect(forwarded).toHaveLength(1);
    });

    it('is refused once its refusal is stored, and delivered again until then', async () => {
      const { deliver, said } = startDecide({
        lookUp: {
          find: async () => ({ ok: false, refusal: { errorCause: 'Session-Context-Not-Found', reason: '' } }),
          remember: () => Promise.reject(new Error('the table is away')),
          recall: async () => undefined,
          bind: async (_, session) => session,
          boundTo: async () => undefined,
        },
      });
      const record = inboxRecord(requestMessage(by('away@isp', ['gold'])));
      expect(await deliver(record)).toEqual([record]);
      expect(said()).toEqual([]);
    });

    const stamped = (userName: string, activate: readonly string[], port: number): Asked => ({
      ...by(userName, activate, 9),
      port,
      more: [{ name: 'Event-Timestamp', value: NOW / 1000 }],
    });

    it('is carried out once, whichever session of its subscriber there is when it is replayed', async () => {
      const { deliver, said, forwarded, read, images } = startDecide();
      const store = createSessionStore(table.client, table.name);
      await deliver(asking({ acctSessionId: 'first-of', userName: 'again@isp', activate: ['gold'] }));
      await deliver(asking(stamped('again@isp', ['silver'], 4000)));
      for (const one of forwarded.splice(0)) await deliver(comesBack(one));
      // The subscriber has dialled in again.
      const session = images.at(-1);
      if (session === undefined) throw new Error('a request makes a session');
      await store.write({ ...session, identity: {} });
      await deliver(
        asking({ acctSessionId: 'next-of', userName: 'again@isp', activate: ['gold'], identifier: 2 }),
      );
      await deliver(asking(stamped('again@isp', ['silver'], 4001)));
      expect(forwarded.map(({ group }) => group)).toEqual([messageGroup(Buffer.from('first-of'))]);
      for (const one of forwarded) await deliver(comesBack(one));
      expect(said()).toEqual(['ack', 'ack', 'ack', 'ack']);
      expect(services(await read('next-of'))).toEqual({ gold: 'active' });
      // Another request of the same second is for the session that is there.
      await deliver(asking({ ...stamped('again@isp', ['bronze'], 4000), identifier: 10 }));
      expect(forwarded.at(-1)?.group).toBe(messageGroup(Buffer.from('next-of')));
    });

    it('is refused with 503 where its session has gone between the two', async () => {
      const { deliver, said, forwarded, images } = startDecide();
      const store = createSessionStore(table.client, table.name);
      await deliver(asking({ acctSessionId: 'gone', userName: 'gone@isp', activate: ['gold'] }));
      await deliver(asking(by('gone@isp', ['silver'], 2)));
      for (const session of images) await store.remove(session);
      for (const one of forwarded) await deliver(comesBack(one));
      expect(said()).toEqual(['ack', 'nak 503']);
      expect(await store.read({ nas: 'bng-1', acctSessionId: 'gone' })).toBeUndefined();
    });

    it('is refused with 503 where its session belongs to another subscriber by then', async () => {
      const { deliver, said, forwarded, read, images } = startDecide();
      const store = createSessionStore(table.client, table.name);
      await deliver(asking({ acctSessionId: 'reused', userName: 'old@isp', activate: ['gold'] }));
      await deliver(asking(by('old@isp', ['silver'], 2)));
      const session = images.at(-1);
      if (session === undefined) throw new Error('a request makes a session');
      await store.write({ ...session, identity: { 'User-Name': 'new@isp' } });
      for (const one of forwarded) await deliver(comesBack(one));
      expect(said()).toEqual(['ack', 'nak 503']);
      expect(services(await read('reused'))).toEqual({ gold: 'active' });
    });

    it('finds a session at any NAS of its site where it names none, and at no other site', async () => {
      const { deliver, said, forwarded, read } = startDecide();
      const queueArn = 'arn:aws:sqs:us-east-1:000000000000:two-inbox.fifo';
      const at = (name: string) => [{ name: 'NAS-Identifier', value: name }] as const;
      const seed = { acctSessionId: 'same', activate: ['gold'] };
      await deliver(asking({ ...seed, userName: 'anywhere@isp' }));
      for (const [userName, name] of [
        ['a@isp', 'bng-a'],
        ['anywhere@isp', 'bng-b'],
      ] as const)
        await deliver(inboxRecord(requestMessage({ ...seed, userName, more: at(name) }), { queueArn }));
      const message = requestMessage(by('anywhere@isp', ['silver'], 2));
      await deliver(inboxRecord(message, { queueArn }));
      expect(forwarded.map(({ body }) => body)).toEqual([
        { ...message, session: { nas: 'bng-b', acctSessionId: 'same' }, arrivedAtMs: message.receivedAtMs },
      ]);
      for (const { body } of forwarded) await deliver(inboxRecord(body, { queueArn }));
      const other = { ...by('anywhere@isp', ['silver'], 3), more: at('bng-a') };
      await deliver(inboxRecord(requestMessage(other), { queueArn }));
      expect(said()).toEqual(['ack', 'ack', 'ack', 'ack', 'nak 503']);
      expect(services(await read('same', 'bng-b'))).toEqual({ silver: 'active' });
      expect(services(await read('same', 'bng-a'))).toEqual({ gold: 'active' });
    });

    it('keeps the order of two that identify the subscriber alike', async () => {
      const { deliver, forwarded, read } = startDecide();
      await deliver(asking({ acctSessionId: 'order', userName: 'order@isp', activate: ['gold'] }));
      await deliver(
        asking(by('order@isp', ['silver'], 2), 'by'),
        asking(by('order@isp', ['bronze'], 3), 'by'),
      );
      expect(forwarded.map(({ group }) => group)).toEqual(Array(2).fill(messageGroup(Buffer.from('order'))));
      await deliver(...forwarded.map(comesBack));
      expect(services(await read('order'))).toEqual({ bronze: 'active' });
    });

    it('is looked up again where the session that was found is of no NAS of the site', async () => {
      const { deliver, forwarded } = startDecide();
      await deliver(asking({ acctSessionId: 'moved', userName: 'moved@isp', activate: ['gold'] }));
      const message = requestMessage(by('moved@isp', ['silver'], 2));
      await deliver(inboxRecord({ ...message, session: { nas: 'bng-told', acctSessionId: 'moved' } }));
      expect(forwarded.map(({ body }) => body)).toEqual([
        { ...message, session: { nas: 'bng-1', acctSessionId: 'moved' }, arrivedAtMs: message.receivedAtMs },
      ]);
    });
  });

  describe('at a NAS that is told', () => {
    it('sends the command first, and answers when its outcome has come', async () => {
      const { deliver, read, said, sent } = startDecide();
      const asked: Asked = { acctSessionId: 'told', activate: ['gold'] };
      await deliver(inboxRecord(requestMessage(asked), { queueArn: TOLD_ARN }));
      expect(said()).toEqual(['activate gold']);
      const [command] = sent;
      const body = command?.message.body as CommandMessage;
      expect(command).toMatchObject({
        site: 'told',
        message: {
          deduplicationId: body.commandId,
          body: { session: { nas: 'bng-told', acctSessionId: 'told' } },
        },
      });
      expect(await read('told', 'bng-told')).toMatchObject({
        services: {},
        transition: { step: 'activate' },
      });

      expect(await deliver(inboxRecord(outcomeOf(body), { queueArn: TOLD_ARN }))).toEqual([]);
      expect(said()).toEqual(['activate gold', 'ack']);
      expect(services(await read('told', 'bng-told'))).toEqual({ gold: 'active' });
    });

    it('repeats the command when the request comes again, and does nothing for a stray outcome', async () => {
      const { deliver, said, sent, images } = startDecide();
      const asked = inboxRecord(requestMessage({ acctSessionId: 'stray', activate: ['gold'] }), {
        queueArn: TOLD_ARN,
      });
      await deliver(asked);
      await deliver(asked);
      expect(said()).toEqual(['activate gold', 'activate gold']);
      expect(sent[1]).toEqual(sent[0]);
      const stray = { ...outcomeOf(sent[0]?.message.body as CommandMessage), commandId: 'another' };
      expect(await deliver(inboxRecord(stray, { queueArn: TOLD_ARN }))).toEqual([]);
      expect(images).toHaveLength(1);
    });

    /** The NAS refuses the only request of a session, and decide crashes between writing that and sending the reply. */
    async function crashedBeforeSending(acctSessionId: string) {
      const sent: OutgoingMessage[] = [];
      let isBroken = false;
      const { deliver, read } = startDecide({
        send: async (_, messages) => {
          if (isBroken) throw new Error('crash');
          sent.push(...messages);
        },
      });
      const asking = requestMessage({ acctSessionId, activate: ['gold'] });
      await deliver(inboxRecord(asking, { queueArn: TOLD_ARN }));
      const outcome = { ...outcomeOf(sent[0]?.body as CommandMessage), result: 'nak', errorCause: 503 };
      const record = inboxRecord(outcome, { queueArn: TOLD_ARN });
      isBroken = true;
      expect(await deliver(record)).toEqual([record]);
      const repair = () => {
        isBroken = false;
      };
      return { deliver, read, record, sent, repair };
    }

    it('removes a session that is left with nothing in it, once the client has its answer', async () => {
      const { deliver, read, said, sent, images } = startDecide();
      const asking = requestMessage({ acctSessionId: 'empty', activate: ['gold'] });
      await deliver(inboxRecord(asking, { queueArn: TOLD_ARN }));
      const command = sent[0]?.message.body as CommandMessage;
      const outcome = { ...outcomeOf(command), result: 'nak', errorCause: 503 };
      await deliver(inboxRecord(outcome, { queueArn: TOLD_ARN }));
      expect(said()).toEqual(['activate gold', 'nak 503']);
      expect(images).toHaveLength(2);
      expect(await read('empty', 'bng-told')).toBeUndefined();
    });

    it('removes such a session, too, after a crash between writing and sending', async () => {
      const { deliver, read, record, sent, repair } = await crashedBeforeSending('empty and crash');
      expect(await read('empty and crash', 'bng-told')).toBeDefined();
      repair();
      expect(await deliver(record)).toEqual([]);
      expect(sent.map(({ body }) => brief(body as OutboxMessage))).toEqual(['activate gold', 'nak 503']);
      expect(await read('empty and crash', 'bng-told')).toBeUndefined();
    });

    it('leaves such a session to the message that has not answered yet, whatever comes in between', async () => {
      const { deliver, read, record, sent, repair } = await crashedBeforeSending('empty and due');
      repair();
      // The sweep saw the deadline of the command.
      const session = { nas: 'bng-told', acctSessionId: 'empty and due' };
      const due = inboxRecord({ kind: 'due', session, dueAtMs: NOW }, { queueArn: DUE_ARN });
      expect(await deliver(due)).toEqual([]);
      expect(await deliver(record)).toEqual([]);
      expect(sent.map(({ body }) => brief(body as OutboxMessage))).toEqual(['activate gold', 'nak 503']);
      expect(await read('empty and due', 'bng-told')).toBeUndefined();
    });

    it('reports what the NAS made of a command, and how often it was told in vain', async () => {
      let nowMs = NOW;
      const { deliver, reports, sent } = startDecide({ now: () => nowMs });
      const session = { nas: 'bng-told', acctSessionId: 'in vain' };
      const ask = (asked: Omit<Asked, 'acctSessionId'>) =>
        deliver(inboxRecord(requestMessage({ acctSessionId: 'in vain', ...asked }), { queueArn: TOLD_ARN }));
      const outcome = (result: string) => {
        const commands = sent.map(({ message }) => message.body as OutboxMessage);
        const command = commands.findLast(({ kind }) => kind === 'command') as CommandMessage;
        return deliver(inboxRecord({ ...outcomeOf(command), result }, { queueArn: TOLD_ARN }));
      };
      await ask({ activate: ['gold'] });
      await outcome('ack');
      await ask({ activate: ['silver'], identifier: 2 });
      await outcome('ack');
      await outcome('nak');
      for (let again = 0; again < 2; again++) {
        nowMs += 60_000;
        await deliver(inboxRecord({ kind: 'due', session, dueAtMs: nowMs }, { queueArn: DUE_ARN }));
        await outcome('timeout');
      }
      const outcomes = reports.flatMap((event) =>
        event.kind === 'decided' && event.outcome !== undefined
          ? [[event.outcome.result, event.retryAttempts]]
          : [],
      );
      expect(outcomes).toEqual([
        ['ack', undefined],
        ['ack', undefined],
        ['nak', 1],
        ['timeout', 2],
        ['timeout', 3],
      ]);
    });

    it.each<[string, object, string, object]>([
      [
        'what the NAS said',
        { result: 'nak', errorCause: 506, text: 'busy' },
        "the NAS: nak 506, 'busy'",
        { result: 'nak', errorCause: 506, text: 'busy' },
      ],
      [
        'what the NAS said in an ACK',
        { result: 'ack', text: 'queued' },
        "the NAS: ack, 'queued'",
        { text: 'queued' },
      ],
      [
        'what a relay of an earlier release did not make fit to be printed',
        { result: 'nak', text: `\x1b[2J${'x'.repeat(300)}` },
        `the NAS: nak, '[2J${'x'.repeat(196)}…'`,
        { text: `[2J${'x'.repeat(196)}…` },
      ],
      [
        'that the relay did not send the command',
        { result: 'nak', errorCause: 502, text: 'unknown-nas', isUnsent: true },
        'the relay: unsent, unknown-nas',
        { result: 'unsent', errorCause: 502, unsent: 'unknown-nas' },
      ],
      [
        'that a relay of an earlier release did not send the command, and does not say why',
        { result: 'nak', errorCause: 506, isUnsent: true },
        'the relay: unsent',
        { result: 'unsent', errorCause: 506 },
      ],
      [
        'that the relay had the command too late',
        { result: 'expired' },
        'the relay: unsent, expired',
        { result: 'unsent', unsent: 'expired' },
      ],
      [
        'that a relay was interrupted',
        { result: 'interrupted' },
        'the relay: interrupted',
        { result: 'interrupted' },
      ],
    ])('reports %s', async (_, said, cause, outcome) => {
      const { deliver, reports, sent } = startDecide();
      await deliver(
        inboxRecord(requestMessage({ acctSessionId: 'words', activate: ['gold'] }), { queueArn: TOLD_ARN }),
      );
      const [command] = sent.map(({ message }) => message.body as CommandMessage);
      if (command === undefined) throw new Error('no command is sent');
      await deliver(inboxRecord({ ...outcomeOf(command), ...said }, { queueArn: TOLD_ARN }));
      expect(reports.at(-1)).toMatchObject({ kind: 'decided', cause, outcome });
    });

    it('reports once in a session what identifies the subscriber and the NAS is not told', async () => {
      const { deliver, reports, sent } = startDecide();
      const told = async (asked: Asked) => {
        await deliver(inboxRecord(requestMessage(asked), { queueArn: TOLD_ARN }));
        const command = sent.at(-1)?.message.body as CommandMessage;
        await deliver(inboxRecord(outcomeOf(command), { queueArn: TOLD_ARN }));
      };
      const address = { name: 'Framed-IP-Address', value: '198.51.100.7' } as const;
      const port = { name: 'NAS-Port', value: 7 } as const;
      await told({ acctSessionId: 'claimed', activate: ['gold'], more: [address] });
      await told({ acctSessionId: 'claimed', activate: ['voice'], more: [address, port], identifier: 2 });
      const unchecked = reports.map((event) => event.kind === 'decided' && event.unchecked);
      expect(unchecked).toEqual([[], ['Framed-IP-Address'], [], ['NAS-Port']]);
    });

    it('reports what the NAS may have or not, once', async () => {
      const { deliver, reports, sent, said, read } = startDecide();
      const asked: Asked = { acctSessionId: 'unconfirmed', activate: ['gold'] };
      await deliver(inboxRecord(requestMessage(asked), { queueArn: TOLD_ARN }));
      const command = sent[0]?.message.body as CommandMessage;
      const timeout = inboxRecord({ ...outcomeOf(command), result: 'timeout' }, { queueArn: TOLD_ARN });
      await deliver(timeout);
      await deliver(timeout);
      expect(said()).toEqual(['activate gold', 'nak 505', 'nak 505']);
      expect(services(await read('unconfirmed', 'bng-told'))).toEqual({ gold: 'unconfirmed' });
      const unconfirmed = reports.map((event) => event.kind === 'decided' && event.unconfirmed);
      expect(unconfirmed).toEqual([[], ['gold'], []]);
    });

    it('looks again at what the NAS refused in 15 seconds, which sweep would come too late for', async () => {
      const { deliver, reminders, sent } = startDecide();
      const record = (body: object) => inboxRecord(body, { queueArn: TOLD_ARN });
      const asked: Asked = { acctSessionId: 'soon', activate: ['gold'] };
      const commands = () => sent.map(({ message }) => message.body as CommandMessage);
      await deliver(record(requestMessage(asked)));
      await deliver(record(outcomeOf(commands()[0] as CommandMessage)));
      await deliver(record(requestMessage({ ...asked, activate: ['silver'], identifier: 2 })));
      await deliver(record(outcomeOf(commands().at(-1) as CommandMessage)));
      expect(reminders).toEqual([]);
      const refused = commands().at(-1) as CommandMessage;
      await deliver(record({ ...outcomeOf(refused), result: 'nak' }));
      expect(reminders).toEqual([15]);
    });

    it('leaves to sweep what the NAS was told twice in vain, but not a Service-Timeout beside it', async () => {
      let nowMs = NOW;
      const { deliver, read, reminders, sent } = startDecide({ now: () => nowMs });
      const record = (body: object) => inboxRecord(body, { queueArn: TOLD_ARN });
      const ask = (asked: Omit<Asked, 'acctSessionId'>) =>
        deliver(record(requestMessage({ acctSessionId: 'later', ...asked })));
      const outcome = (result: string) => {
        const commands = sent.map(({ message }) => message.body as OutboxMessage);
        const command = commands.findLast(({ kind }) => kind === 'command') as CommandMessage;
        return deliver(record({ ...outcomeOf(command), result }));
      };
      await ask({ activate: ['gold'] });
      await outcome('ack');
      const more = [{ name: 'ERX-Service-Timeout', tag: 1, value: 60 }] as const;
      await ask({ activate: ['silver'], identifier: 2, more });
      await outcome('ack');
      await outcome('nak');
      expect(reminders).toEqual([15]);
      nowMs += 15_000;
      const session = { nas: 'bng-told', acctSessionId: 'later' };
      await deliver(inboxRecord({ kind: 'due', session, dueAtMs: nowMs }, { queueArn: DUE_ARN }));
      await outcome('timeout');
      const { gold, silver } = (await read('later', 'bng-told'))?.services ?? {};
      expect(gold).toMatchObject({ state: 'deactivating', retry: { attempts: 2 } });
      expect(gold?.retry?.atMs).toBeLessThan(silver?.expiresAtMs ?? 0);
      expect(reminders).toEqual([15, 60]);
    });

    it('believes no other site what became of a command', async () => {
      const { deliver, failures, sent, images } = startDecide();
      await deliver(
        inboxRecord(requestMessage({ acctSessionId: 'forged', activate: ['gold'] }), { queueArn: TOLD_ARN }),
      );
      const forged = inboxRecord(outcomeOf(sent[0]?.message.body as CommandMessage));
      expect(await deliver(forged)).toEqual([forged]);
      expect(failures()).toEqual(['MalformedMessage: session: bng-told is not a NAS of the site demo']);
      expect(images).toHaveLength(1);
      expect(sent).toHaveLength(1);
    });
  });

  describe('told by an operator to end a drift', () => {
    const silver = (acctSessionId: string) =>
      record('start', 100, { acctSessionId, service: accountedAs('silver', `${acctSessionId}:1`) });
    /** The NAS accounts silver, after a request has activated gold. */
    async function drifting(acctSessionId: string): Promise<void> {
      const { session } = play([
        record('start', -100, { acctSessionId }),
        asked(request('r1', { ...COA, acctSessionId, activate: ['gold'] })),
        ack,
        silver(acctSessionId),
      ]);
      if (session === undefined) throw new Error('an Acct-Start opens a session');
      const written = await createSessionStore(table.client, table.name).write({ ...session, revision: 0 });
      expect(written).toBe('written');
    }
    const told = (acctSessionId: string, over: object = {}) =>
      inboxRecord(
        { version: 1, kind: 'resync', session: { nas: 'bng-1', acctSessionId }, to: 'table', ...over },
        { queueArn: DUE_ARN },
      );

    it('tells the NAS through its site, once for one message, and says who asked', async () => {
      const { deliver, sent, said, reports, read } = startDecide();
      await drifting('drift');
      const message = told('drift', { operator: 'ops@host\n' });
      expect(await deliver(message)).toEqual([]);
      expect(sent.map(({ site }) => site)).toEqual(['demo']);
      expect(said()).toEqual(['activate gold']);
      expect(reports).toEqual([
        expect.objectContaining({ kind: 'decided', nas: 'bng-1', cause: 'resync to the table, by ops@host' }),
      ]);
      expect(services(await read('drift'))).toEqual({ gold: 'restoring', silver: 'deactivating' });
      // Delivered again, it repeats the command with its id, which the outbox drops.
      expect(await deliver(message)).toEqual([]);
      expect(new Set(sent.map(({ message: { deduplicationId } }) => deduplicationId)).size).toBe(1);
    });

    it('tells no NAS where that is what counts', async () => {
      const { deliver, sent, read, reports } = startDecide();
      await drifting('taken');
      await deliver(told('taken', { to: 'nas' }));
      expect(sent).toEqual([]);
      expect(reports).toEqual([
        expect.objectContaining({ cause: 'resync to the NAS', activated: ['silver'] }),
      ]);
      expect(services(await read('taken'))).toEqual({ gold: 'unconfirmed', silver: 'active' });
    });

    it('makes no session, and does nothing a second time', async () => {
      const { deliver, sent, read, failures } = startDecide();
      await drifting('drift twice');
      // The due queue keeps no order: each comes by itself.
      for (const message of [told('no drift'), told('drift twice', { to: 'nas' }), told('drift twice')])
        expect(await deliver(message)).toEqual([]);
      expect(await read('no drift')).toBeUndefined();
      expect(services(await read('drift twice'))).toEqual({ gold: 'unconfirmed', silver: 'active' });
      expect([sent, failures()]).toEqual([[], []]);
    });
  });

  describe('when several change one subscriber at once', () => {
    const GROUP_12 = ['gold', 'silver', 'bronze'];

    it.each([2, 3, 5, 8])(
      'settles it between %i of them, each in a message group of its own',
      async (count) => {
        const acctSessionId = `race of ${count}`;
        const real = createSessionStore(table.client, table.name);
        // All of them have read before the first one writes: no run is spared the race.
        const everybody = Promise.withResolvers<void>();
        let reads = 0;
        const store: SessionStore = {
          ...real,
          read: async (key, signal) => {
            const session = await real.read(key, signal);
            if (++reads === count) everybody.resolve();
            await everybody.promise;
            return session;
          },
        };
        const { deliver, read, images, answers, lostRaces } = startDecide({ store });
        const messages = Array.from({ length: count }, (_, index) =>
          requestMessage({
            acctSessionId,
            activate: [GROUP_12[index % GROUP_12.length] ?? ''],
            identifier: index,
            port: 4000 + index,
          }),
        );
        let left = await deliver(
          ...messages.map((body, index) => inboxRecord(body, { group: `group ${index}` })),
        );
        for (let again = 0; left.length > 0 && again < count; again++) left = await deliver(...left);

        expect(left).toEqual([]);
        expect(answers()).toEqual(new Map(messages.map(({ correlationId }) => [correlationId, 'ack'])));
        expect(lostRaces()).toBeGreaterThanOrEqual(1);
        const history = images.toSorted((one, other) => one.version - other.version);
        expect(history.map(({ version }) => version)).toEqual(history.map((_, index) => index + 1));
        expect(history.map((image) => Object.keys(services(image)).length)).toEqual(history.map(() => 1));
        const final = Object.keys(services(await read(acctSessionId)));
        expect(history.at(-1)?.answered.at(-1)?.asked).toBe(`activate ${final[0]}`);
        const accounted = accountingOf(history).map((line) => line.replace(/ .*/, ''));
        const starts = accounted.filter((status) => status === 'Start');
        expect(accounted.filter((status) => status === 'Stop')).toHaveLength(starts.length - 1);
      },
    );

    it('leaves it to the queue when it loses five times in a row', async () => {
      const real = createSessionStore(table.client, table.name);
      const rival = startDecide();
      const acctSessionId = 'beaten';
      let identifier = 100;
      let isThereARival = true;
      let attempts = 0;
      const store: SessionStore = {
        ...real,
        write: async (session, signal) => {
          attempts++;
          const activate = [identifier % 2 === 0 ? 'silver' : 'bronze'];
          if (isThereARival)
            await rival.deliver(asking({ acctSessionId, activate, identifier: identifier++ }));
          return real.write(session, signal);
        },
      };
      const { deliver, failures, sent, said } = startDecide({ store });
      const record = asking({ acctSessionId, activate: ['gold'] });

      expect(await deliver(record)).toEqual([record]);
      expect(attempts).toBe(5);
      expect(failures()).toEqual(['Error: 5 writes of bng-1 beaten in a row were lost to others']);
      expect(sent).toEqual([]);
      isThereARival = false;
      expect(await deliver(record)).toEqual([]);
      expect(said()).toEqual(['ack']);
      expect(services(await real.read({ nas: 'bng-1', acctSessionId }))).toEqual({ gold: 'active' });
    });
  });

  describe('when a record comes twice', () => {
    it('answers the same after a crash between writing and sending, having written once', async () => {
      const sent: OutgoingMessage[] = [];
      let crashes = 1;
      const { deliver, images, accounted, failures } = startDecide({
        send: async (_, messages) => {
          if (crashes-- > 0) throw new Error('crash');
          sent.push(...messages);
        },
      });
      const record = asking({ acctSessionId: 'crash', activate: ['gold'] });
      expect(await deliver(record)).toEqual([record]);
      expect(failures()).toEqual(['Error: crash']);
      expect(images).toHaveLength(1);

      expect(await deliver(record)).toEqual([]);
      expect(sent.map(({ body }) => brief(body as OutboxMessage))).toEqual(['ack']);
      expect(images).toHaveLength(1);
      expect(accounted()).toEqual(['Start gold']);
    });

    it('answers the same though others came in between', async () => {
      const { deliver, read, said, accounted } = startDecide();
      const acctSessionId = 'overtaken';
      const record = asking({ acctSessionId, activate: ['gold'] });
      await deliver(record);
      await deliver(asking({ acctSessionId, activate: ['silver'], identifier: 2 }));
      await deliver(record);
      expect(said()).toEqual(['ack', 'ack', 'ack']);
      expect(services(await read(acctSessionId))).toEqual({ silver: 'active' });
      expect(accounted()).toEqual(['Start gold', 'Start silver', 'Stop gold']);
    });

    it('does not write again what was written though the table said otherwise', async () => {
      const real = createSessionStore(table.client, table.name);
      let lies = 1;
      const { deliver, said, images } = startDecide({
        store: {
          ...real,
          // The write arrived, its answer did not, and the client library tried again.
          write: async (session, signal) => {
            const result = await real.write(session, signal);
            return lies-- > 0 ? real.write(session, signal) : result;
          },
        },
      });
      expect(await deliver(asking({ acctSessionId: 'ambiguous', activate: ['gold'] }))).toEqual([]);
      expect(said()).toEqual(['ack']);
      expect(images).toEqual([]);
      expect(await real.read({ nas: 'bng-1', acctSessionId: 'ambiguous' })).toMatchObject({ version: 1 });
    });

    it('gives a whole batch the same answers when its response was lost, and has no second effect', async () => {
      const { deliver, read, images, sent, accounted } = startDecide();
      const batch = ['one', 'two'].flatMap((acctSessionId) =>
        ['gold', 'silver', 'gold', 'platinum', 'bronze'].map((service, identifier) =>
          asking({ acctSessionId, activate: [service], identifier }, acctSessionId),
        ),
      );
      expect(await deliver(...batch)).toEqual([]);
      const before = { answers: byCorrelation(sent), images: images.length, accounted: accounted() };
      sent.length = 0;

      expect(await deliver(...batch)).toEqual([]);
      expect({ answers: byCorrelation(sent), images: images.length, accounted: accounted() }).toEqual(before);
      expect(before.answers.map(([, answer]) => answer).sort()).toEqual([
        ...Array(8).fill('ack'),
        ...Array(2).fill('nak 404'),
      ]);
      expect(services(await read('one'))).toEqual({ bronze: 'active' });
      expect(services(await read('two'))).toEqual({ bronze: 'active' });
    });

    it('leaves one answer in the outbox', async () => {
      const fauxqs = await startFauxqs();
      const sqs = new SQSClient({ endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false });
      onTestFinished(async () => {
        sqs.destroy();
        await fauxqs.stop();
      });
      const outbox = await createFifoQueue(sqs);
      const { deliver } = startDecide({ send: createSiteSender(sqs, { demo: outbox.url }, 'outbox') });
      const record = asking({ acctSessionId: 'outbox', activate: ['gold'] });
      expect(await deliver(record)).toEqual([]);
      expect(await deliver(record)).toEqual([]);
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({
          QueueUrl: outbox.url,
          AttributeNames: ['ApproximateNumberOfMessages'],
        }),
      );
      expect(Attributes).toEqual({ ApproximateNumberOfMessages: '1' });
    });
  });

  describe('given what it cannot process', () => {
    it.each<[what: string, body: object | string, error: string]>([
      ['is not JSON', 'poison', 'MalformedMessage: is not JSON'],
      ['is of no kind that it knows', { kind: 'greeting' }, 'MalformedMessage: kind: '],
      [
        'holds no packet',
        {
          ...requestMessage({ acctSessionId: 'poison' }),
          origin: { kind: 'radius', client: CLIENT, packet: 'AAAA' },
        },
        'MalformedMessage: packet: datagram-too-short',
      ],
      [
        'holds a packet that is no request',
        {
          ...requestMessage({ acctSessionId: 'poison' }),
          origin: { kind: 'radius', client: CLIENT, packet: 'LAEAFAAAAAAAAAAAAAAAAAAAAAA=' },
        },
        'MalformedMessage: packet: the code 44 is not one of a request',
      ],
    ])('fails a message alone that %s', async (_, body, error) => {
      const { deliver, failures, said } = startDecide();
      const poison = inboxRecord(body, { group: 'poisoned' });
      const healthy = [randomUUID(), randomUUID()].map((id) =>
        asking({ acctSessionId: id, activate: ['gold'] }, id),
      );
      const [first, second] = healthy;
      expect(await deliver(...(first ? [first] : []), poison, ...(second ? [second] : []))).toEqual([poison]);
      expect(failures()).toEqual([expect.stringContaining(error)]);
      expect(said()).toEqual(['ack', 'ack']);
    });

    it.each([
      ['another site', OTHER_ARN, 'NotInDeployment: the site elsewhere is not part of this deployment'],
      [
        'no inbox',
        'arn:aws:sqs:us-east-1:000000000000:demo-outbox.fifo',
        'Error: arn:aws:sqs:us-east-1:000000000000:demo-outbox.fifo is not the inbox of a site',
      ],
    ])('fails a message that came through %s', async (_, queueArn, error) => {
      const { deliver, failures, sent, images } = startDecide();
      const record = inboxRecord(requestMessage({ acctSessionId: 'strange', activate: ['gold'] }), {
        queueArn,
      });
      expect(await deliver(record)).toEqual([record]);
      expect(failures()).toEqual([error]);
      expect([...sent, ...images]).toEqual([]);
    });

    it('names the third of a group when it cannot be read, and carries out the fourth', async () => {
      const { deliver, said, read } = startDecide();
      const acctSessionId = 'partial';
      const records = ['gold', 'silver', undefined, 'bronze'].map((service, identifier) =>
        service === undefined
          ? inboxRecord('poison')
          : asking({ acctSessionId, activate: [service], identifier }),
      );
      expect(await deliver(...records)).toEqual(records.slice(2, 3));
      expect(said()).toEqual(['ack', 'ack', 'ack']);
      expect(services(await read(acctSessionId))).toEqual({ bronze: 'active' });
    });

    it('fails a message that the outbox does not take', async () => {
      const fauxqs = await startFauxqs();
      onTestFinished(fauxqs.stop);
      const sqs = new SQSClient({ endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false });
      const nowhere = `${fauxqs.endpoint}/000000000000/nowhere.fifo`;
      const { deliver, failures } = startDecide({ send: createSiteSender(sqs, { demo: nowhere }, 'outbox') });
      const record = asking({ acctSessionId: 'unsent', activate: ['gold'] });
      expect(await deliver(record)).toEqual([record]);
      expect(failures()).toEqual([expect.stringContaining('queue does not exist')]);
      const homeless = startDecide({ send: createSiteSender(sqs, {}, 'outbox') });
      expect(await homeless.deliver(record)).toEqual([record]);
      expect(homeless.failures()).toEqual(['NoQueue: there is no outbox of the site demo']);
    });
  });
});

function brief(message: OutboxMessage): string {
  if (message.kind === 'command') return `${message.operation} ${message.services.join(' ')}`;
  return message.errorCause === undefined ? message.answer : `${message.answer} ${message.errorCause}`;
}

function byCorrelation(
  sent: readonly { readonly message: OutgoingMessage }[],
): (readonly [string, string])[] {
  return sent
    .map(({ message }) => message.body as OutboxMessage)
    .map((message) => [message.correlationId, brief(message)] as const)
    .sort();
}

const outcomeOf = ({ correlationId, commandId, session }: CommandMessage) => ({
  kind: 'outcome',
  correlationId,
  commandId,
  session,
  result: 'ack',
  atMs: NOW,
});

/** `Start gold`, `Stop gold`: what follows from images of several sessions, one after the other. */
function accountingOf(images: readonly Session[]): readonly string[] {
  const known = new Map<string, Session>();
  return images.flatMap((image) => {
    const before = known.get(image.acctSessionId);
    known.set(image.acctSessionId, image);
    return accountingRecords(before, image).map(
      ({ message }) => `${message.status} ${message.serviceSession}`,
    );
  });
}
