// What the cloud has been told of the sessions, as far as this relay remembers it. Interim records that say nothing new
// stay at the site because of it. It may forget: what it does not know is sent once more, and changes nothing.
//
// So the relay alone knows whether the records of a session have stopped. A session is stale that has had none for three
// intervals: the cloud is told, and hears of its next Interim-Update.
import { IDENTITY_ATTRIBUTES, type Identity } from '../../core/identity.ts';
import type { SessionKey } from '../../core/messages.ts';
import type { AccountingRecord } from '../../core/requests/accounting-request.ts';

/** A record whose NAS is known, and with a session id unless it is about the whole NAS. */
export type KnownNasRecord = AccountingRecord & { readonly nas: string };

/** Whether the cloud has to hear a record: `repeat` and `unchanged` say that it need not. */
export type Novelty = 'new' | 'repeat' | 'unchanged';

/** Two clocks and a network lie between two arrivals of one event that has no Event-Timestamp. */
const SAME_EVENT_MS = 5_000;
/** 100,000 subscribers with two accounted services each; about 0.5 kB of memory for each session. */
const CAPACITY = 300_000;
/**
 * The cloud hears of a session at least so often. The relay forgets with its restart which sessions it would have to call
 * stale; the cloud then does so itself when it has heard nothing for some days.
 */
const TOLD_EVERY_MS = 24 * 60 * 60_000;
/** A session without a record for so many intervals is stale. */
const STALE_INTERVALS = 3;
/** RFC 2869 section 5.16: the interval of Interim-Updates is at least 60 s, and should be at least 600 s. */
const MIN_INTERVAL_MS = 60_000;
const RECOMMENDED_INTERVAL_MS = 600_000;
/** An Interim-Update after so many intervals is not the next one. */
const MISSED_INTERVALS = 1.5;
/** As the table of transitions has it: an arrival says only when a record came, and clients repeat one for so long. */
const ARRIVAL_TOLERANCE_MS = 30_000;
/** How many entries are looked at in one turn of the event loop: some tenths of a millisecond, even if all are stale. */
const ENTRIES_A_TURN = 1_000;

/** How a record came. */
export interface Arrival {
  /** The name of its sender in the site file. */
  readonly feed: string;
  /** Monotonic time. */
  readonly atMs: number;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly receivedAtMs: number;
}

/** The records of a subscriber session as they come, whether the cloud hears of them or not. */
interface Heard {
  /** The latest one. */
  readonly latest: Arrival;
  /** The latest Interim-Update: its arrival in monotonic time, and whether it said something new of who the session is. */
  readonly interimAtMs?: number;
  readonly wasNews?: boolean;
  /** What Acct-Interim-Interval says, or the longest time between two Interim-Updates if that is longer. */
  readonly intervalMs?: number;
}

interface Known {
  /** The latest of its records that the cloud has. */
  readonly kind: AccountingRecord['kind'];
  readonly eventAtMs: number;
  readonly isStamped: boolean;
  readonly isOpen: boolean;
  /** When it has ended, as far as the relay knows; absent where a later record has opened it. */
  readonly end?: Pick<AccountingRecord, 'eventAtMs' | 'isStamped'>;
  /** How often its NAS had been restarted by then. */
  readonly restarts: number;
  /** Hashes of the identification attributes, packed. */
  readonly identity: string;
  /** When that record came, in monotonic time. */
  readonly toldAtMs: number;
  /** Absent for a service and for a NAS. */
  readonly heard?: Heard;
}

/** An open session that has had no record for three intervals. */
export interface StaleSession {
  readonly nas: string;
  readonly acctSessionId: string;
  /** The arrival of its latest record. */
  readonly latest: Arrival;
}

/** The sessions, and services that NASes account, of which the cloud has heard. */
export class KnownSessions {
  readonly #capacity: number;
  /** By the key of `keyOf`, the one that was used least recently first. */
  readonly #known = new Map<string, Known>();
  /** By the name of the NAS: how many Accounting-On and -Off it has sent, and when the last of them happened. */
  readonly #restarts = new Map<string, { readonly count: number; readonly lastAtMs: number }>();
  /** No session has a shorter interval. */
  #shortestIntervalMs = Number.POSITIVE_INFINITY;

