// How an event changes a session: the table of transitions between a read and a conditional write, and then its effects.

import type { Barrier } from '../../core/client-rights.ts';
import { SWEEP_INTERVAL_SECONDS } from '../../core/cloud/queues.ts';
import { type Deployment, nasNames, nasSites } from '../../core/deployment.ts';
import { MalformedMessage, type SessionKey } from '../../core/messages.ts';
import type { CommandOutcome } from '../../core/subscriber/command-outcome.ts';
import type { Event } from '../../core/subscriber/event.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { dueAtMs, transition } from '../../core/subscriber/transition.ts';
import { type Arrival, type ChangeReport, difference } from './change-report.ts';
import type { Schedule } from './due-queue.ts';
import { messageOf } from './effects.ts';
import type { OutgoingMessage } from './queue.ts';
import type { SessionStore } from './session-store.ts';

/** Conditional writes that one message may lose in a row before the queue has to deliver it again. */
const MAX_ATTEMPTS = 5;

/** The keys under which a session may be stored. The first one is that of a new session. */
export type Keys = readonly [SessionKey, ...SessionKey[]];

/** An event of a session, and what is reported of it. */
export interface Happening extends Partial<Arrival> {
  /** The site that it came from; absent when time made it. */
  readonly site?: string;
  readonly sessions: Keys;
  readonly event: Event;
  readonly correlationId: string;
  readonly cause: string;
  readonly outcome?: CommandOutcome;
  /**
   * What keeps a request from being evaluated, given the session as it is stored and the name of its NAS today. An event that has
   * made one of the latest changes is delivered again, and is not judged anew.
   */
  readonly bars?: (session: Session | undefined, nas: string) => Bar | undefined;
  /** Called before a refusal is sent that leaves no session, and so no trace. Rejects where it has to be delivered again. */
  readonly onUntraced?: (signal: AbortSignal) => Promise<void>;
}

/** Why a request is discarded without an answer, or the reason for which it gets Administratively-Prohibited. */
export type Bar =
  | { readonly barrier: Barrier | 'outdated'; readonly reason?: undefined }
  | { readonly barrier?: undefined; readonly reason: string };

export interface ChangeDependencies {
  readonly deployment: Deployment;
  readonly store: SessionStore;
  /** Sends to the outbox of a site, all or an error. */
  send(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
  /** Has a session looked at again at a time of its own. */
  readonly schedule: Schedule;
  now(): number;
  report(event: ChangeReport): void;
}

/**
 * Reads, decides and writes until the write wins, and then sends. Written before sent: after a crash in between the event is
 * delivered again, and the transition repeats its effects.
 * @returns why nothing was done and nothing sent, if so
 */
export async function changeSession(
  { site, sessions, event, bars, onUntraced, ...about }: Happening,
  { deployment, store, now, report, send, schedule }: ChangeDependencies,
  signal: AbortSignal,
): Promise<Bar | undefined> {
  for (let lostRaces = 0; lostRaces < MAX_ATTEMPTS; lostRaces++) {
    const { key, session: before } = await find(store, sessions, signal);
    // A NAS that has moved to another site keeps its sessions, and is told by the relay of that site.
    const home = nasSites(deployment).get(key.nas) ?? before?.nas.site;
    // A request has named a NAS of its site already.
    const isOfSite = before === undefined || site === before.nas.site || site === home;
    if (event.kind === 'outcome' && !isOfSite) {
      throw new MalformedMessage(`session: ${key.nas} is not a NAS of the site ${site}`);
    }
    const isDeliveredAgain = before?.recentEvents.some(({ id }) => id === event.id);
    const name = nasNames(deployment).get(key.nas) ?? key.nas;
    const bar = isDeliveredAgain ? undefined : bars?.(before, name);
    if (bar !== undefined) return bar;
    const { session: after, effects, isOver, isOutdated } = transition(before, event, now());
    if (isOutdated) return { barrier: 'outdated' };
    if (after !== undefined && (await store.write(after, signal)) === 'lost') continue;

    const nas = (after ?? before)?.nas.name ?? key.nas;
    report({
      kind: 'decided',
      session: key,
      nas,
      ...about,
      ...difference(before, after),
      effects,
      lostRaces,
    });
    if (before === undefined && after === undefined && effects.length > 0) await onUntraced?.(signal);
    const destination = site ?? home;
    const messages = effects.map((effect) => messageOf(effect, key));
    if (destination !== undefined && messages.length > 0) await send(destination, messages, signal);
    // Only now: an event that is delivered again finds what it had to send.
    const left = after === undefined ? before : { ...after, revision: after.revision + 1 };
    if (isOver && left !== undefined) await store.remove(left, signal);
    const soonMs = dueSoonMs(before, after, now());
    if (soonMs !== undefined) {
      await schedule(key, soonMs, signal).catch((error) =>
        report({ kind: 'not-scheduled', session: key, error }),
      );
    }
    return undefined;
  }
  const [{ nas, acctSessionId }] = sessions;
  throw new Error(`${MAX_ATTEMPTS} writes of ${nas} ${acctSessionId} in a row were lost to others`);
}

/** A NAS that was renamed keeps its sessions: they are stored under the name that it had when they began. */
async function find(
  store: SessionStore,
  keys: Keys,
  signal: AbortSignal,
): Promise<{ readonly key: SessionKey; readonly session: Session | undefined }> {
  for (const key of keys) {
    const session = await store.read(key, signal);
    if (session !== undefined) return { key, session };
  }
  return { key: keys[0], session: undefined };
}

/**
 * When an idle session has to be looked at before sweep runs next; undefined where sweep is early enough. The deadline
 * of a command hardly ever passes, so sweep may be a minute late for that.
 *
 * What the NAS was told twice in vain is left to sweep, which hands the sessions of a NAS to decide at a bounded rate: a
 * NAS that comes back after an outage is not told everything at once. The price is that the second retry, due after 24 s to
 * 30 s, may come 36 s late, and the third, due after 48 s to 60 s, 12 s late. Those after it are due when sweep has run.
 */
function dueSoonMs(
  before: Session | undefined,
  after: Session | undefined,
  nowMs: number,
): number | undefined {
  if (after === undefined || after.transition !== undefined) return undefined;
  const dueMs = dueAtMs(withoutLaterRetries(after));
  const isNew = dueMs !== (before && dueAtMs(withoutLaterRetries(before)));
  return isNew && dueMs !== undefined && dueMs < nowMs + SWEEP_INTERVAL_SECONDS * 1000 ? dueMs : undefined;
}

function withoutLaterRetries(session: Session): Session {
  const services = Object.entries(session.services).map(([activation, { retry, ...service }]) => {
    const isPrompt = retry !== undefined && retry.attempts <= 1;
    return [activation, isPrompt ? { ...service, retry } : service] as const;
  });
  return { ...session, services: Object.fromEntries(services) };
}
