import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Barrier } from '../../core/client-rights.ts';
import { DUE_PER_NAS_AND_SECOND, RETENTION_DAYS } from '../../core/cloud/queues.ts';
import { HISTORY_RETENTION_DAYS } from '../../core/cloud/table.ts';
import { FILE_LIMITS } from '../../core/config/problems.ts';
import { parseServicesFile } from '../../core/config/services-file.ts';
import { parseSiteFile } from '../../core/config/site-file.ts';
import type { NasRefusal } from '../../core/dialects/dialect.ts';
import { DIALECTS } from '../../core/dialects/dialects.ts';
import { ERX_MAX_TAG } from '../../core/dialects/erx.ts';
import { IDENTITY_ATTRIBUTES } from '../../core/identity.ts';
import { MAX_CANDIDATES } from '../../core/look-up.ts';
import { ORDERS } from '../../core/nas.ts';
import { ATTRIBUTES, ERROR_CAUSE } from '../../core/radius/attributes.ts';
import { MAX_PACKET_OCTETS } from '../../core/radius/packet.ts';
import type { RecordRefusal } from '../../core/requests/accounting-request.ts';
import { MAX_ACCT_SESSION_ID_OCTETS } from '../../core/requests/identification.ts';
import { ANSWERS_KEPT } from '../../core/subscriber/duplicates.ts';
import { MAX_NAMES, MAX_SERVICES } from '../../core/subscriber/exclusion.ts';
import { HISTORY_ATTRIBUTES } from '../../core/subscriber/history.ts';
import type { ServiceState } from '../../core/subscriber/session.ts';
import { MAX_WAITING } from '../../core/subscriber/transition.ts';
import type {
  DiscardReason,
  FeedDiscardReason,
  KeptReason,
  RefusalReason,
  UnansweredReason,
} from '../../relay/telemetry/events.ts';
import { codeWords, ROOT, read, section, tableRows } from './markdown.ts';

const REFERENCE = read('docs/reference.md');
const rowsOf = (heading: string) => tableRows(section(REFERENCE, heading));
const firstCells = (heading: string) => rowsOf(heading).map(([cell = '']) => cell);
const sorted = (words: Iterable<string>) => [...new Set(words)].sort();

function sourcesOf(...globs: readonly string[]): string {
  return globSync([...globs], { cwd: ROOT })
    .map(read)
    .join('\n');
}

const matchesOf = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, word = '']) => word);

describe('the table of refusals', () => {
  const sources = sourcesOf(
    'core/look-up.ts',
    'core/requests/**/*.ts',
    'core/subscriber/**/*.ts',
    'functions/**/*.ts',
    'relay/**/*.ts',
  );

  it('has each Error-Cause that Interlock gives, and no other', () => {
    // Its name is a literal wherever one is given.
    const given = matchesOf(sources, /'([A-Z][A-Za-z-]+)'/g).filter((name) =>
      Object.hasOwn(ERROR_CAUSE, name),
    );
    const expected = sorted(given).map((name) => `${ERROR_CAUSE[name as keyof typeof ERROR_CAUSE]} ${name}`);
    expect(expected.length).toBeGreaterThan(10);
    expect(sorted(firstCells('Refusals'))).toEqual(sorted(expected));
  });
});

describe('the table of discarded packets', () => {
  it('has each reason, and no other', () => {
    const reasons: Readonly<Record<DiscardReason, true>> = {
      'unknown-source': true,
      'unexpected-code': true,
      'datagram-too-short': true,
      'length-below-20': true,
      'length-above-4096': true,
      'length-beyond-datagram': true,
      'attribute-length-below-2': true,
      'attribute-past-end': true,
      'wrong-request-authenticator': true,
      'wrong-message-authenticator': true,
      'several-message-authenticators': true,
      'missing-message-authenticator': true,
      'missing-event-timestamp': true,
      'malformed-event-timestamp': true,
      'stale-event-timestamp': true,
      'repeat-in-progress': true,
      'inbox-unavailable': true,
      draining: true,
    };
    expect(sorted(firstCells('Discarded packets').flatMap(codeWords))).toEqual(sorted(Object.keys(reasons)));
  });
});

