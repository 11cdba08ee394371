// How a NAS accounts: it sends Acct-Start and Acct-Stop of each service that it was told to account, as JunosE does
// ("Understanding RADIUS Accounting for Service Manager"); if asked, also of its sessions and of the services that they have
// from log-in, and Accounting-On when it has rebooted (RFC 2866 section 5.1).
import type { Endpoint } from '../../core/endpoint.ts';
import { formatEndpoint } from '../../core/endpoint.ts';
import type { Identity, NasIdentity } from '../../core/identity.ts';
import { ACCT_STATUS_TYPE, TERMINATE_CAUSE } from '../../core/radius/attributes.ts';
import type { Secret } from '../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';
import { systemClock } from '../../relay/clock.ts';
import { type ExchangePolicy, RadiusClient } from '../../relay/radius/client.ts';
import { udpTransport } from '../../relay/radius/udp.ts';
import type { NasOperation } from './nas-dialects.ts';

/** Why a session or a service ends (RFC 2866 section 5.10). */
export type TerminateCause = keyof typeof TERMINATE_CAUSE;

/** An accounting server, as a NAS knows it. */
export type NasAccountingServer = Endpoint & { readonly secret: Secret };

/** Where a NAS sends its records, and what it calls itself in them. */
export interface NasAccountingOptions {
  /** @default none */
  readonly server?: NasAccountingServer | undefined;
  /** A relay that gets every record, too. Asked for each record, since a relay may start after its NASes. @default none */
  readonly relay?: (() => NasAccountingServer | undefined) | undefined;
  readonly identity: NasIdentity;
  /** Whether it accounts its sessions and their services from log-in. @default only what it is told to account */
  readonly accountsSessions?: boolean;
}

export interface NasAccounting {
  /** An operation was carried out for a subscriber who is known by `identity`. */
  carriedOut(acctSessionId: string, operation: NasOperation, identity: Identity): void;
  /** A service has ended. */
  ended(acctSessionId: string, service: string, cause: TerminateCause): void;
  /** A session has begun, with these services from log-in. */
  loggedIn(acctSessionId: string, identity: Identity, services: readonly string[]): void;
  /** A session has ended, after its services. */
  loggedOff(acctSessionId: string, cause: TerminateCause): void;
  /** The NAS has rebooted: it knows of no session, and sends Accounting-On. */
  rebooted(): void;
  /** Gives up what the server has not answered. */
  stop(): Promise<void>;
}

/** An Acct-Start without its Acct-Stop. */
interface Account {
  readonly acctSessionId: string;
  readonly startedAtMs: number;
  readonly subscriber: readonly Attribute[];
  /** Absent for a session. */
  readonly service?: string;
}

/** RFC 5080 section 2.2.1, for at most a minute: it is a stand-in. */
const POLICY: ExchangePolicy = {
  irtMs: 2_000,
  mrtMs: 16_000,
  mrc: 0,
  mrdMs: 60_000,
  endsWhenUnreachable: false,
};

/** `now`: milliseconds since 1970-01-01 UTC. */
export function startNasAccounting(
  { server, relay, identity: nas, accountsSessions = false }: NasAccountingOptions,
  now: () => number,
): NasAccounting {
  const client = new RadiusClient({
    transport: udpTransport,
    clock: systemClock,
    random: Math.random,
    onIgnored: () => {},
  });
  const terms = {
    messageAuthenticator: false,
    requireMessageAuthenticator: false,
    zeroAuthenticatorReplies: true,
  };
  const stopping = new AbortController();
  /** By session, or by session and service. */
  const accounts = new Map<string, Account>();
  let count = 0;
  /** The latest exchange with each server: a record goes to it when the one before is answered. */
  const latest = new Map<string, Promise<unknown>>();

  const send = (status: keyof typeof ACCT_STATUS_TYPE, attributes: readonly Attribute[]) => {
    const request = {
      code: CODE.AccountingRequest,
      attributes: encodeAttributes([
        { name: 'Acct-Status-Type', value: ACCT_STATUS_TYPE[status] },
        { name: 'Event-Timestamp', value: Math.floor(now() / 1000) },
        ...attributes,
      ]),
    };
    for (const peer of [server, relay?.()]) {
      if (peer === undefined) continue;
      const name = formatEndpoint(peer);
      const before = latest.get(name) ?? Promise.resolve();
      const exchange = () => client.exchange(request, { ...peer, ...terms }, POLICY, stopping.signal);
      latest.set(name, before.then(exchange));
    }
  };
  const record = (
    status: 'Start' | 'Stop',
    { acctSessionId, subscriber, service }: Account,
    more: readonly Attribute[] = [],
  ) =>
    send(status, [
      { name: 'Acct-Session-Id', value: acctSessionId },
      ...subscriber,
      ...(service === undefined ? [] : [{ name: 'ERX-Service-Session', value: service } as const]),
      ...more,
    ]);
  const begin = (key: string, account: Omit<Account, 'startedAtMs'>) => {
    const begun = { ...account, startedAtMs: now() };
    accounts.set(key, begun);
    record('Start', begun);
  };
  const beginService = (sessionId: string, service: string, identity: Identity) =>
    begin(keyOf(sessionId, service), {
      acctSessionId: `${sessionId}:${String(++count).padStart(6, '0')}`,
      subscriber: [...attributesOf(identity), ...attributesOf(nas)],
      service,
    });
  const finish = (key: string, cause: TerminateCause) => {
    const open = accounts.get(key);
    if (open === undefined) return;
    accounts.delete(key);
    record('Stop', open, [
      { name: 'Acct-Session-Time', value: Math.floor((now() - open.startedAtMs) / 1000) },
      { name: 'Acct-Terminate-Cause', value: TERMINATE_CAUSE[cause] },
    ]);
  };

  return {
    carriedOut(acctSessionId, { operation, service, thresholds }, identity) {
      const statistics = thresholds?.['ERX-Service-Statistics'];
      const isOpen = accounts.has(keyOf(acctSessionId, service));
      if (operation === 'deactivate' || statistics === 0) {
        finish(keyOf(acctSessionId, service), 'NAS-Request');
      } else if (operation === 'activate' && !isOpen && (statistics ?? 0) > 0) {
        beginService(acctSessionId, service, identity);
      }
    },
    ended: (acctSessionId, service, cause) => finish(keyOf(acctSessionId, service), cause),
    loggedIn(acctSessionId, identity, services) {
      if (!accountsSessions) return;
      begin(keyOf(acctSessionId), {
        acctSessionId,
        subscriber: [...attributesOf(identity), ...attributesOf(nas)],
      });
      for (const service of services) beginService(acctSessionId, service, identity);
    },
    loggedOff: (acctSessionId, cause) => finish(keyOf(acctSessionId), cause),
    rebooted() {
      accounts.clear();
      if (accountsSessions) send('Accounting-On', attributesOf(nas));
    },
    async stop() {
      stopping.abort();
      await Promise.all(latest.values());
      await client.close();
    },
  };
}

const keyOf = (acctSessionId: string, service?: string) => JSON.stringify([acctSessionId, service]);

/** Without the one that is octets, which no stand-in needs. */
function attributesOf(identity: Identity | NasIdentity): readonly Attribute[] {
  return Object.entries(identity)
    .filter(([name]) => name !== 'Chargeable-User-Identity')
    .map(([name, value]) => ({ name, value }) as Attribute);
}
