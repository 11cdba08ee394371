import { QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { forget } from '../../cli/forget.ts';
import { historyPartitionKey, sessionPartitionKey } from '../../core/cloud/table.ts';
import { historyItem } from '../../core/subscriber/history.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { createHistoryWriter } from '../../functions/shared/history-writer.ts';
import { createSessionStore, type SessionStore } from '../../functions/shared/session-store.ts';
import { ack, asked, COA, NOW, play, record, request, timeout } from '../core/support.ts';
import { startTable, type Table } from '../functions/support.ts';
import { dynoxide } from '../local/cloud/emulators.ts';

type Played = Parameters<typeof play>[0];

describe.skipIf(dynoxide.skip)(dynoxide.title('interlock forget'), () => {
  let table: Table;
  let store: SessionStore;
  let count = 0;
  let id = '';
  beforeAll(async () => {
    table = await startTable();
    store = createSessionStore(table.client, table.name);
  });
  beforeEach(() => {
    id = `s${++count}`;
  });
  afterAll(() => table.stop());

  const identity = () => ({ 'User-Name': `${id}@isp`, 'Framed-IP-Address': '198.51.100.7' });
  const opened = (): Played => [record('start', -100, { acctSessionId: id, identity: identity() })];
  const withGold = (): Played => [
    ...opened(),
    asked(request('r1', { ...COA, acctSessionId: id, identity: {}, activate: ['gold'] })),
    ack,
  ];
  const write = (session: Session | undefined, before?: Session) => {
    const item = historyItem(before, session, NOW);
    if (item === undefined) throw new Error('a change has an item');
    return createHistoryWriter(table.client, table.name)(item, AbortSignal.timeout(10_000));
  };

  /** The session in the table, with its history as account writes it. */
  async function keep(events: Played): Promise<Session> {
    let before: Session | undefined;
    for (const event of events) {
      const { session } = play([event], before, NOW);
      await write(session, before);
      before = session;
    }
    if (before === undefined) throw new Error('an Acct-Start opens a session');
    await store.write({ ...before, revision: 0 });
    return { ...before, revision: 1 };
  }

  /** Runs the command. `meanwhile` is done in each pause. */
  async function run(
    name: string,
    over: Partial<Parameters<typeof forget>[1]> = {},
    meanwhile: () => Promise<unknown> = async () => undefined,
  ) {
    let nowMs = NOW + 1_000_000;
    const printed: string[] = [];
    const notes: string[] = [];
    const isDone = await forget(
      { client: table.client, tableName: table.name, place: '' },
      {
        name,
        yes: true,
        now: () => nowMs,
        pause: async (ms) => {
          nowMs += ms;
          await meanwhile();
        },
        print: (text) => printed.push(text),
        note: (text) => notes.push(text),
        ...over,
      },
    );
    return { isDone, printed, notes };
  }

  async function itemsOf(acctSessionId: string): Promise<number> {
    let items = 0;
    for (const keyed of [sessionPartitionKey, historyPartitionKey]) {
      const { Count = 0 } = await table.client.send(
        new QueryCommand({
          TableName: table.name,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: marshall({ ':pk': keyed('bng-1', acctSessionId) }),
        }),
      );
      items += Count;
    }
    return items;
  }
  const hasOf = async (word: string) => {
    const { Items = [] } = await table.client.send(new ScanCommand({ TableName: table.name }));
    return Items.filter((item) => JSON.stringify(item).includes(word)).length;
  };

  it('removes a session at rest with its history, and what account writes of the removal', async () => {
    const session = await keep(withGold());
    const { isDone, printed, notes } = await run(`${id}@isp`, {}, () => write(undefined, session));
    expect({ isDone, printed, notes }).toEqual({
      isDone: true,
      printed: [`bng-1  ${id}  ${id}@isp  gold  open  3 history items`],
      notes: [],
    });
    expect(await itemsOf(id)).toBe(0);
    expect(await hasOf(`${id}@isp`)).toBe(0);
  });

  it('removes a session that has ended', async () => {
    const stop = record('stop', -50, { acctSessionId: id, identity: identity() });
    const session = await keep([...opened(), stop]);
    const { isDone, printed } = await run(id, {}, () => write(undefined, session));
    expect([isDone, printed]).toEqual([true, [expect.stringContaining('ended')]]);
    expect(await itemsOf(id)).toBe(0);
  });

  it('shows what it would remove, and removes nothing, without --yes', async () => {
    await keep(opened());
    const { isDone, printed, notes } = await run(id, { yes: false });
    expect({ isDone, printed, notes }).toEqual({
      isDone: false,
      printed: [`bng-1  ${id}  ${id}@isp  -  open  1 history item`],
      notes: ['nothing is removed: --yes removes it'],
    });
    expect(await itemsOf(id)).toBe(2);
  });

  it('refuses while a command is under way, and while the NAS is told again', async () => {
    await keep([
      ...withGold(),
      asked(request('r2', { ...COA, acctSessionId: id, identity: {}, activate: ['silver'] })),
    ]);
    const { isDone, notes } = await run(id);
    expect([isDone, notes]).toEqual([
      false,
      [`bng-1#${id}: a command is in progress\nnothing is removed: run it again when this is done`],
    ]);
    const other = `${id}x`;
    id = other;
    await keep([
      ...withGold(),
      asked(request('r2', { ...COA, acctSessionId: id, identity: {}, activate: ['silver'] })),
      ack,
      timeout,
    ]);
    expect((await run(id)).notes).toEqual([
      expect.stringContaining(`bng-1#${id}: gold is deactivating, and the NAS is told until it answers`),
    ]);
    expect(await itemsOf(id)).toBeGreaterThan(1);
  });

  it('removes nothing of a session that changes after it was read', async () => {
    const session = await keep(opened());
    let isOver = false;
    // Another process writes between the read and the removal.
    table.client.middlewareStack.add(
      (next, context) => async (args) => {
        if (context['commandName'] === 'DeleteItemCommand' && !isOver) {
          isOver = true;
          await store.write(session);
        }
        return next(args);
      },
      { step: 'initialize', name: 'race' },
    );
    const { isDone, notes } = await run(id);
    table.client.middlewareStack.remove('race');
    expect([isDone, notes]).toEqual([false, [`bng-1#${id} has changed meanwhile: run it again`]]);
    expect(await itemsOf(id)).toBe(2);
  });

  it('removes the history of a session that is gone, by its key', async () => {
    const session = await keep(opened());
    await store.remove(session);
    expect((await run(id)).notes).toEqual([`no session is known by ${id}`]);
    const { isDone, printed } = await run(`bng-1#${id}`);
    expect([isDone, printed]).toEqual([true, [`bng-1  ${id}  -  -  removed  1 history item`]]);
    expect(await itemsOf(id)).toBe(0);
  });

  it('says so where account does not write the removal', async () => {
    await keep(opened());
    const { isDone, notes } = await run(id);
    expect([isDone, notes]).toEqual([
      false,
      [`account has not written the removal of bng-1#${id} after 30 s: run it again for this session`],
    ]);
  });

  it('removes all of a long history', async () => {
    await keep(opened());
    const write = createHistoryWriter(table.client, table.name);
    const { session } = play(opened(), undefined, NOW);
    const item = historyItem(undefined, session, NOW);
    if (item === undefined) throw new Error('a change has an item');
    for (let version = 2; version <= 61; version++)
      await write({ ...item, sk: `${item.sk}-${version}` }, AbortSignal.timeout(10_000));
    await run(id);
    expect(await itemsOf(id)).toBe(0);
  });

  it('takes the sessions of one NAS alone', async () => {
    await keep(opened());
    const { isDone, notes } = await run(id, { nas: 'bng-2' });
    expect([isDone, notes]).toEqual([false, [`no session is known by ${id}`]]);
    expect(await itemsOf(id)).toBe(2);
  });
});
