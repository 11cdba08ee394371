// `npm run demo`: the shipped site and catalogue, and a short story of one subscriber, told by an independent policy
// server. Ends with 0 only if everything was answered, changed and accounted as it had to be, and if the NAS was told new
// before old, so that no mutex group was left without a member unless that was asked for.
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../../core/config/problems.ts';
import { parseServicesFile } from '../../core/config/services-file.ts';
import { causeText } from '../../core/radius/attributes.ts';
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
  /** Mutex groups that it leaves without a member. */
  readonly empties?: readonly number[];
  readonly expect: {
    readonly answer: PolicyReply;
    /** In the table, and in the same order at the NAS. */
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
    title: 'client1 buys gold: its group 12 lets bronze go, voice is in no group and stays',
    activate: ['gold'],
    expect: { answer: ACK, changed: ['+gold', '-bronze'], accounted: ['Start gold', 'Stop bronze'] },
  },
  {
    title: 'client1 moves to a tier of his own',
    activate: ['tiered(1280000, 5120000)'],
    expect: {
      answer: ACK,
      changed: ['+tiered(1280000,5120000)', '-gold'],
      accounted: ['Start tiered(1280000,5120000)', 'Stop gold'],
    },
  },
  {
    title: 'a service that the catalogue does not have is refused, and nothing changes',
    activate: ['platinum'],
    expect: { answer: { code: 'CoA-NAK', errorCause: 404 }, changed: [], accounted: [] },
  },
  {
    title: 'client1 cancels the tier',
    deactivate: ['tiered(1280000, 5120000)'],
    empties: [12],
    expect: {
      answer: ACK,
      changed: ['-tiered(1280000,5120000)'],
      accounted: ['Stop tiered(1280000,5120000)'],
    },
  },
];

const ACCOUNTING_PATIENCE_MS = 10_000;

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
      throw new ConfigurationError([`${SITE_FILE}: nases.0.address: expected a port that nobody listens on`]);
    const groupsOf = groupsIn(parseServicesFile(SERVICES_FILE, await readFile(SERVICES_FILE, 'utf8')));
    for (const [index, step] of STORY.entries()) {
      seen.clear();
      const toldBefore = nas.record.length;
      say(`${index + 1}. ${step.title}`);
      const answer = await policyServer.request(attributesOf(step));
      await seen.accounted(step.expect.accounted.length);
      const told = nas.record.slice(toldBefore);
      const found = {
        answer,
        told: told.map(toldText),
        emptied: emptiedGroups(nas.record, groupsOf, toldBefore),
        changed: seen.changed(),
        accounted: seen.records(),
      };
      say(`   asked      ${askedText(step)}`);
      say(`   NAS told   ${found.told.join(' ') || 'nothing'}`);
      say(`   changed    ${found.changed.join(' ') || 'nothing'}`);
      say(`   answered   ${answer.code}${causeText(answer.errorCause)}`);
      say(`   accounted  ${found.accounted.map((record) => `Acct-${record}`).join(', ') || 'nothing'}`);
      const isSwitch = new Set(told.map(({ operation }) => operation)).size > 1;
      if (isSwitch) say(`\n${drawChart(nas.record, groupsOf).replaceAll(/^/gm, '   ')}\n`);
      const expected = { ...step.expect, told: step.expect.changed, emptied: step.empties ?? [] };
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
      ? 'Every answer was as expected, and at the NAS each new service was there before the old one went.'
      : 'Something was not as expected.',
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

function toldText({ operation, service, answer }: NasRecord): string {
  return `${operation === 'activate' ? '+' : '-'}${service}${answer === 'ack' ? '' : ' (refused)'}`;
}

/** The groups that a step after the first `before` has left without a member. */
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

/** What decide changed and what the accounting server has taken, since the last `clear`. */
function collectEvents() {
  let changed: string[] = [];
  let records: string[] = [];
  let onRecord = () => {};
  return {
    report({ source, event }: SystemEvent): void {
      if (source === 'decide' && event.kind === 'decided') {
        // Services that become active together have no order: the table keeps them in a map.
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
    /** Resolves when so many records are taken, or when it has taken too long. */
    accounted(count: number): Promise<void> {
      return new Promise((resolve) => {
        const patience = setTimeout(resolve, ACCOUNTING_PATIENCE_MS);
        onRecord = () => {
          if (records.length < count) return;
          clearTimeout(patience);
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
