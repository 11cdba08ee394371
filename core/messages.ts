// The messages in the queues, one schema a queue. Octets are base64; times are milliseconds since 1970-01-01 UTC. Times in a
// message of the relay are by the relay's clock, which may be wrong: they are for people, and nothing is decided by them; those of
// the feed, and the age of a request with `clockSkewMs`, are by the cloud's, as far as the relay knows that. No message carries a secret: only the relay has the secrets, verifies and signs.
//
// Every message has a version. A relay and functions that are one release apart understand each other: `upgradeMessage`
// turns each past version into today's, and `replyFor` writes a reply to a relay of 0.1.0 in the only form that it
// reads.
import * as v from 'valibot';
import type { Endpoint } from './endpoint.ts';
import { IDENTITY_ATTRIBUTES } from './identity.ts';
import { ATTRIBUTES, type AttributeName } from './radius/attributes.ts';
import { isValueOf } from './radius/codec.ts';

/** How long a client waits for the answer to a request, where nothing else is known of it. */
export const CLIENT_PATIENCE_SECONDS = 10;

/** The version that this release writes. Messages of 0.1.0 have none; they stay readable until 1.0. */
export const MESSAGE_VERSION = 1;

const Version = v.literal(MESSAGE_VERSION);
const Bytes = v.pipe(v.string(), v.base64());
const Text = v.pipe(v.string(), v.nonEmpty());
/** The latest time that a Date can have; DynamoDB and the 53 bits of a number have room for it. */
const LATEST_MS = 8.64e15;
/** More than any site file says, so that a later release may let it say more. */
const LONGEST_PATIENCE_SECONDS = 86_400;
const TimeMs = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(LATEST_MS));
const Integer32 = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));
const Client = v.object({
  /** Its name in the site file. */
  name: v.string(),
  address: v.pipe(v.string(), v.ip()),
  port: Port,
}) satisfies v.GenericSchema<Endpoint>;

/** An origin in a message; the rest of `Origin` follows from the packet. */
const Origin = v.object({
  kind: v.literal('radius'),
  /** The relay that received the request; absent for one of 0.1.0. */
  relay: v.exactOptional(Text),
  client: Client,
  /** The request's octets, as received. */
  packet: Bytes,
});
/** Where a request comes from, in a message. */
export type MessageOrigin = v.InferOutput<typeof Origin>;

const SessionKey = v.object({
  nas: Text,
  acctSessionId: Text,
});
/** The key of a session: the name of its NAS and its Acct-Session-Id. */
export type SessionKey = v.InferOutput<typeof SessionKey>;

const RequestMessage = v.object({
  version: Version,
  kind: v.literal('request'),
  /**
   * Unique for each message; the logs and messages that the request leads to have it, up to Acct-Start and Acct-Stop.
   */
  correlationId: Text,
  receivedAtMs: TimeMs,
  /** What the relay's clock is ahead of the cloud's, where the relay knows. */
  clockSkewMs: v.exactOptional(
    v.pipe(v.number(), v.integer(), v.minValue(-LATEST_MS), v.maxValue(LATEST_MS)),
  ),
  /** How long its client waits for the answer, from its arrival at the relay. */
  patienceSeconds: v.exactOptional(
    v.pipe(v.number(), v.minValue(1), v.maxValue(LONGEST_PATIENCE_SECONDS)),
    CLIENT_PATIENCE_SECONDS,
  ),
  origin: Origin,
  /** The session that decide has found for a request without Acct-Session-Id. Such a message comes from decide. */
  session: v.exactOptional(SessionKey),
  /** When the relay received it, by the cloud's clock; in a message of decide, which has come later. */
  arrivedAtMs: v.exactOptional(TimeMs),
});
/** Inbox: a CoA-Request or Disconnect-Request that the relay has verified. */
export type RequestMessage = v.InferOutput<typeof RequestMessage>;

/**
 * Outcomes that leave open whether the NAS carried a command out. `timeout`: the NAS did not answer. `unreachable`: its
 * host or network answered with an ICMP error. `interrupted`: a relay received the command before and reported no
 * outcome.
 */
export const UNKNOWN_RESULTS = ['timeout', 'unreachable', 'interrupted'] as const;

/** The outcome of a command that the relay did not send: the NAS knows nothing of it. */
export const NOT_SENT = 'expired';

/** The schema of a site's queue of outcomes. */
export const OutcomeMessage = v.object({
  version: Version,
  kind: v.literal('outcome'),
  correlationId: Text,
  commandId: Text,
  session: SessionKey,
  result: v.picklist(['ack', 'nak', ...UNKNOWN_RESULTS, NOT_SENT]),
  /** Error-Cause of the NAK (RFC 5176 section 3.5), if it had one; of a command that was not sent, what its request gets. */
  errorCause: v.exactOptional(Integer32),
  /** What the NAS said in words, in a NAK or an ACK: `nasWords`. */
  text: v.exactOptional(v.string()),
  /**
   * With `nak`: the relay did not send the command. Error-Cause is what its request gets, and `text` why, in one word.
   * Functions that do not know this key take it for a NAK of the NAS.
   */
  isUnsent: v.exactOptional(v.literal(true)),
  atMs: TimeMs,
});
/** Queue of outcomes, or inbox, where relays of before send it: the outcome of a command. */
export type OutcomeMessage = v.InferOutput<typeof OutcomeMessage>;

