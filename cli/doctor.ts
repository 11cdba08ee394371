// `npx interlock doctor`: what the configuration and the table show of faults that an operator has to mend.
import { STUCK_AFTER_ATTEMPTS } from '../core/cloud/metrics.ts';
import type { Configuration } from '../core/config/configuration.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { deploymentOf, nasNames } from '../core/deployment.ts';
import type { SessionKey } from '../core/messages.ts';
import { printable } from '../core/printable.ts';
import { isStale } from '../core/subscriber/life.ts';
import { dueAtMs } from '../core/subscriber/transition.ts';
import type { FoundTable } from './find-table.ts';
import { type Scanned, scanSessions } from './scan-sessions.ts';
import { timesAt } from './times.ts';

export interface DoctorOptions {
  /** Reads the configuration. Rejects with a ConfigurationError that names what is wrong. */
  readConfiguration(): Promise<Configuration>;
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  readonly timeZone: string;
  print(text: string): void;
}

/** What one check found. */
interface Finding {
  /** What is printed if there are no faults, and above them if there are some. */
  readonly well: string;
  readonly ill: string;
  readonly faults: readonly string[];
  /** The heading of docs/runbook.md that says what to do. */
  readonly advice?: string;
}

/** Faults that are printed of one kind; of the others, only how many there are. */
const SHOWN = 10;
/** Time that the functions have for what is due: the alarm "Due sessions are late" has the same. */
const LATE_MS = 5 * 60_000;

/**
 * Checks the configuration, and all sessions of the table, and prints what it found.
 * @returns whether everything is well
 */
export async function doctor({ client, tableName }: FoundTable, options: DoctorOptions): Promise<boolean> {
  const findings: Finding[] = [];
  const found = (finding: Finding) => {
    findings.push(finding);
    options.print(textOf(finding));
  };

  const configuration = await attempt(options.readConfiguration);
  found({
    well: configuration.ok ? configurationText(configuration.value) : '',
    ill: 'the configuration cannot be used',
    faults: configuration.ok ? [] : configuration.problems,
  });
  for (const warning of configuration.ok ? configuration.value.warnings : [])
    options.print(`note   ${printable(warning)}`);
  const names = configuration.ok
    ? nasNames(deploymentOf(configuration.value.catalogue, configuration.value.sites))
    : undefined;
  const accounting = (configuration.ok ? configuration.value.sites : [])
    .filter(({ accountingFrom }) => accountingFrom.length > 0)
    .flatMap(({ nases }) => nases.map(({ name }) => name));
  const examination = new Examination(names, options.now(), options.timeZone);
  const scanned = await attempt(async () => {
    for await (const one of scanSessions(client, tableName)) examination.add(one);
  });
  if (scanned.ok) {
    for (const finding of examination.findings()) found(finding);
    for (const note of examination.notes(accounting)) options.print(`note   ${printable(note)}`);
  }
  if (!scanned.ok) found({ well: '', ill: 'the table cannot be read', faults: scanned.problems });
  return findings.every(({ faults }) => faults.length === 0);
}

/** Collects what is wrong with sessions. */
class Examination {
  readonly #names: ReadonlyMap<string, string> | undefined;
  readonly #nowMs: number;
  readonly #timeZone: string;
  #sessions = 0;
  readonly #unreadable: string[] = [];
  /** By the name of the NAS that no site file has: how many, and one of them. */
  readonly #unknown = new Map<string, { readonly count: number; readonly acctSessionId: string }>();
  /** Of each NAS that was renamed, the names under which each session is stored. */
  readonly #renamed: ReadonlyMap<string, Map<string, string[]>>;
  readonly #unconfirmed: string[] = [];
  readonly #stuck: string[] = [];
  readonly #late: string[] = [];
  readonly #drifting: string[] = [];
  readonly #stale: string[] = [];
  /** Names of NASes, today's, of which a session is known by its accounting. */
  readonly #heard = new Set<string>();

  constructor(names: ReadonlyMap<string, string> | undefined, nowMs: number, timeZone: string) {
    this.#names = names;
    const renamed = [...(names ?? [])].filter(([stored, today]) => stored !== today);
    this.#renamed = new Map(renamed.map(([, today]) => [today, new Map()]));
    this.#nowMs = nowMs;
    this.#timeZone = timeZone;
  }

