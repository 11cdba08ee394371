// The subscriber session as it is stored: one item, changed as a whole or not at all. Everything in it is plain
// JSON, so that the item, its two images in the stream and this type are one and the same thing.

import type { Identity, NasIdentity } from '../identity.ts';
import type { NasProfile } from '../nas.ts';
import type { Origin, Stamp } from '../origin.ts';
import type { PlannedService, ServiceTerms, Statistics } from '../services/terms.ts';
import type { CommandOutcome } from './command-outcome.ts';

/**
 * What the table holds of a service at the NAS.
 *
 * `active`: the NAS confirmed its activation, last of all.
 * `deactivating`: it has to go, and the NAS has not confirmed that it did.
 * `restoring`: it was active, a deactivation of it may have happened, and it has to be there again.
 * `unconfirmed`: the NAS may have it or not, and there is no honest way to find out. The next request of its group, or one
 * that names it, settles that.
 */
export type ServiceState = 'active' | 'deactivating' | 'restoring' | 'unconfirmed';

/** A service session: one activation of one service for one subscriber session. */
export interface ServiceSession extends ServiceTerms {
  readonly state: ServiceState;
  /** Unique within the subscriber session, and larger than all before it; names the service session in accounting. */
  readonly number: number;
  /** What the NAS calls it, where that is not the canonical activation string. */
  readonly spelling?: string;
  /** Absent when the NAS never confirmed an activation of ours; such a service is not accounted. */
  readonly activatedAtMs?: number;
  /** Acct-Terminate-Cause of a service that is `deactivating`. */
  readonly terminateCause?: number;
  /** When Service-Timeout ends it. */
  readonly expiresAtMs?: number;
  /** Of the request that activated it; goes with its Acct-Start. */
  readonly correlationId: string;
  /**
   * Of one that the NAS may have: what each activation of it told the NAS of the subscriber that the NAS has not confirmed. Its
   * undo says the same, one after the other: a name may be another subscriber's, whom the NAS refused. Absent where it was
   * told by nothing but what the NAS has confirmed.
   */
  readonly named?: readonly Identity[];
  /** Its Acct-Start, which its Acct-Stop belongs to. Absent where Interlock has sent none for it. */
  readonly account?: Account;
  /** The NAS accounts it, because it was to do so when it was activated, or does so anyhow; Interlock does not. */
  readonly isAccountedByNas?: true;
  /** The latest record in which the NAS accounts it. */
  readonly record?: ServiceRecordId;
  /** The table knows of it from records of the NAS alone: no request has activated it. */
  readonly isLearned?: true;
  /** When the table has learned last what it says of it, if not with its activation: earlier records of it settle nothing. */
  readonly settledAtMs?: number;
  /** How often in a row a command for it failed, and when the next one is due: of one `deactivating` or `restoring`. */
  readonly retry?: Retry;
  /** The table knows of it from a deactivation alone: it was never activated through Interlock. */
  readonly isStranger?: true;
  /** Of one `restoring`: it may have been deactivated. If not, its former terms are given again. */
  readonly isLost?: true;
  /** Of one `unconfirmed`: it is deactivated once nothing is `restoring`, if its groups keep another member. */
  readonly undo?: true;
}

/** An Acct-Start that was sent for a service session, and whose Acct-Stop is still to come. */
export interface Account {
  /** Names the service session in accounting: its own number, or another one if its statistics were turned on later. */
  readonly number: number;
  /** When the Start was made. Acct-Session-Time counts from then. */
  readonly startedAtMs: number;
  /** The key in `accountedAs` of what the Start says of the subscriber. */
  readonly as: string;
}

/** What an Acct-Start says of the subscriber and the NAS. Its Acct-Stop says the same, whatever was learned between them. */
export interface AccountedAs {
  readonly identity: Identity & NasIdentity;
  /** Class attributes in hexadecimal, in order. */
  readonly classes: readonly string[];
}

export interface Retry {
  readonly attempts: number;
  readonly atMs: number;
  /** Of the attempts, how often the NAS gave an answer of its dialect's `alsoGone`. */
  readonly alsoGone?: number;
  /** When the first of the attempts failed, and what became of the latest: absent before one has failed. */
  readonly sinceMs?: number;
  readonly outcome?: CommandOutcome;
}

/** One service as a request deactivates it. */
export interface RequestedDeactivation {
  /** Canonical activation string. */
  readonly activation: string;
  /** The string as the client wrote it. */
  readonly spelling: string;
  /** Mutex groups that the catalogue gives it; none where it does not define the service. */
  readonly groups: readonly number[];
  readonly isDefined: boolean;
  /** What the catalogue says of its statistics; absent where that is nothing, or where it does not define the service. */
  readonly statistics?: Exclude<Statistics, 'off'>;
}

