// What has to be true of every mutant: nothing throws but the declared errors, every answer, command and record encodes, and what
// is encoded decodes to the same. Each law gives the label of what became of its mutant.
import { isDeepStrictEqual } from 'node:util';
import { marshall } from '@aws-sdk/util-dynamodb';
import { STATE_SORT_KEY } from '../../../core/cloud/table.ts';
import {
  AccountingMessage,
  type CommandMessage,
  DueQueueMessage,
  FeedQueueMessage,
  InboxMessage,
  MalformedMessage,
  MESSAGE_VERSION,
  OutboxMessage,
  OutcomeMessage,
  readMessage,
  replyFor,
  writeMessage,
} from '../../../core/messages.ts';
import { signRequest, verifyReply } from '../../../core/radius/authenticator.ts';
import {
  type Attribute,
  decodeAttributes,
  describeAttribute,
  encodeAttributes,
} from '../../../core/radius/codec.ts';
import { CODE, MAX_PACKET_OCTETS, type Packet, parsePacket } from '../../../core/radius/packet.ts';
import { readAccountingRequest } from '../../../core/requests/accounting-request.ts';
import { understandRequest } from '../../../core/requests/coa-request.ts';
import { requestGroup } from '../../../core/requests/identification.ts';
import { encodeAccountingResponse, encodeReply } from '../../../core/requests/reply.ts';
import { accountingRecords, unmadeRecords } from '../../../core/service-accounting.ts';
import type { Event } from '../../../core/subscriber/event.ts';
import { historyItem } from '../../../core/subscriber/history.ts';
import { keyOf } from '../../../core/subscriber/key.ts';
import { accountedService } from '../../../core/subscriber/record.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { transition } from '../../../core/subscriber/transition.ts';
import { SHAPE, UnreadableItem, upgrade } from '../../../core/subscriber/upgrade.ts';
import { messageOf } from '../../../functions/shared/effects.ts';
import { type Image, sessionFromImage } from '../../../functions/shared/session-store.ts';
import { feedMessage, outcomeMessage, requestMessage } from '../../../relay/messages.ts';
import { outcomeOfReply } from '../../../relay/outcome.ts';
import { authenticateAccounting, checkRequest } from '../../../relay/radius/checks.ts';
import { packetOf } from '../../core/radius/craft.ts';
import type { ReplyVector } from '../../core/radius/vectors.ts';
import type { Random } from '../../random.ts';
import { mutatedJson, mutatedPacket, mutatedText } from './mutate.ts';
import {
  ACCOUNTING_REQUESTS,
  CATALOGUE,
  coaRequests,
  NAS_REPLIES,
  NASES,
  PAST_ITEMS,
  PAST_MESSAGES,
  SECRET,
  SESSIONS,
} from './seeds.ts';

const SOURCE = { address: '127.0.0.1', port: 4000 };
const CLIENT = {
  name: 'policy',
  sources: [],
  secrets: [SECRET],
  patienceSeconds: 10,
  requireMessageAuthenticator: false,
  requireEventTimestamp: false,
};
const FEED = { name: 'bng-1', sources: [], secrets: [SECRET], mode: 'copy' } as const;
const ACCOUNTING_NASES = NASES.map(({ profile: { name, dialect, options }, identifiedBy }) => ({
  name,
  identifiedBy,
  dialect,
  options,
}));
/** Sessions that mutants have led to, and that further ones meet. */
const SESSIONS_KEPT = 300;

export class Fuzzer {
  readonly #random: Random;
  readonly #nowMs: number;
  readonly #coaRequests: readonly Buffer[];
  readonly #messages: [queue: keyof typeof SCHEMAS, body: object][] = [];
  readonly #sessions: (Session | undefined)[] = [undefined, ...SESSIONS];
  #count = 0;

