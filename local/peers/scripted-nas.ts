// A NAS for demonstrations and tests: it carries out CoA-Requests and Disconnect-Requests, or does what its script says
// instead, and records each operation. Tests assert on this record which services a subscriber had, and when.
import type { DialectOptions } from '../../core/dialects/dialect.ts';
import type { DialectName } from '../../core/dialects/dialects.ts';
import type { Endpoint } from '../../core/endpoint.ts';
import { formatEndpoint } from '../../core/endpoint.ts';
import type { Identity } from '../../core/identity.ts';
import { ERROR_CAUSE } from '../../core/radius/attributes.ts';
import { type Secret, signReply } from '../../core/radius/authenticator.ts';
import { type Attribute, decodeAttributes, encodeAttributes, firstValue } from '../../core/radius/codec.ts';
import { CODE, type Packet } from '../../core/radius/packet.ts';
import type { RecordKind } from '../../core/requests/accounting-request.ts';
import { encodeReply } from '../../core/requests/reply.ts';
import type { Answer } from '../../core/subscriber/session.ts';
import { checkRequest } from '../../relay/radius/checks.ts';
import { udpTransport } from '../../relay/radius/udp.ts';
import { type NasAccountingOptions, startNasAccounting, type TerminateCause } from './nas-accounting.ts';
import { type NasOperation, type NasReading, readAsNas, readDisconnectAsNas } from './nas-dialects.ts';

/** One operation of a CoA-Request, or a Disconnect-Request, and the reply of the NAS. */
export interface NasRecord extends NasOperation, Answer {
  readonly atMs: number;
  readonly acctSessionId: string;
  /** The services of the subscriber session after it, in the order of activation. */
  readonly services: readonly string[];
}

/** A CoA-Request or Disconnect-Request, received for the first time or repeated. */
export interface NasRequest {
  readonly acctSessionId: string | undefined;
  readonly operations: readonly NasOperation[];
  readonly attributes: readonly Attribute[];
  /** 1 for the first time that it is received. */
  readonly attempt: number;
}

/**
 * What the NAS does with a request. It carries out a repeated request once: for a repeat it sends the stored reply,
 * unless the move loses the request or the reply.
 */
export type NasMove =
  /** Carries it out, or refuses what it cannot, and replies. */
  | 'ack'
  /** The same, with words beside a CoA-ACK. */
  | { readonly ack: NasText }
  /** Replies with CoA-NAK, with this Error-Cause if any, and says why in words. */
  | { readonly nak: number | undefined; readonly text?: NasText }
  /** The request is lost: it is not carried out and not recorded. */
  | 'lose-request'
  /** The request is carried out, and the reply is lost. */
  | 'lose-reply'
  /** The request is carried out, and the reply has a wrong authenticator. */
  | 'wrong-authenticator'
  /** The request is carried out, and the reply is sent twice. */
  | 'duplicate';

/** Why a NAS refuses something, in words: JunosE and Junos OS use Action-Reason, others Reply-Message. */
export type NasText = Attribute | readonly Attribute[];

/** A CoA-NAK: its Error-Cause, which a NAS may leave out (RFC 5176 section 3.5), and its reason in words. */
export interface NasRefusal {
  readonly errorCause?: number;
  readonly text?: NasText;
}

/** What the NAS knows of a subscriber session from its log-in. */
export interface LogIn {
  /** A request that names the session with another value of one of these is refused with 503. */
  readonly identity?: Identity;
  /** The services that the Access-Accept gave it, in the NAS's spelling. */
  readonly services?: readonly string[];
}

/** A record of a session that another program has sent in the name of the NAS. */
export interface ElsewhereRecord {
  readonly status: RecordKind;
  /** Absent for `on` and `off`. */
  readonly acctSessionId?: string;
}

/** The NAS does nothing before the promise resolves; repeats in the meantime are dropped. */
export type NasScript = (request: NasRequest) => NasMove | Promise<NasMove>;

