// What travels through the queues, one schema per queue. Bytes are base64, times are milliseconds since
// 1970-01-01 UTC. No message ever carries a secret: the relay verifies with it and signs with it, and keeps it.
import * as v from 'valibot';
import type { Endpoint } from './endpoint.ts';

const Bytes = v.pipe(v.string(), v.base64());
const TimeMs = v.pipe(v.number(), v.integer(), v.minValue(0));
const ErrorCause = v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(0xffff_ffff));

const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));
/** As the relay saw it. */
const EndpointSchema = v.object({
  address: v.pipe(v.string(), v.ip()),
  port: Port,
}) satisfies v.GenericSchema<Endpoint>;

/** Inbox: a CoA-Request or Disconnect-Request that the relay has verified, with its bytes as they came. */
const RequestMessage = v.object({
  kind: v.literal('request'),
  /** Unique per forward; follows the request to its Acct-Start and Acct-Stop. */
  correlationId: v.pipe(v.string(), v.nonEmpty()),
  receivedAtMs: TimeMs,
  /** Name of the client in the site file, and where its answer has to go. */
  client: v.object({ name: v.string(), ...EndpointSchema.entries }),
  packet: Bytes,
});
export type RequestMessage = v.InferOutput<typeof RequestMessage>;

/** The key of a session's item. */
const SessionKey = v.object({
  nas: v.pipe(v.string(), v.nonEmpty()),
  acctSessionId: v.pipe(v.string(), v.nonEmpty()),
});
export type SessionKey = v.InferOutput<typeof SessionKey>;

/**
 * Outcomes that leave open whether the NAS carried a command out. `timeout`: it did not answer. `unreachable`: its
 * host or network said that nobody listens. `interrupted`: a relay received the command before and reported nothing.
 * `expired`: the relay got it too late to send it.
 */
export const UNKNOWN_RESULTS = ['timeout', 'unreachable', 'interrupted', 'expired'] as const;

/** Inbox: what became of a command. */
const OutcomeMessage = v.object({
  kind: v.literal('outcome'),
  correlationId: v.pipe(v.string(), v.nonEmpty()),
  commandId: v.pipe(v.string(), v.nonEmpty()),
  session: SessionKey,
  result: v.picklist(['ack', 'nak', ...UNKNOWN_RESULTS]),
  /** Error-Cause of a NAK, where it had one. */
  errorCause: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff))),
  atMs: TimeMs,
});
export type OutcomeMessage = v.InferOutput<typeof OutcomeMessage>;

export const InboxMessage = v.variant('kind', [RequestMessage, OutcomeMessage]);
export type InboxMessage = v.InferOutput<typeof InboxMessage>;

/** Due queue: a session whose time has come. */
export const DueMessage = v.object({ kind: v.literal('due'), session: SessionKey, dueAtMs: TimeMs });
export type DueMessage = v.InferOutput<typeof DueMessage>;

/** Outbox: the answer to a client's request. The relay takes Identifier, authenticator, State and Proxy-State
 * from `request`, and the secret that it verified with. */
const ReplyMessage = v.object({
  kind: v.literal('reply'),
  correlationId: v.pipe(v.string(), v.nonEmpty()),
  client: EndpointSchema,
  request: Bytes,
  answer: v.picklist(['ack', 'nak']),
  errorCause: v.optional(ErrorCause),
});
export type ReplyMessage = v.InferOutput<typeof ReplyMessage>;

/** Outbox: a CoA-Request of ours to a NAS, its attributes encoded, unsigned. */
const CommandMessage = v.object({
  kind: v.literal('command'),
  correlationId: v.pipe(v.string(), v.nonEmpty()),
  commandId: v.pipe(v.string(), v.nonEmpty()),
  session: SessionKey,
  /** What the attributes say, for logs. */
  operation: v.picklist(['activate', 'deactivate']),
  services: v.array(v.string()),
  attributes: Bytes,
  /** Not to be sent for the first time after this: the cloud will have given it up by then. */
  startBeforeMs: TimeMs,
});
export type CommandMessage = v.InferOutput<typeof CommandMessage>;

export const OutboxMessage = v.variant('kind', [ReplyMessage, CommandMessage]);
export type OutboxMessage = v.InferOutput<typeof OutboxMessage>;

/** Accounting queue: one Accounting-Request, its attributes encoded, unsigned. */
export const AccountingMessage = v.object({
  kind: v.literal('accounting'),
  correlationId: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(['Start', 'Stop']),
  /** Acct-Session-Id and Service-Session of the record, for logs. */
  acctSessionId: v.string(),
  serviceSession: v.string(),
  eventAtMs: TimeMs,
  attributes: Bytes,
});
export type AccountingMessage = v.InferOutput<typeof AccountingMessage>;

/**
 * The SQS message group of everything that concerns one subscriber session, so that a queue keeps its order.
 * SQS allows 128 characters without blanks; two long ids that end alike share a group, which only makes them wait
 * for one another.
 */
export function messageGroup(acctSessionId: Uint8Array | undefined): string {
  if (acctSessionId === undefined || acctSessionId.length === 0) return 'no-session';
  return Buffer.from(acctSessionId.subarray(-96)).toString('base64url');
}

/** The body of a queue message. ASCII alone: SQS does not take every character that a client may send. */
export function writeMessage(message: object): string {
  return JSON.stringify(message).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Reads a queue message's body; throws an Error that names the first path that does not fit. */
export function readMessage<S extends v.GenericSchema>(schema: S, body: string): v.InferOutput<S> {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw new MalformedMessage('is not JSON');
  }
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new MalformedMessage(`${v.getDotPath(issue) ?? 'message'}: ${issue.message}`);
}

/** A queue message that nobody here could have written. It belongs in the dead-letter queue. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}
