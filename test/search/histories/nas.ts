// A NAS on the network in memory. It does what CoA-Requests say, as a whole or not at all, and knows nothing of us. Its
// subscribers have logged in: it knows their names, and they may have services of which nobody but the NAS knows.
import type { DialectOptions } from '../../../core/dialects/dialect.ts';
import type { DialectName } from '../../../core/dialects/dialects.ts';
import { formatEndpoint } from '../../../core/endpoint.ts';
import { ERROR_CAUSE, TERMINATE_CAUSE } from '../../../core/radius/attributes.ts';
import { verifyRequest } from '../../../core/radius/authenticator.ts';
import { type Attribute, decodeAttributes, firstValue } from '../../../core/radius/codec.ts';
import { encodeReply } from '../../../core/requests/reply.ts';
import { nameOf } from '../../../core/services/activation.ts';
import { readAsNas } from '../../../local/peers/nas-dialects.ts';
import type { MemoryNetwork } from '../../relay/memory-network.ts';
import { packetOf } from '../../relay/support.ts';
import { areExclusive, canonical, HOSTS, type NasManners, SECRET } from './deployment.ts';
import type { NasRecords } from './nas-records.ts';

export interface NasScript {
  /** The Error-Cause with which it refuses what it could carry out; undefined when it does not. */
  readonly refusal: () => number | undefined;
  /** Where it accounts: sends its records. */
  readonly records?: NasRecords;
  /** Hears of each request that was carried out or refused. */
  readonly onTold: (acctSessionId: string, answer: string) => void;
}

interface ChangeDetails {
  /** Of what begins, milliseconds since 1970-01-01 UTC. @default now */
  readonly beganAtMs?: number;
  readonly cause?: keyof typeof TERMINATE_CAUSE;
  readonly unaccounted?: readonly string[];
}

/** A subscriber who has logged in. */
interface Online {
  readonly userName: string;
  /** As they were spelled when they were activated. */
  readonly services: readonly string[];
  /** Milliseconds since 1970-01-01 UTC. */
  readonly beganAtMs: number;
  /** By service, those that it accounts: the Acct-Session-Id of each, and when it began. */
  readonly accounts: ReadonlyMap<string, Account>;
}

interface Account {
  readonly id: string;
  readonly beganAtMs: number;
}

export class Nas {
  readonly #dialect: DialectName;
  readonly #manners: NasManners;
  readonly #options: DialectOptions;
  /** By Acct-Session-Id. */
  readonly #online = new Map<string, Online>();
  /** The ids of the services, and the sessions with their beginnings, of which it has sent a record. */
  readonly #announced = new Set<string>();
  #records: NasRecords | undefined;
  #accounts = 0;
  #isUp = true;
  /** By source, Identifier and authenticator: a repeat gets the same reply (RFC 5080 section 2.2.2). */
  readonly #replies = new Map<string, Uint8Array>();

  readonly #now: () => number;

  /** @param now milliseconds since 1970-01-01 UTC */
  constructor(dialect: DialectName, manners: NasManners, options: DialectOptions, now: () => number) {
    this.#now = now;
    this.#options = options;
    this.#dialect = dialect;
    this.#manners = manners;
  }

  logIn(
    acctSessionId: string,
    { userName, services, beganAtMs }: Pick<Online, 'userName' | 'services' | 'beganAtMs'>,
  ): void {
    this.#online.set(acctSessionId, { userName, services: [], beganAtMs, accounts: new Map() });
    this.#account('Start', acctSessionId);
    this.#change(acctSessionId, () => services, { beganAtMs });
  }

  /** Accounts the beginning of a session that began before it had somewhere to send its records. */
  announce(acctSessionId: string): void {
    this.#account('Start', acctSessionId);
    for (const service of this.accounted(acctSessionId)) this.#account('Start', acctSessionId, { service });
  }

  logOff(acctSessionId: string): void {
    this.#change(acctSessionId, () => [], { cause: 'User-Request' });
    this.#account('Stop', acctSessionId, { cause: 'User-Request' });
    this.#online.delete(acctSessionId);
  }