/** A client's request, verified and understood. */
export interface ServiceRequest {
  readonly correlationId: string;
  /** When the inbox took its message, by the clock of SQS. */
  readonly queuedAtMs: number;
  /** The sequence number of its message in the inbox of its site, decimal: it grows within a session's message group. */
  readonly sequence?: string;
  /** When its client gives up, milliseconds since 1970-01-01 UTC by the cloud's clock: it is not begun from then on. */
  readonly answerByMs?: number;
  readonly origin: Origin;
  readonly nas: NasProfile;
  readonly acctSessionId: string;
  /** Of a request without Acct-Session-Id: the name of the NAS in the key of the session that has all of its `identity`. */
  readonly lookedUpAt?: string;
  readonly identity: Identity;
  /** Class attributes in hexadecimal, in order. */
  readonly classes: readonly string[];
  readonly activate: readonly PlannedService[];
  readonly deactivate: readonly RequestedDeactivation[];
  /** A Disconnect-Request: the session is to end, with whatever services it has. Both lists are empty. */
  readonly isDisconnect?: true;
}

export interface Answer {
  readonly answer: 'ack' | 'nak';
  /** Error-Cause (RFC 5176 section 3.5); only in a NAK. */
  readonly errorCause?: number;
}

/** A request, the answer that it gets, and why it is refused, in words for operators. */
export interface Owed extends Answer {
  readonly request: ServiceRequest;
  readonly reason?: string;
}

/** An answer that was given, kept for the same request coming again. */
export interface GivenAnswer extends Answer {
  /** The repeat key of the request's origin. */
  readonly key: string;
  readonly correlationId: string;
  /** Of the request: see there. */
  readonly sequence?: string;
  /** What was asked and why it was refused, in words, for operators. */
  readonly asked: string;
  readonly reason?: string;
  /** Of a request with Event-Timestamp: that, and its client. */
  readonly stamp?: Stamp;
  /** The version of the session that holds this answer first. */
  readonly version: number;
  readonly atMs: number;
}

/** What must happen outside once a session is stored. */
export interface ReplyEffect extends Answer {
  readonly kind: 'reply';
  readonly correlationId: string;
  /** Where it goes. */
  readonly origin: Origin;
  /** When it was decided: a request whose item was removed may be answered anew when its message comes again. */
  readonly atMs?: number;
}

/** A CoA-Request or Disconnect-Request to the NAS of the session. Its outcome comes back under `commandId`. */
export interface CommandEffect {
  readonly kind: 'command';
  readonly correlationId: string;
  readonly commandId: string;
  /** `switch`: activates `services` and deactivates `deactivates` in one. `disconnect` names no service. */
  readonly operation: 'activate' | 'deactivate' | 'switch' | 'disconnect';
  /** Canonical activation strings; what the command says is in `attributes`, encoded, base64. */
  readonly services: readonly string[];
  readonly deactivates?: readonly string[];
  readonly attributes: string;
  readonly startBeforeMs: number;
}
export type Effect = ReplyEffect | CommandEffect;

/** What a request is to do, settled when it begins, and how far the NAS has confirmed it. */
export interface Job {
  readonly request: ServiceRequest;
  /** A: what it activates, by canonical activation string. */
  readonly planned: Readonly<Record<string, ServiceSession>>;
  /** E: what it deactivates by name. */
  readonly explicit: readonly ExplicitDeactivation[];
  /** V: what has to go because it shares a mutex group with A. */
  readonly victims: readonly string[];
  /** Of A, what the NAS has confirmed. */
  readonly confirmed: readonly string[];
  /** Of E and V, what the NAS has ended. */
  readonly ended: readonly string[];
  /** Whether the NAS has acknowledged a command of it, and so what identified the subscriber there. */
  readonly isAcknowledged?: true;
  /** Of A, E and V, what was told in a command whose outcome no relay has reported: the NAS may have carried it out. */
  readonly doubted?: readonly string[];
}

/** One deactivation that the answer to a request depends on. */
export interface ExplicitDeactivation extends Omit<RequestedDeactivation, 'isDefined'> {
  /** Whether the table knew the service. */
  readonly isKnown: boolean;
  /** A bare name beside known services of that name: the NAS need not have a service that is called so. */
  readonly isOptional: boolean;
}

/** A command under way, and what follows it. One is under way at a time; `commandId` is its name. */
interface Step {
  readonly commandId: string;
  readonly correlationId: string;
  /** The services that the command under way is about, and those of the commands after it. */
  readonly underWay: readonly string[];
  readonly remaining: readonly (readonly string[])[];
  /** Whether the command told the NAS nothing about the subscriber but what it had confirmed before. */
  readonly isConfirmed: boolean;
  /** When the cloud stops waiting for the outcome. */
  readonly deadlineMs: number;
  /** How often the NAS is told this, where that is more than once: a relay stopped before it reported. */
  readonly tellings?: number;
}

