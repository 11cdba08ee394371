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
import { ITEMS_010, startTable, type Table } from '../support.ts';

/** The session that these events make, not yet stored: of revision 0. */
function session(acctSessionId: string, ...events: Parameters<typeof play>[0]): Session {
  const { session } = play(events);
  if (session === undefined) throw new Error('these events make no session');
  return { ...session, acctSessionId, revision: 0 };
}

const who = {
  nas: nas({ enforcement: 'coa' }),
  identity: { 'User-Name': 'müller@isp1.com', 'NAS-Port': 4_294_967_295, 'Called-Station-Id': ' ' },
  classes: ['00ff', '00'],
};
const idle = (id: string) => session(id, asked(request('r1', { activate: ['gold'] })));
const keyOf = ({ nas, acctSessionId }: Session) => ({ nas: nas.name, acctSessionId });

/** A session with a transition under way, a waiting request, an answer, and a service that is still deactivating. */
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
    (now) => outcome(now, 'ack'),
    (now) => outcome(now, 'timeout'),
    asked(request('r3', { ...who, activate: [service('silver', { refusingGroups: [7] })] })),
    asked(request('r4', { ...who, activate: ['bronze'] })),
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

  it('reads no session that was not written', async () => {
    expect(await store.read({ nas: 'bng-1', acctSessionId: 'unwritten' })).toBeUndefined();
  });

  it('reads a session as it was written, of the next revision', async () => {
    const written = rich('rich');
    expect(written).toMatchObject({
      transition: { step: 'activate' },
      waiting: [{ correlationId: 'r4' }],
      services: { 'tiered(1280000,5120000)': { state: 'deactivating', retry: { attempts: 1 } } },
      answered: [{ correlationId: 'r1' }, { correlationId: 'r2' }],
    });
    expect(await store.write(written)).toBe('written');
    expect(await store.read(keyOf(written))).toStrictEqual(stored(written));
  });

  it('keeps sessions apart by NAS and Acct-Session-Id', async () => {
    const one = idle('apart');
    const other = { ...idle('apart'), nas: nas({ name: 'bng-2' }), classes: ['02'] };
    await store.write(one);
    expect(await store.read(keyOf(other))).toBeUndefined();
    expect(await store.write(other)).toBe('written');
    expect(await store.read(keyOf(one))).toStrictEqual(stored(one));
  });

  it('does not write a new session over an existing one: the write is lost', async () => {
    const first = idle('new');
    expect(await store.write(first)).toBe('written');
    expect(await store.write({ ...first, classes: ['02'] })).toBe('lost');
    expect(await store.read(keyOf(first))).toStrictEqual(stored(first));
  });

  it('removes a session as it was read, unless it was written since', async () => {
    const first = idle('removed');
    await store.write(first);
    await store.remove(stored(first));
    expect(await store.read(keyOf(first))).toBeUndefined();
    await store.remove(stored(first));

    const second = idle('not removed');
    await store.write(second);
    await store.write({ ...stored(second), classes: ['02'] });
    await store.remove(stored(second));
    expect(await store.read(keyOf(second))).toMatchObject({ classes: ['02'] });
  });

  it('does not write over a session that was written or removed since it was read: the write is lost', async () => {
    const first = idle('moved');
    await store.write(first);
    const read = stored(first);
    expect(await store.write({ ...read, classes: ['02'] })).toBe('written');
    expect(await store.write({ ...read, classes: ['03'] })).toBe('lost');
    expect(await store.write({ ...read, revision: 5 })).toBe('lost');
    expect(await store.read(keyOf(first))).toStrictEqual({ ...read, classes: ['02'], revision: 2 });
    expect(await store.write({ ...idle('gone'), revision: 1 })).toBe('lost');
  });

  it.each([
    ['create', 0],
    ['replace', 1],
  ])('lets one of twenty writers win that %s a session concurrently', async (what, revision) => {
    const before = idle(`race to ${what}`);
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

  it('rejects for any error but a lost write, and when its signal aborts', async () => {
    const elsewhere = createSessionStore(table.client, 'nowhere');
    await expect(elsewhere.write(idle('elsewhere'))).rejects.toThrow('resource not found');
    await expect(store.read(keyOf(idle('stopped')), AbortSignal.abort())).rejects.toThrow('aborted');
    await expect(store.write(idle('stopped'), AbortSignal.abort())).rejects.toThrow('aborted');
    expect(await store.read(keyOf(idle('stopped')))).toBeUndefined();
  });

  it('has a session in the due index only while it is due at some time', async () => {
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
    // Without the service that expires, the session is no longer in the index.
    await store.write({ ...stored(expiring), services: {} });
    expect(await due()).toEqual([]);
  });

  it.each([
    ['userName', 'müller@isp1.com'],
    ['acctSessionId', 'looked up'],
  ])('has a session in the index by %s, with its keys only', async (name, value) => {
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

  it('does not read another item with the same partition key as the session', async () => {
    const Item = marshall({ pk: sessionPartitionKey('bng-1', 'history'), sk: `EVENT#${STATE_SORT_KEY}` });
    await table.client.send(new PutItemCommand({ TableName: table.name, Item }));
    expect(await store.read({ nas: 'bng-1', acctSessionId: 'history' })).toBeUndefined();
  });
});