  constructor(random: Random, nowMs: number) {
    this.#random = random;
    this.#nowMs = nowMs;
    this.#coaRequests = coaRequests(Math.floor(nowMs / 1000));
    for (const [name, message] of Object.entries(PAST_MESSAGES))
      this.#messages.push([QUEUE_OF[name] ?? 'inbox', message]);
    // Unchanged ones bring one message of each kind.
    for (const bytes of this.#coaRequests) this.#coa(bytes);
    for (const bytes of ACCOUNTING_REQUESTS) this.#accounting(bytes);
    for (const vector of NAS_REPLIES) this.#reply(vector, vector.bytes);
    this.#messages.push([
      'due',
      { version: MESSAGE_VERSION, kind: 'resync', session: SESSION_KEY, to: 'nas', operator: 'ops' },
    ]);
    this.#messages.push(['feed', RESTART]);
  }

  /** One mutant. @throws Error when a law is broken; `mutant` of it says of what. */
  play(): string {
    const random = this.#random;
    this.#count++;
    const chance = random.next();
    if (chance < 0.35)
      return this.#told('coa', mutatedPacket(random.pick(this.#coaRequests), random), (bytes) =>
        this.#coa(bytes),
      );
    if (chance < 0.55)
      return this.#told('accounting', mutatedPacket(random.pick(ACCOUNTING_REQUESTS), random), (bytes) =>
        this.#accounting(bytes),
      );
    if (chance < 0.65) {
      const vector = random.pick(NAS_REPLIES);
      const mutant = mutatedPacket(vector.bytes, random, packetOf(vector.request.bytes).authenticator);
      return this.#told('reply', mutant, (bytes) => this.#reply(vector, bytes));
    }
    if (chance < 0.85) {
      const [queue, message] = random.pick(this.#messages);
      const body =
        random.next() < 0.9
          ? JSON.stringify(mutatedJson(message, random))
          : mutatedText(JSON.stringify(message), random);
      return this.#told('message', body, () => this.#message(queue, body));
    }
    const item =
      random.next() < 0.1
        ? random.pick(PAST_ITEMS)
        : { shape: SHAPE, ...(random.pick(this.#sessions) ?? random.pick(SESSIONS)) };
    return this.#told('item', mutatedJson(JSON.parse(JSON.stringify(item)), random) as object, (mutant) =>
      this.#item(mutant),
    );
  }

  #told<T extends Buffer | string | object>(kind: string, mutant: T, law: (mutant: T) => string): string {
    try {
      return `${kind}: ${law(mutant)}`;
    } catch (error) {
      const shown = Buffer.isBuffer(mutant)
        ? mutant.toString('hex')
        : typeof mutant === 'string'
          ? mutant
          : JSON.stringify(mutant);
      throw new Error(`mutant ${this.#count}, ${kind}: ${shown}`, { cause: error });
    }
  }

  #coa(datagram: Buffer): string {
    const nowMs = this.#nowMs;
    const checked = checkRequest(datagram, CLIENT, nowMs, 300);
    if (!checked.ok) return checked.reason;
    const { packet } = checked;
    roundTrip(packet);
    const accepted = {
      correlationId: `r${this.#count}`,
      receivedAtMs: nowMs,
      client: 'policy',
      patienceSeconds: 10,
      source: SOURCE,
      packet,
      group: requestGroup(packet),
    };
    const { body, group } = requestMessage('demo', accepted, 3);
    checkGroup(group);
    const message = readMessage(InboxMessage, body);
    this.#keep('inbox', message);
    if (message.kind !== 'request' || !Buffer.from(message.origin.packet, 'base64').equals(packet.bytes))
      throw new Error('the inbox has another packet');
    return this.#understand(packet, accepted.correlationId);
  }

  #understand(packet: Packet, correlationId: string, found?: { nas: string; acctSessionId: string }): string {
    const nowMs = this.#nowMs;
    const client = { name: 'policy', ...SOURCE };
    const context = {
      correlationId,
      queuedAtMs: nowMs,
      sequence: String(this.#count),
      answerByMs: nowMs + 10_000,
      relay: 'demo',
      client,
      catalogue: CATALOGUE,
      nases: NASES,
      found,
    };
    const understood = understandRequest(packet, context);
    if (!understood.ok) {
      answered(packet, 'nak', 406);
      return `refused, ${understood.refusal.errorCause}`;
    }
    const { request } = understood;
    if (request === undefined) {
      if (found !== undefined) throw new Error('a request is sought that was found');
      this.#understand(packet, correlationId, { nas: 'bng-1', acctSessionId: 's1' });
      return 'to be looked up';
    }
    const session = this.#random.next() < 0.3 ? undefined : this.#random.pick(this.#sessions);
    // Sessions are read by the key that the request names.
    const fitting =
      session === undefined
        ? request
        : { ...request, acctSessionId: session.acctSessionId, nas: session.nas };
    this.#happens(session, { kind: 'request', id: correlationId, request: fitting });
    return 'understood';
  }

  #accounting(datagram: Buffer): string {
    const nowMs = this.#nowMs;
    const checked = authenticateAccounting(datagram, FEED);
    if (!checked.ok) return checked.reason;
    const { packet } = checked;
    roundTrip(packet);
    const response = encodeAccountingResponse(packet, SECRET);
    // A Status-Server's answer is one to an Access- or Accounting-Request.
    if (!parsePacket(response).ok) throw new Error('the Accounting-Response is no packet');
    if (packet.code === CODE.StatusServer) return 'Status-Server';
    const reading = readAccountingRequest(packet, {
      receivedAtMs: nowMs,
      windowSeconds: 300,
      nases: ACCOUNTING_NASES,
    });
    if (!reading.ok) return `refused, ${reading.reason}`;
    const { record } = reading;
    const { nas } = record;
    if (nas === undefined || record.kind === 'other') return 'not for the cloud';
    const about = { relay: 'demo', feed: 'bng-1', correlationId: `a${this.#count}`, receivedAtMs: nowMs };
    const { body, group } = feedMessage({ ...record, nas }, about);
    checkGroup(group);
    const message = readMessage(FeedQueueMessage, body);
    this.#keep('feed', message);
    this.#feed(message);
    return 'taken';
  }

  #feed(message: ReturnType<typeof readMessage<typeof FeedQueueMessage>>): void {
    const session = this.#random.pick(this.#sessions);
    if (message.kind === 'restart') {
      const { correlationId: id, eventAtMs, terminateCause, scope } = message;
      this.#happens(session, {
        kind: 'nas-restart',
        id,
        eventAtMs,
        terminateCause,
        ...(scope !== undefined && { scope }),
      });
      return;
    }
    const { status, acctSessionId, service: accounted } = message;
    const nas = NASES.find(({ profile }) => profile.name === message.nas)?.profile;
    if (nas === undefined || acctSessionId === undefined || status === 'on' || status === 'off') return;
    const service = accounted && accountedService(accounted, CATALOGUE);
    const { eventAtMs, isStamped, receivedAtMs, identity, classes, sessionTimeSeconds, terminateCause } =
      message;
    const record = {
      kind: status,
      eventAtMs,
      isStamped,
      receivedAtMs,
      nas: session?.nas ?? nas,
      acctSessionId: session?.acctSessionId ?? acctSessionId,
      identity,
      classes,
      ...(sessionTimeSeconds !== undefined && { sessionTimeSeconds }),
      ...(terminateCause !== undefined && { terminateCause }),
      ...(service !== undefined && { service }),
    };
    this.#happens(session, { kind: 'record', id: message.correlationId, record });
  }

  #reply({ request }: ReplyVector, datagram: Buffer): string {
    const parsed = parsePacket(datagram);
    if (!parsed.ok) return parsed.reason;
    const { packet } = parsed;
    roundTrip(packet);
    const verified = verifyReply(packet, packetOf(request.bytes), SECRET);
    if (!verified.ok) return verified.reason;
    const outcome = outcomeOfReply(packet);
    const session = this.#random.pick(this.#sessions);
    const command: CommandMessage = {
      ...COMMAND,
      commandId: session?.transition?.commandId ?? COMMAND.commandId,
    };
    const { body, group } = outcomeMessage(command, outcome, this.#nowMs);
    checkGroup(group);
    const message = readMessage(OutcomeMessage, body);
    if (message.text !== outcome.text) throw new Error('the words of the NAS changed on the way');
    this.#keep('outcomes', message);
    const { result, errorCause } = outcome;
    this.#happens(session, {
      kind: 'outcome',
      id: `${command.commandId}/outcome`,
      commandId: command.commandId,
      result,
      ...(errorCause !== undefined && { errorCause }),
      ...(outcome.text !== undefined && { text: outcome.text }),
    });
    return result;
  }

  #message(queue: keyof typeof SCHEMAS, body: string): string {
    const schema = SCHEMAS[queue];
    let message: ReturnType<typeof readMessage<(typeof SCHEMAS)[keyof typeof SCHEMAS]>>;
    try {
      message = readMessage(schema, body);
    } catch (error) {
      if (error instanceof MalformedMessage) return 'malformed';
      throw error;
    }
    agree(readMessage(schema, writeMessage(message)), message);
    const { kind } = message;
    if (kind === 'reply')
      agree(
        readMessage(schema, writeMessage(replyFor(message))),
        message.origin.relay === undefined ? undefined : message,
      );
    else if (kind === 'request') {
      const parsed = parsePacket(Buffer.from(message.origin.packet, 'base64'));
      // decide leaves it to the dead letters.
      if (!parsed.ok) return 'no packet in it';
      const { code } = parsed.packet;
      if (code !== CODE.CoaRequest && code !== CODE.DisconnectRequest) return 'no request in it';
      this.#understand(parsed.packet, message.correlationId, message.session);
    } else if (kind === 'feed' || kind === 'restart') this.#feed(message);
    else if (kind === 'due')
      this.#happens(this.#random.pick(this.#sessions), { kind, id: `d${this.#count}` });
    else if (kind === 'resync')
      this.#happens(this.#random.pick(this.#sessions), { kind, id: `o${this.#count}`, to: message.to });
    return `read, ${kind}`;
  }

  #item(item: object): string {
    const image = imageOf(item);
    if (image === undefined) return 'not one of DynamoDB';
    let session: Session;
    try {
      session = sessionFromImage(image);
    } catch (error) {
      if (error instanceof UnreadableItem) return 'unreadable';
      throw error;
    }
    agree(upgrade({ shape: SHAPE, ...JSON.parse(JSON.stringify(session)) }, 'mutant'), session);
    const event = this.#random.pick<Event>([
      { kind: 'due', id: `d${this.#count}` },
      {
        kind: 'outcome',
        id: `o${this.#count}`,
        commandId: session.transition?.commandId ?? 'none',
        result: this.#random.pick(['ack', 'nak', 'timeout', 'interrupted']),
      },
      { kind: 'resync', id: `o${this.#count}`, to: this.#random.pick(['nas', 'table']) },
    ]);
    // Only decide writes items. One that it has not written may have what no attribute can: that is a RangeError.
    try {
      transition(session, event, this.#nowMs + this.#random.below(100_000));
    } catch (error) {
      if (error instanceof RangeError) return 'untellable';
      throw error;
    }
    return 'read';
  }

  /** Further mutants meet the session that it becomes. */
  #happens(session: Session | undefined, event: Event): void {
    const nowMs = this.#nowMs + this.#random.below(100_000);
    const { session: after, effects } = transition(session, event, nowMs);
    const next = after ?? session;
    for (const effect of effects) {
      if (next === undefined && effect.kind === 'command') throw new Error('a command of no session');
      const key = next === undefined ? { nas: 'bng-1', acctSessionId: 's1' } : keyOf(next);
      const { body, group } = messageOf(effect, key);
      // The relay makes correlation ids itself, of characters that SQS takes.
      if (/^[!-~]{1,100}$/.test(effect.correlationId)) checkGroup(group);
      const message = readMessage(OutboxMessage, writeMessage(body as object));
      if (message.kind === 'command') {
        const isDisconnect = message.operation === 'disconnect';
        const code = isDisconnect ? CODE.DisconnectRequest : CODE.CoaRequest;
        const attributes = Buffer.from(message.attributes, 'base64');
        for (const attribute of decodeAttributes(
          packetOf(signRequest({ code, identifier: 1, attributes }, SECRET)),
        ))
          if (!('name' in attribute)) throw new Error(`a command has ${describeAttribute(attribute)}`);
        continue;
      }
      const parsed = parsePacket(Buffer.from(message.origin.packet, 'base64'));
      // Sessions of the seeds have a word for a packet.
      if (parsed.ok) answered(parsed.packet, message.answer, message.errorCause);
    }
    if (after === undefined) return;
    const stored = { ...after, revision: after.revision + 1 };
    const image = marshall(
      { pk: 'SESSION#x', sk: STATE_SORT_KEY, shape: SHAPE, ...stored },
      { removeUndefinedValues: true },
    );
    const read = sessionFromImage(image);
    agree(read, JSON.parse(JSON.stringify(stored)));
    for (const { message } of accountingRecords(session, after)) {
      const attributes = Buffer.from(message.attributes, 'base64');
      packetOf(signRequest({ code: CODE.AccountingRequest, identifier: 1, attributes }, SECRET));
      this.#keep('accounting', readMessage(AccountingMessage, writeMessage(message)));
    }
    const [unmade] = unmadeRecords(session, after);
    if (unmade !== undefined)
      throw new Error(`a record cannot be made: ${JSON.stringify(unmade)} of ${JSON.stringify(session)}`);
    historyItem(session, after, nowMs);
    if (this.#sessions.length < SESSIONS_KEPT) this.#sessions.push(read);
    else this.#sessions[this.#random.below(SESSIONS_KEPT)] = read;
  }

  /** A message that mutants are made of. */
  #keep(queue: keyof typeof SCHEMAS, message: object): void {
    if (this.#messages.length < 200) this.#messages.push([queue, message]);
    else if (this.#random.next() < 0.01) this.#messages[20 + this.#random.below(180)] = [queue, message];
  }
}