  /** Above `capacity` the session that was used least recently is forgotten. */
  constructor({ capacity = CAPACITY } = {}) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Whether the cloud has to hear `record`, which has just come. */
  judge(record: KnownNasRecord, arrival: Arrival): Novelty {
    this.#hearOfSession(record, arrival);
    const known = this.#find(record);
    if (known === undefined) return 'new';
    const isInterim = record.kind === 'interim';
    const isChange = hasChanged(unpack(known.identity), hashesOf(record));
    const isNews = isInterim && isChange;
    // An Acct-Start of another subscriber is not the repeat of one, however soon it comes.
    const isRepeat =
      record.kind === known.kind && isSameEvent(record, known) && !(record.kind === 'start' && isChange);
    // A repeat says that the session is there, and nothing of the time between two records.
    this.#hear(isRepeat ? { ...record, kind: 'other' } : record, arrival, known, isNews);
    if (isInterim && (!known.isOpen || isNews)) return 'new';
    if (isRepeat) return 'repeat';
    return isInterim && !isOverdue(known, arrival) ? 'unchanged' : 'new';
  }

  /** Remembers that the cloud has `record`. */
  learn(record: KnownNasRecord, arrival: Arrival): void {
    const { kind, eventAtMs, isStamped, nas } = record;
    const restarts = this.#restartsOf(nas);
    const lastRestartAtMs = this.#restarts.get(nas)?.lastAtMs ?? Number.NEGATIVE_INFINITY;
    const before = this.#find(record);
    // A late record does not undo what a later one has said.
    if (before !== undefined && eventAtMs < before.eventAtMs) return;
    const isOfNas = kind === 'on' || kind === 'off';
    if (isOfNas) {
      this.#restarts.set(nas, { count: restarts + 1, lastAtMs: Math.max(lastRestartAtMs, eventAtMs) });
    }
    const hashes = hashesOf(record);
    const isOpen =
      (kind === 'start' || kind === 'interim') &&
      eventAtMs > lastRestartAtMs &&
      isAfterEnd(record, before?.end);
    const end = kind === 'stop' ? { eventAtMs, isStamped } : isOpen ? undefined : before?.end;
    this.#set(keyOf(record), {
      kind,
      eventAtMs,
      isStamped,
      isOpen,
      ...(end !== undefined && { end }),
      restarts: isOfNas ? restarts + 1 : restarts,
      identity: pack(
        kind === 'interim' && before !== undefined ? merged(unpack(before.identity), hashes) : hashes,
      ),
      toldAtMs: arrival.atMs,
      ...(isOfSession(record) && { heard: this.#heard(before?.heard, record, arrival, false) }),
    });
  }

