// `npx interlock list`: the sessions of a NAS, or those with a service, one line each.
import { sessionKeyOf } from '../core/cloud/table.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { printable, printableJson } from '../core/printable.ts';
import { nameOf, parseActivation } from '../core/services/activation.ts';
import { stateOf } from '../core/subscriber/event.ts';
import { keyOf } from '../core/subscriber/key.ts';
import type { Session } from '../core/subscriber/session.ts';
import type { FoundTable } from './find-table.ts';
import { columns, NONE } from './layout.ts';
import { listSessions, type SessionPage } from './list-sessions.ts';
import { timesAt } from './times.ts';

export interface ListOptions {
  /** @default every NAS */
  readonly nas?: string | undefined;
  /** An activation string, or the name of a service with any parameters. @default any service, or none */
  readonly service?: string | undefined;
  /** Where the list before it has ended: `bng-1#0001`. */
  readonly after?: string | undefined;
  /** How many sessions to print, at most. */
  readonly limit: number;
  /** One line of JSON a session, instead of text. */
  readonly json: boolean;
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  readonly timeZone: string;
  print(text: string): void;
  /** Prints what is not a session. */
  note(text: string): void;
}

/** What one list costs at most: each session is a read of up to 4 kB. */
const MAX_READ = 10_000;

/**
 * Prints sessions, and how to go on where there are more.
 * @returns how many sessions it printed
 * @throws ConfigurationError when the table cannot be read, or `service` is no activation string
 */
export async function list({ client, tableName }: FoundTable, options: ListOptions): Promise<number> {
  const { nas, service, after, limit, json, now, timeZone, print, note } = options;
  const wanted = service === undefined ? undefined : canonicalOf(service);
  let page: SessionPage;
  try {
    page = await listSessions(client, tableName, {
      nas,
      after: after === undefined ? undefined : sessionKeyOf(`#${after}`),
      isWanted: (session) => wanted === undefined || hasService(session, wanted),
      limits: { given: limit, read: MAX_READ },
    });
  } catch (error) {
    throw new ConfigurationError([`cannot read the table: ${error}`]);
  }
  const { sessions, read, last } = page;
  const times = timesAt(now(), timeZone);
  if (json) for (const session of sessions) print(printableJson(JSON.stringify(session)));
  else for (const line of columns(sessions.map((session) => rowOf(session, times.at)))) print(line);
  if (last !== undefined) {
    note(`${read} sessions read; to go on: --after ${quoted(`${last.nas}#${last.acctSessionId}`)}`);
  }
  return sessions.length;
}

/** @throws ConfigurationError when `service` is no activation string */
function canonicalOf(service: string): string {
  const parsed = parseActivation(service);
  if (!parsed.ok) throw new ConfigurationError([`--service ${service}: ${parsed.reason}`]);
  return parsed.activation.canonical;
}

function hasService({ services }: Session, wanted: string): boolean {
  return Object.keys(services).some((activation) => activation === wanted || nameOf(activation) === wanted);
}

/** The name of the NAS is that of the key. */
function rowOf(session: Session, at: (ms: number) => string): readonly string[] {
  const { identity, claimed, services, changedAtMs } = session;
  const { nas, acctSessionId } = keyOf(session);
  const claim = claimed['User-Name'];
  const user = identity['User-Name'] ?? (claim === undefined ? NONE : `${claim} (unchecked)`);
  const has = Object.values(services)
    .sort((one, other) => one.number - other.number)
    .map(({ activation, state }) => (state === 'active' ? activation : `${activation} (${state})`));
  return [nas, acctSessionId, String(user), has.join(', ') || NONE, stateOf(session), at(changedAtMs)];
}

/** As a shell takes it for one word; with octets in hexadecimal, as bash and zsh have them, where a terminal would obey it. */
function quoted(word: string): string {
  if (printable(word) === word) return `'${word.replaceAll("'", `'\\''`)}'`;
  const octets = Array.from(Buffer.from(word), (octet) => `\\x${octet.toString(16).padStart(2, '0')}`);
  return `$'${octets.join('')}'`;
}
