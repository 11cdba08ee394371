import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDecide } from '../../../functions/decide/decide.ts';
import { createSessionStore, type SessionStore } from '../../../functions/shared/session-store.ts';
import { startTable, type Table } from '../../functions/support.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import {
  believingTheTable,
  carryingOutAgain,
  comparingRelayClocks,
  deletingRecordsFirst,
  endingByArrival,
  expiringByOwnClock,
  forgetful,
  forgettingRestarts,
  orderingByArrival,
  sendingFirst,
  takingTimeoutForAck,
  takingTimeoutForNak,
  undoingTheLast,
  withoutConditions,
} from './broken.ts';
import { SITES, SITES_WITH_A_FEED } from './deployment.ts';
import { memoryStore } from './memory-store.ts';
import { search } from './search.ts';

/** The same ones each time. INTERLOCK_SEED plays others, INTERLOCK_HISTORIES as many as one likes on either table. */
const SEED = Number(process.env['INTERLOCK_SEED'] ?? 188_264_829);
const chosen = process.env['INTERLOCK_HISTORIES'];
const ON_A_REAL_TABLE = Number(chosen ?? 120);
const IN_MEMORY = Number(chosen ?? 1_000);
const WITH_A_FEED = Number(chosen ?? 500);
const WITH_A_FEED_ON_A_REAL_TABLE = Number(chosen ?? 60);
const MAX_MS_EACH = 3_000;

async function keepEveryPromise(store: SessionStore, count: number, sites = SITES): Promise<void> {
  const system = { store, decide: createDecide };
  const { histories, tally, violation } = await search(system, SEED, count, { sites });
  process.stdout.write(`histories: ${histories} from INTERLOCK_SEED=${SEED} on: ${JSON.stringify(tally)}\n`);
  if (violation !== undefined) {
    const again = `INTERLOCK_SEED=${violation.seed} INTERLOCK_HISTORIES=1`;
    expect.fail(`${again} plays this again: ${violation.story}`);
  }
  expect(histories).toBe(count);
}

describe.skipIf(dynoxide.skip)(
  dynoxide.title('random histories of relay, decide, account and the table'),
  () => {
    let table: Table;
    beforeAll(async () => {
      table = await startTable();
    });
    afterAll(() => table.stop());

    it(
      `keep every promise, ${ON_A_REAL_TABLE} of them from seed ${SEED} on`,
      () => keepEveryPromise(createSessionStore(table.client, table.name), ON_A_REAL_TABLE),
      60_000 + ON_A_REAL_TABLE * MAX_MS_EACH,
    );

    it(
      `keep every promise where NASes account, ${WITH_A_FEED_ON_A_REAL_TABLE} of them from seed ${SEED} on`,
      () =>
        keepEveryPromise(
          createSessionStore(table.client, table.name),
          WITH_A_FEED_ON_A_REAL_TABLE,
          SITES_WITH_A_FEED,
        ),
      60_000 + WITH_A_FEED_ON_A_REAL_TABLE * MAX_MS_EACH,
    );
  },
);

describe('random histories', () => {
  it(
    `keep every promise where NASes account, ${WITH_A_FEED} of them from seed ${SEED} on`,
    () => keepEveryPromise(memoryStore(), WITH_A_FEED, SITES_WITH_A_FEED),
    60_000 + WITH_A_FEED * MAX_MS_EACH,
  );

  it(
    `keep every promise with a table in memory, ${IN_MEMORY} of them from seed ${SEED} on`,
    () => keepEveryPromise(memoryStore(), IN_MEMORY),
    60_000 + IN_MEMORY * MAX_MS_EACH,
  );

  it('are the same each time', async () => {
    const play = () => search({ store: memoryStore(), decide: createDecide }, SEED, 50);
    const { tally } = await play();
    expect(tally).toEqual((await play()).tally);
  });

  it.each([
    ['writes without a condition', withoutConditions()],
    ['sends before it writes', sendingFirst()],
    ['forgets which events it has seen', forgetful()],
    ['carries out again what another relay may have carried out', carryingOutAgain()],
    ['takes an unanswered command for one that was refused', takingTimeoutForNak()],
    ['takes an unanswered command for one that was carried out', takingTimeoutForAck()],
    ['deletes a record before the accounting server has it', deletingRecordsFirst()],
    ['acknowledges what the NAS was not told', believingTheTable(), 'gets ACK, and the NAS has'],
    ['undoes what may be the last of its group', undoingTheLast(), 'left', 155],
    ['compares the clocks of relays', comparingRelayClocks()],
    ['has commands expire by the clock of the relay', expiringByOwnClock(), 'there is time'],
  ])(
    'tell of a system that %s',
    async (_, system, what = '', seed = 1) => {
      const { histories, violation } = await search(system, seed, 1_000, { simplifyWithin: 25 });
      process.stdout.write(`broken on purpose, seen in history ${histories}: ${violation?.story}\n`);
      expect(violation?.story.split('\n')[0]).toMatch(new RegExp(what));
    },
    120_000,
  );

  it.each([
    ['ends sessions by the arrival of an Accounting-On', endingByArrival(), 'begun it later|not open'],
    ['forgets restarts', forgettingRestarts(), 'the NAS has ended it'],
    ['orders records by their arrival', orderingByArrival(), 'begun it later|not open|has ended it'],
  ])(
    'tell of a system that %s',
    async (_, system, what) => {
      const found = await search(system, 1, 1_000, { simplifyWithin: 25, sites: SITES_WITH_A_FEED });
      process.stdout.write(
        `broken on purpose, seen in history ${found.histories}: ${found.violation?.story}\n`,
      );
      expect(found.violation?.story.split('\n')[0]).toMatch(new RegExp(what));
    },
    120_000,
  );
});