  /**
   * Sessions that are stale at the monotonic time `nowMs`, in parts: between two of them the caller may let other things
   * happen. A session that has been heard of meanwhile may still be in a part.
   */
  *stale(nowMs: number): Generator<readonly StaleSession[]> {
    let found: StaleSession[] = [];
    let visited = 0;
    // A record moves its session to the end, also while this goes on.
    for (const [key, { heard, isOpen, restarts }] of this.#known) {
      const ageMs = heard === undefined ? Number.POSITIVE_INFINITY : nowMs - heard.latest.atMs;
      if (ageMs <= STALE_INTERVALS * this.#shortestIntervalMs && heard !== undefined) break;
      const { intervalMs = Number.POSITIVE_INFINITY } = heard ?? {};
      if (heard !== undefined && isOpen && ageMs > STALE_INTERVALS * intervalMs) {
        const [nas = '', acctSessionId = ''] = split(key);
        if (restarts === this.#restartsOf(nas)) found.push({ nas, acctSessionId, latest: heard.latest });
      }
      if (++visited % ENTRIES_A_TURN > 0) continue;
      yield found;
      found = [];
    }
    yield found;
  }

  /**
   * Remembers that the cloud is told that a session is stale, so that it hears of the next Interim-Update. Undefined where
   * the session has been heard of meanwhile; else a function that takes it back, because the cloud could not be told.
   */
  tell({ nas, acctSessionId, latest }: StaleSession): (() => void) | undefined {
    const key = `${nas}\0${acctSessionId}`;
    const known = this.#known.get(key);
    if (known?.isOpen !== true || known.heard?.latest !== latest) return undefined;
    const told = { ...known, isOpen: false };
    this.#known.set(key, told);
    return () => {
      if (this.#known.get(key) === told) this.#known.set(key, known);
    };
  }

  /**
   * The NAS has said at `atMs`, milliseconds since 1970-01-01 UTC, that it has no such session, or that it has ended it. The
   * cloud may have closed the session, so it hears of the Interim-Updates that come all the same.
   */
  doubt({ nas, acctSessionId }: SessionKey, atMs: number): void {
    const key = `${nas}\0${acctSessionId}`;
    const known = this.#known.get(key);
    if (known?.isOpen !== true) return;
    this.#known.set(key, { ...known, isOpen: false, end: { eventAtMs: atMs, isStamped: false } });
  }

  /** The record of a service shows that its session is there. */
  #hearOfSession(record: KnownNasRecord, arrival: Arrival): void {
    const { parentSessionId } = record.service ?? {};
    if (parentSessionId === undefined) return;
    const { service: _, identity: __, interimIntervalSeconds: ___, ...rest } = record;
    const ofSession: KnownNasRecord = {
      ...rest,
      kind: 'other',
      acctSessionId: parentSessionId,
      identity: {},
    };
    const known = this.#find(ofSession);
    if (known !== undefined) this.#hear(ofSession, arrival, known, false);
  }

  #hear(record: KnownNasRecord, arrival: Arrival, known: Known, isNews: boolean): void {
    if (known.heard === undefined) return;
    this.#known.set(keyOf(record), { ...known, heard: this.#heard(known.heard, record, arrival, isNews) });
  }

  #heard(before: Heard | undefined, record: KnownNasRecord, arrival: Arrival, isNews: boolean): Heard {
    const heard = heardAfter(before, record, arrival, isNews);
    this.#shortestIntervalMs = Math.min(
      this.#shortestIntervalMs,
      heard.intervalMs ?? Number.POSITIVE_INFINITY,
    );
    return heard;
  }

  #restartsOf(nas: string): number {
    return this.#restarts.get(nas)?.count ?? 0;
  }

  #find(record: KnownNasRecord): Known | undefined {
    const key = keyOf(record);
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    this.#known.delete(key);
    // After Accounting-On, the session is to be heard of once more.
    if (known.restarts !== this.#restartsOf(record.nas)) return undefined;
    this.#known.set(key, known);
    return known;
  }

  #set(key: string, known: Known): void {
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size <= this.#capacity) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }
}

/** Whether a record is one of a subscriber session itself. */
const isOfSession = ({ kind, service }: KnownNasRecord) =>
  service === undefined && kind !== 'on' && kind !== 'off';

/**
 * What is known of the records of a session with the next one. NASes send Interim-Updates for other reasons, too, such as a
 * new address: these say nothing of the interval, and the time to the next one is only a part of it.
 */
function heardAfter(
  before: Heard | undefined,
  record: KnownNasRecord,
  arrival: Arrival,
  isNews: boolean,
): Heard {
  const { kind, interimIntervalSeconds = 0 } = record;
  const { atMs } = arrival;
  if (before !== undefined && atMs <= before.latest.atMs) return before;
  const receivedAtMs = Math.max(arrival.receivedAtMs, before?.latest.receivedAtMs ?? 0);
  const latest = { ...arrival, receivedAtMs };
  // It may be another session of that Acct-Session-Id.
  const known: Omit<Heard, 'latest'> = (kind === 'start' ? undefined : before) ?? {};
  const saidMs = interimIntervalSeconds > 0 ? Math.max(interimIntervalSeconds * 1000, MIN_INTERVAL_MS) : 0;
  if (kind !== 'interim') return { ...known, latest, ...intervalOf([known.intervalMs ?? 0, saidMs]) };
  const sinceMs = atMs - (known.interimAtMs ?? atMs);
  const leastMs = known.wasNews ? RECOMMENDED_INTERVAL_MS : 0;
  const seenMs = isNews || sinceMs < MIN_INTERVAL_MS ? 0 : Math.max(sinceMs, leastMs);
  return {
    latest,
    interimAtMs: atMs,
    wasNews: isNews,
    ...intervalOf([known.intervalMs ?? 0, saidMs, seenMs]),
  };
}

