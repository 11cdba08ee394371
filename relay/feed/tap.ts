// What of the accounting goes to the cloud: Start, Stop, Accounting-On, Accounting-Off, and an Interim-Update only where it
// says something new. All else stays at the site, and is counted.

import { IDENTITY_ATTRIBUTES } from '../../core/identity.ts';
import type { Packet } from '../../core/radius/packet.ts';
import {
  type AccountingNas,
  type AccountingRecord,
  readAccountingRequest,
} from '../../core/requests/accounting-request.ts';
import { feedMessage } from '../messages.ts';
import type { OutgoingMessage } from '../queues/queue.ts';
import type { Report } from '../telemetry/events.ts';
import {
  type Arrival,
  isSameEvent,
  type KnownNasRecord,
  type KnownSessions,
  keyOf,
} from './known-sessions.ts';

/** How many NASes that the site file does not have are told apart in the log. */
const MAX_UNKNOWN_NASES = 1_000;

export interface TapOptions {
  /** What the cloud calls this relay. */
  readonly relay: string;
  readonly nases: readonly AccountingNas[];
  /** How far an Event-Timestamp may be from the arrival. */
  readonly windowSeconds: number;
  readonly known: KnownSessions;
  /** A correlation id, unique over all relays of the site. */
  readonly newId: () => string;
  readonly report: Report;
}

/** Takes a message. Resolves to whether SQS has it; undefined when there is no room for it. */
export type Send = (message: OutgoingMessage) => Promise<boolean> | undefined;

/** What becomes of a record: it stays at the site, or SQS will have it, or there is no room for it. */
export type Taken = 'stays' | 'full' | Promise<boolean>;

interface OnItsWay {
  readonly record: AccountingRecord;
  readonly sent: Promise<boolean>;
}

/** Tells the cloud what the records of NASes say. */
export class Tap {
  readonly #options: TapOptions;
  readonly #known: KnownSessions;
  /** By kind of record and what it is about. */
  readonly #onTheirWay = new Map<string, OnItsWay>();
  readonly #unknownNases = new Set<string>();

  constructor(options: TapOptions) {
    this.#options = options;
    this.#known = options.known;
  }

  /** How many sessions and services this relay remembers. */
  get known(): number {
    return this.#known.size;
  }

  /** Takes a verified Accounting-Request. */
  take(packet: Packet, arrival: Arrival, send: Send): Taken {
    const { feed, receivedAtMs } = arrival;
    const { nases, windowSeconds, report } = this.#options;
    const reading = readAccountingRequest(packet, { receivedAtMs, windowSeconds, nases });
    if (!reading.ok) {
      report({ kind: 'feed-refused', feed, reason: reading.reason });
      return 'stays';
    }
    const { record } = reading;
    const { kind, nas, wrongStampMs } = record;
    report({ kind: 'feed-received', feed, status: kind });
    if (wrongStampMs !== undefined) {
      const offsetSeconds = Math.round((wrongStampMs - receivedAtMs) / 1000);
      report({ kind: 'feed-wrong-clock', feed, nas: nas ?? '', offsetSeconds });
    }
    if (nas === undefined) {
      this.#reportUnknownNas(feed, record);
      return this.#stays(feed, 'unknown-nas');
    }
    if (kind === 'other') return this.#stays(feed, 'other-status');
    return this.#offer({ ...record, nas }, arrival, send);
  }

  #offer(record: KnownNasRecord, arrival: Arrival, send: Send): Taken {
    const { feed, receivedAtMs } = arrival;
    const { relay, newId, report } = this.#options;
    const novelty = this.#known.judge(record, arrival);
    if (novelty !== 'new') return this.#stays(feed, novelty);
    const key = `${record.kind} ${keyOf(record)}`;
    const onItsWay = this.#thatSays(record, key);
    if (onItsWay !== undefined) {
      this.#stays(feed, 'repeat');
      return onItsWay.sent;
    }
    const correlationId = newId();
    const sending = send(feedMessage(record, { relay, feed, correlationId, receivedAtMs }));
    if (sending === undefined) return 'full';
    const sent = sending.then((isSent) => {
      if (this.#onTheirWay.get(key)?.sent === sent) this.#onTheirWay.delete(key);
      if (isSent) {
        this.#known.learn(record, arrival);
        const { kind: status, nas, acctSessionId, service } = record;
        report({
          kind: 'feed-queued',
          feed,
          correlationId,
          nas,
          status,
          ...(acctSessionId !== undefined && { acctSessionId }),
          ...(service !== undefined && { service: service.name }),
        });
      }
      return isSent;
    });
    this.#onTheirWay.set(key, { record, sent });
    return sent;
  }

  /**
   * What is on its way to the cloud and says the same: the same event, or of the session of an Interim-Update all that this
   * says of who it is. While SQS is away, a session thus costs one or two messages and not one for each interval.
   */
  #thatSays(record: KnownNasRecord, key: string): OnItsWay | undefined {
    const same = this.#onTheirWay.get(key);
    const isRepeat = same !== undefined && isSameEvent(record, same.record);
    if (isRepeat && (record.kind !== 'start' || saysNoMore(record, same.record))) return same;
    if (record.kind !== 'interim') return undefined;
    return [same, this.#onTheirWay.get(`start ${keyOf(record)}`)].find(
      (other) => other !== undefined && saysNoMore(record, other.record),
    );
  }

  #stays(feed: string, reason: 'repeat' | 'unchanged' | 'other-status' | 'unknown-nas'): 'stays' {
    this.#options.report({ kind: 'feed-kept', feed, reason });
    return 'stays';
  }

  /** Once for each NAS: it would otherwise be said with each of its records. */
  #reportUnknownNas(feed: string, { nasIdentity }: AccountingRecord): void {
    const nas = Object.entries(nasIdentity)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
    if (this.#unknownNases.has(nas) || this.#unknownNases.size >= MAX_UNKNOWN_NASES) return;
    this.#unknownNases.add(nas);
    this.#options.report({ kind: 'feed-unknown-nas', feed, nas });
  }
}

/** Whether a record says nothing of who the session is that another one does not say. */
function saysNoMore({ identity }: AccountingRecord, other: AccountingRecord): boolean {
  return IDENTITY_ATTRIBUTES.every((name) => {
    const value = identity[name];
    return value === undefined || value === other.identity[name];
  });
}
