import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import { DIALECT_NAMES } from '../../../core/dialects/dialects.ts';
import { problemsOf } from './problems-of.ts';

const SITE = `site: demo
relay:
  coa: 127.0.0.1:3799
  http: "[::1]:9464"
clients:
  - name: policy
    source: 127.0.0.0/8
    secret: testing123
accounting:
  - address: 127.0.0.1:1813
    secret: testing123
nases:
  - name: bng-1
    address: 127.0.0.1:3798
    secret: testing123
    identifiedBy: [192.0.2.1, bng-1]
`;

const parse = (text: string) => parseSiteFile('demo.yaml', text);

/** The site above with one line written differently. */
function withLine(line: number, text: string): string {
  const lines = SITE.split('\n');
  lines[line - 1] = text;
  return lines.join('\n');
}

describe('a site file', () => {
  it('gives the site, with what is left out filled in', () => {
    expect(parse(SITE)).toEqual({
      site: 'demo',
      relay: {
        coa: { address: '127.0.0.1', port: 3799 },
        http: { address: '::1', port: 9464 },
        eventTimestampWindowSeconds: 300,
      },
      sessions: 'implicit',
      logIdentity: true,
      clients: [
        {
          name: 'policy',
          source: [{ address: '127.0.0.0', prefix: 8, family: 'ipv4' }],
          secret: [{ kind: 'text', text: 'testing123' }],
          requireMessageAuthenticator: false,
          requireEventTimestamp: false,
        },
      ],
      clientPatienceSeconds: 10,
      accounting: [
        {
          address: { address: '127.0.0.1', port: 1813 },
          secret: [{ kind: 'text', text: 'testing123' }],
          messageAuthenticator: false,
        },
      ],
      accountingFrom: [],
      nases: [
        {
          name: 'bng-1',
          formerly: [],
          address: { address: '127.0.0.1', port: 3798 },
          secret: [{ kind: 'text', text: 'testing123' }],
          identifiedBy: ['192.0.2.1', 'bng-1'],
          dialect: 'erx',
          enforcement: 'none',
          options: { tagDeactivations: false },
          order: 'activate-first',
          serviceAccounting: 'interlock',
          answerTimeoutSeconds: 30,
          messageAuthenticator: true,
          requireMessageAuthenticator: false,
          zeroAuthenticatorReplies: false,
        },
      ],
    });
  });

  it('that is shipped as a demonstration can be read', () => {
    const file = join(import.meta.dirname, '../../../config/sites/demo.yaml');

    expect(parseSiteFile(file, readFileSync(file, 'utf8'))).toMatchObject({
      site: 'demo',
      nases: [{ name: 'bng-1', dialect: 'erx', enforcement: 'coa' }],
    });
  });

  it('keeps references to secrets', () => {
    const references = [`\${NEW_SECRET}`, 'file:/run/secrets/old'];

    expect(parse(withLine(8, `    secret: ${JSON.stringify(references)}`)).clients[0]?.secret).toEqual([
      { kind: 'environment', name: 'NEW_SECRET' },
      { kind: 'file', path: '/run/secrets/old' },
    ]);
  });

  it.each([
    ['127.0.0.1', { address: '127.0.0.1', prefix: 32, family: 'ipv4' }],
    ['10.0.0.0/0', { address: '10.0.0.0', prefix: 0, family: 'ipv4' }],
    ['"::1"', { address: '::1', prefix: 128, family: 'ipv6' }],
    ['2001:db8::/32', { address: '2001:db8::', prefix: 32, family: 'ipv6' }],
  ])('understands the source %s', (source, network) => {
    expect(parse(withLine(7, `    source: ${source}`)).clients[0]?.source).toEqual([network]);
    expect(parse(withLine(7, `    source: [${source}]`)).clients[0]?.source).toEqual([network]);
  });

  it('may name its queues', () => {
    const urls = { inbox: 'https://sqs/1', outbox: 'https://sqs/2', accounting: 'https://sqs/3' };

    expect(parse(`${SITE}queues: ${JSON.stringify(urls)}\n`).queues).toEqual(urls);
  });
});

