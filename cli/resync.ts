// `npx interlock resync SESSION --to table|nas`: ends the drift of a subscriber session, and waits until it has ended.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ConfigurationError } from '../core/config/problems.ts';
import { MESSAGE_VERSION } from '../core/messages.ts';
import { printable } from '../core/printable.ts';
import { keyOf } from '../core/subscriber/key.ts';
import { isClosed } from '../core/subscriber/life.ts';
import type { Session } from '../core/subscriber/session.ts';
import { createSessionStore } from '../functions/shared/session-store.ts';
import type { SendToDueQueue } from './due-queue.ts';
import { findSessions } from './find-sessions.ts';
import type { FoundTable } from './find-table.ts';
import { latestHistory } from './latest-history.ts';
import { columns } from './layout.ts';
import { describeSession } from './session-text.ts';

export interface ResyncOptions {
  /** A value of an attribute that identifies the subscriber session. */
  readonly name: string;
  /** The name under which its NAS stores sessions, where several have it. @default any */
  readonly nas?: string | undefined;
  /** What counts: what the table has, or what the NAS accounts. */
  readonly to: 'table' | 'nas';
  /** Who asks, for the log of decide. */
  readonly operator: string;
  readonly send: SendToDueQueue;
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  pause(ms: number): Promise<void>;
  readonly timeZone: string;
  print(text: string): void;
  /** Prints what is not the session: why nothing was done, or what is not done yet. */
  note(text: string): void;
}

/** A command takes its NAS some seconds, 30 s if it does not answer; two may be needed. */
const WAIT_MS = 60_000;
const POLL_MS = 500;
/**
 * What comes while a command is under way changes nothing, and a standard queue promises no time: after this it is sent again. Of
 * two, the second finds no drift.
 */
const REPEAT_MS = 5_000;
/** Sessions of one name that are read to find the one. */
const MAX_SESSIONS = 20;

/**
 * Has the drift of the session ended, waits until the NAS has done what that takes, and prints the session.
 * @returns whether nothing drifts any more, and nothing is left to be told to the NAS
 * @throws ConfigurationError when the table cannot be read, or the queue takes nothing
 */
export async function resync({ client, tableName }: FoundTable, options: ResyncOptions): Promise<boolean> {
  const { name, to, operator, send, now, pause, timeZone, print, note } = options;
  const first = theOne(await allOf(client, tableName, options), name, note);
  if (first === undefined) return false;
  const printSession = async (session: Session) => {
    const history = await reading(() => latestHistory(client, tableName, keyOf(session), now()));
    print(describeSession(session, history, now(), timeZone));
  };
  if (first.drift === undefined) {
    note('nothing drifts');
    await printSession(first);
    return true;
  }
  const concerned = Object.entries(first.drift).flatMap(([service, { instead }]) => [service, ...instead]);
  const key = keyOf(first);
  const { read } = createSessionStore(client, tableName);
  const untilMs = now() + WAIT_MS;
  let session: Session | undefined = first;
  let repeatAtMs = now();
  while (session !== undefined && !isClosed(session)) {
    const open = leftOf(session, concerned);
    if (open.length === 0 || now() >= untilMs) {
      await printSession(session);
      if (open.length > 0) note(`after ${WAIT_MS / 1000} s: ${open.map(printable).join(', ')}`);
      return open.length === 0;
    }
    if (session.drift !== undefined && session.transition === undefined && now() >= repeatAtMs) {
      await send({ version: MESSAGE_VERSION, kind: 'resync', session: key, to, operator });
      repeatAtMs = now() + REPEAT_MS;
    }
    await pause(POLL_MS);
    session = await reading(() => read(key));
  }
  note(`the session ${printable(key.acctSessionId)} has ended meanwhile`);
  return false;
}

/** What is not done yet, in words. */
function leftOf(
  { drift = {}, services, transition }: Session,
  concerned: readonly string[],
): readonly string[] {
  return [
    ...Object.keys(drift).map((name) => `${name} drifts`),
    ...(transition === undefined ? [] : ['a command is in progress']),
    ...concerned.flatMap((name) => {
      const state = services[name]?.state;
      return state === 'deactivating' || state === 'restoring' ? [`${name} is ${state}`] : [];
    }),
  ];
}

/** The only session that is open; undefined, and said why, where there is none or are several. */
function theOne(found: readonly Session[], name: string, note: ResyncOptions['note']): Session | undefined {
  const open = found.filter((session) => !isClosed(session));
  if (open.length === 1) return open[0];
  if (found.length === 0) note(`no session is known by ${printable(name)}`);
  else if (open.length === 0) note(`the session ${printable(found[0]?.acctSessionId ?? '')} has ended`);
  else {
    const rows = open.map((session) => [
      keyOf(session).nas,
      session.acctSessionId,
      String(session.identity['User-Name'] ?? ''),
      session.drift === undefined ? '' : `${Object.keys(session.drift).join(', ')}: drift`,
    ]);
    const lines = columns(rows).map((line) => `  ${line}`);
    note(
      [`several sessions are known by ${printable(name)}: give the Acct-Session-Id, or --nas`, ...lines].join(
        '\n',
      ),
    );
  }
  return undefined;
}

async function allOf(
  client: DynamoDBClient,
  tableName: string,
  { name, nas }: ResyncOptions,
): Promise<readonly Session[]> {
  const found: Session[] = [];
  await reading(async () => {
    for await (const session of findSessions(client, tableName, name)) {
      if (nas !== undefined && keyOf(session).nas !== nas && session.nas.name !== nas) continue;
      found.push(session);
      if (found.length === MAX_SESSIONS) return;
    }
  });
  return found;
}

async function reading<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new ConfigurationError([`cannot read the table: ${error}`]);
  }
}
