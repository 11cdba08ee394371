// What travels through the queues, one schema per queue. Octets are base64, times are milliseconds since
// 1970-01-01 UTC. No message carries a secret: the relay verifies with it and signs with it, and keeps it.
//
// Every message has a version. A relay and functions that are one release apart read one another's: `upgradeMessage`
// turns each past version into today's, and `replyFor` answers a relay of 0.1.0 in the only shape that it reads.
import * as v from 'valibot';
import type { Endpoint } from './endpoint.ts';

/** What this code writes. Messages of 0.1.0 have no version; they stay readable until 1.0. */
export const MESSAGE_VERSION = 1;

const Version = v.literal(MESSAGE_VERSION);
const Bytes = v.pipe(v.string(), v.base64());
const Text = v.pipe(v.string(), v.nonEmpty());
const TimeMs = v.pipe(v.number(), v.integer(), v.minValue(0));
const Integer32 = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));
const Client = v.object({
  /** Its name in the site file. */
  name: v.string(),
  address: v.pipe(v.string(), v.ip()),
  port: Port,
}) satisfies v.GenericSchema<Endpoint>;

/** What a message says of an origin; the rest of it follows from the packet. */
const Origin = v.object({
  kind: v.literal('radius'),
  /** The relay that took the request on; absent for one of 0.1.0. */
  relay: v.exactOptional(Text),
  client: Client,
  /** The request's octets, as they came. */
  packet: Bytes,
});
export type MessageOrigin = v.InferOutput<typeof Origin>;

/** Inbox: a CoA-Request or Disconnect-Request that the relay has verified. */
const RequestMessage = v.object({
  version: Version,
  kind: v.literal('request'),
  /** Unique per forward; follows the request to its Acct-Start and Acct-Stop. */
  correlationId: Text,
  receivedAtMs: TimeMs,
  origin: Origin,
});
export type RequestMessage = v.InferOutput<typeof RequestMessage>;

/** The key of a session's item. */
const SessionKey = v.object({
  nas: Text,
  acctSessionId: Text,
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
  version: Version,
  kind: v.literal('outcome'),
  correlationId: Text,
  commandId: Text,
  session: SessionKey,
  result: v.picklist(['ack', 'nak', ...UNKNOWN_RESULTS]),
  /** Error-Cause of a NAK, where it had one. */
  errorCause: v.exactOptional(Integer32),
  atMs: TimeMs,
});
export type OutcomeMessage = v.InferOutput<typeof OutcomeMessage>;

export const InboxMessage = v.variant('kind', [RequestMessage, OutcomeMessage]);
export type InboxMessage = v.InferOutput<typeof InboxMessage>;

/** Due queue: a session whose time has come. */
export const DueMessage = v.object({
  version: Version,
  kind: v.literal('due'),
  session: SessionKey,
  dueAtMs: TimeMs,
});
export type DueMessage = v.InferOutput<typeof DueMessage>;

/** Outbox: the answer to a client's request. The relay takes Identifier, authenticator, State and Proxy-State from the
 * packet of its origin, and the secret that it verified with. */
const ReplyMessage = v.object({
  version: Version,
  kind: v.literal('reply'),
  correlationId: Text,
  origin: Origin,
  answer: v.picklist(['ack', 'nak']),
  errorCause: v.exactOptional(Integer32),
});
export type ReplyMessage = v.InferOutput<typeof ReplyMessage>;

/** Outbox: a CoA-Request of ours to a NAS, its attributes encoded, unsigned. */
const CommandMessage = v.object({
  version: Version,
  kind: v.literal('command'),
  correlationId: Text,
  commandId: Text,
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
  version: Version,
  kind: v.literal('accounting'),
  correlationId: Text,
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

/**
 * Reads a queue message's body, of this version or of an earlier one.
 * @throws MalformedMessage naming the first path that does not fit, or the version where it is a later one.
 */
export function readMessage<S extends v.GenericSchema>(schema: S, body: string): v.InferOutput<S> {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw new MalformedMessage('is not JSON');
  }
  const result = v.safeParse(schema, upgradeMessage(json));
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new MalformedMessage(`${v.getDotPath(issue) ?? 'message'}: ${issue.message}`);
}

/** A queue message that this code cannot read. Delivered again in vain, it goes to the dead-letter queue. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

// --- Versions -------------------------------------------------------------------------------------------------

/**
 * Today's form of a message of any version up to this one; what is no message stays as it is.
 * @throws MalformedMessage when the version is later than this code's.
 */
function upgradeMessage(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  const { version } = json as { version?: unknown };
  if (typeof version === 'number' && version > MESSAGE_VERSION) {
    throw new MalformedMessage(
      `version: ${version} is later than ${MESSAGE_VERSION}, the latest that this release reads`,
    );
  }
  return version === undefined ? { ...from010(json as Message010), version: MESSAGE_VERSION } : json;
}

interface Message010 {
  readonly kind?: unknown;
  readonly client?: { readonly name?: unknown; readonly address?: unknown };
  readonly packet?: unknown;
  readonly request?: unknown;
}

/** 0.1.0 had `client` and `packet` in a request, and `client` without its name and `request` in a reply. */
function from010(message: Message010): object {
  if (message.kind !== 'request' && message.kind !== 'reply') return message;
  const { client, packet, request, ...rest } = message;
  const named = { ...client, name: client?.name ?? client?.address };
  return { ...rest, origin: { kind: 'radius', client: named, packet: packet ?? request } };
}

/** A reply as the relay of its origin reads it. */
export function replyFor({ version, ...reply }: ReplyMessage): object {
  const { relay, client, packet } = reply.origin;
  if (relay !== undefined) return { version, ...reply };
  const { origin: _, ...rest } = reply;
  return { ...rest, client: { address: client.address, port: client.port }, request: packet };
}