/** A command to activate A is in progress. */
export interface Activating extends Step {
  readonly step: 'activate';
  readonly job: Job;
  /** Of E and V, what the same command deactivates (`order: together`). */
  readonly along: readonly string[];
  /** What goes along instead, each in its turn and nothing at last, when the NAS refuses because it does not have all of it. */
  readonly otherwise: readonly (readonly string[])[];
}

/** A command to deactivate what the answer depends on is in progress: E, and with `order: deactivate-first` V before A. */
export interface Deactivating extends Step {
  readonly step: 'deactivate';
  readonly job: Job;
}

/** A command to deactivate what is `deactivating` is in progress. The answer to the request does not depend on its outcome. */
export interface Excluding extends Step {
  readonly step: 'exclude';
  /** The request that is answered at the end of this step; absent when none waits. */
  readonly owed?: Owed;
}

/** A command to activate what is `restoring` is in progress. */
export interface Restoring extends Step {
  readonly step: 'restore';
  /** The command under way deactivates first what may still be there (`order: deactivate-first`). */
  readonly isClearing?: true;
}

/** A command to end the session is in progress. */
export interface Disconnecting extends Step {
  readonly step: 'disconnect';
  readonly request: ServiceRequest;
}

export type Transition = Activating | Deactivating | Excluding | Restoring | Disconnecting;

/** Where an event comes from: a client, the relay, time, the accounting of a session, that of a NAS, or an operator. */
export const EVENT_QUEUES = ['inbox', 'outcomes', 'due', 'feed', 'restart', 'operator'] as const;
export type EventQueue = (typeof EVENT_QUEUES)[number];

/** An event that led to a write, and the effects to be repeated should it be delivered again. */
export interface RecentEvent {
  readonly id: string;
  /** The queue that it came through. */
  readonly queue: EventQueue;
  readonly effects: readonly Effect[];
  /** What it said of the command that was under way. */
  readonly outcome?: CommandOutcome;
}

/** A time, milliseconds since 1970-01-01 UTC, and whether it is the Event-Timestamp of a record; else it counts from an arrival. */
export interface Moment {
  readonly atMs: number;
  readonly isStamped: boolean;
}

/** A record of a service: the Acct-Session-Id that it has there, and when it happened, milliseconds since 1970-01-01 UTC. */
export interface ServiceRecordId {
  readonly serviceSessionId: string;
  readonly atMs: number;
}

/** What a record of the NAS says of a service. */
export interface Witness extends ServiceRecordId {
  /** The id of its event. */
  readonly id: string;
  readonly kind: 'start' | 'interim' | 'stop';
  /** Canonical activation string, and what the NAS calls it. */
  readonly activation: string;
  readonly spelling: string;
  readonly groups: readonly number[];
  /** When it happened by the clock of the NAS, milliseconds since 1970-01-01 UTC, where that is later than its arrival. */
  readonly eventAtMs?: number;
  /** When it began there, milliseconds since 1970-01-01 UTC; absent where the record does not say. */
  readonly startedAtMs?: number;
  /** Acct-Terminate-Cause of a `stop`. */
  readonly terminateCause?: number;
}

/** What Accounting-Requests have said of a session. */
export interface Life {
  /** `start`: an Acct-Start. `interim`: later records alone; what the session had before is not known. */
  readonly knownBy: 'start' | 'interim';
  /** When it began. Deduced from Acct-Session-Time where no Acct-Start said it; absent where neither did. */
  readonly began?: Moment;
  /** When the session before it ended that had the same Acct-Session-Id, if that is known. */
  readonly after?: Moment;
  /** The event time of the latest record. */
  readonly latest: Moment;
  /**
   * When the relay received the latest record that came to the cloud, milliseconds since 1970-01-01 UTC. Interim-Updates that
   * say nothing new stay at the site, but for one a day.
   */
  readonly heardAtMs: number;
  /** Its NAS has sent an Interim-Update of it. */
  readonly hasInterims?: true;
  /**
   * When the relay received the last record of all, milliseconds since 1970-01-01 UTC. Present where it has said that none
   * has come for three intervals, and none has come since.
   */
  readonly staleSinceMs?: number;
  /** Present in a session that has ended. */
  readonly closed?: Closing;
  /** Records of services that the command under way is about: they are taken when it is settled. */
  readonly deferred: readonly Witness[];
  /** The latest services that the NAS has ended, so that a late record of one does not bring it back. */
  readonly endedServices: readonly ServiceRecordId[];
}