export interface ScriptedNasOptions {
  /** Port 0 takes a free one. */
  readonly address: Endpoint;
  readonly secrets: readonly Secret[];
  /** @default erx */
  readonly dialect?: DialectName;
  /** As `nases[].options` of the site file. @default {} */
  readonly dialectOptions?: DialectOptions;
  /** @default every request is carried out and answered */
  readonly script?: NasScript;
  /** Whether a request about a session that did not log in is refused with 503. @default such a session has no services */
  readonly onlyLoggedIn?: boolean;
  /** How it refuses to activate a service that is there. @default it is acknowledged, and nothing changes */
  readonly whenThere?: NasRefusal;
  /** How it refuses to deactivate a service that is not there. @default 503 */
  readonly whenNotThere?: NasRefusal;
  /**
   * Services of which a session has one at most, by name without parameters: a request that would leave two side by side
   * is refused with 506.
   */
  readonly exclusive?: readonly (readonly string[])[];
  /** Where it accounts the services that it is told to account, and its sessions. @default it accounts nothing */
  readonly accounting?: NasAccountingOptions | undefined;
  /** Milliseconds since 1970-01-01 UTC. An Event-Timestamp must be within 300 s of it. */
  readonly now: () => number;
  readonly onRecord?: (entry: NasRecord) => void;
}

export interface ScriptedNas {
  readonly address: Endpoint;
  /** The latest 10,000 operations, oldest first. A request that cannot be read is refused and not recorded. */
  readonly record: readonly NasRecord[];
  /** The services of a subscriber session, in the order of activation. */
  services(acctSessionId: string): readonly string[];
  /** A subscriber session begins. */
  logIn(acctSessionId: string, session?: LogIn): void;
  /** A subscriber session ends, with its services. @param cause of their records; User-Request unless given */
  logOff(acctSessionId: string, cause?: TerminateCause): void;
  /** All subscriber sessions end, and it forgets the requests that it has received. */
  reboot(): void;
  /**
   * A record was sent in its name, such as with radclient: the session has begun or ended, or with Accounting-On and -Off all
   * have. What has logged in at the NAS itself stays as it is.
   */
  accountedElsewhere(record: ElsewhereRecord): void;
  /** A service ends by itself, such as by its Service-Timeout. */
  end(acctSessionId: string, service: string): void;
  /** Forgets the requests that it has received, but not the services. */
  restart(): void;
  stop(): Promise<void>;
}

/** A request that was received. One with the same source and Identifier but another authenticator replaces it. */
interface Exchange {
  readonly authenticator: string;
  attempts: number;
  isUnderWay: boolean;
  answer?: Uint8Array;
}

/** RFC 5176 section 6.3. */
const EVENT_TIMESTAMP_WINDOW_SECONDS = 300;
const EXCHANGES_KEPT = 4096;
const RECORD_KEPT = 10_000;

