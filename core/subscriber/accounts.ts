// What Interlock accounts of a session: which services have an Acct-Start, and what it said of the subscriber.
import type { Draft } from './draft.ts';
import type { Account, AccountedAs, ServiceSession, Session } from './session.ts';

/**
 * Opens an account for each service that Interlock accounts from now on, and closes that of each one whose statistics are off.
 * The account of a service that is gone is gone with it. `before` is the session that was read, with its accounts settled;
 * what the accounts of the two differ in is what is sent.
 */
export function settleAccounts(before: Session | undefined, { session, claims = {}, nowMs }: Draft): Session {
  if (before !== undefined && before.services === session.services) return session;
  let { nextServiceNumber, accountedAs } = session;
  const accountOf = (service: ServiceSession & { readonly activatedAtMs: number }): Account => {
    const { [service.activation]: known } = before?.services ?? {};
    const isSame = known?.number === service.number;
    // Not that of `service`: what a request plans was copied from the session when the request began.
    if (isSame && known.account !== undefined) return known.account;
    const isNew = !isSame || known.activatedAtMs === undefined;
    // One whose statistics were off may have been accounted before they were.
    const number = isNew ? service.number : nextServiceNumber++;
    const is = accountedAsOf(session, claims[service.activation]);
    const as = keyOf(accountedAs, is) ?? String(number);
    accountedAs = { ...accountedAs, [as]: is };
    return { number, startedAtMs: isNew ? service.activatedAtMs : nowMs, as };
  };
  const services = Object.values(session.services).map(
    ({ account: _, ...service }): ServiceSession =>
      isAccountable(service) ? { ...service, account: accountOf(service) } : service,
  );
  const used = new Set(services.map(({ account }) => account?.as));
  return {
    ...session,
    services: Object.fromEntries(services.map((service) => [service.activation, service])),
    nextServiceNumber,
    accountedAs: Object.fromEntries(Object.entries(accountedAs).filter(([key]) => used.has(key))),
  };
}

function isAccountable(
  service: ServiceSession,
): service is ServiceSession & { readonly activatedAtMs: number } {
  return service.activatedAtMs !== undefined && service.statistics !== 'off' && !service.isAccountedByNas;
}

/** What a Start that is made now says: what the NAS has confirmed, or else what the request claims. */
export function accountedAsOf(
  { identity, nas, classes }: Pick<Session, 'identity' | 'nas' | 'classes'>,
  claimed: AccountedAs['identity'] = {},
): AccountedAs {
  return { identity: { ...claimed, ...identity, ...nas.identity }, classes };
}

/** The key in `known` of what says the same; undefined when nothing does. */
export function keyOf(known: Session['accountedAs'], is: AccountedAs): string | undefined {
  const text = textOf(is);
  return Object.keys(known).find((key) => {
    const one = known[key];
    return one !== undefined && textOf(one) === text;
  });
}

/** The same for the same content: a map in DynamoDB has no order. */
function textOf({ identity, classes }: AccountedAs): string {
  return JSON.stringify([Object.entries(identity).sort(([a], [b]) => (a < b ? -1 : 1)), classes]);
}
