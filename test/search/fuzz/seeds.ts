// What the mutants are made from: valid packets, queue messages and stored items.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import type { KnownNas } from '../../../core/nas.ts';
import { prepareSecret, signRequest } from '../../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import type { Catalogue } from '../../../core/services/catalogue.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import {
  INTERIM,
  OFF,
  ON,
  SERVICE_START,
  START,
  START_RETRIED,
  STOP,
} from '../../core/radius/accounting-vectors.ts';
import { REPLIES, REQUESTS, SECRET as TEXT } from '../../core/radius/vectors.ts';
import {
  ack,
  asked,
  deactivation,
  having,
  nak,
  nas,
  play,
  record,
  request,
  timeout,
} from '../../core/support.ts';

export const SECRET = prepareSecret(TEXT);
const PROJECT = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(PROJECT, path), 'utf8');

export const CATALOGUE: Catalogue = parseServicesFile('services.yaml', read('config/services.yaml'));
export const NASES: readonly KnownNas[] = [
  { profile: nas({ enforcement: 'coa' }), identifiedBy: ['192.0.2.1', 'bng-1'], formerly: [] },
  {
    profile: nas({ name: 'bng-2', enforcement: 'none' }),
    identifiedBy: ['192.0.2.2', 'bng-2'],
    formerly: ['old'],
  },
];

const coa = (
  attributes: readonly Attribute[],
  code: number = CODE.CoaRequest,
  messageAuthenticator = false,
) =>
  Buffer.from(
    signRequest({ code, identifier: 7, attributes: encodeAttributes(attributes) }, SECRET, {
      messageAuthenticator,
    }),
  );
const SESSION: readonly Attribute[] = [
  { name: 'User-Name', value: 'client1@isp1.com' },
  { name: 'Acct-Session-Id', value: 's1' },
  { name: 'NAS-IP-Address', value: '192.0.2.1' },
];
const activate = (...services: readonly string[]) =>
  services.map((value, index): Attribute => ({ name: 'ERX-Service-Activate', tag: index + 1, value }));

/** CoA- and Disconnect-Requests. `atSeconds` is their Event-Timestamp. */
export const coaRequests = (atSeconds: number): readonly Buffer[] => [
  ...Object.values(REQUESTS)
    .filter(({ code }) => code !== CODE.AccountingRequest)
    .map(({ bytes }) => bytes),
  coa([...SESSION, ...activate('gold')]),
  coa(
    [...SESSION, ...activate('gold', 'video(1,a)', 'voice'), { name: 'Event-Timestamp', value: atSeconds }],
    CODE.CoaRequest,
    true,
  ),
  coa([
    ...SESSION,
    ...activate('tiered(1280000, 5120000)'),
    { name: 'ERX-Service-Timeout', tag: 1, value: 60 },
    { name: 'ERX-Service-Statistics', tag: 1, value: 1 },
    { name: 'ERX-Service-Deactivate', value: 'tiered' },
    { name: 'ERX-Service-Deactivate', value: 'voice' },
    { name: 'Proxy-State', value: Buffer.from('one') },
    { name: 'Proxy-State', value: Buffer.from('two') },
    { name: 'State', value: Buffer.from('state') },
    { name: 'Class', value: Buffer.from('class') },
  ]),
  coa([
    { name: 'User-Name', value: 'client1@isp1.com' },
    { name: 'Framed-IP-Address', value: '198.51.100.7' },
    ...activate('silver'),
  ]),
  coa([...SESSION], CODE.DisconnectRequest, true),
  // Names that every object of JavaScript has.
  coa([
    ...SESSION,
    ...activate('voice', 'constructor'),
    { name: 'ERX-Service-Deactivate', value: '__proto__' },
  ]),
  coa([
    ...SESSION,
    { name: 'ERX-Service-Deactivate', value: 'constructor' },
    { name: 'ERX-Service-Deactivate', value: '__proto__' },
    { name: 'ERX-Service-Deactivate', value: 'toString' },
  ]),
];
export const ACCOUNTING_REQUESTS: readonly Buffer[] = [
  START,
  INTERIM,
  STOP,
  ON,
  OFF,
  START_RETRIED,
  SERVICE_START,
];
export const NAS_REPLIES = Object.values(REPLIES);

const session = (played: ReturnType<typeof play>) => played.session as Session;
const TOLD = { nas: nas({ enforcement: 'coa' }) };

/** Sessions of every state, as they are stored. */
export const SESSIONS: readonly Session[] = [
  having(['gold', 'video'], TOLD),
  session(play([asked(request('r1', { ...TOLD, activate: ['silver'] }))], having(['gold'], TOLD))),
  session(
    play(
      [
        asked(request('r1', { ...TOLD, activate: ['silver'] })),
        asked(request('r2', { ...TOLD, activate: ['bronze'] })),
      ],
      having(['gold'], TOLD),
    ),
  ),
  session(play([asked(request('r1', { ...TOLD, activate: ['silver'] })), ack], having(['gold'], TOLD))),
  session(
    play([asked(request('r1', { ...TOLD, activate: ['silver'] })), ack, timeout], having(['gold'], TOLD)),
  ),
  session(
    play(
      [asked(request('r1', { ...TOLD, deactivate: [deactivation('gold'), 'video'] }))],
      having(['gold', 'video'], TOLD),
    ),
  ),
  session(
    play(
      [asked(request('r1', { ...TOLD, activate: ['silver'], deactivate: ['video'] })), ack, timeout],
      having(['gold', 'video'], TOLD),
    ),
  ),
  session(
    play([asked(request('r1', { ...TOLD, activate: ['silver'] })), nak(506, 'busy')], having(['gold'], TOLD)),
  ),
  session(play([record('start', 0)])),
  session(
    play([
      record('start', 0),
      record('interim', 60),
      asked(request('r1', { ...TOLD, activate: ['silver'] })),
      ack,
    ]),
  ),
  session(play([record('start', 0), record('stop', 60)])),
];
export const PAST_ITEMS = Object.values(
  JSON.parse(read('test/core/subscriber/items/0.1.0.json')) as Record<string, object>,
);
export const PAST_MESSAGES = JSON.parse(read('test/core/past-messages/0.1.0.json')) as Record<string, object>;
