import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DUE_BUCKET, STATE_SORT_KEY, sessionPartitionKey, TABLE } from '../../../core/cloud/table.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import {
  createSessionStore,
  type SessionStore,
  sessionFromImage,
} from '../../../functions/shared/session-store.ts';
import { asked, NOW, nas, outcome, play, request, service, stored } from '../../core/support.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { startTable, type Table } from '../support.ts';

/** A session out of a history, not yet stored: of revision 0. */
function session(acctSessionId: string, ...events: Parameters<typeof play>[0]): Session {
  const { session } = play(events);
  if (session === undefined) throw new Error('these events make no session');
  return { ...session, acctSessionId, revision: 0 };
}

const who = {
  nas: nas({ enforcement: 'coa' }),
  identity: { 'User-Name': 'müller@isp1.com', 'NAS-Port': 4_294_967_295, 'Called-Station-Id': '' },
  classes: ['00ff', ''],
};
const atRest = (id: string) => session(id, asked(request('r1', { activate: ['gold'] })));
const keyOf = ({ nas, acctSessionId }: Session) => ({ nas: nas.name, acctSessionId });

/** Everything that a session can hold: a switch half done, one more waiting, an answer, a victim of an earlier time. */
const rich = (id: string) =>
  session(
    id,
    asked(
      request('r1', {
        ...who,
        activate: [service('tiered(1280000,5120000)', { timeoutSeconds: 3600, groups: [-1, 12] }), 'video'],
      }),
    ),
    (now) => outcome(now, 'ack'),
    asked(request('r2', { ...who, activate: ['gold'], deactivate: ['video'] })),
    (now) => outcome(now, 'ack'),
    (now) => outcome(now, 'timeout'),
    asked(request('r3', { ...who, activate: [service('silver', { refusingGroups: [7] })] })),
    asked(request('r4', { ...who, activate: ['bronze'] })),
  );

const ITEMS_010: Readonly<Record<string, { acctSessionId: string; version: number }>> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../core/subscriber/items/0.1.0.json'), 'utf8'),
);

