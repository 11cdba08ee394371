// The site file: the addresses of the relay, the clients, the accounting servers and the NASes of one site.
import * as v from 'valibot';
import { canonicalRealm, OPERATIONS } from '../client-rights.ts';
import { DIALECT_NAMES, DIALECTS, type DialectName } from '../dialects/dialects.ts';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { CLIENT_PATIENCE_SECONDS } from '../messages.ts';
import { ORDERS, SERVICE_ACCOUNTING, SESSIONS } from '../nas.ts';
import { MAX_EVENT_TIMESTAMP_WINDOW_SECONDS } from '../origin.ts';
import { canonicalIpv6, isIpv6 } from '../radius/value-types.ts';
import { nameProblem } from '../services/activation.ts';
import { optionsSchema, unknownNasKey } from './dialect-options.ts';
import { networkKey } from './network.ts';
import { ConfigurationError, expectText, type ParsedFile, parseFile } from './problems.ts';
import { parseSecretReference, type SecretReference } from './secret-reference.ts';

const Name = v.pipe(
  v.string(expectText('expected a name')),
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
    'expected a name of letters, digits, "-", "_" and ".", at most 63',
  ),
);
/** The name of a site becomes a part of queue names, where SQS allows 80 characters and no full stop. */
const SiteName = v.pipe(
  v.string(expectText('expected a name')),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$/, 'expected a name of letters, digits, "-" and "_", at most 48'),
);
const Secret = v.pipe(
  v.string(expectText('expected a secret, an environment reference, file:PATH or the ARN of a secret')),
  v.minLength(1, 'a secret is never empty'),
  v.rawTransform(({ dataset, addIssue, NEVER }): SecretReference => {
    const parsed = parseSecretReference(dataset.value);
    if (parsed.ok) return parsed.reference;
    addIssue({ message: parsed.reason });
    return NEVER;
  }),
);
/** One secret, or the current one and its predecessor during a rotation. */
const Secrets = v.pipe(
  v.lazy((input) =>
    Array.isArray(input)
      ? v.pipe(
          v.array(Secret),
          v.minLength(1, 'expected at least one secret'),
          v.maxLength(2, 'expected at most two secrets: the new and the old'),
        )
      : Secret,
  ),
  v.transform((value) => (Array.isArray(value) ? value : [value])),
);
const ADDRESS = 'expected an IP address and a port, such as 127.0.0.1:3799 or [::1]:3799, not a name';
const Address = v.pipe(
  v.string(ADDRESS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(dataset.value);
    const address = match?.[1] ?? match?.[2] ?? '';
    const port = Number(match?.[3]);
    if (!v.is(v.pipe(v.string(), v.ip()), address) || !(port <= 65535)) {
      addIssue({ message: ADDRESS });
      return NEVER;
    }
    return { address, port };
  }),
);
/** Where the relay sends to. Port 0 lets the system choose one where it listens, and is no destination (RFC 6335). */
const PeerAddress = v.pipe(
  Address,
  v.check(({ port }) => port !== 0, 'expected a port from 1 to 65535'),
  v.check(
    ({ address }) => !/^[0:.]+$/.test(address),
    'expected the address of a host: this one means every address of a machine',
  ),
);
const seconds = (min: number, max: number) =>
  v.pipe(
    v.number('expected a number of seconds'),
    v.integer('expected whole seconds'),
    v.minValue(min, `expected at least ${min} seconds`),
    v.maxValue(max, `expected at most ${max} seconds`),
  );
/** Shorter than the inbox keeps a request. */
const PatienceSeconds = seconds(1, 120);
const flag = (fallback: boolean) => v.optional(v.boolean('expected true or false'), fallback);

/** `10.0.0.0/8`, `2001:db8::/32` or a single address. */
const Network = v.pipe(
  v.string('expected a network such as 10.0.0.0/8'),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const [address = '', bits, ...rest] = dataset.value.split('/');
    const family = v.is(v.pipe(v.string(), v.ipv4()), address) ? ('ipv4' as const) : ('ipv6' as const);
    const most = family === 'ipv4' ? 32 : 128;
    const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (rest.length > 0 || !v.is(v.pipe(v.string(), v.ip()), address) || !(prefix <= most)) {
      addIssue({ message: 'expected a network such as 10.0.0.0/8 or 2001:db8::/32' });
      return NEVER;
    }
    return { address, prefix, family };
  }),
);

