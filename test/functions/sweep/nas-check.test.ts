import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { historyItem } from '../../../core/subscriber/history.ts';
import { createHistoryWriter } from '../../../functions/shared/history-writer.ts';
import { createSessionStore } from '../../../functions/shared/session-store.ts';
import { createNasCheck, type NasCheckReport } from '../../../functions/sweep/nas-check.ts';
import { ensureTable } from '../../../local/cloud/table.ts';
import { asked, nas, play, request } from '../../core/support.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { startTable, type Table } from '../support.ts';

const HOUR_MS = 3_600_000;
const NAMES = new Map([
  ['bng-1', 'bng-1'],
  ['olt', 'bng-1'],
]);

describe.skipIf(dynoxide.skip)(dynoxide.title('the check of NASes'), () => {
  let dynamodb: Table;
  beforeAll(async () => {
    dynamodb = await startTable();
  });
  afterAll(() => dynamodb.stop());

  /** The check on a table of its own. */
  async function startCheck(startMs = 0) {
    const tableName = randomUUID();
    await ensureTable(dynamodb.client, tableName);
    const reports: NasCheckReport[] = [];
    let nowMs = startMs;
    const check = createNasCheck({
      dynamodb: dynamodb.client,
      tableName,
      nasNames: NAMES,
      now: () => nowMs,
      report: (event) => reports.push(event),
    });
    return {
      reports,
      check,
      passed: (ms: number) => {
        nowMs += ms;
      },
      /** Stores a session, and the history of its first change. */
      async having(name: string, acctSessionId: string) {
        const asking = { nas: nas({ name }), acctSessionId, activate: ['gold'] };
        const { session } = play([asked(request('r1', asking))]);
        if (session === undefined) throw new Error('a request makes a session');
        await createSessionStore(dynamodb.client, tableName).write({ ...session, revision: 0 });
        const item = historyItem(undefined, session, 0);
        if (item === undefined) throw new Error('a change has an item');
        await createHistoryWriter(dynamodb.client, tableName)(item, AbortSignal.timeout(10_000));
      },
    };
  }

  it('counts each session whose NAS no site file names, by that name', async () => {
    const { having, check, reports } = await startCheck();
    for (let number = 0; number < 30; number++) await having('bng-0', `s${number}`);
    await having('bng-9', 'a#b');
    await having('bng-1', 's1');
    await having('olt', 's1');
    await check();
    expect(reports).toEqual([{ kind: 'nases-checked', unknown: { 'bng-0': 30, 'bng-9': 1 } }]);
  });

  it('finds none in a table without sessions', async () => {
    const { check, reports } = await startCheck();
    await check();
    expect(reports).toEqual([{ kind: 'nases-checked', unknown: {} }]);
  });

  it('runs once in each hour of the clock', async () => {
    const { check, reports, passed } = await startCheck(HOUR_MS - 90_000);
    await check();
    for (const ms of [60_000, 29_999]) {
      passed(ms);
      await check();
    }
    expect(reports).toHaveLength(1);
    passed(1);
    await check();
    expect(reports).toHaveLength(2);
    passed(HOUR_MS);
    await check();
    expect(reports).toHaveLength(3);
  });

  it('runs again after a failure', async () => {
    const reports: NasCheckReport[] = [];
    const tableName = randomUUID();
    const check = createNasCheck({
      dynamodb: dynamodb.client,
      tableName,
      nasNames: NAMES,
      now: () => 0,
      report: (event) => reports.push(event),
    });
    await expect(check()).rejects.toThrow(/not found/);
    await ensureTable(dynamodb.client, tableName);
    await check();
    expect(reports).toEqual([{ kind: 'nases-checked', unknown: {} }]);
  });
});
