// Where a history plays: its time, its subscribers, what is chosen, and the record of it.
import { DIALECTS } from '../../../core/dialects/dialects.ts';
import { messageGroup, type SessionKey } from '../../../core/messages.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import type { Image } from '../../../functions/shared/session-store.ts';
import { NOW } from '../../core/support.ts';
import { ManualClock } from '../../relay/manual-clock.ts';
import { Observer } from '../promises/observer.ts';
import { Choices } from './choices.ts';
import {
  areExclusive,
  canonical,
  FROM_LOG_IN,
  mannersOf,
  type NasManners,
  nasOf,
  type SiteName,
} from './deployment.ts';
import { Nas } from './nas.ts';

/** How much has happened. */
export interface Tally {
  operations: number;
  requests: number;
  acks: number;
  naks: number;
  commands: number;
  records: number;
  writes: number;
  removals: number;
  restarts: number;
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
  readonly observer: Observer;
  /** The item as it was written last: as decide reads it, and as the stream shows it. */
  item?: { readonly session: Session; readonly image: Image };
}

function chooseLogInServices(choices: Choices, { refusesCoexistence }: NasManners): readonly string[] {
  const chosen = FROM_LOG_IN.filter(() => choices.chance(20));
  return chosen.filter(
    (one, index) =>
      !(refusesCoexistence && chosen.slice(0, index).some((other) => areExclusive(canonical(one), other))),
  );
}

/** Scenes share a table, so no two have a subscriber in common. */
let scenes = 0;

export class Scene {
  readonly clock = new ManualClock(NOW);
  /** What the network and SQS choose from. */
  choices = new Choices();
  readonly site: SiteName;
  readonly nas: Nas;
  readonly subscribers: readonly Subscriber[];
  readonly tally: Tally = {
    operations: 0,
    requests: 0,
    acks: 0,
    naks: 0,
    commands: 0,
    records: 0,
    writes: 0,
    removals: 0,
    restarts: 0,
    faults: 0,
  };
  readonly #story: string[] = [];
  #violation: string | undefined;
  #names = 0;

  /** @param logIn settles what the NAS has from log-in */
  constructor(site: SiteName, subscribers: number, logIn: Choices) {
    const profile = nasOf(site);
    const { name: nasName, dialect, enforcement, order, options } = profile;
    const manners = mannersOf(site);
    this.site = site;
    this.nas = new Nas(dialect, manners, options);
    scenes++;
    this.subscribers = ['A', 'B', 'C'].slice(0, subscribers).map((name) => {
      const acctSessionId = `${scenes}-${name}`;
      const userName = `client-${name.toLowerCase()}`;
      const fromLogIn = manners.hasLogInServices ? chooseLogInServices(logIn, manners) : [];
      this.nas.logIn(acctSessionId, { userName, services: fromLogIn });
      this.tell(`${name} has logged in and has ${fromLogIn.join(', ') || 'nothing'}`);
      const isNameTold = enforcement === 'coa' && DIALECTS[dialect].identification.includes('User-Name');
      const observer = new Observer({
        isEnforced: enforcement === 'coa',
        replacesAll: enforcement === 'coa' && DIALECTS[dialect].replacesAll === true,
        isOneAtATime: options['oneAtATime'] === true,
        order,
        ...(isNameTold && { userName }),
        servicesAtNas: () => this.nas.services(acctSessionId).map(canonical),
        violated: (what) => this.violated(`${name}: ${what}`),
      });
      const group = messageGroup(Buffer.from(acctSessionId));
      return { name, userName, key: { nas: nasName, acctSessionId }, group, observer };
    });
    this.tell(`${subscribers} subscribers at a NAS of the site ${site}`);
  }

  get nowMs(): number {
    return this.clock.now();
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

  /** Something out of the ordinary happens. */
  fault(what: string): void {
    this.tally.faults++;
    this.tell(`  ${what}`);
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
