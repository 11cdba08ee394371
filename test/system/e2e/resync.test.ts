// What a NAS has and the table has not: an operator sees it, and brings the one to the state of the other. The command is the
// program that npx runs, beside the running system.
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { announceSystem } from '../../../cli/running-system.ts';
import { type ScriptedNas, startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { radclient, radclientPeer } from '../peers/radclient.ts';
import { PREPARED_SECRET, SECRET, startTestSystem, type TestSystem, temporaryFolder } from './support.ts';

const SERVICES = `
services:
  gold: { mutexGroup: 12, statistics: time }
  silver: { mutexGroup: 12, statistics: time }
`;
const COMMAND = join(import.meta.dirname, '../../../cli/interlock.ts');

const skip = dynoxide.skip || radclientPeer.skip;
const title = dynoxide.title(radclientPeer.title('interlock resync beside a running system'));

describe.skipIf(skip)(title, () => {
  let nas: ScriptedNas;
  let system: TestSystem;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let withdraw: () => Promise<void>;
  beforeAll(async () => {
    nas = await startScriptedNas({
      address: { address: '127.0.0.1', port: 0 },
      secrets: [PREPARED_SECRET],
      onlyLoggedIn: true,
      now: Date.now,
    });
    system = await startTestSystem({ services: SERVICES, nasPort: nas.address.port, takesAccounting: true });
    folder = await temporaryFolder();
    withdraw = await announceSystem(system.cloud, folder.path);
  });
  afterAll(async () => {
    await withdraw();
    await folder.remove();
    await system.stop();
    await nas.stop();
  });

  const interlock = (...args: readonly string[]) =>
    new Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>((resolve) => {
      // Of AWS no more than this, wherever the tests run.
      const env = {
        PATH: [dirname(process.execPath), process.env['PATH']].join(':'),
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        AWS_EC2_METADATA_DISABLED: 'true',
      };
      execFile(
        process.execPath,
        [COMMAND, ...args, '--data', folder.path],
        { env },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });

  async function send(command: 'acct' | 'coa', port: number | undefined, attributes: readonly string[]) {
    if (port === undefined) throw new Error('the relay takes no accounting');
    const { answer, output } = await radclient({ command, port, secret: SECRET, attributes });
    if (answer === undefined) throw new Error(`radclient has no answer: ${output}`);
    return answer.code;
  }

  async function account(acctSessionId: string, atSeconds: number, ...attributes: readonly string[]) {
    const code = await send('acct', system.relay.accountingAddress?.port, [
      'Acct-Status-Type = Start',
      `Acct-Session-Id = "${acctSessionId}"`,
      'NAS-IP-Address = 192.0.2.1',
      `Event-Timestamp = ${atSeconds}`,
      ...attributes,
    ]);
    expect(code).toBe('Accounting-Response');
  }

  /** A session whose request has activated gold, and whose NAS has been told silver by someone else. */
  async function drifting(acctSessionId: string): Promise<void> {
    const userName = `${acctSessionId}@isp`;
    const began = Math.floor(Date.now() / 1000) - 100;
    nas.logIn(acctSessionId, { identity: { 'User-Name': userName } });
    await account(acctSessionId, began, `User-Name = "${userName}"`);
    await vi.waitUntil(async () => (await system.session(acctSessionId))?.life !== undefined, {
      timeout: 10_000,
    });
    const asked = [`User-Name = "${userName}"`, 'ERX-Service-Activate:1 = "gold"'];
    expect(await send('coa', system.coaAddress.port, asked)).toBe('CoA-ACK');
    nas.logIn(acctSessionId, { identity: { 'User-Name': userName }, services: ['silver'] });
    // A record counts as of its arrival at the latest, and the NAS has acknowledged gold before.
    await account(
      `${acctSessionId}:9`,
      began + 200,
      `User-Name = "${userName}"`,
      'ERX-Service-Session = "silver"',
    );
    await vi.waitUntil(async () => (await system.session(acctSessionId))?.drift !== undefined, {
      timeout: 10_000,
    });
    const shown = await interlock('show', userName);
    expect(shown.stdout).toMatch(/\nDrift +the NAS accounts silver since .*, not gold\n/);
    expect(shown.stdout).toMatch(/ silver +12 +unconfirmed /);
  }

  const resynced = (acctSessionId: string) =>
    system.history(acctSessionId, ({ cause }) => cause === 'resync');

  it('--to table: the NAS is told, and loses what drifted', async () => {
    await drifting('t1');
    expect(nas.services('t1')).toEqual(['silver']);
    const { code, stdout, stderr } = await interlock('resync', 't1@isp', '--to', 'table');
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^table interlock at .*\n$/)]);
    expect(stdout).toMatch(/ gold +12 +active /);
    expect(stdout).not.toMatch(/Drift|\n {2}silver /);
    expect(nas.services('t1')).toEqual(['gold']);
    expect((await resynced('t1')).find(({ cause }) => cause === 'resync')).toMatchObject({
      deactivating: ['silver'],
      restoring: ['gold'],
    });
  });

  it('--to nas: the table takes what the NAS has, and a second time there is nothing to do', async () => {
    await drifting('n1');
    const { code, stdout } = await interlock('resync', 'n1@isp', '--to', 'nas');
    expect(code).toBe(0);
    expect(stdout).toMatch(/ silver +12 +active /);
    expect(stdout).not.toMatch(/Drift/);
    expect(nas.services('n1')).toEqual(['silver']);
    expect((await resynced('n1')).find(({ cause }) => cause === 'resync')).toMatchObject({
      activated: ['silver'],
      unconfirmed: ['gold'],
    });
    const again = await interlock('resync', 'n1', '--to', 'table');
    expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/\nnothing drifts\n$/)]);
  });

  it('says what is wrong: no such session, no side, no queues', async () => {
    expect(await interlock('resync', 'x9', '--to', 'nas')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/\nno session is known by x9\n$/),
    });
    expect(await interlock('resync', 'x9', '--to', 'both')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^--to takes table or nas\n/),
    });
  });
});
