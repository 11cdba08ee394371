// Where a history plays: its time, its subscribers, and the record of it.
import { messageGroup, type SessionKey } from '../../../core/messages.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import type { Image } from '../../../functions/shared/session-store.ts';
import { NOW } from '../../core/support.ts';
import { nasOf, type SiteName } from './deployment.ts';
import { Ledger } from './ledger.ts';
import { Nas } from './nas.ts';

/** How much has happened. */
export interface Tally {
  operations: number;
  requests: number;
  acks: number;
  naks: number;
  commands: number;
  writes: number;
  faults: number;
}

/** A promise that was not kept, and how that came about. */
export class Violation extends Error {}

export interface Subscriber {
  readonly name: string;
  readonly userName: string;
  readonly key: SessionKey;
  /** The message group of all that is about this subscriber. */
  readonly group: string;
  readonly ledger: Ledger;
  /** The item as it was written last: as decide reads it, and as the stream shows it. */
  item?: { readonly session: Session; readonly image: Image };
}

const SQS_REMEMBERS_MS = 300_000;

/** Scenes share a table, so no two have a subscriber in common. */
let scenes = 0;

export class Scene {
  nowMs = NOW;
  readonly site: SiteName;
  readonly nas: Nas;
  readonly subscribers: readonly Subscriber[];
  readonly tally: Tally = { operations: 0, requests: 0, acks: 0, naks: 0, commands: 0, writes: 0, faults: 0 };
  readonly #taken = new Map<string, number>();
  readonly #story: string[] = [];
  #violation: string | undefined;
  #names = 0;

  constructor(site: SiteName, subscribers: number) {
    const { name: nasName, dialect, enforcement } = nasOf(site);
    this.site = site;
    this.nas = new Nas(dialect);
    scenes++;
    this.subscribers = ['A', 'B', 'C'].slice(0, subscribers).map((name) => {
      const acctSessionId = `${scenes}-${name}`;
      const ledger = new Ledger({
        isEnforced: enforcement === 'coa',
        services: () => this.nas.services(acctSessionId),
        violated: (what) => this.violated(`${name}: ${what}`),
      });
      const userName = `client-${name.toLowerCase()}`;
      const group = messageGroup(Buffer.from(acctSessionId));
      return { name, userName, key: { nas: nasName, acctSessionId }, group, ledger };
    });
    this.tell(`${subscribers} subscribers at a NAS of the site ${site}`);
  }

  tell(what: string): void {
    const seconds = ((this.nowMs - NOW) / 1000).toFixed(3);
    this.#story.push(`${seconds.padStart(9)}  ${what}`);
  }

  /** `r1`, `r2`: a name for a new thing. */
  name(kind: string): string {
    return `${kind}${++this.#names}`;
  }

  subscriber(isMeant: (subscriber: Subscriber) => boolean): Subscriber {
    const found = this.subscribers.find(isMeant);
    if (found === undefined) throw new Error('there is no such subscriber');
    return found;
  }

  /** Whether SQS takes a message with this deduplication id, or throws it away as a repeat. */
  takes(deduplicationId: string): boolean {
    const takenAtMs = this.#taken.get(deduplicationId) ?? Number.NEGATIVE_INFINITY;
    const isNew = this.nowMs - takenAtMs > SQS_REMEMBERS_MS;
    if (isNew) this.#taken.set(deduplicationId, this.nowMs);
    return isNew;
  }

  /** Only remembered: functions under test would take an exception for a fault of their surroundings. */
  violated(what: string): void {
    this.#violation ??= what;
  }

  /** Throws a Violation if there was one. */
  check(): void {
    if (this.#violation !== undefined) throw new Violation([this.#violation, ...this.#story].join('\n'));
  }
}
