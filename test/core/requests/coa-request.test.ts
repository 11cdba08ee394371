import { describe, expect, it } from 'vitest';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import { prepareSecret, signRequest } from '../../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE, parsePacket } from '../../../core/radius/packet.ts';
import { understandRequest } from '../../../core/requests/coa-request.ts';

const catalogue = parseServicesFile(
  'services.yaml',
  `
services:
  tiered: { parameters: [inputBW, outputBW], mutexGroup: 12, statistics: time, timeoutSeconds: 3600 }
  gold: { mutexGroup: [12, 13], statistics: time+volume }
  voice:
  größe: {}
  Gold Plus: {}
  30720: {}
  rate-limit;5120;30720: {}
groups: { 13: { policy: refuse } }
`,
);
const site = (nases: string) =>
  parseSiteFile(
    'demo.yaml',
    `
site: demo
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:9464" }
clients: [{ name: policy, source: 127.0.0.0/8, secret: testing123 }]
nases:
${nases}
`,
  );
const ONE = `  - { name: bng-1, address: "127.0.0.1:3798", secret: testing123, identifiedBy: [192.0.2.1, bng-1] }`;
const TWO = `${ONE}\n  - { name: bng-2, address: "127.0.0.1:3797", secret: testing123, identifiedBy: ["2001:db8::2", bng-2] }`;

const SESSION: readonly Attribute[] = [
  { name: 'User-Name', value: 'client1@isp1.com' },
  { name: 'Acct-Session-Id', value: '0001' },
];
const vendorZero = (vendorType: number, text: string): Attribute => ({
  unknown: { type: 26, vendor: 0, vendorType },
  value: Buffer.from(text),
});
const GOLD: Attribute = { name: 'ERX-Service-Activate', tag: 1, value: 'gold' };

function understand(
  attributes: readonly Attribute[],
  { nases = ONE, code = CODE.CoaRequest as number } = {},
) {
  const bytes = signRequest(
    { code, identifier: 7, attributes: encodeAttributes(attributes) },
    prepareSecret('testing123'),
  );
  const parsed = parsePacket(bytes);
  if (!parsed.ok) throw new Error(parsed.reason);
  return understandRequest(parsed.packet, {
    correlationId: 'c1',
    queuedAtMs: 1_700_000_000_250,
    answerByMs: 1_700_000_010_000,
    relay: 'demo',
    client: { name: 'policy', address: '127.0.0.1', port: 4000 },
    catalogue,
    nases: deploymentOf(catalogue, [site(nases)]).nasesBySite['demo'] ?? [],
  });
}

it('reads a NAS-Identifier of hexadecimal digits and colons as a NAS-Identifier', () => {
  const nases = `  - { name: olt, address: "127.0.0.1:3798", secret: testing123, identifiedBy: ["00:1a:2b:3c:4d:5e", "2001:db8::2"] }`;
  const understood = understand([...SESSION, GOLD], { nases });
  expect(understood.ok && understood.request?.nas.identity).toEqual({
    'NAS-IPv6-Address': '2001:db8::2',
    'NAS-Identifier': '00:1a:2b:3c:4d:5e',
  });
});

