// `npx interlock show NAME`: the subscriber sessions of that name, with their history.
import { ConfigurationError } from '../core/config/problems.ts';
import { printableJson } from '../core/printable.ts';
import { keyOf } from '../core/subscriber/key.ts';
import { findSessions } from './find-sessions.ts';
import type { FoundTable } from './find-table.ts';
import { latestHistory } from './latest-history.ts';
import { describeSession } from './session-text.ts';

export interface ShowOptions {
  /** User-Name or Acct-Session-Id. */
  readonly name: string;
  /** One line of JSON a session, instead of text. */
  readonly json: boolean;
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  readonly timeZone: string;
  print(text: string): void;
}

/**
 * Prints each session of that name.
 * @returns how many there are
 * @throws ConfigurationError when the table cannot be read
 */
export async function show(
  { client, tableName }: FoundTable,
  { name, json, now, timeZone, print }: ShowOptions,
): Promise<number> {
  let found = 0;
  try {
    for await (const session of findSessions(client, tableName, name)) {
      const nowMs = now();
      const history = await latestHistory(client, tableName, keyOf(session), nowMs);
      const text = json
        ? printableJson(JSON.stringify({ ...session, history }))
        : describeSession(session, history, nowMs, timeZone);
      print(json || found === 0 ? text : `\n${text}`);
      found++;
    }
  } catch (error) {
    throw new ConfigurationError([`cannot read the table: ${error}`]);
  }
  return found;
}