describe('the session in an item of 0.1.0', () => {
  it.each(Object.entries(ITEMS_010))('%s: is without what 0.1.0 wrote for the indexes', (_, item) => {
    const { acctSessionId, version, ...session } = sessionFromImage(marshall(item));
    expect([acctSessionId, version]).toEqual([item.acctSessionId, item.version]);
    for (const name of ['pk', 'sk', 'userName', 'dueBucket', 'dueAt'])
      expect(session).not.toHaveProperty(name);
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('the session store'), () => {
  let table: Table;
  let store: SessionStore;
  beforeAll(async () => {
    table = await startTable();
    store = createSessionStore(table.client, table.name);
  });
  afterAll(() => table.stop());

  it('knows nothing of a session that nobody wrote', async () => {
    expect(await store.read({ nas: 'bng-1', acctSessionId: 'nobody' })).toBeUndefined();
  });

  it('gives a session back as it was, one revision on', async () => {
    const written = rich('rich');
    expect(written).toMatchObject({
      transition: { step: 'activate' },
      waiting: [{ correlationId: 'r4' }],
      retry: { attempts: 1 },
      answered: [{ correlationId: 'r1' }, { correlationId: 'r2' }],
    });
    expect(await store.write(written)).toBe('written');
    expect(await store.read(keyOf(written))).toStrictEqual(stored(written));
  });

  it('keeps sessions apart by their NAS and by their id', async () => {
    const one = atRest('apart');
    const other = { ...atRest('apart'), nas: nas({ name: 'bng-2' }), classes: ['02'] };
    await store.write(one);
    expect(await store.read(keyOf(other))).toBeUndefined();
    expect(await store.write(other)).toBe('written');
    expect(await store.read(keyOf(one))).toStrictEqual(stored(one));
  });

  it('loses a new session to one that is there already', async () => {
    const first = atRest('new');
    expect(await store.write(first)).toBe('written');
    expect(await store.write({ ...first, classes: ['02'] })).toBe('lost');
    expect(await store.read(keyOf(first))).toStrictEqual(stored(first));
  });

  it('loses a change to a session that moved on since it was read, and to one that is gone', async () => {
    const first = atRest('moved');
    await store.write(first);
    const read = stored(first);
    expect(await store.write({ ...read, classes: ['02'] })).toBe('written');
    expect(await store.write({ ...read, classes: ['03'] })).toBe('lost');
    expect(await store.write({ ...read, revision: 5 })).toBe('lost');
    expect(await store.read(keyOf(first))).toStrictEqual({ ...read, classes: ['02'], revision: 2 });
    expect(await store.write({ ...atRest('gone'), revision: 1 })).toBe('lost');
  });

  it.each([
    ['create', 0],
    ['change', 1],
  ])('lets one of twenty win that %s a session at once', async (what, revision) => {
    const before = atRest(`race to ${what}`);
    if (revision === 1) await store.write(before);
    const rivals = Array.from({ length: 20 }, (_, index) => ({
      ...before,
      revision,
      classes: [Buffer.from([index]).toString('hex')],
    }));
    const results = await Promise.all(rivals.map((rival) => store.write(rival)));
    expect(results.filter((result) => result === 'written')).toHaveLength(1);
    expect(results.filter((result) => result === 'lost')).toHaveLength(19);
    const winner = rivals[results.indexOf('written')];
    expect(winner && (await store.read(keyOf(before)))).toStrictEqual(winner && stored(winner));
  });

  it('rejects with an error that is no lost race, and when it is told to stop', async () => {
    const elsewhere = createSessionStore(table.client, 'nowhere');
    await expect(elsewhere.write(atRest('elsewhere'))).rejects.toThrow('resource not found');
    await expect(store.read(keyOf(atRest('stopped')), AbortSignal.abort())).rejects.toThrow('aborted');
    await expect(store.write(atRest('stopped'), AbortSignal.abort())).rejects.toThrow('aborted');
    expect(await store.read(keyOf(atRest('stopped')))).toBeUndefined();
  });

  it('has a session in the index of what is due while something is, and only then', async () => {
    const expiring = session(
      'due',
      asked(request('r1', { activate: [service('gold', { timeoutSeconds: 60 })] })),
    );
    const due = async () => {
      const { Items = [] } = await table.client.send(
        new QueryCommand({
          TableName: table.name,
          IndexName: TABLE.dueIndex.name,
          KeyConditionExpression: 'dueBucket = :bucket AND dueAtMs <= :now',
          FilterExpression: 'pk = :pk',
          ExpressionAttributeValues: marshall({
            ':bucket': DUE_BUCKET,
            ':now': NOW + 60_000,
            ':pk': sessionPartitionKey('bng-1', 'due'),
          }),
        }),
      );
      return Items.map(({ dueAtMs }) => dueAtMs?.N);
    };
    await store.write(expiring);
    expect(dueAtMs(expiring)).toBe(NOW + 60_000);
    expect(await due()).toEqual([String(NOW + 60_000)]);
    // Away with what expires, and the index forgets the session.
    await store.write({ ...stored(expiring), services: {} });
    expect(await due()).toEqual([]);
  });

  it.each([
    ['userName', 'müller@isp1.com'],
    ['acctSessionId', 'looked up'],
  ])('has a session in the index by %s, with its keys alone', async (name, value) => {
    await store.write(rich('looked up'));
    const { Items } = await table.client.send(
      new QueryCommand({
        TableName: table.name,
        IndexName: name,
        KeyConditionExpression: `${name} = :value`,
        FilterExpression: 'pk = :pk',
        ExpressionAttributeValues: marshall({
          ':value': value,
          ':pk': sessionPartitionKey('bng-1', 'looked up'),
        }),
      }),
    );
    const keys = { pk: sessionPartitionKey('bng-1', 'looked up'), sk: STATE_SORT_KEY };
    expect(Items).toEqual([marshall({ ...keys, [name]: value })]);
  });

  it('does not take another item of the session for its state', async () => {
    const Item = marshall({ pk: sessionPartitionKey('bng-1', 'history'), sk: `EVENT#${STATE_SORT_KEY}` });
    await table.client.send(new PutItemCommand({ TableName: table.name, Item }));
    expect(await store.read({ nas: 'bng-1', acctSessionId: 'history' })).toBeUndefined();
  });
});
