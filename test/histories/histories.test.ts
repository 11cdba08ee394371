import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDecide } from '../../functions/decide/decide.ts';
import { createSessionStore } from '../../functions/session-store.ts';
import { startTable, type Table } from '../functions/support.ts';
import { dynoxide } from '../local/emulators.ts';
import { forgetful, sendingFirst, withoutConditions } from './broken.ts';
import { search } from './search.ts';

/** The same ones each time; INTERLOCK_HISTORIES=10000 plays more of them, INTERLOCK_SEED=… others. */
const HISTORIES = Number(process.env['INTERLOCK_HISTORIES'] ?? 1_000);
const SEED = Number(process.env['INTERLOCK_SEED'] ?? 188_264_829);
const MAX_MS_EACH = 3_000;

describe.skipIf(dynoxide.skip)(dynoxide.title('random histories of decide, account and the table'), () => {
  let table: Table;
  beforeAll(async () => {
    table = await startTable();
  });
  afterAll(() => table.stop());

  it(
    `keep every promise, ${HISTORIES} of them from seed ${SEED} on`,
    async () => {
      const system = { store: createSessionStore(table.client, table.name), decide: createDecide };
      const { histories, tally, violation } = await search(system, SEED, HISTORIES);
      process.stdout.write(
        `histories: ${histories} from INTERLOCK_SEED=${SEED} on: ${JSON.stringify(tally)}\n`,
      );
      if (violation !== undefined) {
        const again = `INTERLOCK_SEED=${violation.seed} INTERLOCK_HISTORIES=1`;
        expect.fail(`${again} plays this again: ${violation.story}`);
      }
      expect(histories).toBe(HISTORIES);
    },
    60_000 + HISTORIES * MAX_MS_EACH,
  );
});

describe('random histories', () => {
  it.each([
    ['writes without a condition', withoutConditions()],
    ['sends before it writes', sendingFirst()],
    ['forgets which events it has seen', forgetful()],
  ])(
    'tell of a system that %s',
    async (_, system) => {
      const { histories, violation } = await search(system, 1, 1_000);
      process.stdout.write(`broken on purpose, seen in history ${histories}: ${violation?.story}\n`);
      expect(violation).toBeDefined();
    },
    120_000,
  );
});
