// `npm run demo`: the shipped site and catalogue, and five requests for one subscriber from an independent policy
// server. The exit status is 0 only if every reply, change and accounting record was as expected, and if no mutex group
// at the NAS was ever without a member, except after the request that removes the last one.
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../../core/config/problems.ts';
import { parseServicesFile } from '../../core/config/services-file.ts';
import { describeErrorCause } from '../../core/requests/describe-packet.ts';
import { parseActivation } from '../../core/services/activation.ts';
import type { Catalogue } from '../../core/services/catalogue.ts';
import type { NpmAttribute } from '../peers/policy-server/npm-radius.ts';
import { openPolicyServer, type PolicyReply } from '../peers/policy-server/policy-server.ts';
import type { NasRecord } from '../peers/scripted-nas.ts';
import { type SystemEvent, startSystem } from '../system.ts';
import { drawChart, emptyingSteps, type GroupsOf } from './chart.ts';

interface Step {
  readonly title: string;
  readonly activate?: readonly string[];
  readonly deactivate?: readonly string[];
  /** Mutex groups that the request leaves without a member. */
  readonly empties?: readonly number[];
  readonly expect: {
    readonly answer: PolicyReply;
    /** The services in the table, and in the same order at the NAS. */
    readonly changed: readonly string[];
    readonly accounted: readonly string[];
  };
}

const ACK: PolicyReply = { code: 'CoA-ACK' };

const SERVICES_FILE = 'config/services.yaml';
const SITE_FILE = 'config/sites/demo.yaml';

const STORY: readonly Step[] = [
  {
    title: 'client1 logs in with bronze and voice',
    activate: ['bronze', 'voice'],
    expect: { answer: ACK, changed: ['+bronze', '+voice'], accounted: ['Start bronze'] },
  },
  {
    title: 'client1 buys gold: bronze is in the same mutex group and ends, voice is in none and stays',
    activate: ['gold'],
    expect: { answer: ACK, changed: ['+gold', '-bronze'], accounted: ['Start gold', 'Stop bronze'] },
  },
  {
    title: 'client1 moves to a tiered service with parameters of his own',
    activate: ['tiered(1280000, 5120000)'],
    expect: {
      answer: ACK,
      changed: ['+tiered(1280000,5120000)', '-gold'],
      accounted: ['Start tiered(1280000,5120000)', 'Stop gold'],
    },
  },
  {
    title: 'client1 asks for a service that is not in the catalogue: refused, nothing changes',
    activate: ['platinum'],
    expect: { answer: { code: 'CoA-NAK', errorCause: 404 }, changed: [], accounted: [] },
  },
  {
    title: 'client1 cancels the tiered service',
    deactivate: ['tiered(1280000, 5120000)'],
    empties: [12],
    expect: {
      answer: ACK,
      changed: ['-tiered(1280000,5120000)'],
      accounted: ['Stop tiered(1280000,5120000)'],
    },
  },
];

const ACCOUNTING_TIMEOUT_MS = 10_000;

try {
  process.exitCode = (await play()) ? 0 : 1;
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
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
      const answer = await policyServer.request(attributesOf(step));
      await seen.accounted(step.expect.accounted.length);
      const commands = nas.record.slice(commandsBefore);
      const found = {
        answer,
        commands: commands.map(commandText),
        emptied: emptiedGroups(nas.record, groupsOf, commandsBefore),
        changed: seen.changed(),
        accounted: seen.records(),
      };
      say(`   request     ${askedText(step)}`);
      say(`   NAS         ${found.commands.join(' ') || 'none'}`);
      say(`   services    ${found.changed.join(' ') || 'none'}`);
      say(`   reply       ${replyText(answer)}`);
      say(`   accounting  ${found.accounted.map((record) => `Acct-${record}`).join(', ') || 'none'}`);
      const isSwitch = new Set(commands.map(({ operation }) => operation)).size > 1;
      if (isSwitch) say(`\n${drawChart(nas.record, groupsOf).replaceAll(/^/gm, '   ')}\n`);
      const expected = { ...step.expect, commands: step.expect.changed, emptied: step.empties ?? [] };
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

function attributesOf({ activate = [], deactivate = [] }: Step): readonly NpmAttribute[] {
  return [
    ['User-Name', 'client1@isp1.com'],
    ['NAS-IP-Address', '192.0.2.1'],
    ['Acct-Session-Id', 'erx FastEthernet 12/0:0001048580'],
    [
      'Vendor-Specific',
      4874,
      [
        ...activate.map((service, index) => ['ERX-Service-Activate', index + 1, service] as const),
        ...deactivate.map((service) => ['ERX-Service-Deactivate', service] as const),
      ],
    ],
  ];
}

function askedText({ activate = [], deactivate = [] }: Step): string {
  return [
    ...activate.map((service) => `activate ${service}`),
    ...deactivate.map((service) => `deactivate ${service}`),
  ].join(', ');
}

function replyText({ code, errorCause }: PolicyReply): string {
  return errorCause === undefined ? code : `${code} ${describeErrorCause(errorCause)}`;
}

function commandText({ operation, service, answer }: NasRecord): string {
  const signs = { activate: '+', deactivate: '-', disconnect: 'disconnect' };
  return `${signs[operation]}${service}${answer === 'ack' ? '' : ' (refused)'}`;
}

/** The groups that a step after the first `before` steps has left without a member. */
function emptiedGroups(record: readonly NasRecord[], groupsOf: GroupsOf, before: number): readonly number[] {
  const groups = new Set(record.flatMap(({ services }) => services.flatMap(groupsOf)));
  return [...groups].filter((group) => emptyingSteps(record, group, groupsOf).some((step) => step > before));
}

function groupsIn({ services }: Catalogue): GroupsOf {
  return (service) => {
    const parsed = parseActivation(service);
    return (parsed.ok && services[parsed.activation.name]?.groups) || [];
  };
}

/** The changes of decide and the records that the accounting server has acknowledged, since the last `clear`. */
function collectEvents() {
  let changed: string[] = [];
  let records: string[] = [];
  let onRecord = () => {};
  return {
    report({ source, event }: SystemEvent): void {
      if (source === 'decide' && event.kind === 'decided') {
        // Services that become active in one change have no order: the item keeps them in a map.
        changed.push(
          ...event.activated.toSorted().map((service) => `+${service}`),
          ...event.deactivated.map((service) => `-${service}`),
        );
      }
      if (source === 'relay' && event.kind === 'accounting-answered') {
        records.push(`${event.status} ${event.serviceSession}`);
        onRecord();
      }
    },
    changed: () => changed,
    records: () => records,
    clear(): void {
      changed = [];
      records = [];
    },
    /** Resolves when this many records are acknowledged, or after 10 s. */
    accounted(count: number): Promise<void> {
      return new Promise((resolve) => {
        const timeout = setTimeout(resolve, ACCOUNTING_TIMEOUT_MS);
        onRecord = () => {
          if (records.length < count) return;
          clearTimeout(timeout);
          resolve();
        };
        onRecord();
      });
    },
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
