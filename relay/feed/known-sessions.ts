// What the cloud has been told of the sessions, as far as this relay remembers it. Interim records that say nothing new
// stay at the site because of it. It may forget: what it does not know is sent once more, and changes nothing.
import { IDENTITY_ATTRIBUTES, type Identity } from '../../core/identity.ts';
import type { AccountingRecord } from '../../core/requests/accounting-request.ts';

/** A record whose NAS is known, and with a session id unless it is about the whole NAS. */
export type KnownNasRecord = AccountingRecord & { readonly nas: string };

/** Whether the cloud has to hear a record: `repeat` and `unchanged` say that it need not. */
export type Novelty = 'new' | 'repeat' | 'unchanged';

/** Two clocks and a network lie between two arrivals of one event that has no Event-Timestamp. */
const SAME_EVENT_MS = 5_000;
/** 100,000 subscribers with two accounted services each; about 0.4 kB of memory for each session. */
const CAPACITY = 300_000;

interface Known {
  /** The latest of its records that the cloud has. */
  readonly kind: AccountingRecord['kind'];
  readonly eventAtMs: number;
  readonly isStamped: boolean;
  readonly isOpen: boolean;
  /** How often its NAS had been restarted by then. */
  readonly restarts: number;
  /** Hashes of the identification attributes, packed. */
  readonly identity: string;
}

/** The sessions, and services that NASes account, of which the cloud has heard. */
export class KnownSessions {
  readonly #capacity: number;
  /** By the key of `keyOf`, the one that was used least recently first. */
  readonly #known = new Map<string, Known>();
  /** By the name of the NAS: how many Accounting-On and -Off it has sent. */
  readonly #restarts = new Map<string, number>();

  /** Above `capacity` the session that was used least recently is forgotten. */
  constructor({ capacity = CAPACITY } = {}) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Whether the cloud has to hear `record`. */
  judge(record: KnownNasRecord): Novelty {
    const known = this.#find(record);
    if (known === undefined) return 'new';
    const isInterim = record.kind === 'interim';
    if (isInterim && (!known.isOpen || hasChanged(unpack(known.identity), hashesOf(record)))) return 'new';
    if (record.kind === known.kind && isSameEvent(record, known)) return 'repeat';
    return isInterim ? 'unchanged' : 'new';
  }

  /** Remembers that the cloud has `record`. */
  learn(record: KnownNasRecord): void {
    const { kind, eventAtMs, isStamped, nas } = record;
    const restarts = this.#restartsOf(nas);
    const before = this.#find(record);
    // A late record does not undo what a later one has said.
    if (before !== undefined && eventAtMs < before.eventAtMs) return;
    const isOfNas = kind === 'on' || kind === 'off';
    if (isOfNas) this.#restarts.set(nas, restarts + 1);
    const hashes = hashesOf(record);
    this.#set(keyOf(record), {
      kind,
      eventAtMs,
      isStamped,
      isOpen: kind === 'start' || kind === 'interim',
      restarts: isOfNas ? restarts + 1 : restarts,
      identity: pack(
        kind === 'interim' && before !== undefined ? merged(unpack(before.identity), hashes) : hashes,
      ),
    });
  }

  #restartsOf(nas: string): number {
    return this.#restarts.get(nas) ?? 0;
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