const SCHEMAS = {
  inbox: InboxMessage,
  outcomes: OutcomeMessage,
  due: DueQueueMessage,
  outbox: OutboxMessage,
  accounting: AccountingMessage,
  feed: FeedQueueMessage,
} as const;
const QUEUE_OF: Readonly<Record<string, keyof typeof SCHEMAS>> = {
  request: 'inbox',
  outcome: 'outcomes',
  due: 'due',
  reply: 'outbox',
  command: 'outbox',
  accounting: 'accounting',
};
const SESSION_KEY = { nas: 'bng-1', acctSessionId: 's1' };
const RESTART = {
  version: MESSAGE_VERSION,
  kind: 'restart',
  correlationId: 'x',
  nas: 'bng-1',
  storedUnder: 'bng-1',
  eventAtMs: 1,
  terminateCause: 11,
  bucket: '3',
};
const COMMAND: CommandMessage = {
  version: MESSAGE_VERSION,
  kind: 'command',
  correlationId: 'r',
  commandId: 'none',
  session: SESSION_KEY,
  operation: 'activate',
  services: ['gold'],
  attributes: '',
  startBeforeMs: 1,
};

/** The item as DynamoDB has it; undefined where a number is none of its numbers. */
function imageOf(item: object): Image | undefined {
  try {
    const whole: Record<string, unknown> = { pk: 'SESSION#x', sk: STATE_SORT_KEY, ...item };
    return marshall(whole, { convertClassInstanceToMap: true });
  } catch (error) {
    if (error instanceof Error && /MAX_SAFE_INTEGER|Special numeric value/.test(error.message))
      return undefined;
    throw error;
  }
}

