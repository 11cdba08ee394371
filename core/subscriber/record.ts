// What an Accounting-Request says of one subscriber session, as the table of transitions takes it.
import type { Identity } from '../identity.ts';
import type { NasProfile } from '../nas.ts';
import { parseActivation } from '../services/activation.ts';
import type { Catalogue } from '../services/catalogue.ts';
import type { Moment, Witness } from './session.ts';

/**
 * An Acct-Start, Interim-Update or Acct-Stop of a subscriber session, or of a service of it; or the relay's notice that a
 * subscriber session is `stale`: it has had no record for three intervals.
 */
export interface SessionRecord {
  readonly kind: 'start' | 'interim' | 'stop' | 'stale';
  /**
   * When it happened, milliseconds since 1970-01-01 UTC, and whether that is its Event-Timestamp. Of `stale`: when the relay
   * received the latest record of the session.
   */
  readonly eventAtMs: number;
  readonly isStamped: boolean;
  /** When the relay received it, milliseconds since 1970-01-01 UTC by the cloud's clock, as far as the relay knows that. */
  readonly receivedAtMs: number;
  readonly nas: NasProfile;
  /** Of the subscriber session, also in the record of a service. */
  readonly acctSessionId: string;
  readonly identity: Identity;
  /** The values of Class in hexadecimal, in order. */
  readonly classes: readonly string[];
  readonly sessionTimeSeconds?: number;
  readonly terminateCause?: number;
  /** The service that it accounts; absent in a record of the subscriber session. */
  readonly service?: AccountedService;
  /**
   * When its NAS, or the virtual router of the session, has restarted last, milliseconds since 1970-01-01 UTC; absent where no
   * Accounting-On or -Off has come. A record of an earlier event opens no session.
   */
  readonly restartedAtMs?: number;
}

/** An Accounting-Request of a session, or of a service of it, or the notice of one that is stale. */
export interface RecordEvent {
  readonly kind: 'record';
  readonly id: string;
  readonly record: SessionRecord;
}

/** Accounting-On or -Off of the NAS of a session. */
export interface RestartEvent {
  readonly kind: 'nas-restart';
  readonly id: string;
  /** When it happened, milliseconds since 1970-01-01 UTC. */
  readonly eventAtMs: number;
  /** The virtual router that it names; absent where it means the whole NAS. */
  readonly scope?: string;
  /** Acct-Terminate-Cause of what it ends. */
  readonly terminateCause: number;
}

/** A service as its NAS accounts it. */
export interface AccountedService {
  /** Canonical activation string. */
  readonly activation: string;
  /** What the NAS calls it. */
  readonly spelling: string;
  /** Mutex groups that the catalogue gives it; none where it does not define the service. */
  readonly groups: readonly number[];
  /** Acct-Session-Id of the service. */
  readonly serviceSessionId: string;
}

/** The service that a record names as `name`; undefined where that is no activation string. */
export function accountedService(
  { name, serviceSessionId }: { readonly name: string; readonly serviceSessionId: string },
  { services }: Catalogue,
): AccountedService | undefined {
  const parsed = parseActivation(name);
  if (!parsed.ok) return undefined;
  const { canonical, name: defined } = parsed.activation;
  const groups = Object.hasOwn(services, defined) ? (services[defined]?.groups ?? []) : [];
  return { activation: canonical, spelling: name, groups, serviceSessionId };
}

/** When a record happened. */
export function momentOf({ eventAtMs, isStamped }: Pick<SessionRecord, 'eventAtMs' | 'isStamped'>): Moment {
  return { atMs: eventAtMs, isStamped };
}

/** When the session, or the service, of a record began; undefined where it does not say. */
export function startedAt({ kind, sessionTimeSeconds, ...record }: SessionRecord): Moment | undefined {
  const { atMs, isStamped } = momentOf(record);
  if (kind === 'start') return { atMs, isStamped };
  return sessionTimeSeconds === undefined
    ? undefined
    : { atMs: Math.max(0, atMs - sessionTimeSeconds * 1000), isStamped };
}

/**
 * What the record of a service says of it. What happened is compared with what the cloud has done, so a clock of the NAS that
 * is ahead must not make it later than its arrival.
 */
export function witnessOf(id: string, record: SessionRecord, service: AccountedService): Witness | undefined {
  const { kind } = record;
  if (kind === 'stale') return undefined;
  const started = startedAt(record);
  return {
    ...service,
    id,
    kind,
    atMs: Math.min(record.eventAtMs, record.receivedAtMs),
    ...(record.eventAtMs > record.receivedAtMs && { eventAtMs: record.eventAtMs }),
    ...(started !== undefined && { startedAtMs: started.atMs }),
    ...(record.terminateCause !== undefined && { terminateCause: record.terminateCause }),
  };
}

/** An Event-Timestamp is exact, but an arrival says only when a record came: clients repeat one for so long. */
const ARRIVAL_TOLERANCE_MS = 30_000;

/** Whether `one` happened after `other` for certain. */
export function isLater(one: Moment, other: Moment): boolean {
  const toleranceMs = one.isStamped && other.isStamped ? 0 : ARRIVAL_TOLERANCE_MS;
  return one.atMs > other.atMs + toleranceMs;
}

export function latestOf(one: Moment, other: Moment): Moment {
  return other.atMs > one.atMs ? other : one;
}