/** The end of a session. */
export interface Closing {
  /** `stop`: its Acct-Stop. `restart`: Accounting-On or -Off. `not-found`: the NAS answered an activation with 503.
   * `disconnect`: the NAS acknowledged a Disconnect-Request. */
  readonly by: 'stop' | 'restart' | 'not-found' | 'disconnect';
  /** When it ended, by what says so. */
  readonly at: Moment;
  readonly terminateCause: number;
  /** When that was decided, milliseconds since 1970-01-01 UTC. */
  readonly decidedAtMs: number;
  /** What it had, where a later Interim-Update may show that it goes on: of `restart`. */
  readonly services?: Readonly<Record<string, ServiceSession>>;
  /** A command that was under way, and what it may activate in the next session of that Acct-Session-Id. */
  readonly command?: {
    readonly commandId: string;
    readonly activates: readonly ServiceSession[];
    /** The NAS was told before, and may have done it then, whatever it says to this command. */
    readonly isToldAgain?: true;
  };
  /** What the NAS has confirmed since, as far as the clocks tell: the next session of that Acct-Session-Id may have it. */
  readonly younger?: readonly ServiceSession[];
}

/** A service that the NAS accounts and that contradicts the table. It is `unconfirmed` there. */
export interface Drift {
  /** When the first record of it happened, milliseconds since 1970-01-01 UTC. */
  readonly sinceMs: number;
  /** Services of its mutex groups that the table has as active. */
  readonly instead: readonly string[];
}

export interface Session {
  readonly nas: NasProfile;
  /** The name of its NAS in its key, where the NAS has another name now. */
  readonly storedUnder?: string;
  readonly acctSessionId: string;
  /** The request that created the item: its site, its sequence number in the inbox there, and when it was decided. Absent
   * where SQS gave no number. */
  readonly createdBy?: {
    readonly site: string;
    readonly sequence: string;
    readonly atMs: number;
  };
  /** What the NAS has confirmed of what it was told. Without a NAS (`enforcement: none`): what requests said. */
  readonly identity: Identity;
  /** What requests said besides: nothing has confirmed it, and nothing is matched with it. */
  readonly claimed: Identity;
  /** Class attributes in hexadecimal, in order: of the latest request that was acknowledged. */
  readonly classes: readonly string[];
  /** What the feed has said of it; absent where no record has come. */
  readonly life?: Life;
  /** By canonical activation string; absent where the NAS contradicts nothing. */
  readonly drift?: Readonly<Record<string, Drift>>;
  /** By canonical activation string. */
  readonly services: Readonly<Record<string, ServiceSession>>;
  /**
   * Begins at the time of the session's creation, milliseconds since 1970-01-01 UTC, so that a session that is made again
   * under the same Acct-Session-Id gives other numbers.
   */
  readonly nextServiceNumber: number;
  /** What the Acct-Starts of its services said of the subscriber, each once; services refer to it. */
  readonly accountedAs: Readonly<Record<string, AccountedAs>>;
  /** Mutex groups whose members were told to go though the table did not know them (`unknownMembers: deactivate`). */
  readonly clearedGroups: readonly number[];
  /** The command under way, and what it is for; absent when the session is idle. */
  readonly transition?: Transition;
  /** Requests that arrived meanwhile, in order. */
  readonly waiting: readonly ServiceRequest[];
  /** Why services ended with the latest write, by canonical activation string; goes with their Acct-Stops. */
  readonly ended: Readonly<
    Record<
      string,
      {
        readonly terminateCause: number;
        readonly correlationId: string;
        /** When the NAS ended it, if a record said so: milliseconds since 1970-01-01 UTC. */
        readonly atMs?: number;
      }
    >
  >;
  /** The last requests that were answered, oldest first. */
  readonly answered: readonly GivenAnswer[];
  /**
   * By the name of a client, seconds since 1970-01-01 UTC: a request with this Event-Timestamp or an earlier one, of which no
   * answer is in `answered`, is not carried out any more.
   */
  readonly outdatedUntilSeconds?: Readonly<Record<string, number>>;
  /** There is no session any more; its item remembers what must not be carried out again. */
  readonly isForgotten?: true;
  /** When the latest write was decided. */
  readonly changedAtMs: number;
  /** The events of the latest writes; the very latest comes last. */
  readonly recentEvents: readonly RecentEvent[];
  /** Grows by one with each write that changes services, what is under way or what was answered. It orders the history,
   * and a stored answer holds while it stays. */
  readonly version: number;
  /** Grows by one with each write: the lock. Every write has the revision that was read as its condition. */
  readonly revision: number;
}