function intervalOf(lengthsMs: readonly number[]): Pick<Heard, 'intervalMs'> {
  const intervalMs = Math.max(...lengthsMs);
  return intervalMs > 0 ? { intervalMs } : {};
}

/**
 * Whether the cloud has to hear of a session that goes on: it has not for a day; or Interim-Updates are missing, so that another
 * relay may have had them, which then calls the session stale.
 */
function isOverdue({ toldAtMs, heard }: Known, { atMs }: Arrival): boolean {
  if (heard === undefined) return false;
  const { interimAtMs = atMs, intervalMs = Number.POSITIVE_INFINITY } = heard;
  return atMs - toldAtMs >= TOLD_EVERY_MS || atMs - interimAtMs > MISSED_INTERVALS * intervalMs;
}

/** The name of the NAS and the Acct-Session-Id in the key of a session. */
function split(key: string): readonly string[] {
  const end = key.indexOf('\0');
  return [key.slice(0, end), key.slice(end + 1)];
}

/**
 * Whether a record happened after the end of the session for certain. By one of which that is not certain the cloud opens no
 * session, so it has to hear of the next Interim-Update.
 */
function isAfterEnd({ eventAtMs, isStamped }: AccountingRecord, end: Known['end']): boolean {
  if (end === undefined) return true;
  const toleranceMs = isStamped && end.isStamped ? 0 : ARRIVAL_TOLERANCE_MS;
  return eventAtMs > end.eventAtMs + toleranceMs;
}

/** What a record is about: a session, a service of a session, or a virtual router of a NAS. */
export function keyOf({ nas, kind, acctSessionId = '', identity, service }: KnownNasRecord): string {
  if (kind === 'on' || kind === 'off') return `${nas}\0\0${identity['ERX-Virtual-Router-Name'] ?? ''}`;
  return service === undefined ? `${nas}\0${acctSessionId}` : `${nas}\0${acctSessionId}\0${service.name}`;
}

/** Whether two records of one kind about one thing report the same event. */
export function isSameEvent(
  one: Pick<AccountingRecord, 'eventAtMs' | 'isStamped'>,
  other: Pick<AccountingRecord, 'eventAtMs' | 'isStamped'>,
): boolean {
  const apartMs = Math.abs(one.eventAtMs - other.eventAtMs);
  return one.isStamped && other.isStamped ? apartMs === 0 : apartMs <= SAME_EVENT_MS;
}

/**
 * A hash of each identification attribute, in the order of the table; 0 is absent. The record of a service has the
 * identity of its session, whose own records tell when that changes.
 */
function hashesOf({ identity, service }: AccountingRecord): Uint32Array {
  return Uint32Array.from(IDENTITY_ATTRIBUTES, (name) =>
    service === undefined ? hashOf(identity[name]) : 0,
  );
}

/** FNV-1a of 32 bits; 0 for what is absent, and for nothing else. */
function hashOf(value: Identity[keyof Identity]): number {
  if (value === undefined) return 0;
  let hash = 0x811c9dc5;
  for (const unit of String(value)) hash = Math.imul(hash ^ (unit.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0 || 1;
}

/** Whether the later record has a value that the earlier ones have not. An absent attribute changes nothing. */
function hasChanged(before: Uint32Array, after: Uint32Array): boolean {
  return after.some((hash, index) => hash !== 0 && hash !== before[index]);
}

/** A text takes a third of the memory of a typed array. */
const pack = (hashes: Uint32Array) => Buffer.from(hashes.buffer).toString('latin1');

function unpack(text: string): Uint32Array {
  const hashes = new Uint32Array(IDENTITY_ATTRIBUTES.length);
  Buffer.from(hashes.buffer).write(text, 'latin1');
  return hashes;
}

function merged(before: Uint32Array, after: Uint32Array): Uint32Array {
  return before.map((hash, index) => after[index] || hash);
}
