import { DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { latestHistory } from '../../cli/latest-history.ts';
import { HISTORY_RETENTION_DAYS, historySortKey, sessionPartitionKey } from '../../core/cloud/table.ts';
import { type HistoryItem, historyItem } from '../../core/subscriber/history.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { createHistoryWriter } from '../../functions/shared/history-writer.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { asked, NOW, play, request } from '../core/support.ts';
import { startTable, type Table } from '../functions/support.ts';
import { dynoxide } from '../local/cloud/emulators.ts';

const MINUTE_MS = 60_000;

describe.skipIf(dynoxide.skip)(dynoxide.title('the latest history of a session'), () => {
  let table: Table;
  beforeAll(async () => {
    table = await startTable();
  });
  afterAll(() => table.stop());

  /** Twelve changes, one a minute, in the table beside the state; gives their items, newest first. */
  async function storedHistory(acctSessionId: string): Promise<readonly HistoryItem[]> {
    const items: HistoryItem[] = [];
    let before: Session | undefined;
    for (let change = 0; change < 12; change++) {
      const activate = [change % 2 === 0 ? 'gold' : 'silver'];
      const event = asked(request(`r${change}`, { acctSessionId, activate }));
      const after: Session | undefined = play([event], before, NOW + change * MINUTE_MS).session;
      const item = historyItem(before, after, NOW);
      if (item !== undefined) items.unshift(item);
      before = after;
    }
    if (before !== undefined)
      await createSessionStore(table.client, table.name).write({ ...before, revision: 0 });
    const write = createHistoryWriter(table.client, table.name);
    for (const item of items) await write(item, AbortSignal.timeout(10_000));
    return items;
  }
  const latest = (acctSessionId: string, nowMs: number) =>
    latestHistory(table.client, table.name, { nas: 'bng-1', acctSessionId }, nowMs);

  it('is its last ten changes, newest first', async () => {
    const items = await storedHistory('ten');
    await storedHistory('another');
    expect(await latest('ten', NOW)).toEqual(items.slice(0, 10));
  });

  it('leaves out what has expired by our clock, which DynamoDB may keep for days', async () => {
    const items = await storedHistory('old');
    const retentionMs = HISTORY_RETENTION_DAYS * 24 * 60 * MINUTE_MS;
    expect(await latest('old', NOW + retentionMs + 9 * MINUTE_MS)).toEqual(items.slice(0, 2));
    expect(await latest('old', NOW + retentionMs + 11 * MINUTE_MS)).toEqual([]);
  });

  it('goes on with what 0.1.0 wrote under the key of the session, which is there for 30 days after an upgrade', async () => {
    const items = await storedHistory('upgraded');
    const former = (atMs: number) => ({
      ...(items.at(-1) as HistoryItem),
      pk: sessionPartitionKey('bng-1', 'upgraded'),
      sk: historySortKey(atMs, 1),
      atMs,
    });
    const before = Array.from({ length: 3 }, (_, index) => former(NOW - (index + 1) * MINUTE_MS));
    const write = createHistoryWriter(table.client, table.name);
    for (const item of before) await write(item, AbortSignal.timeout(10_000));
    expect(await latest('upgraded', NOW)).toEqual(items.slice(0, 10));

    for (const { pk, sk } of items.slice(0, 5)) {
      await table.client.send(new DeleteItemCommand({ TableName: table.name, Key: marshall({ pk, sk }) }));
    }
    expect(await latest('upgraded', NOW)).toEqual([...items.slice(5), ...before]);
  });

  it('is empty where there is none', async () => {
    expect(await latest('none', NOW)).toEqual([]);
  });
});
