import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { doctor } from '../../cli/doctor.ts';
import { pathsIn, readConfiguration } from '../../cli/read-configuration.ts';
import { historyItem } from '../../core/subscriber/history.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { createHistoryWriter } from '../../functions/shared/history-writer.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { ensureTable } from '../../local/cloud/table.ts';
import {
  accountedAs,
  ack,
  asked,
  COA,
  NOW,
  nak,
  nas,
  play,
  record,
  request,
  timeout,
} from '../core/support.ts';
import { startTable, type Table } from '../functions/support.ts';
import { dynoxide } from '../local/cloud/emulators.ts';

const MINUTE_MS = 60_000;
const SITE = `site: demo
relay: { coa: "127.0.0.1:0", http: "127.0.0.1:0" }
clients: [{ name: policy, source: 127.0.0.1, secret: testing123 }]
nases: [{ name: bng-1, formerly: [olt], address: "192.0.2.9:3799", secret: testing123, identifiedBy: [192.0.2.1] }]
`;
const WELL = [
  'ok     the configuration can be used: 1 service, 1 site, 1 NAS',
  'ok     the table can be read: N sessions',
  'ok     the site files name the NAS of each session',
  'ok     each session is stored once',
  'ok     no service is unconfirmed',
  'ok     no service drifts',
  'ok     no command has failed 3 times or more',
  'ok     nothing has been due for 5 minutes',
];