describe('the options of a NAS', () => {
  const withNas = (...lines: readonly string[]) => `${SITE}${lines.map((line) => `    ${line}\n`).join('')}`;

  it.each<[lines: readonly string[], dialect: string, options: object]>([
    [[], 'erx', { tagDeactivations: false }],
    [['options: {}'], 'erx', { tagDeactivations: false }],
    [['options: { tagDeactivations: true }'], 'erx', { tagDeactivations: true }],
    [['dialect: erx', 'options: { tagDeactivations: true }'], 'erx', { tagDeactivations: true }],
    [['dialect: cisco'], 'cisco', {}],
    [
      ['dialect: generic', 'options: {}'],
      'generic',
      { noService: 'none', oneAtATime: false, serviceRecords: 'none' },
    ],
    [
      [
        'dialect: generic',
        'order: together',
        'options: { noService: "Kein Dienst", oneAtATime: true, serviceRecords: nokia }',
      ],
      'generic',
      { noService: 'Kein Dienst', oneAtATime: true, serviceRecords: 'nokia' },
    ],
  ])('are those of its dialect: %j', (lines, dialect, options) => {
    expect(parse(withNas(...lines)).nases[0]).toMatchObject({ dialect, options });
    expect(Object.keys(parse(withNas(...lines)).nases[0]?.options ?? {})).toEqual(Object.keys(options));
  });

  it('reach the profile with which decide works', () => {
    const site = parse(withNas('options: { tagDeactivations: true }'));
    const { nasesBySite } = deploymentOf({ services: {}, refusingGroups: [], clearedGroups: [] }, [site]);
    expect(nasesBySite['demo']?.[0]?.profile.options).toEqual({ tagDeactivations: true });
  });

  it.each([
    ['erx', 'together'],
    ['generic', 'together'],
    ['cisco', 'deactivate-first'],
  ])('leave the order to the operator: %s, %s', (dialect, order) => {
    const [nas] = parse(withNas(`dialect: ${dialect}`, `order: ${order}`)).nases;
    expect(nas?.order).toBe(order);
  });

  it.each<[lines: readonly string[], line: number, problem: string]>([
    [['options:', '  tagDeactivations: 1'], 18, 'nases.0.options.tagDeactivations: expected true or false'],
    [
      ['options:', '  tagDeactivation: true'],
      18,
      'nases.0.options.tagDeactivation: the dialect erx has only tagDeactivations',
    ],
    [
      ['dialect: cisco', 'options:', '  color: blue'],
      19,
      'nases.0.options.color: the dialect cisco has no options',
    ],
    [
      ['dialect: cisco', 'options: { tagDeactivations: true }'],
      18,
      'nases.0.options.tagDeactivations: this is an option of the dialect erx, and the NAS has cisco',
    ],
    [
      ['options: { constructor: true }'],
      17,
      'nases.0.options.constructor: the dialect erx has only tagDeactivations',
    ],
    [['options: true'], 17, 'nases.0.options: expected keys with values'],
    [
      ['tagDeactivations: true'],
      17,
      'nases.0.tagDeactivations: this is an option of the dialect erx: write options: { tagDeactivations: … }',
    ],
    [
      ['dialect: cisco', 'order: together'],
      18,
      'nases.0.order: together is not possible with cisco, where a CoA-Request carries one command',
    ],
    [
      ['dialect: generic', 'options: { oneAtATime: true }', 'order: deactivate-first'],
      19,
      'nases.0.order: expected together: a NAS that has one service at a time changes it in one command',
    ],
    [
      ['dialect: generic', 'options: { noService: "" }'],
      18,
      'nases.0.options.noService: expected a Filter-Id',
    ],
    [
      ['dialect: generic', 'options: { noService: "a\\tb" }'],
      18,
      'nases.0.options.noService: expected no control characters',
    ],
    [
      ['order: new-first'],
      17,
      'nases.0.order: expected an order: activate-first, together, deactivate-first',
    ],
    [
      ['dialect: junos', 'options: { color: blue }'],
      17,
      'nases.0.dialect: expected a dialect: erx, cisco, generic',
    ],
  ])('are refused with line and path: %j', (lines, line, problem) => {
    expect(problemsOf(() => parse(withNas(...lines)))).toEqual([`demo.yaml:${line}: ${problem}`]);
  });

  it('are checked together with the rest of the NAS', () => {
    const text = withNas('options: { tagDeactivations: 1 }', 'enforcement: strict');
    expect(problemsOf(() => parse(text))).toEqual([
      'demo.yaml:17: nases.0.options.tagDeactivations: expected true or false',
      'demo.yaml:18: nases.0.enforcement: expected none or coa',
    ]);
  });
});