/** Starts a NAS. Rejects with the system's error, such as EADDRINUSE. */
export async function startScriptedNas(options: ScriptedNasOptions): Promise<ScriptedNas> {
  const {
    address,
    secrets,
    dialect = 'erx',
    dialectOptions = {},
    script = () => 'ack',
    now,
    onRecord = () => {},
  } = options;
  const { onlyLoggedIn = false, whenThere, exclusive = [] } = options;
  const whenNotThere = options.whenNotThere ?? { errorCause: ERROR_CAUSE['Session-Context-Not-Found'] };
  const relay = {
    name: 'relay',
    sources: [],
    secrets,
    requireMessageAuthenticator: false,
    requireEventTimestamp: false,
  };
  const record: NasRecord[] = [];
  const sessions = new Map<string, readonly string[]>();
  const identities = new Map<string, Identity>();
  /** Sessions that have begun by a record from elsewhere. */
  const begunElsewhere = new Set<string>();
  const exchanges = new Map<string, Exchange>();
  const services = (acctSessionId: string | undefined) => sessions.get(acctSessionId ?? '') ?? [];
  const accounting = options.accounting && startNasAccounting(options.accounting, now);
  const ended = (acctSessionId: string, names: readonly string[], cause: TerminateCause) => {
    for (const service of names) accounting?.ended(acctSessionId, service, cause);
  };
  const forget = (acctSessionId: string) => {
    begunElsewhere.delete(acctSessionId);
    identities.delete(acctSessionId);
    sessions.delete(acctSessionId);
  };

  const socket = await udpTransport.bind(address, {
    onPacket: (datagram, source) => void receive(datagram, source),
    onError: () => {},
  });
  return {
    address: socket.local,
    record,
    services,
    logIn(acctSessionId, { identity = {}, services = [] } = {}) {
      identities.set(acctSessionId, identity);
      sessions.set(acctSessionId, services);
      accounting?.loggedIn(acctSessionId, identity, services);
    },
    logOff,
    reboot() {
      for (const known of [identities, sessions, exchanges, begunElsewhere]) known.clear();
      accounting?.rebooted();
    },
    accountedElsewhere({ status, acctSessionId }) {
      const all = [...sessions.keys(), ...begunElsewhere];
      const those = (acctSessionId === undefined ? all : [acctSessionId]).filter((id) => !identities.has(id));
      for (const id of those) {
        if (status === 'start' || status === 'interim') begunElsewhere.add(id);
        else if (status !== 'other') forget(id);
      }
    },
    end(acctSessionId, service) {
      ended(acctSessionId, [service], 'NAS-Request');
      sessions.set(
        acctSessionId,
        services(acctSessionId).filter((other) => other !== service),
      );
    },
    restart: () => exchanges.clear(),
    async stop() {
      exchanges.clear();
      await Promise.all([socket.close(), accounting?.stop()]);
    },
  };

  function logOff(acctSessionId: string, cause: TerminateCause = 'User-Request'): void {
    ended(acctSessionId, services(acctSessionId), cause);
    accounting?.loggedOff(acctSessionId, cause);
    forget(acctSessionId);
  }

  async function receive(datagram: Uint8Array, source: Endpoint): Promise<void> {
    const request = checkRequest(datagram, relay, now(), EVENT_TIMESTAMP_WINDOW_SECONDS);
    if (!request.ok) return;
    const { packet, secret } = request;
    const key = `${formatEndpoint(source)} ${packet.identifier}`;
    const exchange = exchangeOf(key, packet);
    // RFC 5080 section 2.2.2: a repeat of a request in progress is dropped.
    if (exchange.isUnderWay) return;
    exchange.isUnderWay = true;
    exchange.attempts += 1;
    const attributes = decodeAttributes(packet);
    const acctSessionId = firstValue(attributes, 'Acct-Session-Id');
    const reading = read(packet, attributes, services(acctSessionId));
    const operations = reading.ok ? reading.operations : [];
    const move = await script({ acctSessionId, operations, attributes, attempt: exchange.attempts });
    exchange.isUnderWay = false;
    // The NAS may have been restarted since.
    if (move === 'lose-request' || exchanges.get(key) !== exchange) return;
    if (exchange.answer === undefined) {
      const { text, ...answer } = carryOut(packet, attributes, move);
      exchange.answer = replyOf(packet, secret, answer, text);
    }
    // A reply that cannot be sent counts as lost: the relay retransmits.
    for (const answer of sent(exchange.answer, move)) socket.send(answer, source).catch(() => {});
  }

  function exchangeOf(key: string, packet: Packet): Exchange {
    const authenticator = Buffer.from(packet.authenticator).toString('latin1');
    const known = exchanges.get(key);
    if (known?.authenticator === authenticator) return known;
    const exchange: Exchange = { authenticator, attempts: 0, isUnderWay: false };
    exchanges.delete(key);
    exchanges.set(key, exchange);
    const [oldest] = exchanges.keys();
    if (exchanges.size > EXCHANGES_KEPT && oldest !== undefined) exchanges.delete(oldest);
    return exchange;
  }

  function read({ code }: Packet, attributes: readonly Attribute[], services: readonly string[]): NasReading {
    if (code === CODE.DisconnectRequest) return readDisconnectAsNas(attributes);
    return readAsNas(dialect, attributes, services, dialectOptions);
  }

  /** Carries out all of a request or nothing of it (RFC 5176 section 2.3). */
  function carryOut(
    packet: Packet,
    attributes: readonly Attribute[],
    move: NasMove,
  ): Answer & { readonly text?: NasText } {
    const acctSessionId = firstValue(attributes, 'Acct-Session-Id');
    const before = services(acctSessionId);
    const reading = read(packet, attributes, before);
    if (acctSessionId === undefined) return nak(ERROR_CAUSE['Missing-Attribute']);
    if (!reading.ok) return nak(reading.errorCause);
    const refusal =
      typeof move === 'object' && 'nak' in move
        ? refusalOfMove(move)
        : refusalOf(acctSessionId, attributes, reading.operations);
    const answer: Answer = refusal === undefined ? { answer: 'ack' } : nak(refusal.errorCause);
    let after = before;
    for (const operation of reading.operations) {
      if (answer.answer === 'ack') after = changed(after, operation);
      const entry = { atMs: now(), acctSessionId, ...operation, services: after, ...answer };
      if (answer.answer === 'ack')
        accounting?.carriedOut(acctSessionId, operation, known(acctSessionId, attributes));
      record.push(entry);
      if (record.length > RECORD_KEPT) record.shift();
      onRecord(entry);
    }
    const isDisconnected = packet.code === CODE.DisconnectRequest && answer.answer === 'ack';
    if (isDisconnected) logOff(acctSessionId, 'Admin-Reset');
    else if (after.length === 0) sessions.delete(acctSessionId);
    else sessions.set(acctSessionId, after);
    const text =
      refusal === undefined && typeof move === 'object' && 'ack' in move ? move.ack : refusal?.text;
    return { ...answer, ...(text && { text }) };
  }

  /** What identifies the subscriber: the log-in, or else the request. */
  function known(acctSessionId: string, attributes: readonly Attribute[]): Identity {
    const userName = firstValue(attributes, 'User-Name');
    return { ...(userName !== undefined && { 'User-Name': userName }), ...identities.get(acctSessionId) };
  }

  /** Why it does not carry a request out; undefined when it does. */
  function refusalOf(
    acctSessionId: string,
    attributes: readonly Attribute[],
    operations: readonly NasOperation[],
  ): NasRefusal | undefined {
    const identity = identities.get(acctSessionId);
    const isStranger = Object.entries(identity ?? {}).some(([name, value]) =>
      attributes.some((told) => 'name' in told && told.name === name && told.value !== value),
    );
    if (isStranger || (onlyLoggedIn && identity === undefined)) {
      return { errorCause: ERROR_CAUSE['Session-Context-Not-Found'] };
    }
    let after = services(acctSessionId);
    const before = after;
    const isThere = identity !== undefined || before.length > 0 || begunElsewhere.has(acctSessionId);
    if (operations.some(({ operation }) => operation === 'disconnect') && !isThere) {
      return { errorCause: ERROR_CAUSE['Session-Context-Not-Found'] };
    }
    for (const operation of operations) {
      const isThere = before.includes(operation.service);
      if (operation.operation === 'deactivate' && !isThere) return whenNotThere;
      if (operation.operation === 'activate' && isThere && whenThere !== undefined) return whenThere;
      after = changed(after, operation);
    }
    const names = after.map((service) => service.replace(/\s*\(.*$/, ''));
    const areSideBySide = exclusive.some((group) => names.filter((name) => group.includes(name)).length > 1);
    return areSideBySide ? { errorCause: ERROR_CAUSE['Resources-Unavailable'] } : undefined;
  }
}

const refusalOfMove = ({ nak, text }: Extract<NasMove, { readonly nak: unknown }>): NasRefusal => ({
  ...(nak !== undefined && { errorCause: nak }),
  ...(text !== undefined && { text }),
});

/** The octets of a reply, with what the NAS says in words. */
function replyOf(packet: Packet, secret: Secret, { answer, errorCause }: Answer, text?: NasText): Uint8Array {
  if (text === undefined) return encodeReply(packet, secret, answer, errorCause);
  const cause = errorCause === undefined ? [] : [{ name: 'Error-Cause', value: errorCause } as const];
  const isDisconnect = packet.code === CODE.DisconnectRequest;
  const [ack, nak] = isDisconnect ? [CODE.DisconnectAck, CODE.DisconnectNak] : [CODE.CoaAck, CODE.CoaNak];
  const code = answer === 'ack' ? ack : nak;
  return signReply(packet, { code, attributes: encodeAttributes([...cause, ...[text].flat()]) }, secret);
}

const nak = (errorCause: number | undefined): Answer => ({
  answer: 'nak',
  ...(errorCause !== undefined && { errorCause }),
});

function changed(services: readonly string[], { operation, service }: NasOperation): readonly string[] {
  if (operation === 'disconnect') return [];
  if (operation === 'deactivate') return services.filter((other) => other !== service);
  return services.includes(service) ? services : [...services, service];
}

/** The datagrams that are sent for a reply. */
function sent(answer: Uint8Array, move: NasMove): readonly Uint8Array[] {
  switch (move) {
    case 'lose-reply':
      return [];
    case 'wrong-authenticator':
      return [answer.with(FIRST_AUTHENTICATOR_OCTET, ~(answer[FIRST_AUTHENTICATOR_OCTET] ?? 0))];
    case 'duplicate':
      return [answer, answer];
    default:
      return [answer];
  }
}

const FIRST_AUTHENTICATOR_OCTET = 4;
