// A NAS with another name in today's site file than in that with which its sessions began.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import type { CommandMessage } from '../../../core/messages.ts';
import { accountingRecords } from '../../../core/service-accounting.ts';
import { historyItem } from '../../../core/subscriber/history.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { createDecide } from '../../../functions/decide/decide.ts';
import type { DecideReport } from '../../../functions/decide/report.ts';
import type { OutgoingMessage } from '../../../functions/shared/queue.ts';
import { createSessionStore, type SessionStore } from '../../../functions/shared/session-store.ts';
import { services } from '../../core/support.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import {
  type Asked,
  context,
  inboxRecord,
  NO_LOOK_UP,
  requestMessage,
  startTable,
  type Table,
} from '../support.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const DUE_ARN = 'arn:aws:sqs:us-east-1:000000000000:interlock-due';
const CATALOGUE = parseServicesFile(
  'services.yaml',
  'services:\n  gold: { mutexGroup: 12, statistics: time }\n  silver: { mutexGroup: 12, statistics: time }\n  bronze: { mutexGroup: 12 }\n',
);

/** A deployment whose one NAS has this name, and these before. */
const named = (name: string, formerly: readonly string[] = [], enforcement = 'none') =>
  deploymentOf(CATALOGUE, [
    parseSiteFile(
      'demo.yaml',
      `
site: demo
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:9464" }
clients: [{ name: policy, source: 127.0.0.1, secret: testing123 }]
nases: [{ name: ${name}, formerly: ${JSON.stringify(formerly)}, address: "192.0.2.9:3799", secret: testing123, identifiedBy: [olt], enforcement: ${enforcement} }]
`,
    ),
  ]);

