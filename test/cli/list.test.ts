import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ListOptions, list } from '../../cli/list.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { asked, NOW, nas, play, request } from '../core/support.ts';
import { startTable, type Table } from '../functions/support.ts';
import { dynoxide } from '../local/cloud/emulators.ts';

const SESSIONS = 60;

describe.skipIf(dynoxide.skip)(dynoxide.title('interlock list'), () => {
  let table: Table;
  beforeAll(async () => {
    table = await startTable();
    for (let index = 0; index < SESSIONS; index++) {
      await store(`${index}`, { nas: nas({ name: index % 3 === 0 ? 'bng-2' : 'bng-1' }) });
    }
    await store("o'clock", { nas: nas({ name: 'bng-3' }), activate: ['tiered(1,2)', 'voice'] });
  });
  afterAll(() => table.stop());

  async function store(
    acctSessionId: string,
    over: Parameters<typeof request>[1],
    changed: Partial<Session> = {},
  ) {
    const { session } = play([asked(request('r1', { activate: ['gold'], acctSessionId, ...over }))]);
    if (session === undefined) throw new Error('a request makes a session');
    await createSessionStore(table.client, table.name).write({ ...session, ...changed, revision: 0 });
  }

  async function lines(options: Partial<ListOptions>) {
    const printed: string[] = [];
    const notes: string[] = [];
    const count = await list(
      { client: table.client, tableName: table.name, place: '' },
      {
        limit: 100,
        json: false,
        now: () => NOW + 60_000,
        timeZone: 'UTC',
        print: (text) => printed.push(text),
        note: (text) => notes.push(text),
        ...options,
      },
    );
    expect(printed).toHaveLength(count);
    return { printed, notes };
  }
  /** NAS and Acct-Session-Id of all sessions, page by page. */
  async function all(options: Partial<ListOptions>) {
    const found: string[] = [];
    let pages = 0;
    for (let after: string | undefined; ; pages++) {
      const { printed, notes } = await lines({
        ...options,
        ...(after !== undefined && { after }),
        json: true,
      });
      found.push(
        ...printed.map((line) => JSON.parse(line)).map((one) => `${one.nas.name} ${one.acctSessionId}`),
      );
      const [, next] = /--after '(.*)'$/.exec(notes[0] ?? '') ?? [];
      if (next === undefined) return { found, pages: pages + 1 };
      after = next;
    }
  }

  it('has one line for each session of a NAS', async () => {
    const { printed, notes } = await lines({ nas: 'bng-3' });
    expect(printed).toEqual([
      "bng-3  o'clock  client1@isp1.com  tiered(1,2), voice  idle  2026-11-22T12:00:00+00:00 (1 min ago)",
    ]);
    expect(notes).toEqual([]);
  });

  it.each([1, 7, 25, 40])('goes through all sessions of a NAS, each once, in pages of %i', async (limit) => {
    const { found, pages } = await all({ nas: 'bng-1', limit });
    const ids = Array.from({ length: SESSIONS }, (_, index) => index).filter((index) => index % 3 !== 0);
    expect(found.toSorted()).toEqual(ids.map((id) => `bng-1 ${id}`).sort());
    expect(pages).toBe(Math.ceil(ids.length / limit));
  });

  it.each([7, 1_000])('goes through all sessions of all NASes, each once, in pages of %i', async (limit) => {
    const { found } = await all({ limit });
    expect(found).toHaveLength(SESSIONS + 1);
    expect(new Set(found).size).toBe(SESSIONS + 1);
  });

  it.each([
    ['tiered', 1],
    ['tiered( 1, 2 )', 1],
    ['tiered(1,3)', 0],
    ['voice', 1],
    ['gold', SESSIONS],
    ['gol', 0],
  ])('has the sessions with the service %s', async (service, count) => {
    expect((await all({ service })).found).toHaveLength(count);
  });

  it('marks a service that is not active, and a name that is not confirmed', async () => {
    const gold = { gold: { ...(await goldOf()), state: 'unconfirmed' as const } };
    await store(
      'doubt',
      { nas: nas({ name: 'bng-4' }) },
      { services: gold, identity: {}, claimed: { 'User-Name': 'x' } },
    );
    expect((await lines({ nas: 'bng-4' })).printed).toEqual([
      'bng-4  doubt  x (unchecked)  gold (unconfirmed)  idle  2026-11-22T12:00:00+00:00 (1 min ago)',
    ]);
  });
  async function goldOf() {
    const { session } = play([asked(request('r1', { activate: ['gold'] }))]);
    const gold = session?.services['gold'];
    if (gold === undefined) throw new Error('gold is active');
    return gold;
  }

  it('says how to go on in a shell, whatever an Acct-Session-Id has in it', async () => {
    await store("o'clock too", { nas: nas({ name: 'bng-3' }) });
    const { notes } = await lines({ nas: 'bng-3', limit: 1 });
    expect(notes).toEqual([
      expect.stringMatching(/^1 sessions read; to go on: --after 'bng-3#o'\\''clock( too)?'$/),
    ]);
  });

  it('says what is wrong with the name of a service', async () => {
    await expect(lines({ service: 'gold(' })).rejects.toThrow(
      '--service gold(: expected name or name(parameter',
    );
  });
});