describe('the table of requests that the relay refuses', () => {
  it('has each reason, and no other', () => {
    const reasons: Readonly<Record<RefusalReason, true>> = {
      rate: true,
      'in-progress': true,
      waiting: true,
      waited: true,
    };
    expect(sorted(firstCells('Overload').flatMap(codeWords))).toEqual(sorted(Object.keys(reasons)));
  });
});

describe('the tables of accounting of NASes', () => {
  const PACKET = {
    'unknown-source': true,
    'unexpected-code': true,
    'datagram-too-short': true,
    'length-below-20': true,
    'length-above-4096': true,
    'length-beyond-datagram': true,
    'attribute-length-below-2': true,
    'attribute-past-end': true,
    'wrong-request-authenticator': true,
    'wrong-message-authenticator': true,
    'several-message-authenticators': true,
    'missing-message-authenticator': true,
  } as const;
  const DISCARDED: Readonly<Record<FeedDiscardReason, true>> = {
    ...PACKET,
    'repeat-in-progress': true,
    loop: true,
    draining: true,
  };
  const UNANSWERED: Readonly<Record<UnansweredReason, true>> = {
    'queue-full': true,
    'queue-unavailable': true,
    'server-timeout': true,
    'server-unreachable': true,
    'server-busy': true,
    'too-long': true,
    'send-failed': true,
    draining: true,
  };
  const KEPT: Readonly<Record<KeptReason, true>> = {
    unchanged: true,
    repeat: true,
    'other-status': true,
    'unknown-nas': true,
  };
  const REFUSED: Readonly<Record<RecordRefusal, true>> = {
    'status-type-missing': true,
    'status-type-malformed': true,
    'status-type-repeated': true,
    'session-id-missing': true,
    'session-id-malformed': true,
    'session-id-repeated': true,
    'session-id-too-long': true,
    'service-record-of-interlock': true,
  };
  const BY_DECIDE: Readonly<Record<Barrier | 'outdated', true>> = {
    nas: true,
    realm: true,
    client: true,
    outdated: true,
  };
  const DIALECTS_SAID = Object.fromEntries(Object.keys(DIALECTS).map((name) => [name, true]));

  it.each([
    ['Discarded records', DISCARDED],
    ['Requests that decide discards', BY_DECIDE],
    ['Records without an answer', UNANSWERED],
    ['What goes to the cloud', KEPT],
    ['What is learned', { ...REFUSED, ...DIALECTS_SAID }],
  ])('%s: have each reason, and no other', (heading, reasons) => {
    expect(sorted(firstCells(heading).flatMap(codeWords))).toEqual(sorted(Object.keys(reasons)));
  });
});

describe('the tables of attributes', () => {
  it.each(['Attributes of a request', 'Accounting records'])('%s name attributes that exist', (heading) => {
    const names = firstCells(heading).flatMap((cell) => cell.split(', '));
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !Object.hasOwn(ATTRIBUTES, name.replace(':TAG', '')))).toEqual([]);
  });
});

/** The keys of a parsed file: `nases[].name`. */
function keysOf(value: unknown, path = ''): readonly string[] {
  if (Array.isArray(value)) {
    const isOfMappings = value.some((item) => typeof item === 'object');
    return isOfMappings ? value.flatMap((item) => keysOf(item, `${path}[]`)) : [path];
  }
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, path === '' ? key : `${path}.${key}`));
}