describe('a site file is refused, with line and path, for', () => {
  const ADDRESS = 'expected an IP address and a port, such as 127.0.0.1:3799 or [::1]:3799, not a name';
  const HOST = 'expected the address of a host: this one means every address of a machine';
  const NAS_IDENTITY = 'expected a NAS-IP-Address or NAS-Identifier';
  const BRACES = `expected \${NAME}, with braces; a secret that looks like $NAME has to be in a variable or a file`;
  const NETWORK = 'expected a network such as 10.0.0.0/8 or 2001:db8::/32';

  it.each<[line: number, text: string, problem: string]>([
    [1, 'site: de mo', 'site: expected a name of letters, digits, "-" and "_", at most 48'],
    [1, 'site: de.mo', 'site: expected a name of letters, digits, "-" and "_", at most 48'],
    [1, `site: ${'d'.repeat(49)}`, 'site: expected a name of letters, digits, "-" and "_", at most 48'],
    [3, '  coa: 127.0.0.1', `relay.coa: ${ADDRESS}`],
    [3, '  coa: 127.0.0.256:3799', `relay.coa: ${ADDRESS}`],
    [3, '  coa: 127.0.0.1:65536', `relay.coa: ${ADDRESS}`],
    [3, '  coa: localhost:3799', `relay.coa: ${ADDRESS}`],
    [3, '  coa: "::1:3799"', `relay.coa: ${ADDRESS}`],
    [3, '  coa: 3799', `relay.coa: ${ADDRESS}`],
    [
      6,
      '  - name: "po licy"',
      'clients.0.name: expected a name of letters, digits, "-", "_" and ".", at most 63',
    ],
    [7, '    source: 127.0.0.0/33', `clients.0.source: ${NETWORK}`],
    [7, '    source: 2001:db8::/129', `clients.0.source: ${NETWORK}`],
    [7, '    source: 127.0.0.0/', `clients.0.source: ${NETWORK}`],
    [7, '    source: 127.0.0.0/8/8', `clients.0.source: ${NETWORK}`],
    [7, '    source: [127.0.0.1, anywhere]', `clients.0.source.1: ${NETWORK}`],
    [7, '    source: []', 'clients.0.source: expected at least one network'],
    [8, '    secret: ""', 'clients.0.secret: a secret is never empty'],
    [
      8,
      '    secret: 12345',
      'clients.0.secret: expected a secret, an environment reference, file:PATH or the ARN of a secret; put it in quotes',
    ],
    [
      8,
      '    secret: arn:aws:secretsmanager:eu-central-1:123456789012:secret:policy',
      'clients.0.secret: expected arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-123456, followed by :KEY:STAGE if needed',
    ],
    [
      8,
      `    secret: \${POLICY_SECRET:-testing123}`,
      `clients.0.secret: expected \${NAME} and nothing else, or a secret without "\${"`,
    ],
    [8, '    secret: []', 'clients.0.secret: expected at least one secret'],
    [8, '    secret: [a, b, c]', 'clients.0.secret: expected at most two secrets: the new and the old'],
    [10, '  - address: 127.0.0.1:0', 'accounting.0.address: expected a port from 1 to 65535'],
    [10, '  - address: "[::]:1813"', `accounting.0.address: ${HOST}`],
    [14, '    address: bng-1.example.net', `nases.0.address: ${ADDRESS}`],
    [14, '    address: 127.0.0.1:0', 'nases.0.address: expected a port from 1 to 65535'],
    [14, '    address: 0.0.0.0:3799', `nases.0.address: ${HOST}`],
    [13, '  - name: 30720', 'nases.0.name: expected a name; put it in quotes'],
    [15, '    secret: $BNG_SECRET', `nases.0.secret: ${BRACES}`],
    [16, '    identifiedBy: [192.0.2.1, 1]', `nases.0.identifiedBy.1: ${NAS_IDENTITY}; put it in quotes`],
    [
      15,
      '    secret: [a, 5]',
      'nases.0.secret.1: expected a secret, an environment reference, file:PATH or the ARN of a secret; put it in quotes',
    ],
    [16, '    identifiedBy: bng-1', 'nases.0.identifiedBy: expected a list'],
    [
      16,
      '    identifiedBy: []',
      'nases.0.identifiedBy: expected at least one NAS-IP-Address or NAS-Identifier',
    ],
    [16, '    identifiedBy: [""]', 'nases.0.identifiedBy.0: expected a NAS-IP-Address or NAS-Identifier'],
    [16, '    identifiedBy: [a, b, a]', 'nases.0.identifiedBy.2: the identity a is already taken above'],
    [
      16,
      '    identifiedBy: ["2001:DB8:0::1", "2001:db8::1"]',
      'nases.0.identifiedBy.1: the identity 2001:db8::1 is already taken above',
    ],
  ])('line %d: %s', (line, text, problem) => {
    expect(problemsOf(() => parse(withLine(line, text)))).toEqual([`demo.yaml:${line}: ${problem}`]);
  });

  it.each<[text: string, problem: string]>([
    ['    colour: blue', 'nases.0.colour: this key is not known here'],
    ['    dialect: esperanto', `nases.0.dialect: expected a dialect: ${DIALECT_NAMES.join(', ')}`],
    ['    enforcement: some', 'nases.0.enforcement: expected none or coa'],
    ['    answerTimeoutSeconds: 4', 'nases.0.answerTimeoutSeconds: expected at least 5 seconds'],
    ['    answerTimeoutSeconds: 31', 'nases.0.answerTimeoutSeconds: expected at most 30 seconds'],
    ['    answerTimeoutSeconds: 7.5', 'nases.0.answerTimeoutSeconds: expected whole seconds'],
    ['clientPatienceSeconds: 0', 'clientPatienceSeconds: expected at least 1 seconds'],
    ['clientPatienceSeconds: 121', 'clientPatienceSeconds: expected at most 120 seconds'],
    ['sessions: explicit', 'sessions: expected implicit or accounting'],
    ['queues: demo', 'queues: expected keys with values'],
    ['color: blue', 'color: this key is not known here'],
  ])('a line more: %s', (text, problem) => {
    expect(problemsOf(() => parse(`${SITE}${text}\n`))).toEqual([`demo.yaml:17: ${problem}`]);
  });

  it.each<[line: number, key: string, holder: number]>([
    [1, 'site', 1],
    [3, 'relay.coa', 2],
    [7, 'clients.0.source', 6],
    [8, 'clients.0.secret', 6],
    [16, 'nases.0.identifiedBy', 13],
  ])('the lack of line %d, %s, naming the line where it should be', (line, key, holder) => {
    expect(problemsOf(() => parse(withLine(line, '#')))).toEqual([
      `demo.yaml:${holder}: ${key}: this key is missing`,
    ]);
  });

  it('no client or no NAS', () => {
    const text = 'site: demo\nrelay: { coa: "0.0.0.0:3799", http: "0.0.0.0:9464" }\nclients: []\nnases: []\n';

    expect(problemsOf(() => parse(text))).toEqual([
      'demo.yaml:3: clients: expected at least one client',
      'demo.yaml:4: nases: expected at least one NAS',
    ]);
  });

  it('a queue without a URL', () => {
    expect(problemsOf(() => parse(`${SITE}queues:\n  inbox: http://x\n  outbox: x\n`))).toEqual([
      'demo.yaml:19: queues.outbox: expected the URL of a queue',
      'demo.yaml:17: queues.accounting: this key is missing',
    ]);
  });

  it('names and identities that are taken', () => {
    const again = `  - name: bng-1
    address: 127.0.0.1:3797
    secret: testing123
    identifiedBy:
      - bng-2
      - bng-1
`;

    expect(problemsOf(() => parse(SITE + again))).toEqual([
      'demo.yaml:17: nases.1.name: the name bng-1 is already taken above',
      'demo.yaml:22: nases.1.identifiedBy.1: the identity bng-1 is already taken above',
    ]);
    const client = '  - { name: policy, source: 10.0.0.0/8, secret: x }\naccounting:';
    expect(problemsOf(() => parse(SITE.replace('accounting:', client)))).toEqual([
      'demo.yaml:9: clients.1.name: the name policy is already taken above',
    ]);
  });

  it.each([
    ['127.0.0.0/8', '127.1.2.3/8'],
    ['2001:db8::/32', '2001:0db8:0:1::/32'],
    ['192.0.2.7', '::ffff:192.0.2.7'],
  ])('a network that two clients have, %s and %s', (one, other) => {
    const site = withLine(7, `    source: [10.9.0.0/16, ${one}, ${one}]`);
    const client = `  - { name: other, source: ["${other}"], secret: x }\naccounting:`;
    const what = other.includes('/') ? other : `${other}/128`;
    expect(problemsOf(() => parse(site.replace('accounting:', client)))).toEqual([
      `demo.yaml:9: clients.1.source: ${what} belongs to policy already`,
    ]);
  });
});

