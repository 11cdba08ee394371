import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DialectName } from '../../../core/dialects/dialects.ts';
import { DIALECTS } from '../../../core/dialects/dialects.ts';
import { verifyReply } from '../../../core/radius/authenticator.ts';
import { type Attribute, decodeAttributes, firstValue } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import type { ServiceTerms } from '../../../core/services/terms.ts';
import {
  type NasMove,
  type NasRecord,
  type NasScript,
  type ScriptedNas,
  type ScriptedNasOptions,
  startScriptedNas,
} from '../../../local/peers/scripted-nas.ts';
import {
  LOCALHOST,
  OLD_SECRET,
  packetOf,
  type RequestParts,
  SECRET,
  STRANGE_SECRET,
  signedRequest,
  type UdpPeer,
  udpPeer,
} from '../../relay/support.ts';
import { radclient, radclientPeer } from '../../system/peers/radclient.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 5, 0, 0);
const SESSION: Attribute = { name: 'Acct-Session-Id', value: '0001048580' };

const activate = (service: string, tag = 1): Attribute => ({
  name: 'ERX-Service-Activate',
  tag,
  value: service,
});
const deactivate = (service: string): Attribute => ({ name: 'ERX-Service-Deactivate', value: service });

let nas: ScriptedNas;
let relay: UdpPeer;

beforeEach(async () => {
  relay = await udpPeer();
});
afterEach(async () => {
  await Promise.all([nas.stop(), relay.close()]);
});

async function start(options: Partial<ScriptedNasOptions> = {}): Promise<void> {
  nas = await startScriptedNas({
    address: { address: LOCALHOST, port: 0 },
    secrets: [SECRET],
    now: () => NOW_MS,
    ...options,
  });
}

let identifier = 0;

/** A request with an Identifier that none had before. */
const request = (attributes: readonly Attribute[], parts: RequestParts = {}): Uint8Array =>
  signedRequest({ identifier: identifier++, attributes, ...parts });

/** Sends a datagram, and gives what comes next. */
async function send(datagram: Uint8Array, from = relay): Promise<Uint8Array> {
  const received = from.received.next();
  await from.send(datagram, nas.address);
  return (await received).datagram;
}

/** What the NAS answers. */
async function ask(...change: readonly Attribute[]): Promise<string> {
  return describeAnswer(await send(request([SESSION, ...change])));
}

function describeAnswer(datagram: Uint8Array): string {
  const packet = packetOf(datagram);
  const code = { [CODE.CoaAck]: 'ACK', [CODE.CoaNak]: 'NAK' }[packet.code];
  return `${code} ${firstValue(decodeAttributes(packet), 'Error-Cause') ?? ''}`.trim();
}

/** What a request fares when it comes first; its repeats fare well. */
const first =
  (move: NasMove): NasScript =>
  ({ attempt }) =>
    attempt === 1 ? move : 'ack';