/** The schema of a site's inbox. */
export const InboxMessage = v.variant('kind', [RequestMessage, OutcomeMessage]);
/** A message of a site's inbox. */
export type InboxMessage = v.InferOutput<typeof InboxMessage>;

const DueMessage = v.object({
  version: Version,
  kind: v.literal('due'),
  session: SessionKey,
  dueAtMs: TimeMs,
});
/** Due queue: a session that is due at `dueAtMs`. */
export type DueMessage = v.InferOutput<typeof DueMessage>;

const ResyncMessage = v.object({
  version: Version,
  kind: v.literal('resync'),
  session: SessionKey,
  /** What counts: what the table has, or what the NAS accounts. */
  to: v.picklist(['table', 'nas']),
  /** Who says so, for logs. */
  operator: v.exactOptional(Text),
});
/** Due queue: an operator has the drift of a session ended. */
export type ResyncMessage = v.InferOutput<typeof ResyncMessage>;

/** The schema of the due queue. */
export const DueQueueMessage = v.variant('kind', [DueMessage, ResyncMessage]);

const ReplyMessage = v.object({
  version: Version,
  kind: v.literal('reply'),
  correlationId: Text,
  origin: Origin,
  answer: v.picklist(['ack', 'nak']),
  errorCause: v.exactOptional(Integer32),
  /** When it was decided; with the correlation id, its name. */
  atMs: v.exactOptional(TimeMs),
});
/**
 * Outbox: the answer to a request. The relay makes the reply from the packet of the origin, and signs it with the
 * secret that verifies that packet.
 */
export type ReplyMessage = v.InferOutput<typeof ReplyMessage>;

const CommandMessage = v.object({
  version: Version,
  kind: v.literal('command'),
  correlationId: Text,
  commandId: Text,
  session: SessionKey,
  /** The operation and services that the attributes encode, for logs. */
  operation: v.picklist(['activate', 'deactivate', 'switch', 'disconnect']),
  services: v.array(v.string()),
  /** What a switch deactivates beside. */
  deactivates: v.exactOptional(v.array(v.string())),
  attributes: Bytes,
  /** The relay must not send it for the first time after this, by the cloud's clock: decide counts it as unanswered soon
   * afterwards. */
  startBeforeMs: TimeMs,
});
/** Outbox: a CoA-Request or, for `disconnect`, a Disconnect-Request to a NAS, its attributes encoded, unsigned. */
export type CommandMessage = v.InferOutput<typeof CommandMessage>;

/** The schema of a site's outbox. */
export const OutboxMessage = v.variant('kind', [ReplyMessage, CommandMessage]);
/** A message of a site's outbox. */
export type OutboxMessage = v.InferOutput<typeof OutboxMessage>;

/** The schema of a site's accounting queue. */
export const AccountingMessage = v.object({
  version: Version,
  kind: v.literal('accounting'),
  /** The same whenever it is made from the same write of a session; absent from an earlier release. */
  id: v.exactOptional(Text),
  correlationId: Text,
  status: v.picklist(['Start', 'Stop']),
  /** Acct-Session-Id and ERX-Service-Session of the record, for logs. */
  acctSessionId: v.string(),
  serviceSession: v.string(),
  eventAtMs: TimeMs,
  attributes: Bytes,
});
/** Accounting queue: one Accounting-Request (RFC 2866), its attributes encoded, unsigned. */
export type AccountingMessage = v.InferOutput<typeof AccountingMessage>;

const Hexadecimal = v.pipe(v.string(), v.hexadecimal());
/** Octets are in hexadecimal here; anything else is what the codec has. */
const octetsOr = (name: AttributeName, value: string | number) =>
  ATTRIBUTES[name].type === 'octets' && v.is(Hexadecimal, value) ? Buffer.from(value, 'hex') : value;