describe('the table of a site file', () => {
  // With everything that has no default, so that every key is there once the file is parsed.
  const file = `
site: demo
relay: { coa: "0.0.0.0:3799", http: "0.0.0.0:8080", accounting: "0.0.0.0:1813", vpc: { id: vpc-01234567, subnets: [subnet-01234567] } }
queues: { inbox: "https://a/1", outbox: "https://a/2", accounting: "https://a/3" }
clients: [{ name: policy, source: 10.0.0.0/24, clientPatienceSeconds: 5, ratePerSecond: 50, secret: &secret "arn:aws:secretsmanager:eu-central-1:123456789012:secret:interlock-a1B2c3", nases: [bng-1], realms: [isp1.com], services: [gold], operations: [activate] }]
accounting: [{ address: "10.0.0.7:1813", secret: *secret }]
accountingFrom: [{ name: bng-1, source: 10.0.1.1, secret: *secret, mode: proxy }]
nases: [{ name: bng-1, address: "10.0.1.1:3799", secret: *secret, identifiedBy: [10.0.1.1] }]
`;
  // A relay in a VPC has no role of the operator's.
  const sites = [file, file.replace(/vpc: \{.*\] \}/, 'role: relay')].map((text) =>
    parseSiteFile('demo.yaml', text),
  );
  // What is one value in the file is several once it is parsed.
  const values =
    /^(relay\.coa|relay\.http|relay\.accounting|relay\.vpc|queues|(?:clients|accountingFrom)\[\]\.(?:source|secret)|(?:accounting|nases)\[\]\.(?:address|secret)|nases\[\]\.options)\b.*$/;

  it('has every key, and no other', () => {
    const keys = sites.flatMap((site) => keysOf(site)).map((key) => key.replace(values, '$1'));
    expect(sorted(firstCells('A site file').flatMap(codeWords))).toEqual(sorted(keys));
  });
});

describe('the table of the services file', () => {
  it('has every key, and no other', () => {
    const { services } = parseServicesFile('services.yaml', 'services: { NAME: {} }');
    const keys = keysOf({ services }).map((key) => key.replace('.groups', '.mutexGroup'));
    const said = firstCells('The services file').flatMap(codeWords);
    expect(sorted(said)).toEqual(
      sorted([...keys, 'services.NAME', 'groups.N.policy', 'groups.N.unknownMembers']),
    );
  });
});

describe('the table of dialects', () => {
  it('has every dialect, and what fits into a packet', () => {
    const said = rowsOf('Dialects').map((cells) => [codeWords(cells[0] ?? '')[0], Number(cells[4])]);
    const fits = Object.entries(DIALECTS).map(([name, { servicesPerCommand }]) => [
      name,
      servicesPerCommand.activate,
    ]);
    expect(said).toEqual(fits);
  });

  it('says what names the session', () => {
    const said = rowsOf('Dialects').map((cells) => cells[5]);
    const names = Object.values(DIALECTS).map(({ identification }) =>
      identification.filter((name) => !/^NAS-(IP|Id)/.test(name)).join(', '),
    );
    expect(said).toEqual(names);
  });
});

describe('the table of identification', () => {
  it('says which attributes each dialect can match, and which nothing checks', () => {
    const said = rowsOf('Identification').flatMap(([attributes = '', ...kinds]) =>
      attributes.split(', ').map((attribute) => [attribute, kinds] as const),
    );
    const kinds = ['Acct-Session-Id' as const, ...IDENTITY_ATTRIBUTES].map((attribute) => [
      attribute,
      Object.values(DIALECTS).map(({ identification }) =>
        identification.some((name) => name === attribute) ? 'told' : 'claimed',
      ),
    ]);
    expect(Object.fromEntries(said)).toEqual(Object.fromEntries(kinds));
    expect(said).toHaveLength(kinds.length);
  });
});

describe('the table of what a CoA-NAK means', () => {
  const REFUSALS: readonly (readonly [words: string, refusal: NasRefusal])[] = [
    ['no Error-Cause', {}],
    ...Object.values(ERROR_CAUSE).flatMap((errorCause) => [
      [`${errorCause}`, { errorCause }] as const,
      [`${errorCause} with a text`, { errorCause, text: 'why' }] as const,
    ]),
  ];
  /** A cause that means it without a text means it with one, too. */
  const meaning = (isMeant: (refusal: NasRefusal) => boolean) => {
    const words = REFUSALS.filter(([, refusal]) => isMeant(refusal)).map(([word]) => word);
    return words.filter((word) => !words.some((other) => word === `${other} with a text`));
  };

  it('has what each dialect takes for not there, and for there already', () => {
    const expected = Object.entries(DIALECTS).map(([name, { isGone, mayBeGone, isThere }]) => [
      `\`${name}\``,
      ...[isGone, mayBeGone, isThere].map((isMeant) => meaning(isMeant).join(', ') || '–'),
    ]);
    expect(rowsOf('What a CoA-NAK means')).toEqual(expected);
  });
});

