// The events of the relay. Log and metrics are made of these only.
import type { QueueName } from '../../core/cloud/queues.ts';
import type { Endpoint } from '../../core/endpoint.ts';
import type { CommandMessage } from '../../core/messages.ts';
import type { ReplyFailure } from '../../core/radius/authenticator.ts';
import type { ParseFailure } from '../../core/radius/packet.ts';
import type { RecordKind, RecordRefusal } from '../../core/requests/accounting-request.ts';
import type { Unsent } from '../outcome.ts';
import type { AuthenticationFailure, CheckFailure } from '../radius/checks.ts';

/** Why a datagram to the CoA port is not forwarded. */
export type DiscardReason = CheckFailure | 'repeat-in-progress' | 'inbox-unavailable' | 'draining';

/**
 * Why the relay answers a request with 506 by itself: its client sends more than `ratePerSecond`; too many are in progress, or
 * wait to be forwarded; or it has waited for half of the time for which its client waits.
 */
export type RefusalReason = 'rate' | 'in-progress' | 'waiting' | 'waited';

/** Why a datagram to the accounting port is neither answered nor forwarded. */
export type FeedDiscardReason = AuthenticationFailure | 'repeat-in-progress' | 'loop' | 'draining';

/**
 * Why an Accounting-Request has no answer: SQS did not take what matters of it, its accounting server did not answer, or
 * the answer could not leave. The client repeats it.
 */
export type UnansweredReason =
  | 'queue-full'
  | 'queue-unavailable'
  | 'server-timeout'
  | 'server-unreachable'
  | 'server-busy'
  | 'too-long'
  | 'send-failed'
  | 'draining';

/** Why what an Accounting-Request says is not for the cloud. */
export type KeptReason = 'unchanged' | 'repeat' | 'other-status' | 'unknown-nas';

