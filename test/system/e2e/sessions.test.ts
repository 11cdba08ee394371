// Sessions from log-on to log-off: radclient is the accounting of the NAS and the policy server, and a NAS with sessions of its
// own answers.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ScriptedNas, startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { type Clock, systemClock } from '../../../relay/clock.ts';
import { SEARCH_EVERY_MS } from '../../../relay/feed/stale-sessions.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { closedPort } from '../../relay/support.ts';
import { radclient, radclientPeer } from '../peers/radclient.ts';
import { PREPARED_SECRET, SECRET, startTestSystem, type TestSystem } from './support.ts';

const SERVICES = `
services:
  gold: { mutexGroup: 12, statistics: time }
  silver: { mutexGroup: 12, statistics: time }
  guest: { mutexGroup: 12, statistics: time }
  voice: { statistics: time }
`;

const skip = dynoxide.skip || radclientPeer.skip;
const title = dynoxide.title(radclientPeer.title('a subscriber whose NAS accounts'));

describe.skipIf(skip)(title, () => {
  let nas: ScriptedNas;
  let system: TestSystem;
  /** Has the relay look for stale sessions as it would after so many milliseconds. */
  let searchAfter = (_delayMs: number): void => expect.fail('the relay does not look for stale sessions');
  let aheadMs = 0;
  const relayClock: Clock = {
    ...systemClock,
    monotonicNow: () => systemClock.monotonicNow() + aheadMs,
    setInterval: (callback, intervalMs) => {
      if (intervalMs === SEARCH_EVERY_MS)
        searchAfter = (delayMs) => {
          aheadMs = delayMs;
          callback();
          aheadMs = 0;
        };
      return systemClock.setInterval(callback, intervalMs);
    },
  };
  beforeAll(async () => {
    nas = await startScriptedNas({
      address: { address: '127.0.0.1', port: 0 },
      secrets: [PREPARED_SECRET],
      onlyLoggedIn: true,
      now: Date.now,
    });
    system = await startTestSystem({
      services: SERVICES,
      nasPort: nas.address.port,
      accountingPort: await closedPort(),
      takesAccounting: true,
      relayClock,
    });
  });
  afterAll(async () => {
    await system.stop();
    await nas.stop();
  });

  const nowSeconds = () => Math.floor(Date.now() / 1000);
  const services = (session: Awaited<ReturnType<TestSystem['session']>>) =>
    session && Object.fromEntries(Object.values(session.services).map((one) => [one.activation, one.state]));

  /** The NAS accounts, and has its answer. */
  async function account(
    status: string,
    acctSessionId: string,
    ...attributes: readonly string[]
  ): Promise<void> {
    const address = system.relay.accountingAddress;
    if (address === undefined) throw new Error('the relay takes no accounting');
    const { answer, output } = await radclient({
      command: 'acct',
      port: address.port,
      secret: SECRET,
      attributes: [
        `Acct-Status-Type = ${status}`,
        `Acct-Session-Id = "${acctSessionId}"`,
        'NAS-IP-Address = 192.0.2.1',
        ...(attributes.some((one) => one.startsWith('Event-Timestamp'))
          ? []
          : [`Event-Timestamp = ${nowSeconds()}`]),
        ...attributes,
      ],
    });
    expect(answer?.code, output).toBe('Accounting-Response');
  }

  /** What the policy server gets: `CoA-ACK`, `CoA-NAK Session-Context-Not-Found`. */
  async function ask(command: 'coa' | 'disconnect', ...attributes: readonly string[]): Promise<string> {
    const { answer, output } = await radclient({
      command,
      port: system.coaAddress.port,
      secret: SECRET,
      attributes,
      timeoutSeconds: 20,
    });
    if (answer === undefined) throw new Error(`radclient has no answer: ${output}`);
    return [answer.code, ...answer.attributes.map(([, value]) => value)].join(' ');
  }

  const known = (
    acctSessionId: string,
    isSo: (session: Awaited<ReturnType<TestSystem['session']>>) => boolean,
  ) => vi.waitUntil(async () => isSo(await system.session(acctSessionId)), { timeout: 10_000 });
  const isOpen = (session: Awaited<ReturnType<TestSystem['session']>>) =>
    session?.life !== undefined && session.life.closed === undefined;
  const isClosed = (session: Awaited<ReturnType<TestSystem['session']>>) =>
    session?.life?.closed !== undefined;

  it('logs on, buys a service by the name alone, and logs off: each service ends before the session', async () => {
    const who = ['User-Name = "ann@isp"', 'Framed-IP-Address = 198.51.100.7'];
    nas.logIn('a1', { identity: { 'User-Name': 'ann@isp' } });
    await account('Start', 'a1', ...who);
    await known('a1', isOpen);
    expect(await ask('coa', 'User-Name = "ann@isp"', 'ERX-Service-Activate:1 = "gold"')).toBe('CoA-ACK');
    expect(await ask('coa', 'Framed-IP-Address = 198.51.100.7', 'ERX-Service-Activate:1 = "silver"')).toBe(
      'CoA-ACK',
    );
    expect(nas.services('a1')).toEqual(['silver']);
    nas.logOff('a1');
    await account('Stop', 'a1', ...who, 'Acct-Session-Time = 60', 'Acct-Terminate-Cause = User-Request');
    expect(await system.events.untilRecorded('a1', 4)).toEqual([
      'Start gold',
      'Start silver',
      'Stop gold',
      'Stop silver',
    ]);
    await known('a1', isClosed);
    expect(await ask('coa', 'Acct-Session-Id = "a1"', 'ERX-Service-Activate:1 = "gold"')).toBe(
      'CoA-NAK Session-Context-Not-Found',
    );
    expect(await ask('coa', 'User-Name = "ann@isp"', 'ERX-Service-Activate:1 = "gold"')).toBe(
      'CoA-NAK Session-Context-Not-Found',
    );
    expect(
      nas.record.filter(({ acctSessionId }) => acctSessionId === 'a1').map(({ service }) => service),
    ).toEqual(['gold', 'silver', 'gold']);
  });

  it('has a service from log-in that the first plan change replaces, because the NAS accounts it', async () => {
    nas.logIn('b1', { identity: { 'User-Name': 'bob@isp' }, services: ['guest'] });
    await account('Start', 'b1', 'User-Name = "bob@isp"');
    await account('Start', 'b1:1', 'User-Name = "bob@isp"', 'ERX-Service-Session = "guest"');
    await known('b1', (session) => session?.services['guest']?.state === 'active');
    expect(await ask('coa', 'User-Name = "bob@isp"', 'ERX-Service-Activate:1 = "gold"')).toBe('CoA-ACK');
    expect(nas.services('b1')).toEqual(['gold']);
    // The NAS has accounted guest: Interlock sends nothing for it.
    expect(await system.events.untilRecorded('b1', 1)).toEqual(['Start gold']);
  });

  it('loses a service to a quota: the NAS says so, and it is bought again as a new service session', async () => {
    nas.logIn('c1', { identity: { 'User-Name': 'carol@isp' } });
    await account('Start', 'c1', 'User-Name = "carol@isp"');
    await known('c1', isOpen);
    expect(await ask('coa', 'Acct-Session-Id = "c1"', 'ERX-Service-Activate:1 = "gold"')).toBe('CoA-ACK');
    nas.end('c1', 'gold');
    await account(
      'Stop',
      'c1:9',
      'User-Name = "carol@isp"',
      'ERX-Service-Session = "gold"',
      `Event-Timestamp = ${nowSeconds() + 2}`,
      'Acct-Terminate-Cause = Session-Timeout',
    );
    await known('c1', (session) => session?.services['gold'] === undefined);
    expect(await ask('coa', 'Acct-Session-Id = "c1"', 'ERX-Service-Activate:1 = "gold"')).toBe('CoA-ACK');
    expect(await system.events.untilRecorded('c1', 3)).toEqual(['Start gold', 'Stop gold', 'Start gold']);
  });

  it('is redialled under another Acct-Session-Id, and found there alone', async () => {
    nas.logIn('d1', { identity: { 'User-Name': 'dan@isp' } });
    await account('Start', 'd1', 'User-Name = "dan@isp"');
    await known('d1', isOpen);
    await account('Stop', 'd1', 'User-Name = "dan@isp"', 'Acct-Session-Time = 0');
    nas.logOff('d1');
    nas.logIn('d2', { identity: { 'User-Name': 'dan@isp' } });
    await account('Start', 'd2', 'User-Name = "dan@isp"');
    await known('d1', isClosed);
    await known('d2', isOpen);
    expect(await ask('coa', 'User-Name = "dan@isp"', 'ERX-Service-Activate:1 = "voice"')).toBe('CoA-ACK');
    expect(nas.services('d2')).toEqual(['voice']);
  });

  it('has a Stop that comes before its Start, which then opens nothing', async () => {
    const began = nowSeconds() - 60;
    await account(
      'Stop',
      'e1',
      'User-Name = "eve@isp"',
      'Acct-Session-Time = 30',
      `Event-Timestamp = ${began + 30}`,
    );
    await known('e1', isClosed);
    await account('Start', 'e1', 'User-Name = "eve@isp"', `Event-Timestamp = ${began}`);
    await account('Start', 'e2', 'User-Name = "eve2@isp"');
    await known('e2', isOpen);
    expect(isClosed(await system.session('e1'))).toBe(true);
  });

  it('is ended with all that began before the NAS restarted, and not what began later', async () => {
    const before = nowSeconds() - 30;
    const ids = Array.from({ length: 60 }, (_, index) => `r${index}`);
    for (const id of ids) {
      nas.logIn(id, { identity: { 'User-Name': id } });
      await account('Start', id, `User-Name = "${id}"`, `Event-Timestamp = ${before}`);
    }
    for (const id of ids) await known(id, isOpen);
    expect(await ask('coa', 'Acct-Session-Id = "r7"', 'ERX-Service-Activate:1 = "gold"')).toBe('CoA-ACK');
    for (const id of ids) nas.logOff(id);
    await account('Accounting-On', '0', `Event-Timestamp = ${before + 20}`);
    nas.logIn('later', { identity: { 'User-Name': 'later' } });
    await account('Start', 'later', 'User-Name = "later"', `Event-Timestamp = ${before + 25}`);
    // One that was long under way.
    await account('Start', 'late', 'User-Name = "late"', `Event-Timestamp = ${before + 10}`);
    for (const id of ids) await known(id, isClosed);
    expect(await system.events.untilRecorded('r7', 2)).toEqual(['Start gold', 'Stop gold']);
    await known('later', isOpen);
    expect(isOpen(await system.session('late'))).toBe(false);
    expect(services(await system.session('r7'))).toEqual({});
  }, 60_000);

  it('is disconnected: the NAS says so first, and the Stop that follows changes nothing', async () => {
    nas.logIn('f1', { identity: { 'User-Name': 'fay@isp' } });
    await account('Start', 'f1', 'User-Name = "fay@isp"');
    await known('f1', isOpen);
    expect(await ask('coa', 'User-Name = "fay@isp"', 'ERX-Service-Activate:1 = "gold"')).toBe('CoA-ACK');
    expect(await ask('disconnect', 'User-Name = "fay@isp"')).toBe('Disconnect-ACK');
    await account('Stop', 'f1', 'User-Name = "fay@isp"', 'Acct-Terminate-Cause = Admin-Reset');
    expect(await system.events.untilRecorded('f1', 2)).toEqual(['Start gold', 'Stop gold']);
    await known('f1', isClosed);
    expect(await ask('disconnect', 'User-Name = "fay@isp"')).toBe('Disconnect-NAK Session-Context-Not-Found');
  });

  it('has no record for three intervals: it is stale, gives way to the next one, and its next record ends that', async () => {
    const who = ['User-Name = "gil@isp"', 'Framed-IP-Address = 198.51.100.9'];
    for (const id of ['g1', 'g2']) nas.logIn(id, { identity: { 'User-Name': 'gil@isp' } });
    const every = 'Acct-Interim-Interval = 600';
    await account('Start', 'g1', ...who, every);
    await known('g1', isOpen);
    searchAfter(31 * 60_000);
    await known('g1', (session) => session?.life?.staleSinceMs !== undefined);
    await account('Start', 'g2', ...who);
    await known('g2', isOpen);
    expect(await ask('coa', 'User-Name = "gil@isp"', 'ERX-Service-Activate:1 = "gold"')).toBe('CoA-ACK');
    expect(nas.services('g2')).toEqual(['gold']);
    await account('Interim-Update', 'g1', ...who);
    await known('g1', (session) => isOpen(session) && session?.life?.staleSinceMs === undefined);
    expect(await ask('coa', 'User-Name = "gil@isp"', 'ERX-Service-Activate:1 = "gold"')).toBe(
      'CoA-NAK Multiple-Session-Selection-Unsupported',
    );
  });
});