/** One network, or several. */
const Networks = v.pipe(
  v.lazy((input) =>
    Array.isArray(input)
      ? v.pipe(v.array(Network), v.minLength(1, 'expected at least one network'))
      : Network,
  ),
  v.transform((value) => (Array.isArray(value) ? value : [value])),
);

/** A list of what a client may touch, each once. */
const some = <S extends v.GenericSchema<unknown, string>>(item: S, expected: string) =>
  v.exactOptional(
    v.pipe(
      v.array(item, `expected a list of ${expected}`),
      v.minLength(1, `expected at least one of: ${expected}`),
      v.check((list) => new Set(list).size === list.length, 'expected each once'),
    ),
  );

const Realm = v.pipe(
  v.string(expectText('expected a realm such as isp1.com')),
  v.regex(
    /^[^\s@]{1,253}$/u,
    'expected a realm such as isp1.com, which is what follows the "@" of a User-Name',
  ),
  v.transform(canonicalRealm),
);

const ServiceName = v.pipe(
  v.string(expectText('expected the name of a service')),
  v.rawCheck(({ dataset, addIssue }) => {
    const problem = dataset.typed ? nameProblem(dataset.value) : undefined;
    if (problem !== undefined) addIssue({ message: problem });
  }),
);

const Client = v.strictObject({
  name: Name,
  source: Networks,
  secret: Secrets,
  requireMessageAuthenticator: flag(false),
  requireEventTimestamp: flag(false),
  /** What it may touch (RFC 5176 section 6.1); what is absent is not restricted. NASes by a name of today or before. */
  nases: some(Name, 'names of NASes'),
  realms: some(Realm, 'realms'),
  services: some(ServiceName, 'names of services'),
  operations: some(
    v.picklist(OPERATIONS, `expected an operation: ${OPERATIONS.join(', ')}`),
    OPERATIONS.join(', '),
  ),
  /** How long it waits for an answer, where that is not what `clientPatienceSeconds` of the site says. */
  clientPatienceSeconds: v.optional(PatienceSeconds),
  /** Requests a second that it may send, over any second; further ones get CoA-NAK 506. */
  ratePerSecond: v.optional(
    v.pipe(
      v.number('expected a number of requests a second'),
      v.minValue(0.1, 'expected at least 0.1 requests a second'),
      v.maxValue(100_000, 'expected at most 100000 requests a second'),
    ),
  ),
});

const AccountingServer = v.strictObject({
  address: PeerAddress,
  secret: Secrets,
  /** Put a Message-Authenticator first into Accounting-Requests; RFC 2866 does not define one. */
  messageAuthenticator: flag(false),
});

/** Where Accounting-Requests come from: a NAS, or a server that copies or forwards those of many. */
const Feed = v.strictObject({
  name: Name,
  source: Networks,
  secret: Secrets,
  /** `copy`: the relay answers. `proxy`: it forwards to the accounting servers, and these answer. */
  mode: v.picklist(['copy', 'proxy'], 'expected copy or proxy'),
});

const DEFAULT_DIALECT: DialectName = 'erx';

const Nas = v.lazy((input) => {
  const { dialect = DEFAULT_DIALECT } = (input ?? {}) as { readonly dialect?: unknown };
  return nasSchema(DIALECT_NAMES.find((name) => name === dialect));
});