describe('the table of limits', () => {
  /** A number that its module keeps to itself. */
  const numberIn = (file: string, pattern: RegExp) => {
    const [, digits] = pattern.exec(read(file)) ?? [];
    if (digits === undefined) throw new Error(`${file} has no ${pattern}`);
    return Number(digits.replaceAll('_', ''));
  };
  const constant = (file: string, name: string) => numberIn(file, new RegExp(`const ${name} = ([\\d_]+);`));
  const NAS_CLIENT = 'relay/nas-client.ts';
  const LIMITS: Readonly<Record<string, number>> = {
    characters: FILE_LIMITS.characters,
    aliases: FILE_LIMITS.aliases,
    'levels, one in another': FILE_LIMITS.levels,
    'mistakes that are named': FILE_LIMITS.problems,
    octets: MAX_PACKET_OCTETS,
    'octets of an activation string': constant('core/config/services-file.ts', 'MAX_ACTIVATION_OCTETS'),
    'services with a tag, to be activated': ERX_MAX_TAG,
    'sessions that share a value and are compared': MAX_CANDIDATES,
    'octets of its Acct-Session-Id': MAX_ACCT_SESSION_ID_OCTETS,
    services: MAX_SERVICES,
    'names of the subscriber under which a NAS may have it and has confirmed none': MAX_NAMES,
    'requests that wait': MAX_WAITING,
    'answers that are stored': ANSWERS_KEPT,
    'records of services that wait for a command': constant(
      'core/subscriber/service-records.ts',
      'RECORDS_KEPT',
    ),
    'octets of what its Acct-Starts say of the subscriber': constant(
      'core/subscriber/accounting-refusal.ts',
      'MAX_ACCOUNTED_AS_OCTETS',
    ),
    'days that a change is in its history': HISTORY_RETENTION_DAYS,
    'characters of what a NAS says in words': constant('core/printable.ts', 'MAX_WORDS'),
    'commands without an answer at a time': numberIn(NAS_CLIENT, /LIMITS.* maxConcurrent: (\d+)/),
    'commands that wait': numberIn(NAS_CLIENT, /LIMITS.* maxWaiting: (\d+)/),
    'sessions that are due and told in a second': DUE_PER_NAS_AND_SECOND,
    'requests without a reply that the relay remembers': numberIn(
      'relay/in-progress.ts',
      /capacity = ([\d_]+)/,
    ),
    'messages that wait for a call to SQS': numberIn('relay/queues/inbox.ts', /maxWaiting = ([\d_]+)/),
    'commands that the relay holds': constant('relay/commands.ts', 'MAX_HELD'),
    'accounting records that the relay holds': constant('relay/accounting-delivery.ts', 'MAX_HELD'),
    'Accounting-Requests that wait for SQS': constant('relay/relay.ts', 'MAX_WAITING_RECORDS'),
    'forwarded Accounting-Requests that wait for SQS': constant('relay/feed/tap-buffer.ts', 'CAPACITY'),
    'Accounting-Requests whose answers are remembered': numberIn(
      'relay/feed/recent-requests.ts',
      /capacity = ([\d_]+)/,
    ),
    'sessions and services whose Interim-Updates stay at the site': constant(
      'relay/feed/known-sessions.ts',
      'CAPACITY',
    ),
    'unknown NASes that are logged': constant('relay/feed/tap.ts', 'MAX_UNKNOWN_NASES'),
    'Accounting-Requests of the relay without an answer':
      constant('relay/radius/client.ts', 'MAX_CHANNELS') *
      constant('relay/radius/identifiers.ts', 'IDENTIFIERS'),
    'days that a message is kept': RETENTION_DAYS,
  };

  it('has the numbers of the code, and what happens beyond each', () => {
    const rows = rowsOf('Limits');
    const said = rows.map(([, what = '', atMost = '']) => [what, Number(atMost.replaceAll(',', ''))]);
    expect(Object.fromEntries(said)).toEqual(LIMITS);
    expect(said).toHaveLength(Object.keys(LIMITS).length);
    expect(rows.filter(([, , , beyond = '']) => beyond === '')).toEqual([]);
  });
});