describe('a scripted NAS', () => {
  it('keeps the record of what it was told, in order', async () => {
    const told: NasRecord[] = [];
    await start({ onRecord: (entry) => told.push(entry) });
    await ask(activate('bronze'), { name: 'ERX-Service-Timeout', tag: 1, value: 3600 });
    await ask(activate('gold', 1), activate('voice', 8), {
      name: 'ERX-Service-Statistics',
      tag: 8,
      value: 2,
    });
    await ask(deactivate('bronze'));

    const common = { atMs: NOW_MS, acctSessionId: '0001048580', answer: 'ack' };
    expect(nas.record).toEqual([
      {
        ...common,
        operation: 'activate',
        service: 'bronze',
        thresholds: { 'ERX-Service-Timeout': 3600 },
        services: ['bronze'],
      },
      { ...common, operation: 'activate', service: 'gold', services: ['bronze', 'gold'] },
      {
        ...common,
        operation: 'activate',
        service: 'voice',
        thresholds: { 'ERX-Service-Statistics': 2 },
        services: ['bronze', 'gold', 'voice'],
      },
      { ...common, operation: 'deactivate', service: 'bronze', services: ['gold', 'voice'] },
    ]);
    expect(told).toEqual(nas.record);
    expect(nas.services('0001048580')).toEqual(['gold', 'voice']);
    expect(nas.services('another')).toEqual([]);
  });

  it('keeps a service that is activated again where it is', async () => {
    await start();
    await ask(activate('bronze'));
    await ask(activate('voice'));
    await ask(activate('bronze'));
    expect(nas.record.map(({ services }) => services)).toEqual([
      ['bronze'],
      ['bronze', 'voice'],
      ['bronze', 'voice'],
    ]);
  });

  it('deactivates all that it is told to or, when one is not there, nothing', async () => {
    await start();
    await ask(activate('bronze'));
    expect(await ask(deactivate('bronze'), deactivate('gold'))).toBe('NAK 503');
    expect(nas.record.slice(1)).toMatchObject([
      { operation: 'deactivate', service: 'bronze', services: ['bronze'], answer: 'nak', errorCause: 503 },
      { operation: 'deactivate', service: 'gold', services: ['bronze'], answer: 'nak', errorCause: 503 },
    ]);
  });

  it.each([
    { what: 'no operation', change: [], answer: 'NAK 402' },
    {
      what: 'an attribute that it does not know',
      change: [activate('gold'), { name: 'Filter-Id', value: 'gold' }],
      answer: 'NAK 401',
    },
    {
      what: 'an attribute that nobody knows',
      change: [activate('gold'), { unknown: { type: 200 }, value: Uint8Array.of(1) }],
      answer: 'NAK 401',
    },
    {
      what: 'a malformed attribute',
      change: [activate('gold'), { malformed: { type: 4, reason: '' }, value: Uint8Array.of(1) }],
      answer: 'NAK 407',
    },
    { what: 'the tag 9', change: [activate('gold', 9)], answer: 'NAK 404' },
    { what: 'no tag', change: [{ name: 'ERX-Service-Activate', value: 'gold' }], answer: 'NAK 404' },
    { what: 'one tag twice', change: [activate('gold'), activate('silver')], answer: 'NAK 404' },
    {
      what: 'a threshold of no activation',
      change: [activate('gold', 1), { name: 'ERX-Service-Timeout', tag: 2, value: 60 }],
      answer: 'NAK 404',
    },
  ] satisfies {
    what: string;
    change: Attribute[];
    answer: string;
  }[])('refuses a request with $what', async ({ change, answer }) => {
    await start();
    expect(await ask(...change)).toBe(answer);
    expect(nas.record).toEqual([]);
  });

  it('refuses a request that names no session', async () => {
    await start();
    const unidentified = [{ name: 'User-Name', value: 'client1' } as const, activate('gold')];
    expect(describeAnswer(await send(request(unidentified)))).toBe('NAK 402');
    expect(nas.record).toEqual([]);
  });

  it('says nothing to a request that is not signed, not fresh or of another code', async () => {
    await start();
    const gold = [SESSION, activate('gold')];
    const stale = { name: 'Event-Timestamp', value: NOW_MS / 1000 - 301 } as const;
    const discarded = [
      request(gold, { secret: STRANGE_SECRET }),
      request([...gold, stale]),
      request(gold, { code: CODE.AccountingRequest }),
      Uint8Array.of(CODE.CoaRequest),
    ];
    for (const datagram of discarded) await relay.send(datagram, nas.address);
    const fresh = { name: 'Event-Timestamp', value: NOW_MS / 1000 - 300 } as const;
    const good = request([...gold, fresh]);
    expect(packetOf(await send(good)).identifier).toBe(packetOf(good).identifier);
    expect(nas.record).toHaveLength(1);
  });

  it.each([true, false])('answers with a Message-Authenticator as the request did: %s', async (isSigned) => {
    await start({ secrets: [SECRET, OLD_SECRET] });
    const asked = request([SESSION, activate('gold')], {
      secret: OLD_SECRET,
      messageAuthenticator: isSigned,
    });
    const answer = packetOf(await send(asked));
    const options = { requireMessageAuthenticator: true };
    expect(verifyReply(answer, packetOf(asked), OLD_SECRET, options)).toEqual(
      isSigned ? { ok: true } : { ok: false, reason: 'missing-message-authenticator' },
    );
  });

  it.skipIf(radclientPeer.skip)(radclientPeer.title('is understood by radclient'), async () => {
    await start();
    const { port } = nas.address;
    const attributes = [
      'Acct-Session-Id = "1"',
      'Message-Authenticator = 0x00',
      'ERX-Service-Deactivate = "gold"',
    ];
    const { answer } = await radclient({
      command: 'coa',
      port,
      secret: 'a secret of twenty-four.',
      attributes,
    });
    expect(answer).toMatchObject({
      code: 'CoA-NAK',
      attributes: [
        ['Message-Authenticator', expect.any(String)],
        ['Error-Cause', 'Session-Context-Not-Found'],
      ],
    });
  });
});