describe.skipIf(dynoxide.skip)(dynoxide.title('interlock doctor'), () => {
  let dynamodb: Table;
  beforeAll(async () => {
    dynamodb = await startTable();
  });
  afterAll(() => dynamodb.stop());

  /** A table of its own and files, and what doctor prints of them. */
  async function patient(site = SITE, services = 'services: { gold: { mutexGroup: 12 } }') {
    const directory = await mkdtemp(join(tmpdir(), 'interlock-doctor-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    await mkdir(join(directory, 'sites'));
    await writeFile(join(directory, 'services.yaml'), services);
    await writeFile(join(directory, 'sites/demo.yaml'), site);
    const tableName = randomUUID();
    await ensureTable(dynamodb.client, tableName);
    const store = createSessionStore(dynamodb.client, tableName);
    return {
      directory,
      tableName,
      async having(session: Session | undefined) {
        if (session === undefined) throw new Error('a request makes a session');
        await store.write({ ...session, revision: 0 });
        const item = historyItem(undefined, session, NOW);
        if (item !== undefined)
          await createHistoryWriter(dynamodb.client, tableName)(item, AbortSignal.timeout(10_000));
      },
      async examine(nowMs = NOW, table: string = tableName) {
        const printed: string[] = [];
        const isWell = await doctor(
          { client: dynamodb.client, tableName: table, place: 'here' },
          {
            readConfiguration: async () => readConfiguration(await pathsIn(directory)),
            now: () => nowMs,
            timeZone: 'UTC',
            print: (text) => printed.push(text),
          },
        );
        return { isWell, printed };
      },
    };
  }

  const sessionAt = (name: string, acctSessionId: string, enforcement: 'none' | 'coa' = 'none') => ({
    nas: nas({ name, enforcement }),
    acctSessionId,
  });
  const having = (name: string, acctSessionId: string) =>
    play([asked(request('r1', { ...sessionAt(name, acctSessionId), activate: ['gold'] }))]).session;
  /** The findings that differ from those of a table in which all is well. */
  const faults = (printed: readonly string[]) => printed.filter((text) => text.startsWith('FAULT'));

  it('finds nothing where all is well', async () => {
    const { having: store, examine } = await patient();
    await store(having('bng-1', 's1'));
    await store(having('olt', 's2'));
    expect(await examine()).toEqual({
      isWell: true,
      printed: WELL.map((line) => line.replace('N sessions', '2 sessions')),
    });
  });

  it('tells what follows from who accounts, which is no fault', async () => {
    const { examine } = await patient(SITE.replace('formerly', 'serviceAccounting: nas, formerly'));
    const { isWell, printed } = await examine();
    expect(isWell).toBe(true);
    const [well = '', ...others] = WELL.map((line) => line.replace('N sessions', '0 sessions'));
    const note = expect.stringMatching(
      /^note {3}.*sites\/demo\.yaml:4: nases\.0\.serviceAccounting: Interlock sends no/,
    );
    expect(printed).toEqual([well, note, ...others]);
  });

  it('finds sessions of NASes that no site file names', async () => {
    const { having: store, examine } = await patient();
    for (let number = 1; number <= 12; number++) await store(having('bng-0', `s${number}`));
    await store(having('bng-9', 'x'));
    await store(having('bng-1', 's1'));
    const { isWell, printed } = await examine();
    expect(isWell).toBe(false);
    expect(faults(printed)).toEqual([
      expect.stringMatching(
        /^FAULT {2}sessions are of NASes that no site file names\n(?: {9}(?:bng-0: 12 sessions, such as s\d+|bng-9: 1 session, such as x)\n){2} {9}docs\/runbook\.md: Sessions of an unknown NAS$/,
      ),
    ]);
    expect(printed).toHaveLength(WELL.length);
  });

  it('finds sessions that are stored under a former name and under that of today', async () => {
    const { having: store, examine } = await patient();
    for (const name of ['bng-1', 'olt']) await store(having(name, 'both'));
    await store(having('olt', 'former'));
    expect(faults((await examine()).printed)).toEqual([
      'FAULT  sessions are stored under two names of their NAS\n         bng-1 both: under bng-1 and olt\n         docs/runbook.md: Sessions of an unknown NAS',
    ]);
  });

  it('finds what is unconfirmed, stuck and late', async () => {
    const { having: store, examine } = await patient();
    const coa = (id: string) => sessionAt('bng-1', id, 'coa');
    await store(play([asked(request('r1', { ...coa('unsure'), activate: ['gold'] })), timeout]).session);
    let { session } = play([
      asked(request('r1', { ...coa('stuck'), activate: ['gold'] })),
      ack,
      asked(request('r2', { ...coa('stuck'), activate: ['silver'] })),
      ack,
      nak(506),
    ]);
    for (const hour of [1, 2])
      ({ session } = play([{ kind: 'due', id: `d${hour}` }, nak(506)], session, NOW + hour * 60 * MINUTE_MS));
    await store(session);
    await store(play([asked(request('r1', { ...coa('waits'), activate: ['gold'] }))]).session);
    const { isWell, printed } = await examine(NOW + 121 * MINUTE_MS);
    expect(isWell).toBe(false);
    expect(faults(printed)).toEqual([
      'FAULT  services are unconfirmed\n         bng-1 unsure: gold\n         docs/runbook.md: Services are unconfirmed',
      'FAULT  commands have failed 3 times or more\n         bng-1 stuck: gold is deactivating, 3 attempts failed\n         docs/runbook.md: Deactivations are stuck',
      expect.stringMatching(
        /^FAULT {2}sessions have been due for 5 minutes or more\n {9}bng-1 waits: due 2026-11-22T12:01:15\+00:00 \(1 h 59 min ago\)\n {9}docs\/runbook\.md: Due sessions are late$/,
      ),
    ]);
    // Before their times nothing is late.
    expect(faults((await examine(NOW)).printed)).toHaveLength(2);
  });

  it('finds items that it cannot read, and shows no control character of them', async () => {
    const { tableName, examine } = await patient();
    const item = { pk: 'SESSION#bng-1#\u001b[2J', sk: 'STATE', shape: 9 };
    await dynamodb.client.send(new PutItemCommand({ TableName: tableName, Item: marshall(item) }));
    expect(faults((await examine()).printed)).toEqual([
      'FAULT  items of the table cannot be read\n         SESSION#bng-1#\\x1b[2J: shape 9 is later than 1, the latest that this release reads\n         docs/runbook.md: UnreadableItem, under "Dead letters in an inbox"',
    ]);
  });

  it('names at most ten of a kind, and how many there are', async () => {
    const { having: store, examine } = await patient();
    for (let number = 1; number <= 13; number++) {
      const where = sessionAt('bng-1', `s${number}`, 'coa');
      await store(play([asked(request('r1', { ...where, activate: ['gold'] })), timeout]).session);
    }
    const [text = ''] = faults((await examine()).printed);
    expect(text.split('\n')).toHaveLength(13);
    expect(text).toMatch(/\n {9}and 3 more\n/);
  });

  it('says everything that is wrong with the files, and checks the table all the same', async () => {
    const { directory, having: store, examine } = await patient(SITE.replace('olt', 'bng-1'), 'services: {}');
    await store(having('bng-0', 's1'));
    const { isWell, printed } = await examine();
    expect(isWell).toBe(false);
    expect(printed).toEqual([
      [
        'FAULT  the configuration cannot be used',
        `         ${join(directory, 'services.yaml')}:1: services: expected at least one service`,
        `         ${join(directory, 'sites/demo.yaml')}:4: nases.0.formerly.0: a NAS is called bng-1 now`,
      ].join('\n'),
      'ok     the table can be read: 1 session',
      ...WELL.slice(4),
    ]);
  });

  it.each([
    ['demo.yaml', SITE.replace('site: demo', 'site: north'), "site: expected demo, like the file's name"],
    ['demo.yaml', '', 'the file: expected keys with values'],
  ])('says what is wrong with %s', async (_, site, problem) => {
    const { examine } = await patient(site);
    expect(faults((await examine()).printed)[0]).toContain(problem);
  });

  it('says that there is no site file, or no directory', async () => {
    const { directory, examine } = await patient();
    await rm(join(directory, 'sites/demo.yaml'));
    expect(faults((await examine()).printed)[0]).toContain('sites: expected at least one site file');
    await rm(join(directory, 'sites'), { recursive: true });
    expect(faults((await examine()).printed)[0]).toContain('sites: cannot be read (ENOENT)');
  });

  it('says that it cannot read the table', async () => {
    const { examine } = await patient();
    const { isWell, printed } = await examine(NOW, 'nowhere');
    expect(isWell).toBe(false);
    expect(printed).toEqual([
      WELL[0],
      'FAULT  the table cannot be read\n         ResourceNotFoundException: Requested resource not found',
    ]);
  });

  it('lists what drifts, and notes sessions that are stale and NASes that no record names', async () => {
    const feed = 'accountingFrom: [{ name: nases, source: 192.0.2.0/24, secret: testing123, mode: copy }]\n';
    const { having, examine } = await patient(
      `${SITE.replace('http: "127.0.0.1:0" }', 'http: "127.0.0.1:0", accounting: "127.0.0.1:0" }')}${feed}`,
    );
    const unheard = await examine();
    expect(unheard.isWell).toBe(true);
    expect(unheard.printed.at(-1)).toBe(
      'note   no session of bng-1 is known by its accounting, which its site takes',
    );
    const { session } = play([
      record('start', -100, { acctSessionId: 'd1' }),
      asked(request('r1', { ...COA, acctSessionId: 'd1', activate: ['gold'] })),
      ack,
      record('start', 100, { acctSessionId: 'd1', service: accountedAs('silver', 'd1:1') }),
      record('stale', 100, { acctSessionId: 'd1' }),
    ]);
    await having(session);
    const { isWell, printed } = await examine(NOW + 60 * MINUTE_MS);
    expect(isWell).toBe(false);
    expect(printed.join('\n')).toContain(
      'FAULT  services that NASes account contradict the table\n' +
        '         bng-1 d1: silver, not gold\n' +
        '         docs/runbook.md: Services drift',
    );
    expect(printed.filter((line) => line.startsWith('note'))).toEqual([
      'note   1 session without a record for three intervals or for 3 days, such as bng-1 d1: an Acct-Stop may be lost',
    ]);
  });
});