function agree(read: unknown, expected: unknown): void {
  if (expected !== undefined && !isDeepStrictEqual(read, expected))
    throw new Error(`not the same again: ${JSON.stringify(read)}\nexpected ${JSON.stringify(expected)}`);
}

/** What is decoded encodes, decodes to the same, and can be shown. */
function roundTrip({ attributes }: Packet): void {
  const list = decodeAttributes({ attributes });
  for (const attribute of list) describeAttribute(attribute);
  const octets = encodeAttributes(list);
  // Attributes of one Vendor-Specific become one each, which may be more than fits into a packet.
  if (octets.length > MAX_PACKET_OCTETS - 20) return;
  const again = decodeAttributes(
    packetOf(
      signRequest({ code: 43, identifier: 1, attributes: octets }, SECRET, { messageAuthenticator: false }),
    ),
  );
  if (!isDeepStrictEqual(again.map(plain), list.map(plain)))
    throw new Error(
      `decoded ${again.map(describeAttribute)} from what was encoded of ${list.map(describeAttribute)}`,
    );
}

/** Octets may be views of different buffers. */
const plain = (attribute: Attribute) => ({
  ...attribute,
  value:
    attribute.value instanceof Uint8Array ? Buffer.from(attribute.value).toString('hex') : attribute.value,
});

/** Every answer encodes, and its client takes it. */
function answered(request: Packet, answer: 'ack' | 'nak', errorCause?: number): void {
  const reply = packetOf(encodeReply(request, SECRET, answer, errorCause));
  const verified = verifyReply(reply, request, SECRET);
  if (!verified.ok) throw new Error(`the reply does not verify: ${verified.reason}`);
}

/** What SQS allows in a message group. */
function checkGroup(group: string): void {
  if (!/^[!-~]{1,128}$/.test(group))
    throw new Error(`SQS does not take the message group ${JSON.stringify(group)}`);
}