describe.skipIf(dynoxide.skip)(dynoxide.title('decide, at a NAS that was renamed'), () => {
  let table: Table;
  let store: SessionStore;
  beforeAll(async () => {
    table = await startTable();
    store = createSessionStore(table.client, table.name);
  });
  afterAll(() => table.stop());

  /** The life of one subscriber session, under one deployment after the other. */
  function startLife(over: Partial<SessionStore> = {}) {
    const acctSessionId = randomUUID();
    const images: Session[] = [];
    const sent: OutgoingMessage[] = [];
    const reports: DecideReport[] = [];
    let identifier = 0;
    let nowMs = NOW;
    const handler = (deployment: ReturnType<typeof named>) =>
      createDecide({
        deployment,
        store: {
          ...store,
          async write(session, signal) {
            const result = await store.write(session, signal);
            if (result === 'written') images.push({ ...session, revision: session.revision + 1 });
            return result;
          },
          ...over,
        },
        ...NO_LOOK_UP,
        send: async (_, messages) => void sent.push(...messages),
        schedule: async () => {},
        now: () => nowMs,
        report: (event) => reports.push(event),
      });
    const deliver = async (deployment: ReturnType<typeof named>, record: ReturnType<typeof inboxRecord>) => {
      const { batchItemFailures } = await handler(deployment)({ Records: [record] }, context());
      expect(batchItemFailures).toEqual([]);
    };
    const stored = async (...names: readonly string[]) =>
      Promise.all(names.map(async (nas) => services(await store.read({ nas, acctSessionId }))));
    return {
      acctSessionId,
      images,
      sent,
      reports,
      deliver,
      ask: (deployment: ReturnType<typeof named>, asked: Omit<Asked, 'acctSessionId'>) =>
        deliver(
          deployment,
          inboxRecord(requestMessage({ acctSessionId, identifier: ++identifier, ...asked })),
        ),
      /** Services by state, of the items under these names. */
      stored,
      at: (ms: number) => {
        nowMs = ms;
      },
      read: (nas: string) => store.read({ nas, acctSessionId }),
      said: () => sent.map(({ body }) => ('answer' in body ? body.answer : 'command')),
      accounted: () =>
        images.flatMap((after, index) =>
          accountingRecords(images[index - 1], after).map(
            ({ message }) => `${message.status} ${message.serviceSession} ${message.acctSessionId.slice(-6)}`,
          ),
        ),
    };
  }

  it('finds the session under the former name, and goes on with it there', async () => {
    const { ask, stored, read, images, accounted, said, reports, acctSessionId } = startLife();
    await ask(named('bng-1'), { activate: ['gold'] });
    await ask(named('bng-2', ['bng-1']), { activate: ['silver'] });
    expect(await stored('bng-1', 'bng-2')).toEqual([{ silver: 'active' }, {}]);
    expect(await read('bng-1')).toMatchObject({ nas: { name: 'bng-2' }, storedUnder: 'bng-1', revision: 2 });
    expect(said()).toEqual(['ack', 'ack']);
    const [first, second] = [NOW, NOW + 1].map((number) => String(number).slice(-6));
    expect(accounted()).toEqual([`Start gold ${first}`, `Start silver ${second}`, `Stop gold ${first}`]);
    expect(reports.at(-1)).toMatchObject({ session: { nas: 'bng-1', acctSessionId }, nas: 'bng-2' });
    expect(historyItem(images[0], images[1], NOW)?.pk).toBe(`HISTORY#bng-1#${acctSessionId}`);
  });

  it('begins new sessions under the name of today', async () => {
    const { ask, stored, read } = startLife();
    await ask(named('bng-2', ['bng-0', 'bng-1']), { activate: ['gold'] });
    expect(await stored('bng-0', 'bng-1', 'bng-2')).toEqual([{}, {}, { gold: 'active' }]);
    expect(await read('bng-2')).not.toHaveProperty('storedUnder');
  });

  it('finds it over several names, and over the first one given back', async () => {
    const { ask, stored, read, accounted } = startLife();
    await ask(named('bng-1'), { activate: ['gold'] });
    await ask(named('bng-2', ['bng-1']), { activate: ['silver'] });
    await ask(named('bng-3', ['bng-2', 'bng-1']), { activate: ['gold'] });
    expect(await read('bng-1')).toMatchObject({ nas: { name: 'bng-3' }, storedUnder: 'bng-1' });
    await ask(named('bng-1', ['bng-3', 'bng-2']), { activate: ['silver'] });
    expect(await read('bng-1')).not.toHaveProperty('storedUnder');
    expect(await stored('bng-1', 'bng-2', 'bng-3')).toEqual([{ silver: 'active' }, {}, {}]);
    expect(accounted().filter((record) => record.startsWith('Start'))).toHaveLength(4);
    expect(accounted().filter((record) => record.startsWith('Stop'))).toHaveLength(3);
  });

  it('finds nothing without the former name: the NAS then has two services of a group', async () => {
    const { ask, stored } = startLife();
    await ask(named('bng-1'), { activate: ['gold'] });
    await ask(named('bng-2'), { activate: ['silver'] });
    expect(await stored('bng-1', 'bng-2')).toEqual([{ gold: 'active' }, { silver: 'active' }]);
  });

  it('carries on with a command that was under way when the name changed, and with what is due', async () => {
    const { ask, deliver, sent, read, stored, acctSessionId } = startLife();
    const [before, after] = [named('bng-1', [], 'coa'), named('bng-2', ['bng-1'], 'coa')];
    const answer = async (deployment: typeof before) => {
      const command = sent.at(-1)?.body as CommandMessage;
      const { correlationId, commandId, session } = command;
      const outcome = { kind: 'outcome', correlationId, commandId, session, result: 'ack', atMs: NOW };
      await deliver(deployment, inboxRecord({ version: 1, ...outcome }));
      return session.nas;
    };
    await ask(before, {
      activate: ['gold'],
      more: [{ name: 'ERX-Service-Timeout', tag: 1, value: 60 }],
    });
    // A request that arrives meanwhile waits in the same item.
    await ask(after, { activate: ['silver'] });
    expect(await answer(after)).toBe('bng-1');
    expect(await stored('bng-1')).toEqual([{ gold: 'active' }]);
    expect(await read('bng-1')).toMatchObject({ nas: { name: 'bng-2' }, storedUnder: 'bng-1' });
    // Its activation and the deactivation of gold; the relay knows the NAS by both names.
    expect(await answer(after)).toBe('bng-1');
    expect(await answer(after)).toBe('bng-1');
    expect(await stored('bng-1', 'bng-2')).toEqual([{ silver: 'active' }, {}]);
    const due = { version: 1, kind: 'due', session: { nas: 'bng-1', acctSessionId }, dueAtMs: NOW };
    await deliver(after, inboxRecord(due, { queueArn: DUE_ARN }));
    expect(await stored('bng-1', 'bng-2')).toEqual([{ silver: 'active' }, {}]);
  });

  it('looks for it once more when it is removed between reading and writing', async () => {
    let removals = 0;
    const { ask, stored, reports } = startLife({
      async write(session, signal) {
        // Another writer has removed it, and this write loses.
        if (session.storedUnder !== undefined && removals++ === 0) {
          await store.remove(session, signal);
        }
        return store.write(session, signal);
      },
    });
    await ask(named('bng-1'), { activate: ['gold'] });
    await ask(named('bng-2', ['bng-1']), { activate: ['silver'] });
    expect(removals).toBe(1);
    expect(await stored('bng-1', 'bng-2')).toEqual([{}, { silver: 'active' }]);
    expect(reports.at(-1)).toMatchObject({ lostRaces: 1, session: { nas: 'bng-2' } });
  });

  it('removes a session that is left empty under the name under which it is stored', async () => {
    const { ask, deliver, read, acctSessionId, at } = startLife();
    const renamed = named('bng-2', ['bng-1']);
    await ask(named('bng-1'), { activate: ['bronze'] });
    await ask(renamed, { deactivate: ['bronze'] });
    expect(await read('bng-1')).toMatchObject({ services: {}, storedUnder: 'bng-1' });
    // Once its answers need not be given again.
    at(NOW + 3_600_000);
    const due = { version: 1, kind: 'due', session: { nas: 'bng-1', acctSessionId }, dueAtMs: NOW };
    await deliver(renamed, inboxRecord(due, { queueArn: DUE_ARN }));
    expect([await read('bng-1'), await read('bng-2')]).toEqual([undefined, undefined]);
  });

  it('leaves a session under the name of today where there is one under both', async () => {
    const { ask, stored } = startLife();
    await ask(named('bng-1'), { activate: ['gold'] });
    await ask(named('bng-2'), { activate: ['silver'] });
    await ask(named('bng-2', ['bng-1']), { activate: ['bronze'] });
    expect(await stored('bng-1', 'bng-2')).toEqual([{ gold: 'active' }, { bronze: 'active' }]);
  });
});