describe('the former names of a NAS', () => {
  const second = (...lines: readonly string[]) =>
    `${SITE}  - { name: bng-2, address: "127.0.0.1:3797", secret: testing123, identifiedBy: [bng-2] }\n`.replace(
      '    address: 127.0.0.1:3798\n',
      (address) => address + lines.map((line) => `    ${line}\n`).join(''),
    );

  it('are kept', () => {
    expect(parse(second('formerly: [bng-0, olt]')).nases.map(({ formerly }) => formerly)).toEqual([
      ['bng-0', 'olt'],
      [],
    ]);
  });

  it.each([
    ['bng-0', 'expected a list', ''],
    ['[bng 0]', 'expected a name of letters, digits, "-", "_" and ".", at most 63', '.0'],
    ['[5]', 'expected a name; put it in quotes', '.0'],
    ['[olt, bng-2]', 'a NAS is called bng-2 now', '.1'],
    ['[bng-1]', 'a NAS is called bng-1 now', '.0'],
    ['[olt, olt]', 'the former name olt is already taken above', '.1'],
  ])('are names that no NAS has now, each once: %s', (formerly, reason, place) => {
    expect(problemsOf(() => parse(second(`formerly: ${formerly}`)))).toEqual([
      `demo.yaml:15: nases.0.formerly${place}: ${reason}`,
    ]);
  });

  it('belong to one NAS', () => {
    const text = second('formerly: [olt]').replace('name: bng-2,', 'name: bng-2, formerly: [olt],');
    expect(problemsOf(() => parse(text))).toEqual([
      'demo.yaml:18: nases.1.formerly.0: the former name olt is already taken above',
    ]);
  });
});