/** The options of a NAS depend on its dialect. */
function nasSchema(dialect: DialectName | undefined) {
  const entries = v.strictObject(
    {
      name: Name,
      /** Names that it had in earlier site files: its sessions are stored under the name that it had when they began. */
      formerly: v.optional(v.array(Name), []),
      address: PeerAddress,
      secret: Secrets,
      identifiedBy: v.pipe(
        v.array(
          v.pipe(
            v.string(expectText('expected a NAS-IP-Address or NAS-Identifier')),
            v.nonEmpty('expected a NAS-IP-Address or NAS-Identifier'),
            // A NAS-IPv6-Address has one spelling when it has been decoded.
            v.transform((value) => (isIpv6(value) ? canonicalIpv6(value) : value)),
          ),
        ),
        v.minLength(1, 'expected at least one NAS-IP-Address or NAS-Identifier'),
      ),
      dialect: v.optional(
        v.picklist(DIALECT_NAMES, `expected a dialect: ${DIALECT_NAMES.join(', ')}`),
        DEFAULT_DIALECT,
      ),
      options: optionsSchema(dialect),
      /** The order of the commands of a switch. */
      order: v.pipe(
        v.optional(v.picklist(ORDERS, `expected an order: ${ORDERS.join(', ')}`), 'activate-first'),
        v.check(
          (order) =>
            order !== 'together' || dialect === undefined || DIALECTS[dialect].together !== undefined,
          `together is not possible with ${dialect}, where a CoA-Request carries one command`,
        ),
      ),
      /** Who sends Acct-Start and Acct-Stop of the services: Interlock, or the NAS. */
      serviceAccounting: v.optional(
        v.picklist(SERVICE_ACCOUNTING, `expected ${SERVICE_ACCOUNTING.join(' or ')}`),
        'interlock',
      ),
      /** `coa`: the NAS gets commands and confirms them. `none`: state and accounting only. */
      enforcement: v.optional(v.picklist(['none', 'coa'], 'expected none or coa'), 'none'),
      /** How long a command to this NAS is repeated before it counts as unanswered (MRD of RFC 5080 section 2.2.1). */
      answerTimeoutSeconds: v.optional(seconds(5, 30), 30),
      /** Put a Message-Authenticator first into requests to this NAS. */
      messageAuthenticator: flag(true),
      /** Ignore replies without a Message-Authenticator. FreeRADIUS 3.2 sends none in replies of its own. */
      requireMessageAuthenticator: flag(false),
      /** Also accept a Message-Authenticator over a zero authenticator: FreeRADIUS 3.2 sends one in proxied replies. */
      zeroAuthenticatorReplies: flag(false),
    },
    unknownNasKey,
  );
  if (dialect === undefined) return entries;
  const { capacity = () => Number.POSITIVE_INFINITY } = DIALECTS[dialect];
  return v.pipe(
    entries,
    v.forward(
      v.check(
        ({ order, options }) => order === 'together' || capacity(options) === Number.POSITIVE_INFINITY,
        'expected together: a NAS that has one service at a time changes it in one command',
      ),
      ['order'],
    ),
  );
}

/** The VPC in which Fargate runs the relay, where it does not run at the site. */
const Vpc = v.strictObject({
  id: v.pipe(
    v.string('expected a VPC'),
    v.regex(/^vpc-[0-9a-f]{8,17}$/, 'expected a VPC such as vpc-0123456789abcdef0'),
  ),
  subnets: v.pipe(
    v.array(
      v.pipe(
        v.string('expected a subnet'),
        v.regex(/^subnet-[0-9a-f]{8,17}$/, 'expected a subnet such as subnet-0123456789abcdef0'),
      ),
    ),
    v.minLength(1, 'expected at least one subnet'),
    v.check((subnets) => new Set(subnets).size === subnets.length, 'expected every subnet once'),
  ),
});

const RoleName = v.pipe(
  v.string(expectText('expected the name of an IAM role')),
  v.regex(
    /^(?:[\w+=,.@-]+\/)*[\w+=,.@-]{1,64}$/,
    'expected the name of an IAM role without its ARN, such as interlock-relay-demo',
  ),
);

const QueueUrl = v.pipe(v.string(), v.url('expected the URL of a queue'));

