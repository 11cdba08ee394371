// How a NAS accounts services: it sends Acct-Start and Acct-Stop of each service that it was told to account, as JunosE does
// ("Understanding RADIUS Accounting for Service Manager").
import type { Endpoint } from '../../core/endpoint.ts';
import type { Identity, NasIdentity } from '../../core/identity.ts';
import { ACCT_STATUS_TYPE, TERMINATE_CAUSE } from '../../core/radius/attributes.ts';
import type { Secret } from '../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';
import { systemClock } from '../../relay/clock.ts';
import { type ExchangePolicy, RadiusClient } from '../../relay/radius/client.ts';
import { udpTransport } from '../../relay/radius/udp.ts';
import type { NasOperation } from './nas-dialects.ts';

/** Where a NAS sends its records, and what it calls itself in them. */
export interface NasAccountingOptions {
  readonly server: Endpoint & { readonly secret: Secret };
  readonly identity: NasIdentity;
}

export interface NasAccounting {
  /** An operation was carried out for a subscriber who is known by `identity`. */
  carriedOut(acctSessionId: string, operation: NasOperation, identity: Identity): void;
  /** Gives up what the server has not answered. */
  stop(): Promise<void>;
}

/** An Acct-Start without its Acct-Stop. */
interface Account {
  readonly acctSessionId: string;
  readonly startedAtMs: number;
  readonly subscriber: readonly Attribute[];
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
  { server, identity: nas }: NasAccountingOptions,
  now: () => number,
): NasAccounting {
  const client = new RadiusClient({
    transport: udpTransport,
    clock: systemClock,
    random: Math.random,
    onIgnored: () => {},
  });
  const peer = {
    ...server,
    messageAuthenticator: false,
    requireMessageAuthenticator: false,
    zeroAuthenticatorReplies: true,
  };
  const stopping = new AbortController();
  /** By session and service. */
  const accounts = new Map<string, Account>();
  let count = 0;
  let last: Promise<unknown> = Promise.resolve();

  const send = (attributes: readonly Attribute[]) => {
    const request = { code: CODE.AccountingRequest, attributes: encodeAttributes(attributes) };
    last = last.then(() => client.exchange(request, peer, POLICY, stopping.signal));
  };
  const record = (
    status: keyof typeof ACCT_STATUS_TYPE,
    { acctSessionId, subscriber }: Account,
    service: string,
    more: readonly Attribute[] = [],
  ) =>
    send([
      { name: 'Acct-Status-Type', value: ACCT_STATUS_TYPE[status] },
      { name: 'Acct-Session-Id', value: acctSessionId },
      ...subscriber,
      { name: 'Event-Timestamp', value: Math.floor(now() / 1000) },
      { name: 'ERX-Service-Session', value: service },
      ...more,
    ]);

  return {
    carriedOut(acctSessionId, { operation, service, thresholds }, identity) {
      const key = `${acctSessionId} ${service}`;
      const open = accounts.get(key);
      const statistics = thresholds?.['ERX-Service-Statistics'];
      const begins = operation === 'activate' && open === undefined && (statistics ?? 0) > 0;
      const ends = operation === 'deactivate' || statistics === 0;
      if (begins) {
        const account: Account = {
          acctSessionId: `${acctSessionId}:${String(++count).padStart(6, '0')}`,
          startedAtMs: now(),
          subscriber: [...attributesOf(identity), ...attributesOf(nas)],
        };
        accounts.set(key, account);
        record('Start', account, service);
      } else if (ends && open !== undefined) {
        accounts.delete(key);
        record('Stop', open, service, [
          { name: 'Acct-Session-Time', value: Math.floor((now() - open.startedAtMs) / 1000) },
          { name: 'Acct-Terminate-Cause', value: TERMINATE_CAUSE['NAS-Request'] },
        ]);
      }
    },
    async stop() {
      stopping.abort();
      await last;
      await client.close();
    },
  };
}

/** Without the one that is octets, which no stand-in needs. */
function attributesOf(identity: Identity | NasIdentity): readonly Attribute[] {
  return Object.entries(identity)
    .filter(([name]) => name !== 'Chargeable-User-Identity')
    .map(([name, value]) => ({ name, value }) as Attribute);
}