describe('a site file with feeds', () => {
  const LISTENING = '  accounting: 127.0.0.1:1814\n';
  const NAS = '  - { name: bng-1, source: 192.0.2.1, secret: testing123, mode: proxy }\n';
  const COPY = '  - { name: aaa, source: [10.0.0.0/8, "::1"], secret: [new, old], mode: copy }\n';
  const file = ({ listening = LISTENING, feeds = `accountingFrom:\n${NAS}${COPY}`, site = SITE } = {}) =>
    site.replace('clients:', `${listening}clients:`) + feeds;

  it('says where the relay takes accounting, from whom, and who answers', () => {
    const { relay, accountingFrom } = parse(file());
    expect(relay.accounting).toEqual({ address: '127.0.0.1', port: 1814 });
    expect(accountingFrom).toEqual([
      {
        name: 'bng-1',
        source: [{ address: '192.0.2.1', prefix: 32, family: 'ipv4' }],
        secret: [{ kind: 'text', text: 'testing123' }],
        mode: 'proxy',
      },
      {
        name: 'aaa',
        source: [
          { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
          { address: '::1', prefix: 128, family: 'ipv6' },
        ],
        secret: [
          { kind: 'text', text: 'new' },
          { kind: 'text', text: 'old' },
        ],
        mode: 'copy',
      },
    ]);
  });

  it.each<[string, string, readonly string[]]>([
    [
      'no relay.accounting',
      file({ listening: '' }),
      ['demo.yaml:17: accountingFrom: expected relay.accounting, the address on which the relay takes these'],
    ],
    [
      'no accountingFrom',
      file({ feeds: '' }),
      ['demo.yaml:5: relay.accounting: expected accountingFrom, which says from whom'],
    ],
    [
      'the port of CoA-Requests',
      file({ listening: '  accounting: 127.0.0.1:3799\n' }),
      ['demo.yaml:5: relay.accounting: expected another port than that of relay.coa'],
    ],
    [
      'itself as an accounting server',
      file({ listening: '  accounting: 127.0.0.1:1813\n' }),
      [
        'demo.yaml:11: accounting.0.address: expected an accounting server: this is relay.accounting, the relay itself',
      ],
    ],
    [
      'a name as its address',
      file({ listening: '  accounting: radius:1813\n' }),
      [
        'demo.yaml:5: relay.accounting: expected an IP address and a port, such as 127.0.0.1:3799 or [::1]:3799, not a name',
      ],
    ],
    [
      'another mode',
      file().replace('mode: copy', 'mode: tap'),
      ['demo.yaml:20: accountingFrom.1.mode: expected copy or proxy'],
    ],
    [
      'no mode',
      file().replace(', mode: copy', ''),
      ['demo.yaml:20: accountingFrom.1.mode: this key is missing'],
    ],
    [
      'a key that is none',
      file().replace('mode: copy', 'mode: copy, port: 1'),
      ['demo.yaml:20: accountingFrom.1.port: this key is not known here'],
    ],
    [
      'two of one name',
      file().replace('name: aaa', 'name: bng-1'),
      ['demo.yaml:20: accountingFrom.1.name: the name bng-1 is already taken above'],
    ],
    [
      'two of one network',
      file().replace('10.0.0.0/8', '192.0.2.1'),
      ['demo.yaml:20: accountingFrom.1.source: 192.0.2.1/32 belongs to bng-1 already'],
    ],
    [
      'proxy without an accounting server',
      file({
        site: SITE.replace('accounting:\n  - address: 127.0.0.1:1813\n    secret: testing123\n', ''),
      }),
      [
        'demo.yaml:16: accountingFrom.0.mode: expected at least one server under accounting, to which proxy forwards',
      ],
    ],
    [
      'a secret that is none',
      file().replace('[new, old]', '[new, old, older]'),
      ['demo.yaml:20: accountingFrom.1.secret: expected at most two secrets: the new and the old'],
    ],
  ])('is refused with %s', (_, text, problems) => {
    expect(problemsOf(() => parse(text))).toEqual(problems);
  });

  it('may have the network of a client', () => {
    expect(problemsOf(() => parse(file().replace('192.0.2.1', '127.0.0.0/8')))).toEqual([]);
  });
});

describe('the IAM role of a relay', () => {
  const withRole = (role: string) => SITE.replace('clients:', `  role: ${role}\nclients:`);

  it.each(['host-7', 'service/hosts/host-7', 'a+=,.@-_b'])('may be %s', (role) => {
    expect(parse(withRole(role)).relay.role).toBe(role);
  });

  it.each(['arn:aws:iam::123456789012:role/host-7', '/host-7', 'host*', 'hosts/', 'x'.repeat(65)])(
    'is no %s',
    (role) => {
      expect(problemsOf(() => parse(withRole(`"${role}"`)))).toEqual([
        'demo.yaml:5: relay.role: expected the name of an IAM role without its ARN, such as interlock-relay-demo',
      ]);
    },
  );
});

describe('a site file whose relay is to run in a VPC', () => {
  const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:interlock/demo-a1B2c3';
  const VPC = 'vpc: { id: vpc-0123456789abcdef0, subnets: [subnet-0a1b2c3d, subnet-0a1b2c3e] }';
  const inVpc = (text: string) =>
    text
      .replace('127.0.0.1:3799', '0.0.0.0:3799')
      .replace('"[::1]:9464"', `0.0.0.0:8080\n  ${VPC}`)
      .replaceAll('testing123', ARN);

  it('says which', () => {
    expect(parse(inVpc(SITE)).relay.vpc).toEqual({
      id: 'vpc-0123456789abcdef0',
      subnets: ['subnet-0a1b2c3d', 'subnet-0a1b2c3e'],
    });
  });

  it.each([
    ['id: vpc-0123456789abcdef0', 'id: main', 'id: expected a VPC such as vpc-0123456789abcdef0'],
    ['[subnet-0a1b2c3d, subnet-0a1b2c3e]', '[]', 'subnets: expected at least one subnet'],
    ['subnet-0a1b2c3e', 'subnet-0a1b2c3d', 'subnets: expected every subnet once'],
    ['subnet-0a1b2c3e', 'private', 'subnets.1: expected a subnet such as subnet-0123456789abcdef0'],
  ])('is refused when %s is %s', (right, wrong, problem) => {
    expect(problemsOf(() => parse(inVpc(SITE).replace(right, wrong)))).toEqual([
      `demo.yaml:5: relay.vpc.${problem}`,
    ]);
  });

  it('is refused with a role: the stack makes that', () => {
    const text = inVpc(SITE).replace('  vpc:', '  role: interlock-relay-demo\n  vpc:');
    expect(problemsOf(() => parse(text))).toEqual([
      'demo.yaml:5: relay.role: expected no role: the stack makes that of a relay in a VPC',
    ]);
  });

  it('is refused for what cannot be there: addresses, files and variables of its own, IPv6', () => {
    const text = inVpc(SITE)
      .replace('0.0.0.0:3799', '10.0.0.5:3799')
      .replace('0.0.0.0:8080', '0.0.0.0:0')
      .replace('127.0.0.0/8', '[127.0.0.0/8, "2001:db8::/32"]')
      .replace('127.0.0.1:1813', '"[::1]:1813"')
      .replace('127.0.0.1:3798', '"[::1]:3798"')
      .replace('clients:', '  accounting: 0.0.0.0:0\nclients:')
      .concat(`accountingFrom: [{ name: bng-1, source: "::1", secret: "${ARN}", mode: copy }]\n`);
    const secrets = [`\${POLICY_SECRET}`, 'file:accounting', 'testing123', 'file:feed'];
    const listening = 'expected 0.0.0.0 and a port: the address of a relay in a VPC is chosen by AWS';
    const ipv4 = 'expected IPv4: a relay in a VPC has no IPv6 address';
    const stored = 'expected the ARN of a secret: a relay in a VPC has its secrets from Secrets Manager';

    expect(problemsOf(() => parse(text.replaceAll(ARN, () => secrets.shift() ?? '')))).toEqual([
      `demo.yaml:3: relay.coa: ${listening}`,
      `demo.yaml:4: relay.http: ${listening}`,
      `demo.yaml:6: relay.accounting: ${listening}`,
      `demo.yaml:9: clients.0.source: ${ipv4}`,
      `demo.yaml:19: accountingFrom.0.source: ${ipv4}`,
      `demo.yaml:12: accounting.0.address: ${ipv4}`,
      `demo.yaml:16: nases.0.address: ${ipv4}`,
      `demo.yaml:10: clients.0.secret: ${stored}`,
      `demo.yaml:13: accounting.0.secret: ${stored}`,
      `demo.yaml:19: accountingFrom.0.secret: ${stored}`,
      `demo.yaml:17: nases.0.secret: ${stored}`,
    ]);
  });
});
