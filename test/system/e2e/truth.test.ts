// The NAS has the last word: radclient asks, and a NAS that has services and users of its own answers.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import { type Attribute, allValues } from '../../../core/radius/codec.ts';
import {
  type NasRequest,
  type NasScript,
  type ScriptedNas,
  type ScriptedNasOptions,
  startScriptedNas,
} from '../../../local/peers/scripted-nas.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { closedPort } from '../../relay/support.ts';
import { radclient, radclientPeer } from '../peers/radclient.ts';
import { PREPARED_SECRET, SECRET, type SitePlan, startTestSystem, type TestSystem } from './support.ts';

const skip = dynoxide.skip || radclientPeer.skip;
const title = (text: string) => dynoxide.title(radclientPeer.title(text));

const SERVICES = `
services:
  tiered: { parameters: [inputBW, outputBW], mutexGroup: 12, statistics: time }
  gold: { mutexGroup: 12, statistics: time }
  silver: { mutexGroup: 12, statistics: time }
  voice: { statistics: time }
  SERVICE-INET: { parameters: [up, down, burst, queue], statistics: time }
  film: { mutexGroup: 7 }
  news: { mutexGroup: 7 }
groups: { 7: { unknownMembers: deactivate } }
`;

const USER = 'client1@isp1.com';

interface Scene {
  readonly nas: ScriptedNas;
  readonly system: TestSystem;
  /** What the NAS does with the commands of a session; without a script it carries out what it can. */
  readonly scripts: Map<string, NasScript>;
  /** A session logs in with these services, in the NAS's spelling. */
  logIn(acctSessionId: string, services?: readonly string[]): void;
  /** What a client gets: `CoA-ACK`, `CoA-NAK Session-Context-Not-Found`. */
  ask(acctSessionId: string, ...change: readonly string[]): Promise<string>;
  askAs(userName: string | undefined, acctSessionId: string, ...change: readonly string[]): Promise<string>;
  disconnect(acctSessionId: string, ...more: readonly string[]): Promise<string>;
  /** `+gold`, `-silver`: what the NAS was told of a session; `?gold` where it refused. */
  told(acctSessionId: string): readonly string[];
  services(acctSessionId: string): Promise<Readonly<Record<string, string>> | undefined>;
  /** Resolves when the table has no such session: decide answers before it removes one. */
  isForgotten(acctSessionId: string): Promise<unknown>;
  stop(): Promise<void>;
}

async function startScene(plan: SitePlan = {}, nasOptions: Partial<ScriptedNasOptions> = {}): Promise<Scene> {
  const scripts = new Map<string, NasScript>();
  const nas = await startScriptedNas({
    address: { address: '127.0.0.1', port: 0 },
    secrets: [PREPARED_SECRET],
    script: (request) => scripts.get(request.acctSessionId ?? '')?.(request) ?? 'ack',
    onlyLoggedIn: true,
    now: Date.now,
    ...nasOptions,
  });
  const system = await startTestSystem({
    services: SERVICES,
    nasPort: nas.address.port,
    accountingPort: await closedPort(),
    ...plan,
  });
  const send = async (
    command: 'coa' | 'disconnect',
    userName: string | undefined,
    acctSessionId: string,
    ...change: readonly string[]
  ) => {
    const user = userName === undefined ? [] : [`User-Name = "${userName}"`];
    const { answer, output } = await radclient({
      command,
      port: system.coaAddress.port,
      secret: SECRET,
      attributes: [...user, 'NAS-IP-Address = 192.0.2.1', `Acct-Session-Id = "${acctSessionId}"`, ...change],
      timeoutSeconds: 20,
    });
    if (answer === undefined) throw new Error(`radclient has no answer: ${output}`);
    return [answer.code, ...answer.attributes.map(([, value]) => value)].join(' ');
  };
  return {
    nas,
    system,
    scripts,
    logIn: (acctSessionId, services = []) =>
      nas.logIn(acctSessionId, { identity: { 'User-Name': USER }, services }),
    askAs: (...asked) => send('coa', ...asked),
    ask: (...asked) => send('coa', USER, ...asked),
    disconnect: (...asked) => send('disconnect', USER, ...asked),
    told: (acctSessionId) =>
      nas.record
        .filter((entry) => entry.acctSessionId === acctSessionId)
        .map(({ operation, service, answer }) =>
          [answer === 'nak' ? '?' : '', operation === 'activate' ? '+' : '-', service].join(''),
        ),
    services: async (acctSessionId) => {
      const session = await system.session(acctSessionId);
      return (
        session &&
        Object.fromEntries(Object.values(session.services).map((one) => [one.activation, one.state]))
      );
    },
    isForgotten: (acctSessionId) =>
      vi.waitUntil(async () => (await system.session(acctSessionId)) === undefined),
    stop: async () => {
      await system.stop();
      await nas.stop();
    },
  };
}

const activate = (service: string, tag = 1) => `ERX-Service-Activate:${tag} = "${service}"`;
const deactivate = (service: string) => `ERX-Service-Deactivate += "${service}"`;
const isAbout = ({ operations }: NasRequest, operation: string, service: string) =>
  operations.some((one) => one.operation === operation && one.service === service);