describe('the table of orders', () => {
  it('has every order, and no other', () => {
    expect(firstCells('The order of commands').flatMap(codeWords)).toEqual(ORDERS);
  });
});

describe('the table of history', () => {
  it('has every attribute of an item, and no other', () => {
    expect(sorted(firstCells('History').flatMap(codeWords))).toEqual(sorted(HISTORY_ATTRIBUTES));
  });
});

describe('the states of a service', () => {
  it('are those that are stored, and the one before', () => {
    const states: Readonly<Record<ServiceState, true>> = {
      active: true,
      deactivating: true,
      restoring: true,
      unconfirmed: true,
    };
    const said = firstCells('npx interlock show')
      .flatMap(codeWords)
      .filter((word) => !word.startsWith('--'));
    expect(sorted(said)).toEqual(sorted(['activating', ...Object.keys(states)]));
  });
});

describe('the tables of options', () => {
  const optionsIn = (text: string) => sorted(matchesOf(text, /(--[a-z]+(?:-[a-z]+)*)/g));

  /** What a program prints of its options when it is called wrongly. */
  function usageOf(file: string): string {
    try {
      execFileSync(process.execPath, [join(ROOT, file), '--no-such-option'], { stdio: 'pipe' });
    } catch (error) {
      return String((error as { stderr: Buffer }).stderr).replaceAll('--no-such-option', '');
    }
    throw new Error(`${file} takes --no-such-option`);
  }

  it.each([
    [['npm start'], 'local/start.ts'],
    [
      [
        'npx interlock show',
        'npx interlock list',
        'npx interlock resync',
        'npx interlock forget',
        'npx interlock doctor',
      ],
      'cli/interlock.ts',
    ],
  ])('%j: have every option of %s, and no other', (headings, file) => {
    expect(optionsIn(headings.flatMap(firstCells).join(' '))).toEqual(optionsIn(usageOf(file)));
  });

  it('the relay: has every variable of Interlock, and no other', () => {
    const sources = `${sourcesOf('relay/**/*.ts')}${read('relay/Dockerfile')}`;
    const said = firstCells('The relay')
      .flatMap(codeWords)
      .filter((name) => name.startsWith('INTERLOCK_'));
    expect(sorted(said)).toEqual(sorted(matchesOf(sources, /\b(INTERLOCK_[A-Z_]+)/g)));
  });

  it('cdk: has every context key, and no other', () => {
    const keys = matchesOf(read('cdk/app.ts'), /tryGetContext\('(\w+)'\)/g);
    expect(sorted(firstCells('cdk').flatMap(codeWords))).toEqual(sorted(keys));
  });
});

describe('the tables of metrics', () => {
  const said = firstCells('Health and metrics').flatMap(codeWords);

  it('have every metric of the relay, and no other', () => {
    const metrics = matchesOf(read('relay/telemetry/metrics.ts'), /'(interlock_relay_\w+)'/g);
    expect(sorted(said.filter((name) => name.startsWith('interlock_')))).toEqual(sorted(metrics));
  });

  it('have every metric that alarms and dashboard look for', () => {
    const metrics = matchesOf(read('core/cloud/metrics.ts'), /: '(\w+)'/g);
    expect(metrics.length).toBeGreaterThan(3);
    expect(said).toEqual(expect.arrayContaining(metrics));
  });
});
