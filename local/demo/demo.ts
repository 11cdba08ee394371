// `npm run demo`: the shipped site and catalogue, and one subscriber from log-on to log-off. An independent policy server
// sends the requests, and the NAS accounts its sessions to the relay. The exit status is 0 only if every reply, change and
// accounting record was as expected, and if no mutex group at the NAS was without a member while the subscriber was online.
import { readFile } from 'node:fs/promises';
import { inspect, isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../../core/config/problems.ts';
import { parseServicesFile } from '../../core/config/services-file.ts';
import type { Identity } from '../../core/identity.ts';
import { printableLines } from '../../core/printable.ts';
import { describeErrorCause } from '../../core/requests/describe-packet.ts';
import { parseActivation } from '../../core/services/activation.ts';
import type { Catalogue } from '../../core/services/catalogue.ts';
import type { BuiltInNas } from '../peers/built-in-nas.ts';
import type { NpmAttribute } from '../peers/policy-server/npm-radius.ts';
import { openPolicyServer, type PolicyReply } from '../peers/policy-server/policy-server.ts';
import type { NasRecord } from '../peers/scripted-nas.ts';
import { type SystemEvent, startSystem } from '../system.ts';
import { type ChartStep, drawChart, emptyingSteps, type GroupsOf } from './chart.ts';

/** How a request names the subscriber session. */
type Name = readonly [attribute: 'User-Name' | 'Framed-IP-Address', value: string];

interface Step {
  readonly title: string;
  /** What the policy server asks for. */
  readonly request?: { readonly of: Name; readonly activate: string };
  /** What happens at the NAS by itself. */
  readonly happens?: (nas: BuiltInNas, seen: Seen) => void | Promise<void>;
  readonly expect: Found;
}

/** What came of a step; a list is empty unless it is given. */
interface Found {
  readonly answer?: PolicyReply;
  /** What the NAS was told and carried out. */
  readonly commands?: readonly string[];
  /** What the NAS has accounted, to the relay. */
  readonly nasRecords?: readonly string[];
  /** Sessions that were opened or closed. */
  readonly sessions?: readonly string[];
  /** The services in the table. */
  readonly changed?: readonly string[];
  /** What Interlock has accounted, to the accounting server. */
  readonly accounted?: readonly string[];
  /** Mutex groups of the session at hand that the step has left without a member. */
  readonly emptied?: readonly number[];
}

const ACK: PolicyReply = { code: 'CoA-ACK' };
const NO_SESSION: PolicyReply = { code: 'CoA-NAK', errorCause: 503 };

const SERVICES_FILE = 'config/services.yaml';
const SITE_FILE = 'config/sites/demo.yaml';

const FIRST = '0001048580';
const SECOND = '0001048581';
const LOG_IN = ['bronze', 'voice'];
const BY_NAME: Name = ['User-Name', 'client1@isp1.com'];
const BY_ADDRESS: Name = ['Framed-IP-Address', '198.51.100.7'];
const IDENTITY: Identity = {
  ...Object.fromEntries([BY_NAME, BY_ADDRESS]),
  'NAS-Port-Id': 'FastEthernet 12/0',
};
const TIER = 'tiered(1280000,5120000)';

const STORY: readonly Step[] = [
  {
    title: 'client1 logs on; the NAS gives him bronze and voice at log-in, and accounts them',
    happens: (nas) => nas.logIn(FIRST, { identity: IDENTITY, services: LOG_IN }),
    expect: {
      nasRecords: ['Start', 'Start bronze', 'Start voice'],
      sessions: [`${FIRST} opened`],
      changed: ['+bronze', '+voice'],
    },
  },
  {
    title: 'client1 buys gold: bronze is in the same mutex group and ends, voice is in none and stays',
    request: { of: BY_NAME, activate: 'gold' },
    expect: {
      answer: ACK,
      commands: ['+gold', '-bronze'],
      nasRecords: ['Stop bronze'],
      changed: ['+gold', '-bronze'],
      accounted: ['Start gold'],
    },
  },
  {
    title: 'client1 moves to a tiered service with parameters of his own',
    request: { of: BY_NAME, activate: 'tiered(1280000, 5120000)' },
    expect: {
      answer: ACK,
      commands: [`+${TIER}`, '-gold'],
      changed: [`+${TIER}`, '-gold'],
      accounted: [`Start ${TIER}`, 'Stop gold'],
    },
  },
  {
    title: 'client1 is cut off and dials in again: his services end, and those of log-in begin anew',
    async happens(nas, seen) {
      nas.logOff(FIRST, 'Lost-Carrier');
      await seen.until({ sessions: [`${FIRST} closed`], accounted: [`Stop ${TIER}`] });
      nas.logIn(SECOND, { identity: IDENTITY, services: LOG_IN });
    },
    expect: {
      nasRecords: ['Stop voice', 'Stop', 'Start', 'Start bronze', 'Start voice'],
      sessions: [`${FIRST} closed`, `${SECOND} opened`],
      changed: ['-voice', `-${TIER}`, '+bronze', '+voice'],
      accounted: [`Stop ${TIER}`],
    },
  },
  {
    title: 'client1 buys gold again: Interlock finds his new session, here by his address',
    request: { of: BY_ADDRESS, activate: 'gold' },
    expect: {
      answer: ACK,
      commands: ['+gold', '-bronze'],
      nasRecords: ['Stop bronze'],
      changed: ['+gold', '-bronze'],
      accounted: ['Start gold'],
    },
  },
  {
    title: 'the NAS reboots: all its sessions end',
    async happens(nas) {
      await nextSecond();
      nas.reboot();
    },
    expect: {
      nasRecords: ['On'],
      sessions: [`${SECOND} closed`],
      changed: ['-gold', '-voice'],
      accounted: ['Stop gold'],
    },
  },
  {
    title: 'the policy server asks for silver, but client1 is not online: refused, and the NAS is not asked',
    request: { of: BY_NAME, activate: 'silver' },
    expect: { answer: NO_SESSION },
  },
];

const NOTHING: Found = {
  commands: [],
  nasRecords: [],
  sessions: [],
  changed: [],
  accounted: [],
  emptied: [],
};

const EFFECTS_TIMEOUT_MS = 10_000;

try {
  process.exitCode = (await play()) ? 0 : 1;
} catch (error) {
  process.stderr.write(printableLines(error instanceof ConfigurationError ? error.message : inspect(error)));
  process.exit(1);
}

async function play(): Promise<boolean> {
  const seen = collectEvents();
  const system = await startSystem({
    servicesFile: SERVICES_FILE,
    siteFile: SITE_FILE,
    environment: process.env,
    report: seen.report,
  });
  const policyServer = openPolicyServer(system.coaAddress, 'testing123');
  let asExpected = true;
  try {
    const [nas] = system.nases;
    if (nas === undefined)
      throw new ConfigurationError([
        `${SITE_FILE}: nases.0.address: expected a port on which no NAS listens`,
      ]);
    const groupsOf = groupsIn(parseServicesFile(SERVICES_FILE, await readFile(SERVICES_FILE, 'utf8')));
    for (const [index, step] of STORY.entries()) {
      seen.clear();
      const commandsBefore = nas.record.length;
      say(`${index + 1}. ${step.title}`);
      await step.happens?.(nas, seen);
      const answer = step.request && (await policyServer.request(attributesOf(step.request)));
      await seen.until(step.expect);
      const commands = nas.record.slice(commandsBefore);
      const chart = chartOf(nas.record, commands.at(-1)?.acctSessionId);
      const found: Found = {
        ...(answer && { answer }),
        commands: commands.map(commandText),
        ...seen.found(),
        emptied: emptiedGroups(chart, groupsOf, chart.length - commands.length),
      };
      tell(step, found);
      const isSwitch = new Set(commands.map(({ operation }) => operation)).size > 1;
      if (isSwitch) say(`\n${drawChart(chart, groupsOf).replaceAll(/^/gm, '   ')}\n`);
      const expected: Found = { ...NOTHING, ...step.expect };
      if (!isDeepStrictEqual(found, expected)) {
        asExpected = false;
        say(`   NOT AS EXPECTED: ${JSON.stringify(expected)}`);
      }
    }
  } finally {
    policyServer.close();
    await system.stop();
  }
  say(
    asExpected
      ? 'Every reply was as expected, and the NAS activated each new service before it deactivated the old one.'
      : 'Not everything was as expected.',
  );
  return asExpected;
}

function tell({ request }: Step, { answer, ...found }: Found): void {
  const { commands = [], nasRecords = [], sessions = [], changed = [], accounted = [] } = found;
  const records = (names: readonly string[]) => names.map((name) => `Acct-${name}`).join(', ') || 'none';
  if (request) say(`   request     ${request.of.join(' ')}: activate ${request.activate}`);
  if (request) say(`   NAS         ${commands.join(' ') || 'none'}`);
  if (nasRecords.length > 0) say(`   NAS sends   ${records(nasRecords).replace('Acct-On', 'Accounting-On')}`);
  if (sessions.length > 0) say(`   session     ${sessions.join(', ')}`);
  say(`   services    ${changed.join(' ') || 'none'}`);
  if (answer) say(`   reply       ${replyText(answer)}`);
  say(`   accounting  ${records(accounted)}`);
}

function attributesOf({ of: [attribute, value], activate }: NonNullable<Step['request']>) {
  return [
    [attribute, value],
    ['Vendor-Specific', 4874, [['ERX-Service-Activate', 1, activate]]],
  ] satisfies readonly NpmAttribute[];
}

/** The steps of one session at the NAS: its services from log-in, then what it was told. */
function chartOf(record: readonly NasRecord[], acctSessionId: string | undefined): readonly ChartStep[] {
  const told = record.filter((entry) => entry.acctSessionId === acctSessionId);
  return [{ services: LOG_IN, answer: 'ack' }, ...told];
}

/** An Event-Timestamp has whole seconds, and the reboot ends what began before it. A timer may be up to 1 ms early. */
async function nextSecond(): Promise<void> {
  const atMs = (Math.floor(Date.now() / 1000) + 1) * 1000;
  while (Date.now() < atMs) await new Promise((resolve) => setTimeout(resolve, atMs - Date.now()));
}

function replyText({ code, errorCause }: PolicyReply): string {
  return errorCause === undefined ? code : `${code} ${describeErrorCause(errorCause)}`;
}

function commandText({ operation, service, answer }: NasRecord): string {
  const signs = { activate: '+', deactivate: '-', disconnect: 'disconnect' };
  return `${signs[operation]}${service}${answer === 'ack' ? '' : ' (refused)'}`;
}

/** The groups that a step after the first `before` steps has left without a member. */
function emptiedGroups(steps: readonly ChartStep[], groupsOf: GroupsOf, before: number): readonly number[] {
  const groups = new Set(steps.flatMap(({ services }) => services.flatMap(groupsOf)));
  return [...groups].filter((group) => emptyingSteps(steps, group, groupsOf).some((step) => step > before));
}

function groupsIn({ services }: Catalogue): GroupsOf {
  return (service) => {
    const parsed = parseActivation(service);
    return (parsed.ok && services[parsed.activation.name]?.groups) || [];
  };
}

/** What the parts of the system have told since the last `clear`. */
type Seen = ReturnType<typeof collectEvents>;

/** Changes of sessions, records of the NAS that Interlock has taken, and its own that the accounting server has taken. */
function collectEvents() {
  const empty = () => ({
    nasRecords: [] as string[],
    sessions: [] as string[],
    changed: [] as string[],
    accounted: [] as string[],
  });
  let seen = empty();
  let onEvent = () => {};
  return {
    report({ source, event }: SystemEvent): void {
      if ((source === 'decide' || source === 'ingest') && event.kind === 'decided') {
        // Services that change together have no order: the item keeps them in a map.
        seen.changed.push(
          ...event.activated.toSorted().map((service) => `+${service}`),
          ...event.deactivated.toSorted().map((service) => `-${service}`),
        );
        if (event.life !== undefined) seen.sessions.push(`${event.session.acctSessionId} ${event.life}`);
      }
      if (source === 'relay' && event.kind === 'feed-queued') {
        const status = event.status.replace(/^./, (letter) => letter.toUpperCase());
        seen.nasRecords.push([status, event.service].filter(Boolean).join(' '));
      }
      if (source === 'relay' && event.kind === 'accounting-answered') {
        seen.accounted.push(`${event.status} ${event.serviceSession}`);
      }
      onEvent();
    },
    found: () => seen,
    clear(): void {
      seen = empty();
    },
    /** Resolves when as much of each kind has been seen as is expected, or after 10 s. */
    until(expected: Found): Promise<void> {
      return new Promise((resolve) => {
        const timeout = setTimeout(resolve, EFFECTS_TIMEOUT_MS);
        onEvent = () => {
          const kinds = ['nasRecords', 'sessions', 'changed', 'accounted'] as const;
          if (kinds.some((kind) => seen[kind].length < (expected[kind]?.length ?? 0))) return;
          clearTimeout(timeout);
          resolve();
        };
        onEvent();
      });
    },
  };
}

function say(line: string): void {
  process.stdout.write(printableLines(line));
}