  add({ key, session, problem }: Scanned): void {
    this.#sessions++;
    this.#addName(key);
    if (session === undefined) {
      this.#unreadable.push(problem);
      return;
    }
    const name = nameOf(key);
    for (const { activation, state, retry } of Object.values(session.services)) {
      if (state === 'unconfirmed') this.#unconfirmed.push(`${name}: ${activation}`);
      if (retry !== undefined && retry.attempts >= STUCK_AFTER_ATTEMPTS)
        this.#stuck.push(`${name}: ${activation} is ${state}, ${retry.attempts} attempts failed`);
    }
    for (const [service, { instead }] of Object.entries(session.drift ?? {}))
      this.#drifting.push(`${name}: ${service}, not ${instead.join(', ')}`);
    if (isStale(session, this.#nowMs)) this.#stale.push(name);
    if (session.life !== undefined) this.#heard.add(this.#names?.get(key.nas) ?? key.nas);
    const dueMs = dueAtMs(session);
    if (dueMs !== undefined && dueMs < this.#nowMs - LATE_MS)
      this.#late.push(`${name}: due ${timesAt(this.#nowMs, this.#timeZone).at(dueMs)}`);
  }

  #addName({ nas, acctSessionId }: SessionKey): void {
    if (this.#names === undefined) return;
    const today = this.#names.get(nas);
    if (today === undefined) {
      const { count } = this.#unknown.get(nas) ?? { count: 0 };
      this.#unknown.set(nas, { count: count + 1, acctSessionId });
      return;
    }
    const sessions = this.#renamed.get(today);
    sessions?.set(acctSessionId, [...(sessions.get(acctSessionId) ?? []), nas]);
  }

  /** What may be meant, or mends itself. `accounting` are the NASes whose sites take accounting. */
  notes(accounting: readonly string[]): readonly string[] {
    const [first] = this.#stale;
    const unheard = accounting.filter((nas) => !this.#heard.has(nas));
    return [
      ...(first === undefined
        ? []
        : [
            `${counted(this.#stale.length, 'session')} without a record for three intervals or for 3 days, such as ${first}: an Acct-Stop may be lost`,
          ]),
      ...unheard.map((nas) => `no session of ${nas} is known by its accounting, which its site takes`),
    ];
  }

  findings(): readonly Finding[] {
    const twice = [...this.#renamed].flatMap(([nas, sessions]) =>
      [...sessions]
        .filter(([, names]) => names.length > 1)
        .map(
          ([acctSessionId, names]) =>
            `${nameOf({ nas, acctSessionId })}: under ${names.sort().join(' and ')}`,
        ),
    );
    const unknown = [...this.#unknown].map(
      ([nas, { count, acctSessionId }]) => `${nas}: ${counted(count, 'session')}, such as ${acctSessionId}`,
    );
    const ofNases: readonly Finding[] = [
      {
        well: 'the site files name the NAS of each session',
        ill: 'sessions are of NASes that no site file names',
        faults: unknown,
        advice: UNKNOWN_NAS,
      },
      {
        well: 'each session is stored once',
        ill: 'sessions are stored under two names of their NAS',
        faults: twice,
        advice: UNKNOWN_NAS,
      },
    ];
    return [
      {
        well: `the table can be read: ${counted(this.#sessions, 'session')}`,
        ill: 'items of the table cannot be read',
        faults: this.#unreadable,
        advice: 'UnreadableItem, under "Dead letters in an inbox"',
      },
      ...(this.#names === undefined ? [] : ofNases),
      {
        well: 'no service is unconfirmed',
        ill: 'services are unconfirmed',
        faults: this.#unconfirmed,
        advice: 'Services are unconfirmed',
      },
      {
        well: 'no service drifts',
        ill: 'services that NASes account contradict the table',
        faults: this.#drifting,
        advice: 'Services drift',
      },
      {
        well: `no command has failed ${STUCK_AFTER_ATTEMPTS} times or more`,
        ill: `commands have failed ${STUCK_AFTER_ATTEMPTS} times or more`,
        faults: this.#stuck,
        advice: 'Deactivations are stuck',
      },
      {
        well: 'nothing has been due for 5 minutes',
        ill: 'sessions have been due for 5 minutes or more',
        faults: this.#late,
        advice: 'Due sessions are late',
      },
    ];
  }
}

const UNKNOWN_NAS = 'Sessions of an unknown NAS';

function configurationText({ catalogue, sites }: Configuration): string {
  const nases = sites.flatMap((site) => site.nases);
  const parts = [
    counted(Object.keys(catalogue.services).length, 'service'),
    counted(sites.length, 'site'),
    `${nases.length} ${nases.length === 1 ? 'NAS' : 'NASes'}`,
  ];
  return `the configuration can be used: ${parts.join(', ')}`;
}

function textOf({ well, ill, faults, advice }: Finding): string {
  if (faults.length === 0) return `ok     ${well}`;
  const more = faults.length - SHOWN;
  const lines = [
    ...faults.slice(0, SHOWN).map(printable),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(advice === undefined ? [] : [`docs/runbook.md: ${advice}`]),
  ];
  return [`FAULT  ${ill}`, ...lines.map((line) => `         ${line}`)].join('\n');
}

/** Its value, or what an operator is told of the error. */
async function attempt<T>(
  work: () => Promise<T>,
): Promise<
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly string[] }
> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    const problems = error instanceof ConfigurationError ? error.problems : [String(error)];
    return { ok: false, problems };
  }
}

const nameOf = ({ nas, acctSessionId }: SessionKey) => `${nas} ${acctSessionId}`;
const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