const COMMAND = join(import.meta.dirname, '../../../cli/interlock.ts');

/** What `npx interlock show NAME` prints, or that it finds nothing. */
async function shown({ cloud }: TestSystem, name: string): Promise<string> {
  const options = ['--table', cloud.tableName, '--endpoint', String(cloud.dynamodb.endpoint)];
  const env = {
    ...process.env,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
  try {
    return (await promisify(execFile)(process.execPath, [COMMAND, 'show', ...options, name], { env })).stdout;
  } catch (error) {
    return (error as { readonly stderr: string }).stderr;
  }
}

// Some of them wait for a NAS that does not answer, so they run side by side.
describe.skipIf(skip).concurrent(title('a NAS with services of its own'), () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startScene();
  });
  afterAll(() => scene.stop());

  it('guided entrance: the captive portal goes when the tier comes, in the spelling of the client', async ({
    expect,
  }) => {
    const id = 'guided';
    scene.logIn(id, ['http(192.168.25.2, 80)']);
    const answer = await scene.ask(
      id,
      activate('tiered(1280000, 5120000)'),
      deactivate('http(192.168.25.2, 80)'),
    );
    expect(answer).toBe('CoA-ACK');
    expect(scene.told(id)).toEqual(['+tiered(1280000,5120000)', '-http(192.168.25.2, 80)']);
    expect(scene.nas.services(id)).toEqual(['tiered(1280000,5120000)']);
    expect(await scene.services(id)).toEqual({ 'tiered(1280000,5120000)': 'active' });
    const items = await scene.system.history(id, ({ deactivated = [] }) => deactivated.length > 0);
    expect(items.at(-1)).toMatchObject({
      activated: ['tiered(1280000,5120000)'],
      deactivated: ['http(192.168.25.2,80)'],
      requests: [{ answer: 'ack' }],
    });
    expect(await scene.system.events.untilRecorded(id, 1)).toEqual(['Start tiered(1280000,5120000)']);
  });

  it('a Disconnect-Request: the NAS ends the session, then each service is accounted and the client answered', async ({
    expect,
  }) => {
    const id = 'disconnected';
    scene.logIn(id, ['http(192.168.25.2, 80)']);
    await scene.ask(id, activate('gold'), activate('voice', 2));
    expect(await scene.disconnect(id, 'Error-Cause = 200')).toBe('Disconnect-NAK Unsupported-Attribute');
    scene.scripts.set(id, () => ({ nak: 504 }));
    expect(await scene.disconnect(id)).toBe('Disconnect-NAK Session-Context-Not-Removable');
    scene.scripts.delete(id);
    expect(scene.nas.services(id)).toEqual(['http(192.168.25.2, 80)', 'gold', 'voice']);
    expect(await scene.disconnect(id)).toBe('Disconnect-ACK');
    expect(scene.nas.services(id)).toEqual([]);
    const records = await scene.system.events.untilRecorded(id, 4);
    expect(records.toSorted()).toEqual(['Start gold', 'Start voice', 'Stop gold', 'Stop voice']);
    expect(await scene.disconnect(id)).toBe('Disconnect-NAK Session-Context-Not-Found');
    const text = await shown(scene.system, id);
    expect(text).toContain('Disconnect-NAK 504 Session-Context-Not-Removable: the NAS refused to disconnect');
  });

  it('a Disconnect-Request that the NAS does not answer: 505, and its services are in doubt', async ({
    expect,
  }) => {
    const id = 'disconnected in vain';
    scene.logIn(id);
    await scene.ask(id, activate('gold'));
    scene.scripts.set(id, () => 'lose-request');
    expect(await scene.disconnect(id)).toBe('Disconnect-NAK Proxy-Processing-Error');
    scene.scripts.delete(id);
    expect(await scene.services(id)).toEqual({ gold: 'unconfirmed' });
    expect(await scene.disconnect(id)).toBe('Disconnect-ACK');
    expect(await scene.system.events.untilRecorded(id, 2)).toEqual(['Start gold', 'Stop gold']);
  });

  it('a lone deactivation of a log-in service is its to answer: an ACK, which the history keeps', async ({
    expect,
  }) => {
    const id = 'lone';
    scene.logIn(id, ['http(192.168.25.2, 80)', 'voice']);
    expect(await scene.ask(id, deactivate('http(192.168.25.2, 80)'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['voice']);
    await scene.system.history(id, ({ deactivated = [] }) => deactivated.includes('http(192.168.25.2,80)'));
    expect(await scene.services(id)).toEqual({});
  });

  it('a lone deactivation of a log-in service is its to answer: a NAK, which is passed on', async ({
    expect,
  }) => {
    const id = 'lone refused';
    scene.logIn(id, ['voice']);
    scene.scripts.set(id, () => ({ nak: 506, text: { name: 'Reply-Message', value: 'busy' } }));
    expect(await scene.ask(id, deactivate('voice'))).toBe('CoA-NAK Resources-Unavailable');
    expect(scene.nas.services(id)).toEqual(['voice']);
    await scene.isForgotten(id);
  });

  it('a lone deactivation that it does not answer gets 505, and the service is unconfirmed', async ({
    expect,
  }) => {
    const id = 'lone unanswered';
    scene.logIn(id, ['voice']);
    scene.scripts.set(id, () => 'lose-request');
    expect(await scene.ask(id, deactivate('voice'))).toBe('CoA-NAK Proxy-Processing-Error');
    expect(await scene.services(id)).toEqual({ voice: 'unconfirmed' });
    expect(await shown(scene.system, id)).toMatch(/voice +- +unconfirmed/);
  });

  it('a bare name ends the services of that name that are known, and the one that is called so', async ({
    expect,
  }) => {
    const id = 'bare';
    scene.logIn(id, ['SERVICE-INET']);
    expect(await scene.ask(id, activate('SERVICE-INET(1,2,3,4)'))).toBe('CoA-ACK');
    expect(await scene.ask(id, deactivate('SERVICE-INET'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual([]);
    expect((await scene.services(id)) ?? {}).toEqual({});
  });

  it('a bare name may be unknown to it where a known service has that name', async ({ expect }) => {
    const id = 'bare known';
    scene.logIn(id);
    await scene.ask(id, activate('SERVICE-INET(1,2,3,4)'));
    expect(await scene.ask(id, deactivate('SERVICE-INET'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual([]);
    expect(await scene.system.events.untilRecorded(id, 2)).toEqual([
      'Start SERVICE-INET(1,2,3,4)',
      'Stop SERVICE-INET(1,2,3,4)',
    ]);
  });

  it('a bare name that nobody knows is its to answer', async ({ expect }) => {
    const id = 'bare unknown';
    scene.logIn(id, ['SERVICE-INET(1,2,3,4)']);
    expect(await scene.ask(id, deactivate('SERVICE-INET'))).toBe('CoA-NAK Session-Context-Not-Found');
    expect(scene.nas.services(id)).toEqual(['SERVICE-INET(1,2,3,4)']);
  });

  it('a bare name beside an activation of that name ends the other known ones', async ({ expect }) => {
    const id = 'bare beside';
    scene.logIn(id);
    await scene.ask(id, activate('SERVICE-INET(1,2,3,4)'));
    const switched = [activate('SERVICE-INET(5,6,7,8)'), deactivate('SERVICE-INET')];
    expect(await scene.ask(id, ...switched)).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['SERVICE-INET(5,6,7,8)']);
    expect(await scene.ask(id, ...switched)).toBe('CoA-NAK Invalid-Request');
    expect(scene.nas.services(id)).toEqual(['SERVICE-INET(5,6,7,8)']);
  });

  it.for([
    ['wrong case', 'GOLD'],
    ['unknown service', 'platinum'],
    ['wrong parameters', 'tiered(1, 2)'],
  ] as const)('%s: its answer is passed on, and the services stay', async ([what, service], { expect }) => {
    scene.logIn(what);
    await scene.ask(what, activate('tiered(3,4)'));
    expect(await scene.ask(what, deactivate(service))).toBe('CoA-NAK Session-Context-Not-Found');
    expect(scene.told(what).at(-1)).toBe(`?-${service}`);
    expect(await scene.services(what)).toEqual({ 'tiered(3,4)': 'active' });
  });

  it('knows no such session: its answer is passed on, and nothing is left of it', async ({ expect }) => {
    const id = 'never existed';
    expect(await scene.ask(id, deactivate('gold'))).toBe('CoA-NAK Session-Context-Not-Found');
    expect(await scene.ask(id, activate('gold'))).toBe('CoA-NAK Session-Context-Not-Found');
    expect(scene.told(id)).toEqual(['?-gold', '?+gold']);
    await scene.isForgotten(id);
    expect(await shown(scene.system, id)).toContain(`no session has the User-Name or Acct-Session-Id ${id}`);
  });

  it('refuses the wrong user, and is asked again for the right one', async ({ expect }) => {
    const id = 'wrong, then right';
    scene.logIn(id);
    expect(await scene.askAs('wrong', id, activate('gold'))).toBe('CoA-NAK Session-Context-Not-Found');
    expect(await scene.askAs(undefined, id, activate('gold'))).toBe('CoA-ACK');
    expect(await scene.askAs('wrong', id, activate('silver'))).toBe('CoA-NAK Session-Context-Not-Found');
    expect(await scene.ask(id, activate('silver'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['silver']);
    // The user that it has confirmed is the one that it is never asked about again.
    const told = scene.told(id).length;
    expect(await scene.askAs('wrong', id, activate('gold'))).toBe('CoA-NAK Session-Context-Not-Found');
    expect(scene.told(id)).toHaveLength(told);
    expect((await scene.system.session(id))?.identity).toEqual({ 'User-Name': USER });
  });

  it('answers nothing about the wrong user, and is asked again for the right one', async ({ expect }) => {
    const id = 'unanswered, then right';
    scene.logIn(id, ['gold']);
    scene.scripts.set(id, () => 'lose-request');
    expect(await scene.askAs('wrong', id, activate('gold'))).toBe('CoA-NAK Proxy-Processing-Error');
    scene.scripts.delete(id);
    expect(await scene.ask(id, activate('silver'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['silver']);
  });

  it('says 503 to the activation in a session that it had confirmed: its services end, with one Stop each', async ({
    expect,
  }) => {
    const id = 'logged off';
    scene.logIn(id);
    await scene.ask(id, activate('gold'), activate('voice', 2));
    scene.nas.logOff(id);
    expect(await scene.ask(id, activate('silver'))).toBe('CoA-NAK Session-Context-Not-Found');
    expect(await scene.ask(id, activate('tiered(1,2)'))).toBe('CoA-NAK Session-Context-Not-Found');
    expect((await scene.services(id)) ?? {}).toEqual({});
    // The session begins anew: the record of that is the next one.
    scene.logIn(id);
    await scene.ask(id, activate('silver'));
    expect(await scene.system.events.untilRecorded(id, 5)).toEqual([
      'Start gold',
      'Start voice',
      'Stop gold',
      'Stop voice',
      'Start silver',
    ]);
  });

  it('says 503 to a deactivation: the service is not there, and the session goes on', async ({ expect }) => {
    const id = 'ended by itself';
    scene.logIn(id);
    await scene.ask(id, activate('gold'), activate('voice', 2));
    scene.nas.end(id, 'voice');
    expect(await scene.ask(id, deactivate('voice'))).toBe('CoA-ACK');
    expect(await scene.services(id)).toEqual({ gold: 'active' });
    scene.nas.end(id, 'gold');
    expect(await scene.ask(id, activate('silver'))).toBe('CoA-ACK');
    expect(await scene.services(id)).toEqual({ silver: 'active' });
  });

  it('refuses a deactivation by name: what came is undone, what the group excludes stays, the reason names it', async ({
    expect,
  }) => {
    const id = 'explicit refused';
    scene.logIn(id);
    await scene.ask(id, activate('silver'), activate('voice', 2));
    scene.scripts.set(id, (request) => (isAbout(request, 'deactivate', 'voice') ? { nak: 506 } : 'ack'));
    expect(await scene.ask(id, activate('gold'), deactivate('voice'))).toBe('CoA-NAK Resources-Unavailable');
    const [refused] = (await scene.system.session(id))?.answered.slice(-1) ?? [];
    expect(refused?.reason).toBe('the NAS refused to deactivate voice');
    // The next request waits for the undo.
    await scene.ask(id, deactivate('platinum'));
    expect(scene.nas.services(id)).toEqual(['silver', 'voice']);
    expect(await scene.services(id)).toEqual({ silver: 'active', voice: 'active' });
  });

  it('does not answer a deactivation by name: 505, and it is activated again without Stop and Start', async ({
    expect,
  }) => {
    const id = 'explicit unanswered';
    scene.logIn(id);
    await scene.ask(id, activate('silver'), activate('voice', 2));
    scene.scripts.set(id, (request) => (isAbout(request, 'deactivate', 'voice') ? 'lose-reply' : 'ack'));
    expect(await scene.ask(id, activate('gold'), deactivate('voice'))).toBe('CoA-NAK Proxy-Processing-Error');
    await scene.ask(id, deactivate('platinum'));
    expect(scene.nas.services(id)).toEqual(['silver', 'voice']);
    expect(await scene.services(id)).toEqual({ silver: 'active', voice: 'active' });
    scene.scripts.delete(id);
    await scene.ask(id, deactivate('silver'));
    expect(await scene.system.events.untilRecorded(id, 3)).toEqual([
      'Start silver',
      'Start voice',
      'Stop silver',
    ]);
  });

  it('keeps a log-in service that is applied again, though each of its replies is lost', async ({
    expect,
  }) => {
    const id = 'applied again';
    scene.logIn(id, ['gold']);
    scene.scripts.set(id, () => 'lose-reply');
    expect(await scene.ask(id, activate('gold'))).toBe('CoA-NAK Proxy-Processing-Error');
    scene.scripts.delete(id);
    expect(await scene.services(id)).toEqual({ gold: 'unconfirmed' });
    expect(scene.told(id)).toEqual(['+gold']);
    expect(await scene.ask(id, activate('silver'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['silver']);
  });

  it('has the other members of a group go that nobody knew of, where that is asked for', async ({
    expect,
  }) => {
    const id = 'unknown members';
    scene.logIn(id, ['news', 'voice']);
    expect(await scene.ask(id, activate('film'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['voice', 'film']);
    expect(await scene.services(id)).toEqual({ film: 'active' });
  });
});

describe.skipIf(skip).concurrent(title('a NAS that refuses what is there already'), () => {
  let scene: Scene;
  beforeAll(async () => {
    const text = { name: 'ERX-Action-Reason', value: 'service is active' } as const;
    scene = await startScene({}, { whenThere: { errorCause: 404, text } });
  });
  afterAll(() => scene.stop());

  it('refuses a refresh: nothing changes, and the reason is in its words', async ({ expect }) => {
    const id = 'refreshed';
    scene.logIn(id);
    await scene.ask(id, activate('gold'));
    expect(await scene.ask(id, activate('gold'), 'ERX-Service-Timeout:1 = 60')).toBe(
      'CoA-NAK Invalid-Request',
    );
    expect((await scene.system.session(id))?.answered.at(-1)?.reason).toBe(
      'the NAS refused gold: service is active',
    );
    expect(await scene.services(id)).toEqual({ gold: 'active' });
  });

  it('refuses to activate again what it still has: that is unconfirmed, and the next of its group replaces it', async ({
    expect,
  }) => {
    const id = 'not restored';
    scene.logIn(id);
    await scene.ask(id, activate('gold'));
    scene.scripts.set(id, (request) => (isAbout(request, 'deactivate', 'gold') ? 'lose-request' : 'ack'));
    expect(await scene.ask(id, deactivate('gold'))).toBe('CoA-NAK Proxy-Processing-Error');
    scene.scripts.delete(id);
    await scene.ask(id, deactivate('platinum'));
    expect(await scene.services(id)).toEqual({ gold: 'unconfirmed' });
    expect(await scene.ask(id, activate('silver'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['silver']);
    expect(await scene.system.events.untilRecorded(id, 3)).toEqual([
      'Start gold',
      'Start silver',
      'Stop gold',
    ]);
  });
});

const replyMessage = (value: string): Attribute => ({ name: 'Reply-Message', value });
/** An attribute of these octets, given as ISO 8859-1. */
const octets = (type: number, value: string): Attribute => ({
  unknown: { type },
  value: Buffer.from(value, 'latin1'),
});
const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

describe.skipIf(skip).concurrent(title('what a NAS says in words'), () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startScene();
  });
  afterAll(() => scene.stop());

  it('is in show, the history and the logs where it refuses a switch', async ({ expect }) => {
    const id = 'refused in words';
    const { system } = scene;
    scene.logIn(id);
    await scene.ask(id, activate('silver'));
    scene.scripts.set(id, () => ({ nak: 506, text: { name: 'Reply-Message', value: 'Resource busy' } }));
    expect(await scene.ask(id, activate('gold'))).toBe('CoA-NAK Resources-Unavailable');
    const outcome = { result: 'nak', errorCause: 506, text: 'Resource busy' };
    await system.history(id, (item) => item.outcome?.text === 'Resource busy');
    const text = await shown(system, id);
    expect(text).toContain('CoA-NAK 506 Resources-Unavailable: the NAS refused gold: Resource busy');
    expect(text).toContain("outcome: nak 506, 'Resource busy'");
    expect(system.events.all).toEqual(
      expect.arrayContaining([
        { source: 'relay', event: expect.objectContaining({ kind: 'command-answered', ...outcome }) },
        {
          source: 'decide',
          event: expect.objectContaining({
            kind: 'decided',
            cause: "the NAS: nak 506, 'Resource busy'",
            outcome,
          }),
        },
      ]),
    );
  });

  it('is beside the next retry of what it does not let go', async ({ expect }) => {
    const id = 'stuck in words';
    scene.logIn(id);
    await scene.ask(id, activate('silver'));
    const text = { name: 'ERX-Action-Reason', value: 'still\u001b[31m in use' } as const;
    scene.scripts.set(id, (request) =>
      isAbout(request, 'deactivate', 'silver') ? { nak: 506, text } : 'ack',
    );
    expect(await scene.ask(id, activate('gold'))).toBe('CoA-ACK');
    const lines = await shown(scene.system, id);
    expect(lines).toMatch(
      /silver .* deactivating since .*, attempt 1 failed, NAS: nak 506, 'still \[31m in use', next retry /,
    );
    expect(lines).not.toContain('\u001b');
  });

  it.for<[what: string, nak: number | undefined, text: readonly Attribute[], said: string]>([
    ['no cause and no words', undefined, [], 'nak'],
    ['words without a cause', undefined, [replyMessage('no such profile')], "nak, 'no such profile'"],
    ['a cause without words', 501, [], 'nak 501'],
    ['a cause that the RFC does not define', 999, [replyMessage('site rule')], "nak 999, 'site rule'"],
    ['several Reply-Messages', 506, [replyMessage('one'), replyMessage('two')], "nak 506, 'one; two'"],
    ['control characters', 506, [octets(18, '\x1b]0;owned\x07 a\nb\x9b')], "nak 506, ']0;owned a b\ufffd'"],
    ['a text that turns its line', 506, [replyMessage('busy \u202egnp')], "nak 506, 'busy gnp'"],
    ['octets that are not UTF-8', 506, [octets(18, 'caf\xe9 \xff')], "nak 506, 'caf\ufffd \ufffd'"],
    ['blanks alone', 506, [replyMessage(' \t ')], 'nak 506'],
    ['253 octets', 506, [replyMessage('x'.repeat(253))], `nak 506, '${'x'.repeat(199)}…'`],
    [
      'an Action-Reason',
      404,
      [{ name: 'ERX-Action-Reason', value: '122 Execution failure' }],
      "nak 404, '122 Execution failure'",
    ],
    [
      "Nokia's message and code",
      506,
      [
        { name: 'Alc-Error-Code', value: 17 },
        { name: 'Alc-Error-Message', value: 'no such policer' },
      ],
      "nak 506, 'no such policer; Alc-Error-Code = 17'",
    ],
    [
      "Ericsson's message and the code of a service",
      506,
      [
        { name: 'Session-Error-Msg', value: 'service not found' },
        { name: 'Service-Error-Cause', tag: 1, value: 551 },
      ],
      "nak 506, 'service not found; Service-Error-Cause:1 = 551'",
    ],
  ])('is shown where it refuses with %s', async ([id, nak, text, said], { expect }) => {
    scene.logIn(id);
    await scene.ask(id, activate('silver'));
    scene.scripts.set(id, () => ({ nak, text }));
    expect(await scene.ask(id, activate('gold'))).toMatch(/^CoA-NAK/);
    await scene.system.history(id, (item) => item.outcome?.result === 'nak');
    const lines = await shown(scene.system, id);
    expect(lines).toMatch(new RegExp(`outcome: ${escaped(said)}  `));
    expect(lines).not.toMatch(/[^\P{C}\n]/u);
    const causes = scene.system.events.all.flatMap(({ source, event }) =>
      source === 'decide' && event.kind === 'decided' && event.session.acctSessionId === id
        ? [event.cause]
        : [],
    );
    expect(causes.at(-1)).toBe(`the NAS: ${said}`);
  });

  it('is there where it refuses a deactivation by name, and then to undo what came', async ({ expect }) => {
    const id = 'undo refused in words';
    scene.logIn(id);
    await scene.ask(id, activate('silver'), activate('voice', 2));
    scene.scripts.set(id, (request) =>
      isAbout(request, 'deactivate', 'voice')
        ? { nak: 501, text: replyMessage('voice is locked') }
        : isAbout(request, 'deactivate', 'gold')
          ? { nak: 506, text: replyMessage('gold is in use') }
          : 'ack',
    );
    expect(await scene.ask(id, activate('gold'), deactivate('voice'))).toBe(
      'CoA-NAK Administratively-Prohibited',
    );
    await scene.system.history(id, (item) => item.outcome?.text === 'gold is in use');
    const lines = await shown(scene.system, id);
    expect(lines).toContain(
      'CoA-NAK 501 Administratively-Prohibited: the NAS refused to deactivate voice: voice is locked',
    );
    expect(lines).toContain("outcome: nak 501, 'voice is locked'");
    expect(lines).toContain("outcome: nak 506, 'gold is in use'");
    expect(lines).toMatch(
      /gold .* deactivating since .*, attempt 1 failed, NAS: nak 506, 'gold is in use', next /,
    );
  });

  it('is there where it refuses to activate again what it did not answer for', async ({ expect }) => {
    const id = 'restoration refused in words';
    scene.logIn(id);
    await scene.ask(id, activate('voice'));
    scene.scripts.set(id, (request) =>
      isAbout(request, 'deactivate', 'voice')
        ? 'lose-request'
        : { nak: 501, text: replyMessage('voice is there') },
    );
    expect(await scene.ask(id, deactivate('voice'))).toBe('CoA-NAK Proxy-Processing-Error');
    await scene.system.history(id, (item) => item.outcome?.text === 'voice is there');
    expect(await scene.services(id)).toEqual({ voice: 'unconfirmed' });
    expect(await shown(scene.system, id)).toContain("outcome: nak 501, 'voice is there'");
  });

  it('is there where it acknowledges', async ({ expect }) => {
    const id = 'acknowledged in words';
    scene.logIn(id);
    scene.scripts.set(id, () => ({ ack: replyMessage('done, and the queue is short') }));
    expect(await scene.ask(id, activate('gold'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['gold']);
    await scene.system.history(id, (item) => item.outcome?.text !== undefined);
    expect(await shown(scene.system, id)).toContain("outcome: ack, 'done, and the queue is short'");
    expect(scene.system.events.all).toContainEqual({
      source: 'relay',
      event: expect.objectContaining({
        kind: 'command-answered',
        result: 'ack',
        text: 'done, and the queue is short',
      }),
    });
  });
});

describe.skipIf(skip).concurrent(title('a NAS that replaces its list of Filter-Ids'), () => {
  let scene: Scene;
  beforeAll(async () => {
    const options = { noService: 'blocked' };
    scene = await startScene(
      { nas: { dialect: 'generic', options } },
      { dialect: 'generic', dialectOptions: options },
    );
  });
  afterAll(() => scene.stop());

  it('is told nothing of a service that Interlock does not know, and keeps what it has', async ({
    expect,
  }) => {
    const id = 'list unknown';
    scene.logIn(id, ['http', 'voice']);
    expect(await scene.ask(id, deactivate('voice'))).toBe('CoA-NAK Session-Context-Not-Found');
    expect(await scene.ask(id, deactivate('http'))).toBe('CoA-NAK Invalid-Request');
    expect(await scene.ask(id, activate('gold'), deactivate('voice'))).toBe(
      'CoA-NAK Session-Context-Not-Found',
    );
    expect(scene.told(id)).toEqual([]);
    expect(scene.nas.services(id)).toEqual(['http', 'voice']);
    await scene.isForgotten(id);
  });

  it('loses what it had from log-in with the first activation, and has the name for none at last', async ({
    expect,
  }) => {
    const id = 'list replaced';
    scene.logIn(id, ['http']);
    expect(await scene.ask(id, activate('tiered(1,2)'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['tiered(1,2)']);
    expect(await scene.ask(id, deactivate('tiered'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual([]);
  });
});

describe.skipIf(skip).concurrent(title('a NAS that has one Filter-Id at a time'), () => {
  let scene: Scene;
  beforeAll(async () => {
    const options = { oneAtATime: true };
    scene = await startScene(
      { nas: { dialect: 'generic', order: 'together', options } },
      { dialect: 'generic', dialectOptions: options },
    );
  });
  afterAll(() => scene.stop());

  it('is switched with one command, and refused what would be two', async ({ expect }) => {
    const id = 'one';
    scene.logIn(id);
    expect(await scene.ask(id, activate('gold'))).toBe('CoA-ACK');
    expect(await scene.ask(id, activate('silver'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['silver']);
    const told = scene.told(id);
    expect(await scene.ask(id, activate('voice'))).toBe('CoA-NAK Resources-Unavailable');
    expect(scene.told(id)).toEqual(told);
    expect(await scene.ask(id, activate('voice'), deactivate('silver'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['voice']);
    expect(await scene.services(id)).toEqual({ voice: 'active' });
    expect(await scene.ask(id, deactivate('voice'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual([]);
  });

  it('does not answer a switch: what it had is there again', async ({ expect }) => {
    const id = 'one unanswered';
    scene.logIn(id);
    await scene.ask(id, activate('gold'));
    scene.scripts.set(id, ({ attributes }) =>
      allValues(attributes, 'Filter-Id').includes('silver') ? 'lose-reply' : 'ack',
    );
    expect(await scene.ask(id, activate('silver'))).toBe('CoA-NAK Proxy-Processing-Error');
    scene.scripts.delete(id);
    // The next request waits for the restoration.
    expect(await scene.ask(id, activate('gold'))).toBe('CoA-ACK');
    expect(scene.nas.services(id)).toEqual(['gold']);
    expect(await scene.services(id)).toEqual({ gold: 'active' });
  });
});

const REFUSES_COEXISTENCE = { exclusive: [['gold', 'silver', 'tiered']] };

describe.skipIf(skip).concurrent(title('a NAS that refuses two services side by side'), () => {
  const scenes = new Map<string, Scene>();
  const scene = (order: string) => {
    const found = scenes.get(order);
    if (found === undefined) throw new Error(`there is no scene for ${order}`);
    return found;
  };
  beforeAll(async () => {
    for (const order of ['activate-first', 'together', 'deactivate-first'])
      scenes.set(order, await startScene({ nas: { order } }, REFUSES_COEXISTENCE));
  });
  afterAll(async () => {
    for (const one of scenes.values()) await one.stop();
  });

  it('refuses each switch where the newcomer is told first, and nothing changes', async ({ expect }) => {
    const { logIn, ask, nas } = scene('activate-first');
    logIn('a');
    await ask('a', activate('gold'));
    expect(await ask('a', activate('silver'))).toBe('CoA-NAK Resources-Unavailable');
    expect(nas.services('a')).toEqual(['gold']);
  });

  it('is told together: one command, and the ACK of the client is its own', async ({ expect }) => {
    const { logIn, ask, nas, told, system } = scene('together');
    logIn('a');
    await ask('a', activate('gold'));
    expect(await ask('a', activate('silver'))).toBe('CoA-ACK');
    expect(nas.services('a')).toEqual(['silver']);
    expect(told('a')).toEqual(['+gold', '+silver', '-gold']);
    expect(await system.events.untilRecorded('a', 3)).toEqual(['Start gold', 'Start silver', 'Stop gold']);
  });

  it('is told together and refuses: nothing changes', async ({ expect }) => {
    const { logIn, ask, nas, scripts, services } = scene('together');
    logIn('b');
    await ask('b', activate('gold'));
    scripts.set('b', () => ({ nak: 506 }));
    expect(await ask('b', activate('silver'))).toBe('CoA-NAK Resources-Unavailable');
    expect(nas.services('b')).toEqual(['gold']);
    expect(await services('b')).toEqual({ gold: 'active' });
  });

  it('is told together and does not answer: what was there is there again', async ({ expect }) => {
    const { logIn, ask, nas, scripts, services } = scene('together');
    logIn('c');
    await ask('c', activate('gold'), activate('voice', 2));
    scripts.set('c', () => 'lose-request');
    expect(await ask('c', activate('silver'), deactivate('voice'))).toBe('CoA-NAK Proxy-Processing-Error');
    scripts.delete('c');
    await ask('c', deactivate('platinum'));
    expect(nas.services('c')).toEqual(['gold', 'voice']);
    expect(await services('c')).toMatchObject({ gold: 'active', voice: 'active' });
  });

  it('is told together and does it, and its reply is lost: what it has is unconfirmed until the client asks again', async ({
    expect,
  }) => {
    const { logIn, ask, nas, scripts, services } = scene('together');
    logIn('d');
    await ask('d', activate('gold'));
    scripts.set('d', () => 'lose-reply');
    expect(await ask('d', activate('silver'))).toBe('CoA-NAK Proxy-Processing-Error');
    scripts.delete('d');
    await ask('d', deactivate('platinum'));
    // It refuses gold beside silver, so the restoration ends, and nothing is taken away.
    expect(nas.services('d')).toEqual(['silver']);
    expect(await services('d')).toEqual({ gold: 'unconfirmed', silver: 'unconfirmed' });
    expect(await ask('d', activate('silver'))).toBe('CoA-ACK');
    expect(await services('d')).toEqual({ silver: 'active' });
    expect(nas.services('d')).toEqual(['silver']);
  });

  it('is told of what goes first, where it is so configured', async ({ expect }) => {
    const { logIn, ask, nas, told } = scene('deactivate-first');
    logIn('a');
    await ask('a', activate('gold'));
    expect(await ask('a', activate('silver'))).toBe('CoA-ACK');
    expect(told('a')).toEqual(['+gold', '-gold', '+silver']);
    expect(nas.services('a')).toEqual(['silver']);
  });

  it('refuses the newcomer: what went is activated again, and the client hears why', async ({ expect }) => {
    const { logIn, ask, nas, scripts, services, system } = scene('deactivate-first');
    logIn('b');
    await ask('b', activate('gold'));
    scripts.set('b', (request) => (isAbout(request, 'activate', 'silver') ? { nak: 506 } : 'ack'));
    expect(await ask('b', activate('silver'))).toBe('CoA-NAK Resources-Unavailable');
    await ask('b', deactivate('platinum'));
    expect(nas.services('b')).toEqual(['gold']);
    expect(await services('b')).toEqual({ gold: 'active' });
    await ask('b', deactivate('gold'));
    expect(await system.events.untilRecorded('b', 2)).toEqual(['Start gold', 'Stop gold']);
  });

  it('refuses the newcomer and then what went, in words that are beside the next retry', async ({
    expect,
  }) => {
    const { logIn, ask, scripts, services, system } = scene('deactivate-first');
    logIn('d');
    await ask('d', activate('gold'));
    scripts.set('d', (request) =>
      isAbout(request, 'activate', 'silver')
        ? { nak: 506, text: replyMessage('silver is full') }
        : isAbout(request, 'activate', 'gold')
          ? { nak: 506, text: replyMessage('gold is full') }
          : 'ack',
    );
    expect(await ask('d', activate('silver'))).toBe('CoA-NAK Resources-Unavailable');
    await system.history('d', (item) => item.outcome?.text === 'gold is full');
    expect(await services('d')).toEqual({ gold: 'restoring' });
    const lines = await shown(system, 'd');
    expect(lines).toContain('the NAS refused silver: silver is full');
    expect(lines).toMatch(
      /gold .* restoring since .*, attempt 1 failed, NAS: nak 506, 'gold is full', next retry /,
    );
  });

  it('refuses to let go: the newcomer is never told, and nothing changes', async ({ expect }) => {
    const { logIn, ask, nas, scripts, told, services } = scene('deactivate-first');
    logIn('c');
    await ask('c', activate('gold'));
    scripts.set('c', (request) => (isAbout(request, 'deactivate', 'gold') ? { nak: 506 } : 'ack'));
    expect(await ask('c', activate('silver'))).toBe('CoA-NAK Resources-Unavailable');
    expect(told('c')).toEqual(['+gold', '?-gold']);
    expect(nas.services('c')).toEqual(['gold']);
    expect(await services('c')).toEqual({ gold: 'active' });
  });
});

describe.skipIf(skip).concurrent(title('without a NAS that is told'), () => {
  let system: TestSystem;
  beforeAll(async () => {
    system = await startTestSystem({ services: SERVICES });
  });
  afterAll(() => system.stop());

  async function ask(acctSessionId: string, ...change: readonly string[]): Promise<string> {
    const { answer } = await radclient({
      command: 'coa',
      port: system.coaAddress.port,
      secret: SECRET,
      attributes: [`Acct-Session-Id = "${acctSessionId}"`, ...change],
    });
    return [answer?.code, ...(answer?.attributes ?? []).map(([, value]) => value)].join(' ');
  }

  it('a service that is not defined is 404, an unknown session 503, and a known service that is not active an ACK', async ({
    expect,
  }) => {
    expect(await ask('none', deactivate('gold'))).toBe('CoA-NAK Session-Context-Not-Found');
    await vi.waitFor(async () => expect(await system.session('none')).toBeUndefined());
    expect(await ask('none', activate('gold'))).toBe('CoA-ACK');
    expect(await ask('none', deactivate('platinum'))).toBe('CoA-NAK Invalid-Request');
    expect(await ask('none', deactivate('silver'))).toBe('CoA-ACK');
  });

  it('a MAC address is the same in each of its spellings, and another one is another station', async ({
    expect,
  }) => {
    const station = (address: string) => `Calling-Station-Id = "${address}"`;
    expect(await ask('mac', station('00-1a-2b-3c-4d-5e'), activate('gold'))).toBe('CoA-ACK');
    expect(await ask('mac', station('00:1A:2B:3C:4D:5E'), activate('silver'))).toBe('CoA-ACK');
    expect(await ask('mac', station('001a.2b3c.4d5e'), activate('gold'))).toBe('CoA-ACK');
    expect(await ask('mac', station('001a.2b3c.4d5f'), activate('silver'))).toBe(
      'CoA-NAK Session-Context-Not-Found',
    );
  });
});
