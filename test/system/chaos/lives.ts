// The load: subscribers, each of whom logs on, asks for one thing after another, and logs off or is disconnected, again and again.
// What a client knows of a subscriber session is kept as the set of all states that its answers leave open.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ScriptedNas } from '../../../local/peers/scripted-nas.ts';
import type { Random } from '../../random.ts';
import { radclient } from '../peers/radclient.ts';

export const GROUP = ['gold', 'silver', 'bronze'] as const;
const APART = 'voice';
export const SERVICES_FILE = `services:
${GROUP.map((name) => `  ${name}: { mutexGroup: 12, statistics: time }`).join('\n')}
  ${APART}: { statistics: time }
`;

/** One subscriber session. */
export interface Life {
  readonly acctSessionId: string;
  readonly userName: string;
  /** Whether the NAS accounts it to the relay. */
  readonly isAccounted: boolean;
  /** What its NAS may have by what its clients have been answered: services in order of the alphabet, joined by blanks. */
  possible: ReadonlySet<string>;
  /** By service: how often its activation was sent, and how many of these must have made a service session. */
  readonly sent: Record<string, number>;
  readonly made: Record<string, number>;
  /** Each request with its answer, for the story. */
  readonly story: string[];
  isOver: boolean;
}

export interface Tally {
  requests: number;
  transmissions: number;
  readonly answers: Record<string, number>;
  records: number;
}

export interface LoadOptions {
  readonly subscribers: number;
  readonly coaPort: number;
  readonly accountingPort: number;
  readonly secret: string;
  readonly nas: ScriptedNas;
  readonly randomOf: (subscriber: number) => Random;
  readonly isOver: () => boolean;
}

export interface Load {
  readonly lives: readonly Life[];
  readonly tally: Tally;
  /** Resolves when the last requests have their answers. */
  readonly finished: Promise<unknown>;
  /** Asks for a service once more, with all the patience of a client. */
  ask(life: Life, activate: string): Promise<string>;
}

/** How long a client goes on. The site file says so, too. */
export const PATIENCE_SECONDS = 30;
const TIMEOUT_SECONDS = 3;

const setOf = (state: string) => new Set(state.split(' ').filter((name) => name !== ''));
export const nameOf = (services: Iterable<string>) => [...services].sort().join(' ');

/** What is there after a request that was carried out. */
function applied(state: string, activate: readonly string[], deactivate: readonly string[]): string {
  const services = setOf(state);
  const isExclusive = (name: string) => (GROUP as readonly string[]).includes(name);
  if (activate.some(isExclusive)) for (const name of GROUP) services.delete(name);
  for (const name of deactivate) services.delete(name);
  for (const name of activate) services.add(name);
  return nameOf(services);
}