const SiteFile = v.strictObject({
  site: SiteName,
  relay: v.strictObject({
    coa: Address,
    http: Address,
    /** Where it takes the Accounting-Requests of `accountingFrom`. */
    accounting: v.optional(Address),
    /** A request whose Event-Timestamp is further away than this is discarded (RFC 5176 section 6.3). */
    eventTimestampWindowSeconds: v.optional(seconds(30, MAX_EVENT_TIMESTAMP_WINDOW_SECONDS), 300),
    vpc: v.optional(Vpc),
    /** Name of the IAM role of a relay at the site. @default interlock-relay-SITE */
    role: v.optional(RoleName),
  }),
  /** Queue URLs, as `cdk deploy` prints them. The local system has its own. */
  queues: v.optional(
    v.strictObject({
      inbox: QueueUrl,
      /** Without it, and where none is beside the inbox, outcomes go to the inbox. */
      outcomes: v.exactOptional(QueueUrl),
      outbox: QueueUrl,
      accounting: QueueUrl,
      /** Needed with `accountingFrom`. */
      feed: v.exactOptional(QueueUrl),
    }),
  ),
  /** What opens a session: the first acknowledged request as well, or the accounting of its NAS alone. */
  sessions: v.optional(v.picklist(SESSIONS, `expected ${SESSIONS.join(' or ')}`), 'implicit'),
  /** Whether names and addresses of subscribers may be logged. */
  logIdentity: flag(true),
  /** How long clients wait for an answer: an older request is not begun any more. */
  clientPatienceSeconds: v.optional(PatienceSeconds, CLIENT_PATIENCE_SECONDS),
  clients: v.pipe(v.array(Client), v.minLength(1, 'expected at least one client')),
  accounting: v.optional(v.array(AccountingServer), []),
  accountingFrom: v.optional(v.array(Feed), []),
  nases: v.pipe(v.array(Nas), v.minLength(1, 'expected at least one NAS')),
});

export type Site = v.InferOutput<typeof SiteFile>;
export type Client = Site['clients'][number];
export type Nas = Site['nases'][number];
export type AccountingServer = Site['accounting'][number];
export type Feed = Site['accountingFrom'][number];
export type Vpc = NonNullable<Site['relay']['vpc']>;

type Path = readonly (string | number)[];

/** All secrets of a site, each with its path in the file. */
export function secretsOf(
  site: Site,
): readonly { readonly path: Path; readonly reference: SecretReference }[] {
  return (['clients', 'accounting', 'accountingFrom', 'nases'] as const).flatMap((kind) =>
    site[kind].flatMap(({ secret }, index) =>
      secret.map((reference) => ({ path: [kind, index, 'secret'], reference })),
    ),
  );
}

/**
 * Reads a site file. References to secrets stay what they are: they are resolved by the relay alone.
 * @throws ConfigurationError naming file, line, path and what was expected.
 */
export function parseSiteFile(file: string, text: string): Site {
  return parseSiteWithPlaces(file, text).value;
}

