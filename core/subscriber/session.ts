// The subscriber session as it is stored: one item, changed as a whole or not at all. Everything in it is plain
// JSON, so that the item, its two images in the stream and this type are one and the same thing.

import type { Identity } from '../identity.ts';
import type { NasProfile } from '../nas.ts';
import type { Origin } from '../origin.ts';
import type { PlannedService, ServiceTerms } from '../services/terms.ts';

/** A service session: one activation of one service for one subscriber session. */
export interface ServiceSession extends ServiceTerms {
  /** `deactivating`: it has to go, and the NAS has not confirmed yet that it did. */
  readonly state: 'active' | 'deactivating';
  /** Counts from 1 within the subscriber session; names the service session in accounting. */
  readonly number: number;
  /** Absent when the NAS never confirmed the activation; such a service is undone without being accounted. */
  readonly activatedAtMs?: number;
  /** Acct-Terminate-Cause of a service that is `deactivating`. */
  readonly terminateCause?: number;
  /** When Service-Timeout ends it. */
  readonly expiresAtMs?: number;
  /** Of the request that activated it; goes with its Acct-Start. */
  readonly correlationId: string;
}

/** A client's request, verified and understood. */
export interface ServiceRequest {
  readonly correlationId: string;
  /** When the relay took it on. */
  readonly receivedAtMs: number;
  readonly origin: Origin;
  readonly nas: NasProfile;
  readonly acctSessionId: string;
  readonly identity: Identity;
  /** Class attributes in hexadecimal, in order. */
  readonly classes: readonly string[];
  readonly activate: readonly PlannedService[];
  /** Canonical activation strings. */
  readonly deactivate: readonly string[];
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
  readonly receivedAtMs: number;
  /** What was asked and why it was refused, in words, for operators. */
  readonly asked: string;
  readonly reason?: string;
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
}

/** A CoA-Request to the NAS of the session. Its outcome comes back under `commandId`. */
export interface CommandEffect {
  readonly kind: 'command';
  readonly correlationId: string;
  readonly commandId: string;
  readonly operation: 'activate' | 'deactivate';
  /** Canonical activation strings; what the NAS is told is in `attributes`, encoded, base64. */
  readonly services: readonly string[];
  readonly attributes: string;
  readonly startBeforeMs: number;
}
export type Effect = ReplyEffect | CommandEffect;

/** The part of a change that waits for the NAS. One command is under way at a time; `commandId` is its name. */
interface Step {
  readonly commandId: string;
  readonly correlationId: string;
  /** The services that the command under way is about, and those of the commands after it. */
  readonly underWay: readonly string[];
  readonly remaining: readonly (readonly string[])[];
  /** When the cloud stops waiting for the outcome. */
  readonly deadlineMs: number;
}

/** The NAS is being told to activate. Nothing that the subscriber has is touched before it has confirmed. */
export interface Activating extends Step {
  readonly step: 'activate';
  readonly request: ServiceRequest;
  /** What the request activates, by canonical activation string. */
  readonly planned: Readonly<Record<string, ServiceSession>>;
  /** Those of `planned` that the NAS has confirmed, where one command does not hold them all. */
  readonly confirmed: readonly string[];
  /** What goes when all of `planned` is active. */
  readonly victims: readonly string[];
}

/** The NAS is being told to deactivate what is `deactivating`. Whatever comes of it, the answer is settled. */
export interface Deactivating extends Step {
  readonly step: 'deactivate';
  /** The client that waits, and what it will be told; absent when nobody waits. */
  readonly owed?: Owed;
  /** Present when the NAS has refused some of it, which has to be tried again. */
  readonly failed?: true;
}

/** Something that made a change, and the effects to be repeated should it be delivered again. */
export interface RecentEvent {
  readonly id: string;
  /** The one that it came through. */
  readonly queue: 'inbox' | 'due';
  readonly effects: readonly Effect[];
}

export interface Session {
  readonly nas: NasProfile;
  readonly acctSessionId: string;
  readonly identity: Identity;
  readonly classes: readonly string[];
  /** By canonical activation string. */
  readonly services: Readonly<Record<string, ServiceSession>>;
  readonly nextServiceNumber: number;
  /** The change under way; absent at rest. */
  readonly transition?: Activating | Deactivating;
  /** Requests that arrived meanwhile, in order. */
  readonly waiting: readonly ServiceRequest[];
  /** When what is still `deactivating` is tried again, and how often it was tried. */
  readonly retry?: { readonly attempts: number; readonly atMs: number };
  /** Why services went with the latest change, by canonical activation string; goes with their Acct-Stops. */
  readonly ended: Readonly<
    Record<string, { readonly terminateCause: number; readonly correlationId: string }>
  >;
  /** The last requests that were answered, oldest first. */
  readonly answered: readonly GivenAnswer[];
  /** When the latest change was made. */
  readonly changedAtMs: number;
  /** What made the latest changes; the very latest comes last. */
  readonly recentEvents: readonly RecentEvent[];
  /** Grows by one with each write that changes services, what is under way or what was answered. It orders the history,
   * and a stored answer holds while it stays. */
  readonly version: number;
  /** Grows by one with each write: the lock. Every write has the revision that was read as its condition. */
  readonly revision: number;
}
