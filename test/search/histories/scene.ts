// Where a history plays: its time, its subscribers, what is chosen, and the record of it.
import { DIALECTS } from '../../../core/dialects/dialects.ts';
import { choose } from '../../../core/look-up.ts';
import { messageGroup, type SessionKey } from '../../../core/messages.ts';
import { standingOf } from '../../../core/subscriber/life.ts';
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
  hasFeed,
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
  /** Requests whose session was looked up and found. */
  found: number;
  restarts: number;
  /** Records of the NAS that came into the feed queue. */
  fed: number;
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
  /** By Acct-Session-Id: one who logs on again under another one is another one here. */
  readonly subscribers: Subscriber[];
  readonly tally: Tally = {
    operations: 0,
    requests: 0,
    acks: 0,
    naks: 0,
    commands: 0,
    records: 0,
    writes: 0,
    removals: 0,
    found: 0,
    restarts: 0,
    fed: 0,
    faults: 0,
  };
  readonly #number: number;
  readonly #nasName: string;
  readonly #manners: NasManners;
  readonly #newObserver: (about: {
    readonly name: string;
    readonly acctSessionId: string;
    readonly userName: string;
  }) => Observer;
  readonly #story: string[] = [];
  #violation: string | undefined;
  #names = 0;

  /** @param logIn settles what the NAS has from log-in */
  constructor(site: SiteName, subscribers: number, logIn: Choices) {
    const profile = nasOf(site);
    const { name: nasName, dialect, enforcement, order, options } = profile;
    const manners = mannersOf(site);
    this.site = site;
    this.nas = new Nas(dialect, manners, options, this.clock.now);
    this.#number = ++scenes;
    this.#newObserver = ({ name, acctSessionId, userName }) => {
      const isNameTold = enforcement === 'coa' && DIALECTS[dialect].identification.includes('User-Name');
      return new Observer({
        isEnforced: enforcement === 'coa',
        replacesAll: enforcement === 'coa' && DIALECTS[dialect].replacesAll === true,
        isOneAtATime: options['oneAtATime'] === true,
        order,
        ...(isNameTold && { userName }),
        servicesAtNas: () => this.nas.services(acctSessionId).map(canonical),
        beganAtNasMs: () => this.nas.beganAtMs(acctSessionId),
        isAnnounced: () => this.nas.isAnnounced(acctSessionId),
        foundByName: () => this.#find(userName),
        isFound: () => this.#find(userName) === acctSessionId,
        accountedAtNas: () => this.nas.announced(acctSessionId).map(canonical),
        hasFeed: hasFeed(site),
        serviceAccounting: profile.serviceAccounting,
        violated: (what) => this.violated(`${name}: ${what}`),
      });
    };
    this.#nasName = nasName;
    this.#manners = manners;
    this.subscribers = [];
    for (const name of ['A', 'B', 'C'].slice(0, subscribers))
      this.logOn({ name, userName: `client-${name.toLowerCase()}` }, logIn, { mayBeOld: true });
    this.tell(`${subscribers} subscribers at a NAS of the site ${site}`);
  }

  /** A subscriber logs on under an Acct-Session-Id that was not there before. */
  logOn(
    { name, userName }: Pick<Subscriber, 'name' | 'userName'>,
    choices: Choices,
    { mayBeOld = false } = {},
  ): Subscriber {
    const acctSessionId = `${this.#number}-${name}`;
    const services = this.#chooseLogInServices(choices);
    this.tell(`${name} has logged in and has ${services.join(', ') || 'nothing'}`);
    // Some have been there since before Interlock was, and no Acct-Start will come.
    const isOld = mayBeOld && hasFeed(this.site) && choices.chance(30);
    const beganAtMs = isOld ? this.nowMs - 3_600_000 : this.nowMs;
    this.nas.logIn(acctSessionId, { userName, services, beganAtMs });
    const observer = this.#newObserver({ name, acctSessionId, userName });
    const key = { nas: this.#nasName, acctSessionId };
    const subscriber = { name, userName, key, group: messageGroup(Buffer.from(acctSessionId)), observer };
    this.subscribers.push(subscriber);
    return subscriber;
  }

  /** One whose session has ended logs on again under the same Acct-Session-Id. */
  logOnAgain({ name, userName, key, observer }: Subscriber, choices: Choices): void {
    const services = this.#chooseLogInServices(choices);
    this.tell(`${name} logs on again and has ${services.join(', ') || 'nothing'}`);
    this.nas.logIn(key.acctSessionId, { userName, services, beganAtMs: this.nowMs });
    observer.begunAgain();
  }

  /** What a look-up finds, once the indexes have all. Sessions that only clients have made are aside. */
  #find(userName: string): string | undefined {
    const sessions = this.subscribers.flatMap(({ item }) => (item?.session.life ? [item.session] : []));
    const chosen = choose(sessions, { identity: { 'User-Name': userName } }, (session) =>
      standingOf(session, this.nowMs),
    );
    return chosen.ok ? chosen.value.acctSessionId : undefined;
  }

  #chooseLogInServices(choices: Choices): readonly string[] {
    return this.#manners.hasLogInServices ? chooseLogInServices(choices, this.#manners) : [];
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