/** One that an Accounting-Request can have: the accounting of the session's services says the same. */
const identityValue = (name: AttributeName) =>
  v.pipe(
    v.union([Text, v.number()]),
    v.check((value) => isValueOf(name, octetsOr(name, value)), `expected a value of ${name}`),
  );
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** The schema of a site's feed queue. */
export const FeedMessage = v.object({
  version: Version,
  kind: v.literal('feed'),
  correlationId: Text,
  /** The relay that received the record, and its sender's name in the site file. */
  relay: Text,
  feed: Text,
  receivedAtMs: TimeMs,
  /** `stale`: no Accounting-Request, but the relay's notice that the session has had none for three intervals. */
  status: v.picklist(['start', 'stop', 'interim', 'on', 'off', 'stale']),
  /** The name of the NAS in the relay's site file. */
  nas: Text,
  /**
   * The Acct-Session-Id of the subscriber session, also in the record of a service. Absent in `on` and `off`, and in the
   * record of a service that does not name its session.
   */
  acctSessionId: v.exactOptional(Text),
  /** When it happened: the Event-Timestamp, or the arrival less Acct-Delay-Time; of `stale`: the arrival of the latest record. */
  eventAtMs: TimeMs,
  /** Whether `eventAtMs` is the Event-Timestamp. */
  isStamped: v.exactOptional(v.boolean(), false),
  /** The Event-Timestamp that was not believed, because it is too far from the arrival. */
  wrongStampMs: v.exactOptional(TimeMs),
  /** The identification attributes of the session; ERX-Virtual-Router-Name is the scope of `on` and `off`. */
  identity: v.exactOptional(
    v.object(
      Object.fromEntries(IDENTITY_ATTRIBUTES.map((name) => [name, v.exactOptional(identityValue(name))])) as {
        [N in (typeof IDENTITY_ATTRIBUTES)[number]]: v.ExactOptionalSchema<
          ReturnType<typeof identityValue>,
          undefined
        >;
      },
    ),
    {},
  ),
  /** The values of Class. */
  classes: v.exactOptional(v.array(Hexadecimal), []),
  /** Acct-Session-Time, Acct-Terminate-Cause and Acct-Interim-Interval. */
  sessionTimeSeconds: v.exactOptional(Integer32),
  terminateCause: v.exactOptional(Integer32),
  interimIntervalSeconds: v.exactOptional(Integer32),
  /** Octets and packets since the session began; input is from the subscriber. */
  counters: v.exactOptional(
    v.object({
      inputOctets: v.exactOptional(Count),
      outputOctets: v.exactOptional(Count),
      inputPackets: v.exactOptional(Count),
      outputPackets: v.exactOptional(Count),
    }),
  ),
  /** The service that the record accounts: its activation string as the NAS sent it, and its own Acct-Session-Id. */
  service: v.exactOptional(v.object({ name: Text, serviceSessionId: Text })),
});
const RestartMessage = v.object({
  version: Version,
  kind: v.literal('restart'),
  correlationId: Text,
  /** The name of the NAS today, and that in the keys of these sessions. */
  nas: Text,
  storedUnder: Text,
  /** When it happened. */
  eventAtMs: TimeMs,
  /** The virtual router that the record names; absent where it means the whole NAS. */
  scope: v.exactOptional(Text),
  /** Acct-Terminate-Cause of what it ends. */
  terminateCause: Integer32,
  /** The part of the sessions, and the partition key of the last one that is done with. */
  bucket: Text,
  after: v.exactOptional(Text),
});
/** Feed queue: an Accounting-On or -Off, for a part of the sessions of its NAS. */
export type RestartMessage = v.InferOutput<typeof RestartMessage>;

/** The schema of a site's feed queue, with what ingest sends to itself. */
export const FeedQueueMessage = v.variant('kind', [FeedMessage, RestartMessage]);

/** Feed queue: what an Accounting-Request of a NAS says, or that there are none of a session any more. */
export type FeedMessage = v.InferOutput<typeof FeedMessage>;

/**
 * The SQS message group of a subscriber session, whose order a queue keeps. SQS allows 128 characters without blanks,
 * so the group is made of the last 96 octets of Acct-Session-Id. Two sessions that share a group wait for each other,
 * and nothing more.
 */
export function messageGroup(acctSessionId: Uint8Array | undefined): string {
  if (acctSessionId === undefined || acctSessionId.length === 0) return 'no-session';
  return Buffer.from(acctSessionId.subarray(-96)).toString('base64url');
}

/** The body of a queue message, JSON in ASCII: SQS refuses some characters that a client may send. */
export function writeMessage(message: object): string {
  return JSON.stringify(message).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * The message in a body of this version or of an earlier one.
 * @throws MalformedMessage that names the first path that does not fit `schema`, or a later version.
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
  // The library quotes the value that it received, which may be a subscriber's.
  const reason = issue.message.replace(/ but received .*/s, '');
  throw new MalformedMessage(`${v.getDotPath(issue) ?? 'message'}: ${reason}`);
}

/** A queue message that this release cannot read. SQS delivers it again, and at last moves it to the dead letters. */
export class MalformedMessage extends Error {
  override readonly name: string = 'MalformedMessage';
}

/** A message about a site or a NAS that this deployment does not have. The next deployment may have it. */
export class NotInDeployment extends MalformedMessage {
  override readonly name = 'NotInDeployment';
}

// --- Versions -------------------------------------------------------------------------------------------------

/**
 * Today's form of a message of any version up to this one. A value that is no message is returned unchanged.
 * @throws MalformedMessage when the version is later than this release's.
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

/** The name of a reply. A request whose item was removed may be answered twice, when its message is delivered again. */
export function replyId({ correlationId, atMs }: Pick<ReplyMessage, 'correlationId' | 'atMs'>): string {
  return atMs === undefined ? `${correlationId}/reply` : `${correlationId}/reply/${atMs}`;
}

/** The body of a reply in the version that the relay of its origin reads. */
export function replyFor({ version, ...reply }: ReplyMessage): object {
  const { relay, client, packet } = reply.origin;
  if (relay !== undefined) return { version, ...reply };
  const { origin: _, ...rest } = reply;
  return { ...rest, client: { address: client.address, port: client.port }, request: packet };
}