  /** A service ends without a request, as a timed one does. */
  end(acctSessionId: string, service: string): void {
    const cause = 'Session-Timeout';
    this.#change(acctSessionId, (services) => services.filter((one) => one !== service), { cause });
  }

  /** Sends Interim-Updates for a session and its services. */
  update(acctSessionId: string): void {
    this.#account('Interim-Update', acctSessionId);
    for (const service of this.accounted(acctSessionId))
      this.#account('Interim-Update', acctSessionId, { service });
  }

  /** All sessions end, and what it had to send is forgotten. It answers nothing until `restart`. */
  goDown(): void {
    this.#isUp = false;
    this.#records?.forget();
    this.#online.clear();
  }

  restart(): void {
    this.#isUp = true;
    this.#records?.send('Accounting-On', [], '');
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** When a session began, milliseconds since 1970-01-01 UTC; undefined when there is none. */
  beganAtMs(acctSessionId: string): number | undefined {
    return this.#online.get(acctSessionId)?.beganAtMs;
  }

  /** Whether it has sent a record of the session that it has now. */
  isAnnounced(acctSessionId: string): boolean {
    return this.#announced.has(`${acctSessionId} ${this.beganAtMs(acctSessionId)}`);
  }

  /** Services of a session of which it has sent a record. */
  announced(acctSessionId: string): readonly string[] {
    const accounts = [...(this.#online.get(acctSessionId)?.accounts ?? [])];
    return accounts.flatMap(([service, { id }]) => (this.#announced.has(id) ? [service] : []));
  }

  /** The services of a session that the NAS accounts. */
  accounted(acctSessionId: string): readonly string[] {
    return [...(this.#online.get(acctSessionId)?.accounts.keys() ?? [])];
  }

  listen(network: MemoryNetwork, script: NasScript): void {
    this.#records = script.records;
    const send = network.listen(HOSTS.nas, (datagram, source) => {
      if (!this.#isUp) return;
      const key = `${formatEndpoint(source)} ${Buffer.from(datagram.subarray(1, 20)).toString('latin1')}`;
      const reply = this.#replies.get(key) ?? this.#answer(datagram, script);
      this.#replies.set(key, reply);
      send(reply, source);
    });
  }

  /** What a subscriber session has. */
  services(acctSessionId: string): readonly string[] {
    return this.#online.get(acctSessionId)?.services ?? [];
  }

  /** `unaccounted`: services for which accounting was not asked for. */
  #change(
    acctSessionId: string,
    change: (services: readonly string[]) => readonly string[],
    { beganAtMs = this.#now(), cause = 'NAS-Request', unaccounted = [] }: ChangeDetails = {},
  ): void {
    const subscriber = this.#online.get(acctSessionId);
    if (subscriber === undefined) return;
    const services = change(subscriber.services);
    for (const service of subscriber.accounts.keys())
      if (!services.includes(service)) this.#account('Stop', acctSessionId, { service, cause });
    const begun = services.filter(
      (one) => this.#manners.accountsServices && !subscriber.accounts.has(one) && !unaccounted.includes(one),
    );
    const accounts = new Map([
      ...[...subscriber.accounts].filter(([service]) => services.includes(service)),
      ...begun.map((service) => {
        const account: Account = { id: this.#accountId(acctSessionId), beganAtMs };
        return [service, account] as const;
      }),
    ]);
    this.#online.set(acctSessionId, { ...subscriber, services, accounts });
    for (const service of begun) this.#account('Start', acctSessionId, { service });
  }

  #accountId(acctSessionId: string): string {
    const number = ++this.#accounts;
    return this.#dialect === 'erx' ? `${acctSessionId}:${number}` : `service-${number}`;
  }

  /** Sends a record of a session, or of a service of it. */
  #account(
    status: 'Start' | 'Stop' | 'Interim-Update',
    acctSessionId: string,
    { service, cause }: Pick<ChangeDetails, 'cause'> & { readonly service?: string } = {},
  ): void {
    const subscriber = this.#online.get(acctSessionId);
    const account = service === undefined ? undefined : subscriber?.accounts.get(service);
    if (subscriber === undefined || (service !== undefined && account === undefined)) return;
    if (this.#records !== undefined)
      this.#announced.add(account?.id ?? `${acctSessionId} ${subscriber.beganAtMs}`);
    const { beganAtMs } = account ?? subscriber;
    const seconds = Math.max(0, Math.floor(this.#now() / 1000) - Math.floor(beganAtMs / 1000));
    const attributes: readonly Attribute[] = [
      { name: 'Acct-Session-Id', value: account?.id ?? acctSessionId },
      { name: 'User-Name', value: subscriber.userName },
      ...(account && service !== undefined ? this.#serviceAttributes(acctSessionId, service) : []),
      ...(status === 'Start' ? [] : [{ name: 'Acct-Session-Time', value: seconds } as const]),
      ...(status === 'Stop' && cause !== undefined
        ? [{ name: 'Acct-Terminate-Cause', value: TERMINATE_CAUSE[cause] } as const]
        : []),
    ];
    this.#records?.send(status, attributes, [account?.id ?? acctSessionId, service ?? ''].join(' ').trim());
  }

  #serviceAttributes(acctSessionId: string, service: string): readonly Attribute[] {
    if (this.#dialect === 'erx') return [{ name: 'ERX-Service-Session', value: service }];
    return [
      { name: 'Cisco-AVPair', value: `parent-session-id=${acctSessionId}` },
      { name: 'Cisco-AVPair', value: `servicename=${service}` },
    ];
  }

  #answer(datagram: Uint8Array, { refusal, onTold }: NasScript): Uint8Array {
    const request = packetOf(datagram);
    const verified = verifyRequest(request, SECRET.nas, { requireMessageAuthenticator: true });
    if (!verified.ok) throw new Error(`the NAS discards a request: ${verified.reason}`);
    const attributes = decodeAttributes(request);
    const acctSessionId = firstValue(attributes, 'Acct-Session-Id');
    const errorCause = refusal() ?? this.#carryOut(acctSessionId, attributes);
    onTold(acctSessionId ?? '', errorCause === undefined ? 'CoA-ACK' : `CoA-NAK ${errorCause}`);
    return encodeReply(request, SECRET.nas, errorCause === undefined ? 'ack' : 'nak', errorCause);
  }

  /** The Error-Cause when nothing was done: RFC 5176 section 2.3, all of it or nothing. */
  #carryOut(
    acctSessionId: string | undefined,
    attributes: ReturnType<typeof decodeAttributes>,
  ): number | undefined {
    if (acctSessionId === undefined) return ERROR_CAUSE['Missing-Attribute'];
    const subscriber = this.#online.get(acctSessionId);
    const userName = firstValue(attributes, 'User-Name') ?? subscriber?.userName;
    if (subscriber === undefined || userName !== subscriber.userName) {
      return ERROR_CAUSE['Session-Context-Not-Found'];
    }
    const reading = readAsNas(this.#dialect, attributes, subscriber.services, this.#options);
    if (!reading.ok) return reading.errorCause;
    const named = (operation: 'activate' | 'deactivate') =>
      reading.operations.filter((one) => one.operation === operation).map(({ service }) => service);
    let left = subscriber.services;
    for (const service of named('deactivate')) {
      const kept = left.filter((one) => !this.#isMeant(one, service));
      if (kept.length === left.length) return ERROR_CAUSE['Session-Context-Not-Found'];
      left = kept;
    }
    const comes = named('activate');
    const { isStrict, refusesCoexistence } = this.#manners;
    const isRefused = comes.some(
      (one) =>
        (isStrict && left.includes(one)) ||
        (refusesCoexistence && left.some((other) => one !== other && areExclusive(one, other))),
    );
    if (isRefused) return ERROR_CAUSE['Administratively-Prohibited'];
    const unaccounted = reading.operations.flatMap(({ service, thresholds }) =>
      thresholds?.['ERX-Service-Statistics'] === 0 ? [service] : [],
    );
    this.#change(acctSessionId, () => [...new Set([...left, ...comes])], { unaccounted });
    return undefined;
  }

  #isMeant(service: string, name: string): boolean {
    if (canonical(service) === canonical(name)) return true;
    return this.#manners.knowsBareNames === true && nameOf(canonical(service)) === canonical(name);
  }
}