describe('a scripted NAS that hears a request again', () => {
  it('gives the stored answer and does nothing twice', async () => {
    await start();
    const asked = request([SESSION, activate('gold')]);
    const answer = await send(asked);
    await ask(deactivate('gold'));
    expect(await send(asked)).toEqual(answer);
    expect(nas.services('0001048580')).toEqual([]);
    expect(nas.record).toHaveLength(2);
  });

  it('takes the same bytes from another port for another request', async () => {
    await start();
    const asked = request([SESSION, activate('gold')]);
    await send(asked);
    const other = await udpPeer();
    await send(asked, other);
    await other.close();
    expect(nas.record).toHaveLength(2);
  });

  it('takes other bytes with the same Identifier for another request', async () => {
    await start();
    const gold = request([SESSION, activate('gold')], { identifier: 7 });
    await send(gold);
    await send(request([SESSION, activate('voice')], { identifier: 7 }));
    await send(gold);
    expect(nas.record.map(({ service }) => service)).toEqual(['gold', 'voice', 'gold']);
  });

  it('knows it no more after a restart, but has its services', async () => {
    await start();
    const asked = request([SESSION, deactivate('gold')]);
    await ask(activate('gold'));
    expect(describeAnswer(await send(asked))).toBe('ACK');
    expect(describeAnswer(await send(asked))).toBe('ACK');
    nas.restart();
    expect(describeAnswer(await send(asked))).toBe('NAK 503');
  });

  it('drops it while it is being carried out', async () => {
    const moves: ((move: NasMove) => void)[] = [];
    await start({ script: () => new Promise((resolve) => moves.push(resolve)) });
    const slow = request([SESSION, activate('gold')]);
    const next = request([SESSION, activate('voice')]);
    await relay.send(slow, nas.address);
    await relay.send(slow, nas.address);
    const answered = send(next);
    await expect.poll(() => moves).toHaveLength(2);
    expect(nas.record).toEqual([]);
    moves[1]?.('ack');
    expect(packetOf(await answered).identifier).toBe(packetOf(next).identifier);
    const late = relay.received.next();
    moves[0]?.('ack');
    expect(packetOf((await late).datagram).identifier).toBe(packetOf(slow).identifier);
    expect(nas.record.map(({ service }) => service)).toEqual(['voice', 'gold']);
  });
});

describe('a scripted NAS whose script says', () => {
  it.each([503, undefined])('to refuse with %s does nothing', async (errorCause) => {
    await start({ script: () => ({ nak: errorCause }) });
    expect(await ask(activate('gold'))).toBe(`NAK ${errorCause ?? ''}`.trim());
    expect(nas.record).toMatchObject([{ service: 'gold', services: [], answer: 'nak' }]);
    expect(nas.record[0]?.errorCause).toBe(errorCause);
  });

  it('that a request is lost does what its repeat says', async () => {
    await start({ script: first('lose-request') });
    const asked = request([SESSION, activate('gold')]);
    await relay.send(asked, nas.address);
    expect(describeAnswer(await send(asked))).toBe('ACK');
    expect(relay.received.all).toHaveLength(1);
    expect(nas.record).toHaveLength(1);
  });

  it('that an answer is lost has it ready for the repeat', async () => {
    await start({ script: first('lose-reply') });
    const asked = request([SESSION, activate('gold')]);
    await relay.send(asked, nas.address);
    await expect.poll(() => nas.record).toHaveLength(1);
    expect(describeAnswer(await send(asked))).toBe('ACK');
    expect(relay.received.all).toHaveLength(1);
    expect(nas.record).toHaveLength(1);
  });

  it('that an answer is damaged sends one that does not verify, and a good one for the repeat', async () => {
    await start({ script: first('wrong-authenticator') });
    const asked = request([SESSION, activate('gold')]);
    const verify = async () => verifyReply(packetOf(await send(asked)), packetOf(asked), SECRET);
    expect(await verify()).toEqual({ ok: false, reason: 'wrong-response-authenticator' });
    expect(await verify()).toEqual({ ok: true });
  });

  it('that an answer is doubled sends it twice', async () => {
    await start({ script: first('duplicate') });
    const answer = await send(request([SESSION, activate('gold')]));
    const [, second] = await relay.received.atLeast(2);
    expect(second?.datagram).toEqual(answer);
    expect(nas.record).toHaveLength(1);
  });

  it('what it likes for each operation', async () => {
    await start({
      script: ({ operations }) =>
        operations.some(({ operation }) => operation === 'deactivate') ? { nak: 506 } : 'ack',
    });
    expect(await ask(activate('gold'))).toBe('ACK');
    expect(await ask(deactivate('gold'))).toBe('NAK 506');
  });
});