describe('a request that can be carried out', () => {
  it.each<[name: 'Statistics' | 'Acct-Interval' | 'Timeout' | 'Volume', expected: true | undefined]>([
    ['Statistics', true],
    ['Acct-Interval', true],
    ['Timeout', undefined],
    ['Volume', undefined],
  ])(
    'says whether it asks for statistics itself, or the catalogue does: ERX-Service-%s',
    (name, expected) => {
      const understood = understand([
        ...SESSION,
        GOLD,
        { name: `ERX-Service-${name}`, tag: GOLD.tag, value: 1 },
      ]);
      expect(understood.ok && understood.request?.activate.map((one) => one.asksForStatistics)).toEqual([
        expected,
      ]);
    },
  );

  it('has its session, the services to activate with their terms, and those to deactivate', () => {
    const understood = understand([
      ...SESSION,
      { name: 'Chargeable-User-Identity', value: Buffer.from([0xff, 0x01]) },
      { name: 'Class', value: Buffer.from('premium') },
      { name: 'Event-Timestamp', value: 1_700_000_000 },
      { name: 'Proxy-State', value: Buffer.from('p') },
      { name: 'ERX-Service-Statistics', tag: 6, value: 2 },
      { name: 'ERX-Service-Activate', tag: 6, value: ' tiered( 1280000 , 5120000 ) ' },
      { name: 'ERX-Service-Timeout', tag: 6, value: 18_000 },
      { name: 'ERX-Service-Volume', tag: 6, value: 100 },
      { name: 'ERX-Service-Acct-Interval', tag: 6, value: 60 },
      GOLD,
      { name: 'ERX-Service-Deactivate', value: 'voice()' },
    ]);
    expect(understood).toMatchObject({
      ok: true,
      request: {
        correlationId: 'c1',
        queuedAtMs: 1_700_000_000_250,
        answerByMs: 1_700_000_010_000,
        origin: {
          kind: 'radius',
          relay: 'demo',
          client: { name: 'policy', address: '127.0.0.1', port: 4000 },
          timestamped: true,
          eventAtSeconds: expect.any(Number),
        },
        nas: {
          site: 'demo',
          name: 'bng-1',
          identity: { 'NAS-IP-Address': '192.0.2.1', 'NAS-Identifier': 'bng-1' },
        },
        acctSessionId: '0001',
        identity: { 'User-Name': 'client1@isp1.com', 'Chargeable-User-Identity': 'ff01' },
        classes: [Buffer.from('premium').toString('hex')],
        activate: [
          {
            activation: 'tiered(1280000,5120000)',
            groups: [12],
            refusingGroups: [],
            statistics: 'time+volume',
            timeoutSeconds: 18_000,
            volumeMegabytes: 100,
            interimIntervalSeconds: 600,
          },
          {
            activation: 'gold',
            groups: [12, 13],
            refusingGroups: [13],
            statistics: 'time+volume',
            timeoutSeconds: 0,
          },
        ],
        deactivate: [{ activation: 'voice', spelling: 'voice()', groups: [], isDefined: true }],
      },
    });
  });

  it.each(['30720', 'Gold Plus', 'rate-limit;5120;30720', 'gr\u00f6\u00dfe'])(
    'may name the service %s',
    (name) => {
      const understood = understand([
        ...SESSION,
        { name: 'ERX-Service-Activate', tag: 1, value: ` ${name} ` },
        { name: 'ERX-Service-Deactivate', value: `isp/${name}` },
      ]);
      expect(understood.ok && understood.request?.activate[0]?.activation).toBe(name);
      expect(understood.ok && understood.request?.deactivate[0]?.activation).toBe(`isp/${name}`);
    },
  );

  it('has the terms that it does not set from the catalogue', () => {
    const understood = understand([
      ...SESSION,
      { name: 'ERX-Service-Activate', tag: 1, value: 'tiered(1,2)' },
    ]);
    expect(understood.ok && understood.request?.activate[0]).toMatchObject({
      statistics: 'time',
      timeoutSeconds: 3600,
    });
  });

  it.each<[string, Attribute[], string]>([
    ['NAS-IP-Address', [{ name: 'NAS-IP-Address', value: '192.0.2.1' }], 'bng-1'],
    ['NAS-Identifier', [{ name: 'NAS-Identifier', value: 'bng-2' }], 'bng-2'],
    ['NAS-IPv6-Address', [{ name: 'NAS-IPv6-Address', value: '2001:db8::2' }], 'bng-2'],
    [
      'both names of one NAS',
      [
        { name: 'NAS-IP-Address', value: '192.0.2.1' },
        { name: 'NAS-Identifier', value: 'bng-1' },
      ],
      'bng-1',
    ],
  ])('finds the NAS by %s', (_, attributes, name) => {
    const understood = understand([...SESSION, ...attributes, GOLD], { nases: TWO });
    expect(understood.ok && understood.request?.nas.name).toBe(name);
  });

  it.each([
    [0, 0],
    [1, 600],
    [599, 600],
    [600, 600],
    [86_400, 86_400],
    [86_401, 86_400],
  ])('reads an interim interval of %i s as %i s', (value, expected) => {
    const understood = understand([...SESSION, GOLD, { name: 'ERX-Service-Acct-Interval', tag: 1, value }]);
    expect(understood.ok && understood.request?.activate[0]?.interimIntervalSeconds).toBe(expected);
  });

  it('has the Request Authenticator for its key, the same for the same octets alone', () => {
    const keys = [[GOLD], [GOLD], [{ ...GOLD, tag: 2 }]].map((attributes) => {
      const understood = understand([...SESSION, ...attributes]);
      return understood.ok && understood.request?.origin.key;
    });
    expect(keys[0]).toBe(keys[1]);
    expect(keys[0]).not.toBe(keys[2]);
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('a request that is refused', () => {
  const activate = (value: string, tag = 1): Attribute => ({ name: 'ERX-Service-Activate', tag, value });
  it.each<{
    why: string;
    attributes: Attribute[];
    errorCause: string;
    reason: RegExp;
    nases?: string;
    code?: number;
  }>([
    {
      why: 'nothing that identifies the session',
      attributes: [GOLD],
      errorCause: 'Missing-Attribute',
      reason: /neither Acct-Session-Id nor another attribute identifies the session/,
    },
    {
      why: 'an Acct-Session-Id too long to be accounted',
      attributes: [{ name: 'Acct-Session-Id', value: 'x'.repeat(240) }, GOLD],
      errorCause: 'Invalid-Attribute-Value',
      reason: /Acct-Session-Id: expected 1 to 239/,
    },
    { why: 'nothing to do', attributes: [...SESSION], errorCause: 'Missing-Attribute', reason: /neither/ },
    {
      why: 'an unknown NAS',
      attributes: [...SESSION, { name: 'NAS-IP-Address', value: '192.0.2.9' }, GOLD],
      errorCause: 'NAS-Identification-Mismatch',
      reason: /192\.0\.2\.9/,
    },
    {
      why: 'names of two NASes',
      attributes: [
        ...SESSION,
        { name: 'NAS-IP-Address', value: '192.0.2.1' },
        { name: 'NAS-Identifier', value: 'bng-2' },
        GOLD,
      ],
      nases: TWO,
      errorCause: 'NAS-Identification-Mismatch',
      reason: /192\.0\.2\.1 and bng-2/,
    },
    {
      why: 'an unknown service',
      attributes: [...SESSION, activate('platinum')],
      errorCause: 'Invalid-Request',
      reason: /no service platinum/,
    },
    {
      why: 'a service named like a property of every object',
      attributes: [...SESSION, activate('constructor')],
      errorCause: 'Invalid-Attribute-Value',
      reason: /cannot be called constructor/,
    },
    {
      why: 'a service from log-in named like a property of every object',
      attributes: [...SESSION, { name: 'ERX-Service-Deactivate', value: 'toString' }],
      errorCause: 'Invalid-Attribute-Value',
      reason: /ERX-Service-Deactivate .*cannot be called toString/,
    },
    {
      why: 'control characters in a service',
      attributes: [...SESSION, activate('gold\u001b[2J')],
      errorCause: 'Invalid-Attribute-Value',
      reason: /ERX-Service-Activate .*no control or format characters/,
    },
    {
      why: 'format characters in a service from log-in',
      attributes: [...SESSION, { name: 'ERX-Service-Deactivate', value: '\u202edlog' }],
      errorCause: 'Invalid-Attribute-Value',
      reason: /ERX-Service-Deactivate .*no control or format characters/,
    },
    {
      why: 'a service in another case',
      attributes: [...SESSION, activate('Gold')],
      errorCause: 'Invalid-Request',
      reason: /no service Gold$/,
    },
    {
      why: 'a service in another Unicode normalization form',
      attributes: [...SESSION, activate('gro\u0308\u00dfe')],
      errorCause: 'Invalid-Request',
      reason: /no service gr..?.e in this Unicode normalization form$/,
    },
    {
      why: 'an Acct-Session-Id of the vendor 0',
      attributes: [vendorZero(44, '0001'), GOLD],
      errorCause: 'Unsupported-Attribute',
      reason: /Attr-26\.0\.44/,
    },
    {
      why: 'a User-Name of the vendor 0 beside its own',
      attributes: [...SESSION, vendorZero(1, 'somebody.else'), GOLD],
      errorCause: 'Unsupported-Attribute',
      reason: /Attr-26\.0\.1 /,
    },
    {
      why: 'an ERX-Service-Activate of another vendor',
      attributes: [
        ...SESSION,
        { unknown: { type: 26, vendor: 2636, vendorType: 65 }, value: Buffer.from('\u0001gold') },
      ],
      errorCause: 'Unsupported-Attribute',
      reason: /Attr-26\.2636\.65/,
    },
    {
      why: 'too few parameters',
      attributes: [...SESSION, activate('tiered(1)')],
      errorCause: 'Invalid-Attribute-Value',
      reason: /expected \(inputBW, outputBW\)/,
    },
    {
      why: 'parameters where there are none',
      attributes: [...SESSION, activate('gold(1)')],
      errorCause: 'Invalid-Attribute-Value',
      reason: /expected no parameters/,
    },
    {
      why: 'an activation string that is none',
      attributes: [...SESSION, activate('tiered(1,')],
      errorCause: 'Invalid-Attribute-Value',
      reason: /expected name/,
    },
    {
      why: 'an empty parameter',
      attributes: [...SESSION, activate('tiered(1,)')],
      errorCause: 'Invalid-Attribute-Value',
      reason: /empty parameter/,
    },
    {
      why: 'no tag',
      attributes: [...SESSION, { name: 'ERX-Service-Activate', value: 'gold' }],
      errorCause: 'Invalid-Request',
      reason: /expected a tag/,
    },
    {
      why: 'tag 9',
      attributes: [...SESSION, activate('gold', 9)],
      errorCause: 'Invalid-Request',
      reason: /expected a tag/,
    },
    {
      why: 'one tag twice',
      attributes: [...SESSION, GOLD, activate('voice')],
      errorCause: 'Invalid-Request',
      reason: /tag 1 occurs more than once/,
    },
    {
      why: 'one service twice',
      attributes: [...SESSION, GOLD, activate('gold', 2)],
      errorCause: 'Invalid-Request',
      reason: /gold occurs more than once/,
    },
    {
      why: 'terms without an activation',
      attributes: [...SESSION, GOLD, { name: 'ERX-Service-Timeout', tag: 2, value: 60 }],
      errorCause: 'Invalid-Request',
      reason: /ERX-Service-Timeout: no ERX-Service-Activate has the tag 2/,
    },
    {
      why: 'terms without a tag',
      attributes: [...SESSION, GOLD, { name: 'ERX-Service-Timeout', value: 60 }],
      errorCause: 'Invalid-Request',
      reason: /ERX-Service-Timeout/,
    },
    {
      why: 'terms twice',
      attributes: [
        ...SESSION,
        GOLD,
        { name: 'ERX-Service-Timeout', tag: 1, value: 60 },
        { name: 'ERX-Service-Timeout', tag: 1, value: 61 },
      ],
      errorCause: 'Invalid-Request',
      reason: /ERX-Service-Timeout:1 occurs more than once/,
    },
    {
      why: 'statistics that are none',
      attributes: [...SESSION, GOLD, { name: 'ERX-Service-Statistics', tag: 1, value: 3 }],
      errorCause: 'Invalid-Attribute-Value',
      reason: /expected 0, 1 or 2/,
    },
    {
      why: 'one service both ways',
      attributes: [...SESSION, GOLD, { name: 'ERX-Service-Deactivate', value: 'gold' }],
      errorCause: 'Invalid-Request',
      reason: /both activated and deactivated/,
    },
    {
      why: 'a deactivation that is none',
      attributes: [...SESSION, { name: 'ERX-Service-Deactivate', value: '(1)' }],
      errorCause: 'Invalid-Attribute-Value',
      reason: /ERX-Service-Deactivate/,
    },
    {
      why: 'an attribute that is not supported',
      attributes: [...SESSION, GOLD, { name: 'Filter-Id', value: 'x' }],
      errorCause: 'Unsupported-Attribute',
      reason: /Filter-Id/,
    },
    {
      why: 'a Vendor-Specific that is not supported',
      attributes: [...SESSION, GOLD, { name: 'ERX-Update-Service', tag: 1, value: 'gold' }],
      errorCause: 'Unsupported-Attribute',
      reason: /ERX-Update-Service/,
    },
    {
      why: 'an unknown Vendor-Specific',
      attributes: [
        ...SESSION,
        GOLD,
        { unknown: { type: 26, vendor: 9, vendorType: 99 }, value: Buffer.from('x') },
      ],
      errorCause: 'Unsupported-Attribute',
      reason: /26\.9\.99/,
    },
    {
      why: 'a value of the wrong size',
      attributes: [...SESSION, GOLD, { unknown: { type: 8 }, value: Buffer.from([1, 2, 3]) }],
      errorCause: 'Invalid-Attribute-Value',
      reason: /Framed-IP-Address: expected 4 octets/,
    },
    {
      why: 'Service-Type',
      attributes: [...SESSION, GOLD, { name: 'Service-Type', value: 17 }],
      errorCause: 'Unsupported-Service',
      reason: /Service-Type/,
    },
    {
      why: 'a second User-Name',
      attributes: [...SESSION, { name: 'User-Name', value: 'x' }, GOLD],
      errorCause: 'Invalid-Request',
      reason: /User-Name occurs more than once/,
    },
    {
      why: 'a service in a Disconnect-Request',
      attributes: [...SESSION, GOLD],
      code: CODE.DisconnectRequest,
      errorCause: 'Unsupported-Attribute',
      reason: /ERX-Service-Activate/,
    },
    {
      why: 'Service-Type in a Disconnect-Request, which has no 405',
      attributes: [...SESSION, { name: 'Service-Type', value: 17 }],
      code: CODE.DisconnectRequest,
      errorCause: 'Unsupported-Attribute',
      reason: /Service-Type/,
    },
    {
      why: 'State in a Disconnect-Request',
      attributes: [...SESSION, { name: 'State', value: Buffer.from('x') }],
      code: CODE.DisconnectRequest,
      errorCause: 'Unsupported-Attribute',
      reason: /State/,
    },
  ])('because of $why: $errorCause', ({ attributes, errorCause, reason, nases, code }) => {
    const understood = understand(attributes, { ...(nases && { nases }), ...(code && { code }) });
    expect(understood).toEqual({ ok: false, refusal: { errorCause, reason: expect.stringMatching(reason) } });
  });
});

describe('understandRequest of a Disconnect-Request', () => {
  it('takes identification, Class, Event-Timestamp and Proxy-State', () => {
    const attributes: Attribute[] = [
      ...SESSION,
      { name: 'Class', value: Buffer.from('gold') },
      { name: 'Event-Timestamp', value: 1_764_000_000 },
      { name: 'Proxy-State', value: Buffer.from('hop') },
    ];
    expect(understand(attributes, { code: CODE.DisconnectRequest })).toMatchObject({
      ok: true,
      request: {
        isDisconnect: true,
        identity: { 'User-Name': expect.any(String) },
        classes: ['676f6c64'],
        activate: [],
        deactivate: [],
        origin: { timestamped: true },
      },
    });
  });
});