/** The same, with a way to report further problems at places in the file. */
export function parseSiteWithPlaces(file: string, text: string): ParsedFile<Site> {
  const parsed = parseFile(file, text, SiteFile);
  const site = parsed.value;
  const problems: string[] = [];
  const unique = (
    list: readonly (string | undefined)[],
    path: (index: number) => (string | number)[],
    what: string,
  ) => {
    const taken = new Set<string | undefined>();
    for (const [index, value] of list.entries()) {
      if (taken.has(value))
        problems.push(parsed.problem(path(index), `${what} ${value} is already taken above`));
      taken.add(value);
    }
  };
  unique(
    site.clients.map((client) => client.name),
    (index) => ['clients', index, 'name'],
    'the name',
  );
  unique(
    site.accountingFrom.map(({ name }) => name),
    (index) => ['accountingFrom', index, 'name'],
    'the name',
  );
  unique(
    site.nases.map((nas) => nas.name),
    (index) => ['nases', index, 'name'],
    'the name',
  );
  const formerNames = site.nases.flatMap(({ formerly }, index) =>
    formerly.map((name, position) => ({ name, path: ['nases', index, 'formerly', position] })),
  );
  unique(
    formerNames.map(({ name }) => name),
    (index) => formerNames[index]?.path ?? [],
    'the former name',
  );
  const names = new Set(site.nases.map(({ name }) => name));
  for (const { name, path } of formerNames)
    if (names.has(name)) problems.push(parsed.problem(path, `a NAS is called ${name} now`));
  const identities = site.nases.flatMap((nas, index) =>
    nas.identifiedBy.map((value, position) => ({ value, path: ['nases', index, 'identifiedBy', position] })),
  );
  unique(
    identities.map(({ value }) => value),
    (index) => identities[index]?.path ?? [],
    'the identity',
  );
  for (const kind of ['clients', 'accountingFrom'] as const) {
    const owners = new Map<string, string>();
    for (const [index, { name, source }] of site[kind].entries())
      for (const network of source) {
        const owner = owners.get(networkKey(network)) ?? name;
        owners.set(networkKey(network), owner);
        const what = `${network.address}/${network.prefix}`;
        if (owner !== name)
          problems.push(parsed.problem([kind, index, 'source'], `${what} belongs to ${owner} already`));
      }
  }
  problems.push(...problemsOfRights(site).map(({ path, reason }) => parsed.problem(path, reason)));
  problems.push(...problemsOfFeeds(site).map(({ path, reason }) => parsed.problem(path, reason)));
  if (site.relay.vpc !== undefined) {
    problems.push(...problemsInVpc(site).map(({ path, reason }) => parsed.problem(path, reason)));
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return parsed;
}

interface Problem {
  readonly path: Path;
  readonly reason: string;
}

/** What a client may touch is there. */
function problemsOfRights({ clients, nases }: Site): readonly Problem[] {
  const known = nases.flatMap(({ name, formerly }) => [name, ...formerly]);
  const reason = `expected a NAS of this site: ${nases.map(({ name }) => name).join(', ')}`;
  return clients.flatMap((client, index) =>
    (client.nases ?? []).flatMap((name, position) =>
      known.includes(name) ? [] : [{ path: ['clients', index, 'nases', position], reason }],
    ),
  );
}

function problemsOfFeeds({ relay, accounting, accountingFrom }: Site): readonly Problem[] {
  if (relay.accounting === undefined) {
    const reason = 'expected relay.accounting, the address on which the relay takes these';
    return accountingFrom.length === 0 ? [] : [{ path: ['accountingFrom'], reason }];
  }
  const own = formatEndpoint(relay.accounting);
  const isOwn = (endpoint: Endpoint) => endpoint.port !== 0 && formatEndpoint(endpoint) === own;
  const problems: Problem[] = [];
  if (accountingFrom.length === 0)
    problems.push({ path: ['relay', 'accounting'], reason: 'expected accountingFrom, which says from whom' });
  if (isOwn(relay.coa))
    problems.push({ path: ['relay', 'accounting'], reason: 'expected another port than that of relay.coa' });
  for (const [index, { address }] of accounting.entries())
    if (isOwn(address))
      problems.push({
        path: ['accounting', index, 'address'],
        reason: 'expected an accounting server: this is relay.accounting, the relay itself',
      });
  for (const [index, { mode }] of accountingFrom.entries())
    if (mode === 'proxy' && accounting.length === 0)
      problems.push({
        path: ['accountingFrom', index, 'mode'],
        reason: 'expected at least one server under accounting, to which proxy forwards',
      });
  return problems;
}

/** In a VPC, AWS chooses the relay's IPv4 address, and the relay has no files or variables of the operator. */
function problemsInVpc(site: Site): readonly Problem[] {
  const { relay, clients, accounting, accountingFrom, nases } = site;
  const listening = (['coa', 'http', 'accounting'] as const)
    .filter((name) => {
      const { address, port } = relay[name] ?? { address: '0.0.0.0', port: -1 };
      return address !== '0.0.0.0' || port === 0;
    })
    .map((name) => ({
      path: ['relay', name],
      reason: 'expected 0.0.0.0 and a port: the address of a relay in a VPC is chosen by AWS',
    }));
  const peers = [
    ...clients.flatMap(({ source }, index) =>
      source.map(({ address }) => ({ path: ['clients', index, 'source'], address })),
    ),
    ...accountingFrom.flatMap(({ source }, index) =>
      source.map(({ address }) => ({ path: ['accountingFrom', index, 'source'], address })),
    ),
    ...accounting.map(({ address }, index) => ({ path: ['accounting', index, 'address'], ...address })),
    ...nases.map(({ address }, index) => ({ path: ['nases', index, 'address'], ...address })),
  ];
  const unreachable = peers
    .filter(({ address }) => address.includes(':'))
    .map(({ path }) => ({ path, reason: 'expected IPv4: a relay in a VPC has no IPv6 address' }));
  const unstored = secretsOf(site)
    .filter(({ reference }) => reference.kind !== 'stored')
    .map(({ path }) => ({
      path,
      reason: 'expected the ARN of a secret: a relay in a VPC has its secrets from Secrets Manager',
    }));
  const ownRole = {
    path: ['relay', 'role'],
    reason: 'expected no role: the stack makes that of a relay in a VPC',
  };
  return [...listening, ...unreachable, ...unstored, ...(relay.role === undefined ? [] : [ownRole])];
}