describe('a scripted NAS with services of its own', () => {
  const user = (name: string): Attribute => ({ name: 'User-Name', value: name });

  it('has what a session was given at log-in, and ends by itself what it likes', async () => {
    await start();
    nas.logIn('0001048580', { services: ['http(192.168.25.2, 80)', 'voice'] });
    expect(await ask(deactivate('http(192.168.25.2,80)'))).toBe('NAK 503');
    expect(await ask(deactivate('http(192.168.25.2, 80)'))).toBe('ACK');
    nas.end('0001048580', 'voice');
    expect(await ask(deactivate('voice'))).toBe('NAK 503');
  });

  it('refuses a request that names another user', async () => {
    await start();
    nas.logIn('0001048580', { identity: { 'User-Name': 'right' } });
    expect(await ask(user('wrong'), activate('gold'))).toBe('NAK 503');
    expect(await ask(user('right'), activate('gold'))).toBe('ACK');
    expect(await ask(deactivate('gold'))).toBe('ACK');
  });

  it('knows no session but those that logged in, where it is told so', async () => {
    await start({ onlyLoggedIn: true });
    expect(await ask(activate('gold'))).toBe('NAK 503');
    nas.logIn('0001048580');
    expect(await ask(activate('gold'))).toBe('ACK');
    nas.logOff('0001048580');
    expect(await ask(activate('gold'))).toBe('NAK 503');
    expect(nas.services('0001048580')).toEqual([]);
  });

  it('refuses to activate what is there, and to deactivate what is not, with a cause of its own or with none', async () => {
    await start({ whenThere: { errorCause: 404 }, whenNotThere: {} });
    expect(await ask(activate('gold'))).toBe('ACK');
    expect(await ask(activate('gold'))).toBe('NAK 404');
    expect(await ask(deactivate('silver'))).toBe('NAK');
  });

  it('refuses two services side by side, and takes one in place of the other', async () => {
    await start({ exclusive: [['gold', 'tiered']] });
    expect(await ask(activate('gold'), activate('voice', 2))).toBe('ACK');
    expect(await ask(activate('tiered(1, 2)'))).toBe('NAK 506');
    expect(nas.services('0001048580')).toEqual(['gold', 'voice']);
    expect(await ask(activate('tiered(1, 2)'), deactivate('gold'))).toBe('ACK');
    expect(nas.services('0001048580')).toEqual(['voice', 'tiered(1, 2)']);
  });

  it.each(['ERX-Action-Reason', 'Reply-Message'] as const)('says why in %s', async (name) => {
    const text = { name, value: 'no such profile' };
    await start({ script: () => ({ nak: 404, text }) });
    const datagram = await send(request([SESSION, activate('gold')]));
    expect(
      decodeAttributes(packetOf(datagram)).filter(
        (one) => 'name' in one && one.name !== 'Message-Authenticator',
      ),
    ).toEqual([{ name: 'Error-Cause', value: 404 }, text]);
  });
});

describe.each(Object.keys(DIALECTS) as DialectName[])('a scripted NAS that speaks %s', (dialect) => {
  const terms = (activation: string): ServiceTerms => ({
    activation,
    groups: [12],
    statistics: 'time',
    timeoutSeconds: 3600,
    volumeMegabytes: 0,
    interimIntervalSeconds: 600,
  });
  const [bronze, gold] = [terms('bronze'), terms('tiered(1,2)')];

  it('does what the dialect tells it: new before old', async () => {
    await start({ dialect });
    const tell = DIALECTS[dialect];
    const answers = [
      await ask(...tell.activate([bronze], { staying: [], options: { tagDeactivations: true } })),
      await ask(...tell.activate([gold], { staying: [bronze], options: { tagDeactivations: true } })),
      await ask(...tell.deactivate(['bronze'], { staying: [gold], options: { tagDeactivations: true } })),
      await ask(...tell.deactivate(['tiered(1,2)'], { staying: [], options: { tagDeactivations: true } })),
    ];
    expect(answers).toEqual(['ACK', 'ACK', 'ACK', 'ACK']);
    expect(nas.record.map(({ operation, service, services }) => [operation, service, services])).toEqual([
      ['activate', 'bronze', ['bronze']],
      ['activate', 'tiered(1,2)', ['bronze', 'tiered(1,2)']],
      ['deactivate', 'bronze', ['tiered(1,2)']],
      ['deactivate', 'tiered(1,2)', []],
    ]);
  });
});

describe('a scripted NAS that speaks cisco', () => {
  it.each([
    { what: 'a second service', command: 'activate-service', services: ['gold', 'silver'] },
    { what: 'no service', command: 'activate-service', services: [] },
    { what: 'another command', command: 'account-logoff', services: ['gold'] },
  ])('refuses a request with $what', async ({ command, services }) => {
    await start({ dialect: 'cisco' });
    const pairs = [`command=${command}`, ...services.map((service) => `service-name=${service}`)];
    const change = pairs.map((pair) => ({ name: 'Cisco-AVPair', value: `subscriber:${pair}` }) as const);
    expect(await ask(...change)).toBe('NAK 404');
  });
});

describe('a scripted NAS that speaks generic', () => {
  it('refuses a request without a Filter-Id', async () => {
    await start({ dialect: 'generic' });
    expect(await ask()).toBe('NAK 402');
  });
});