/** What has happened; times in its fields are durations in milliseconds. */
export type RelayEvent =
  // The relay
  | {
      readonly kind: 'listening';
      readonly site: string;
      readonly coa: Endpoint;
      readonly http: Endpoint;
      /** Where it takes Accounting-Requests. */
      readonly accounting?: Endpoint;
      /** How many octets the kernel keeps for requests that the relay has not taken yet. */
      readonly receiveBufferBytes: number;
    }
  /** A secret of 12 characters or fewer, at this path of the site file. */
  | { readonly kind: 'weak-secret'; readonly path: string }
  /** What follows from the site file, which is valid: `file:line: path: what follows`. */
  | { readonly kind: 'configuration-warning'; readonly warning: string }
  | { readonly kind: 'accounting-not-configured' }
  | { readonly kind: 'socket-error'; readonly error: string }
  | { readonly kind: 'draining' }
  | { readonly kind: 'stopped' }

  // Requests of clients and their replies
  | {
      readonly kind: 'discarded';
      readonly reason: DiscardReason;
      readonly source: Endpoint;
      readonly client?: string;
      /** Of the request that was not forwarded; for a retransmission, of the request in progress. */
      readonly correlationId?: string;
    }
  | {
      readonly kind: 'request-refused';
      readonly correlationId: string;
      readonly client: string;
      readonly reason: RefusalReason;
      readonly source: Endpoint;
    }
  | {
      readonly kind: 'request-forwarded';
      readonly correlationId: string;
      readonly client: string;
      readonly source: Endpoint;
      readonly code: number;
      readonly identifier: number;
    }
  | {
      readonly kind: 'reply-sent';
      readonly correlationId: string;
      readonly client: string;
      readonly destination: Endpoint;
      readonly code: number;
      readonly errorCause?: number;
      /** From the request to its reply; unknown after a restart, and for a second reply. */
      readonly latencyMs?: number;
    }
  | {
      readonly kind: 'reply-not-sent';
      readonly correlationId: string;
      readonly destination: Endpoint;
      readonly reason: AuthenticationFailure | 'send-failed';
      readonly error?: string;
    }

  // Commands to a NAS
  | {
      readonly kind: 'command-sent';
      readonly correlationId: string;
      readonly commandId: string;
      readonly nas: string;
      readonly acctSessionId: string;
      readonly operation: CommandMessage['operation'];
      readonly services: readonly string[];
    }
  | {
      readonly kind: 'command-answered';
      readonly correlationId: string;
      readonly commandId: string;
      readonly nas: string;
      readonly operation: CommandMessage['operation'];
      readonly result: 'ack' | 'nak';
      readonly errorCause?: number;
      /** What the NAS said in words. */
      readonly text?: string;
      /** From the first transmission to the ACK or NAK. */
      readonly latencyMs: number;
    }
  | {
      readonly kind: 'command-unanswered';
      readonly correlationId: string;
      readonly commandId: string;
      readonly nas: string;
      readonly result: 'timeout' | 'unreachable';
    }
  | {
      readonly kind: 'command-not-sent';
      readonly correlationId: string;
      readonly commandId: string;
      readonly nas: string;
      readonly reason: Unsent['unsent'];
      readonly detail?: string;
    }
  /** During a rotation of secrets: the NAS has replied to a request that was signed with the other one of its two. */
  | { readonly kind: 'nas-secret-changed'; readonly nas: string; readonly to: 'current' | 'previous' }

  // Accounting
  | {
      readonly kind: 'accounting-answered';
      readonly correlationId: string;
      readonly status: 'Start' | 'Stop';
      readonly acctSessionId: string;
      readonly serviceSession: string;
      readonly server: string;
      /** From the first transmission to the Accounting-Response. */
      readonly latencyMs: number;
    }
  | {
      readonly kind: 'accounting-unanswered';
      readonly correlationId: string;
      readonly server: string;
      readonly result: 'timeout' | 'unreachable' | 'busy';
    }
  /** Deleted from its queue: its packet would be too long. account lets no such record into the queue; 0.1.0 did. */
  | {
      readonly kind: 'accounting-not-sent';
      readonly correlationId: string;
      readonly status: 'Start' | 'Stop';
      readonly acctSessionId: string;
      readonly serviceSession: string;
      /** Of the packet, encoded, base64. Absent with `logIdentity: false`. */
      readonly attributes?: string;
      readonly error: string;
    }
  | { readonly kind: 'accounting-server-changed'; readonly from: string; readonly to: string }
  /** Records without an Accounting-Response. Reported each time when their visibility timeout is renewed. */
  | {
      readonly kind: 'accounting-waiting';
      readonly server: string;
      readonly records: number;
      readonly oldestMs: number;
    }
  /** A packet of a server that is no valid reply to a pending request: forged, late or malformed. */
  | {
      readonly kind: 'reply-ignored';
      readonly server: string;
      readonly reason: ParseFailure | ReplyFailure | 'nothing-pending';
    }

  // Clocks
  /** The wall clock of this machine differs from the cloud's by 5 s or more: ahead, or behind where `skewMs` is negative. */
  | { readonly kind: 'clock-skewed'; readonly skewMs: number; readonly uncertaintyMs: number }
  /** It no longer does. */
  | { readonly kind: 'clock-in-step'; readonly skewMs: number; readonly uncertaintyMs: number }

  // Accounting-Requests of feeds
  | {
      readonly kind: 'feed-discarded';
      readonly reason: FeedDiscardReason;
      readonly source: Endpoint;
      readonly feed?: string;
    }
  | { readonly kind: 'feed-received'; readonly feed: string; readonly status: RecordKind }
  /** It is answered or forwarded all the same. */
  | { readonly kind: 'feed-refused'; readonly feed: string; readonly reason: RecordRefusal }
  | { readonly kind: 'feed-kept'; readonly feed: string; readonly reason: KeptReason }
  /** The site file does not have this NAS. Reported once for each. */
  | { readonly kind: 'feed-unknown-nas'; readonly feed: string; readonly nas: string }
  /** By how much the Event-Timestamp differs from the arrival; `nas` is empty for one that the site file does not have. */
  | {
      readonly kind: 'feed-wrong-clock';
      readonly feed: string;
      readonly nas: string;
      readonly offsetSeconds: number;
    }
  /** The cloud has it: a record, or the notice that a session is `stale`. */
  | {
      readonly kind: 'feed-queued';
      readonly feed: string;
      readonly correlationId: string;
      readonly nas: string;
      readonly status: RecordKind | 'stale';
      readonly acctSessionId?: string;
      readonly service?: string;
    }
  /** A record was forwarded, and the cloud does not hear of it: too many wait for SQS already. */
  | { readonly kind: 'feed-dropped'; readonly feed: string }
  | { readonly kind: 'feed-forwarded'; readonly feed: string }
  | { readonly kind: 'feed-answered'; readonly feed: string; readonly latencyMs: number }
  | {
      readonly kind: 'feed-unanswered';
      readonly feed: string;
      readonly reason: UnansweredReason;
      readonly server?: string;
    }

  // Queues
  | { readonly kind: 'queue-trouble'; readonly queue: QueueName; readonly error: string }
  | { readonly kind: 'queue-recovered'; readonly queue: QueueName }
  /** SQS took the batch, but not this entry of it. */
  | { readonly kind: 'queue-entry-refused'; readonly queue: QueueName; readonly error: string }
  /** The message says what one before it has said, which is done. It is deleted. */
  | {
      readonly kind: 'message-repeated';
      readonly queue: QueueName;
      readonly messageId: string;
      readonly correlationId: string;
    }
  /** The message is not deleted: SQS delivers it again, and in the end moves it to the dead-letter queue. */
  | {
      readonly kind: 'message-left';
      readonly queue: QueueName;
      /** `not-held`: its visibility timeout has run out, so another relay may have it. */
      readonly reason: 'malformed' | 'overloaded' | 'unanswered' | 'not-held';
      readonly messageId: string;
      readonly detail: string;
      readonly correlationId?: string;
    };

/** Takes an event. It has to return at once. */
export type Report = (event: RelayEvent) => void;