export function startLoad(options: LoadOptions): Load {
  const { subscribers, coaPort, accountingPort, secret, nas, isOver } = options;
  const lives: Life[] = [];
  const tally: Tally = { requests: 0, transmissions: 0, answers: {}, records: 0 };
  const finished = Promise.all(Array.from({ length: subscribers }, (_, index) => live(index)));
  return { lives, tally, finished, ask: (life, activate) => change(life, [activate], []) };

  async function live(subscriber: number): Promise<void> {
    const random = options.randomOf(subscriber);
    for (let count = 0; !isOver(); count++) {
      const life: Life = {
        acctSessionId: `c${subscriber}-${count}`,
        userName: `client${subscriber}@chaos`,
        isAccounted: random.next() < 0.5,
        possible: new Set(['']),
        sent: {},
        made: {},
        story: [],
        isOver: false,
      };
      lives.push(life);
      nas.logIn(life.acctSessionId, { identity: { 'User-Name': life.userName } });
      if (life.isAccounted) await account(life, 'Start');
      for (let left = 3 + random.below(10); left > 0 && !isOver(); left--) {
        await sleep(random.below(400));
        const isApart = random.next() < 0.3;
        if (!isApart) await change(life, [random.pick(GROUP)], []);
        else if (random.next() < 0.5) await change(life, [APART], []);
        else await change(life, [], [APART]);
      }
      if (isOver()) return;
      if (life.isAccounted) {
        nas.logOff(life.acctSessionId);
        await account(life, 'Stop');
        life.possible = new Set(['']);
      } else await disconnect(life);
      life.isOver = true;
    }
  }

  /** As a NAS does: until it is answered. */
  async function account(life: Life, status: 'Start' | 'Stop'): Promise<void> {
    const at = Math.floor(Date.now() / 1000);
    for (;;) {
      tally.records++;
      const { answer, output } = await radclient({
        command: 'acct',
        port: accountingPort,
        secret,
        attributes: [
          `Acct-Status-Type = ${status}`,
          `Acct-Session-Id = "${life.acctSessionId}"`,
          `User-Name = "${life.userName}"`,
          `Event-Timestamp = ${at}`,
        ],
        tries: 10,
        timeoutSeconds: TIMEOUT_SECONDS,
      });
      life.story.push(`${time()} Acct-${status}: ${answer?.code ?? 'no answer'}`);
      if (answer !== undefined) return;
      if (!output.includes('Sent')) throw new Error(`radclient sent nothing:\n${output}`);
    }
  }

  async function send(life: Life, command: 'coa' | 'disconnect', attributes: readonly string[]) {
    tally.requests++;
    const { answer, output } = await radclient({
      command,
      port: coaPort,
      secret,
      attributes: [
        `User-Name = "${life.userName}"`,
        `Acct-Session-Id = "${life.acctSessionId}"`,
        `Event-Timestamp = ${Math.floor(Date.now() / 1000)}`,
        ...attributes,
      ],
      tries: PATIENCE_SECONDS / TIMEOUT_SECONDS,
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    const transmissions = output.split('\n').filter((line) => line.startsWith('Sent ')).length;
    if (transmissions === 0) throw new Error(`radclient sent nothing:\n${output}`);
    tally.transmissions += transmissions;
    const cause = answer?.attributes.find(([name]) => name === 'Error-Cause')?.[1];
    const text = [answer?.code ?? 'no answer', ...(cause === undefined ? [] : [cause])].join(' ');
    tally.answers[text] = (tally.answers[text] ?? 0) + 1;
    life.story.push(`${time()} ${attributes.join(', ') || command}: ${text}, sent ${transmissions} times`);
    return {
      text,
      cause,
      isAck: answer?.code.endsWith('-ACK') === true,
      isAnswered: answer !== undefined,
      transmissions,
    };
  }

  async function change(
    life: Life,
    activate: readonly string[],
    deactivate: readonly string[],
  ): Promise<string> {
    for (const name of activate) life.sent[name] = (life.sent[name] ?? 0) + 1;
    const { text, cause, isAck, isAnswered, transmissions } = await send(life, 'coa', [
      ...activate.map((name, index) => `ERX-Service-Activate:${index + 1} = "${name}"`),
      ...deactivate.map((name) => `ERX-Service-Deactivate = "${name}"`),
    ]);
    const before = life.possible;
    const after = [...before].map((state) => applied(state, activate, deactivate));
    if (isAck) {
      for (const name of activate) {
        const wasThere = [...before].some((state) => setOf(state).has(name));
        if (!wasThere) life.made[name] = (life.made[name] ?? 0) + 1;
      }
      life.possible = new Set(after);
      return text;
    }
    // A relay that took the place of another one may have refused a repeat of what is being carried out.
    const isRefusedByAnother = transmissions > 1 && cause === 'Resources-Unavailable';
    const isOpen = !isAnswered || cause === 'Proxy-Processing-Error' || isRefusedByAnother;
    // An activation that was not answered in time may stay beside what is there.
    const beside = [...before].map((state) => nameOf(new Set([...setOf(state), ...activate])));
    if (isOpen) life.possible = new Set([...before, ...after, ...beside]);
    return text;
  }

  async function disconnect(life: Life): Promise<void> {
    const { isAck, isAnswered, cause } = await send(life, 'disconnect', []);
    if (isAck) life.possible = new Set(['']);
    else if (!isAnswered || cause !== undefined) life.possible = new Set([...life.possible, '']);
  }
}

const time = () => new Date().toISOString().slice(11, 23);
