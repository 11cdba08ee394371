import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resync } from '../../cli/resync.ts';
import type { ResyncMessage } from '../../core/messages.ts';
import type { Event } from '../../core/subscriber/event.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { createSessionStore, type SessionStore } from '../../functions/shared/session-store.ts';
import { accountedAs, ack, asked, COA, NOW, nas, play, record, request, timeout } from '../core/support.ts';
import { startTable, type Table } from '../functions/support.ts';
import { dynoxide } from '../local/cloud/emulators.ts';

type Played = Parameters<typeof play>[0];

describe.skipIf(dynoxide.skip)(dynoxide.title('interlock resync'), () => {
  let table: Table;
  let store: SessionStore;
  beforeAll(async () => {
    table = await startTable();
    store = createSessionStore(table.client, table.name);
  });
  afterAll(() => table.stop());

  const open = (acctSessionId: string): Played => [
    record('start', -100, { acctSessionId, identity: { 'User-Name': acctSessionId } }),
    asked(request('r1', { ...COA, acctSessionId, identity: {}, activate: ['gold'] })),
    ack,
  ];
  /** The NAS accounts silver, after a request has activated gold. */
  const drifting = (acctSessionId: string): Played => [
    ...open(acctSessionId),
    record('start', 100, { acctSessionId, service: accountedAs('silver', `${acctSessionId}:1`) }),
  ];

  /** A session in the table, at a time when the records have happened. */
  async function keep(events: Played, over: Partial<Session> = {}): Promise<void> {
    const { session } = play(events, undefined, NOW);
    if (session === undefined) throw new Error('an Acct-Start opens a session');
    await store.write({ ...session, ...over, revision: 0 });
  }

  /**
   * Runs the command. `carriedOut` are the events that the session has in the table after each time that it was read, one a
   * pause; where it gives `resync`, decide has the message.
   */
  async function run(
    name: string,
    over: Partial<Parameters<typeof resync>[1]> = {},
    carriedOut: readonly (Event | ((session: Session | undefined) => Event) | 'resync' | undefined)[] = [],
  ) {
    let nowMs = NOW + 1_000_000;
    const sent: ResyncMessage[] = [];
    const printed: string[] = [];
    const notes: string[] = [];
    const rest = [...carriedOut];
    const isDone = await resync(
      { client: table.client, tableName: table.name, place: '' },
      {
        name,
        to: 'table',
        operator: 'ops@host',
        send: async (message) => void sent.push(message),
        now: () => nowMs,
        pause: async (ms) => {
          nowMs += ms;
          const next = rest.shift();
          if (next === undefined) return;
          const before = await store.read({ nas: 'bng-1', acctSessionId: name });
          const last = sent.at(-1);
          const event: Event | ((session: Session | undefined) => Event) | undefined =
            next === 'resync' ? last && { kind: 'resync', id: `m${sent.length}`, to: last.to } : next;
          const { session } = play(event === undefined ? [] : [event], before, nowMs);
          if (session !== undefined && before !== undefined)
            await store.write({ ...session, revision: before.revision });
        },
        timeZone: 'UTC',
        print: (text) => printed.push(text),
        note: (text) => notes.push(text),
        ...over,
      },
    );
    return { isDone, sent, printed, notes };
  }

  it('has the NAS told what the table has, waits for both commands, and prints the session', async () => {
    await keep(drifting('told'));
    const { isDone, sent, printed, notes } = await run('told', {}, ['resync', ack, ack]);
    expect(sent).toEqual([
      {
        version: 1,
        kind: 'resync',
        session: { nas: 'bng-1', acctSessionId: 'told' },
        to: 'table',
        operator: 'ops@host',
      },
    ]);
    expect([isDone, notes]).toEqual([true, []]);
    expect(printed).toHaveLength(1);
    expect(printed[0]).toMatch(/\n {2}gold {2}12 {5}active /);
    expect(printed[0]).not.toMatch(/silver|Drift/);
  });

  it('has the table take what the NAS accounts', async () => {
    await keep(drifting('taken'));
    const { isDone, sent, printed } = await run('taken', { to: 'nas' }, ['resync']);
    expect([isDone, sent.map(({ to }) => to)]).toEqual([true, ['nas']]);
    expect(printed[0]).toMatch(/\n {2}silver {2}12 {5}active /);
    expect(printed[0]).toMatch(/\n {2}gold {4}12 {5}unconfirmed /);
  });

  it('sends again what came while a command was under way, which changes nothing', async () => {
    const busy = asked(request('r2', { ...COA, acctSessionId: 'busy', identity: {}, activate: ['voice'] }));
    await keep(drifting('busy'));
    const eleven = Array.from({ length: 11 }, () => undefined);
    const { isDone, sent } = await run('busy', {}, [busy, 'resync', ack, ...eleven, 'resync', ack, ack]);
    expect([isDone, sent.length]).toEqual([true, 2]);
  });

  it('says after a minute what is left to be done', async () => {
    await keep(drifting('silent'));
    const { isDone, printed, notes } = await run('silent', {}, ['resync', timeout, timeout]);
    expect(isDone).toBe(false);
    expect(printed[0]).toMatch(/\n {2}gold {4}12 {5}restoring /);
    expect(notes).toEqual(['after 60 s: silver is deactivating, gold is restoring']);

    await keep(drifting('unheard'));
    const unheard = await run('unheard');
    expect(unheard.notes).toEqual(['after 60 s: silver drifts']);
    expect(unheard.sent).toHaveLength(12);
  });

  it('does nothing where nothing drifts', async () => {
    await keep(open('well'));
    const { isDone, sent, printed, notes } = await run('well');
    expect([isDone, sent, notes]).toEqual([true, [], ['nothing drifts']]);
    expect(printed[0]).toMatch(/\n {2}gold {2}12 {5}active /);
  });

  it('says that there is no such session, or that it has ended, also meanwhile', async () => {
    const stop = (acctSessionId: string) =>
      record('stop', 500, { acctSessionId, identity: { 'User-Name': acctSessionId } });
    await keep([...drifting('gone'), stop('gone')]);
    expect(await run('nobody')).toMatchObject({ isDone: false, notes: ['no session is known by nobody'] });
    expect(await run('gone')).toMatchObject({ isDone: false, notes: ['the session gone has ended'] });
    await keep(drifting('going'));
    const { isDone, notes } = await run('going', {}, [stop('going')]);
    expect([isDone, notes]).toEqual([false, ['the session going has ended meanwhile']]);
  });

  it('takes one session only: it lists several, unless the NAS tells them apart or all others have ended', async () => {
    await keep(drifting('twin'));
    const other = play(open('twin')).session;
    if (other === undefined) throw new Error('an Acct-Start opens a session');
    await store.write({ ...other, nas: nas({ name: 'bng-2', enforcement: 'coa' }), revision: 0 });
    const { isDone, sent, notes } = await run('twin');
    expect([isDone, sent]).toEqual([false, []]);
    expect(notes).toEqual([
      'several sessions are known by twin: give the Acct-Session-Id, or --nas\n' +
        '  bng-1  twin  twin  silver: drift\n' +
        '  bng-2  twin  twin',
    ]);
    expect(await run('twin', { nas: 'bng-2' })).toMatchObject({ isDone: true, notes: ['nothing drifts'] });
    expect((await run('twin', { nas: 'bng-1', to: 'nas' }, ['resync'])).isDone).toBe(true);

    const redialled = (acctSessionId: string): Played => [
      record('start', -100, { acctSessionId, identity: { 'User-Name': 'redialled' } }),
    ];
    await keep([
      ...redialled('d1'),
      record('stop', 50, { acctSessionId: 'd1', identity: { 'User-Name': 'redialled' } }),
    ]);
    await keep(redialled('d2'));
    expect(await run('redialled')).toMatchObject({ isDone: true, notes: ['nothing drifts'] });
  });
});
