// How a NAS of each make reads a CoA-Request. The counterpart of core/dialects, written independently from the side of
// the NAS: that it carries a command out is evidence that the command is right.

import type { DialectName } from '../../core/dialects/dialects.ts';
import { type GenericOptions, NO_SERVICE } from '../../core/dialects/generic.ts';
import { NAS_IDENTITY_ATTRIBUTES } from '../../core/identity.ts';
import { type AttributeName, ERROR_CAUSE } from '../../core/radius/attributes.ts';
import { type Attribute, allValues, isNamed, type KnownAttribute } from '../../core/radius/codec.ts';

const ERX_THRESHOLDS = [
  'ERX-Service-Statistics',
  'ERX-Service-Timeout',
  'ERX-Service-Volume',
  'ERX-Service-Acct-Interval',
] as const;

/** One operation that a CoA-Request asks for, or a Disconnect-Request. */
export interface NasOperation {
  readonly operation: 'activate' | 'deactivate' | 'disconnect';
  /** The service, as the request spells it; empty for `disconnect`. */
  readonly service: string;
  /** The thresholds of an activation, where it has any. */
  readonly thresholds?: Readonly<Partial<Record<(typeof ERX_THRESHOLDS)[number], number>>>;
}

/** The operations, in order, or the Error-Cause of a request that cannot be read. */
export type NasReading =
  | { readonly ok: true; readonly operations: readonly NasOperation[] }
  | { readonly ok: false; readonly errorCause: number };

/** What the site file says of the NAS in `options`. */
type Options = Partial<GenericOptions>;

interface NasDialect {
  /** The attributes that it supports besides those that identify the session or protect the packet. */
  readonly attributes: readonly AttributeName[];
  /** `services`: those that the session has. */
  read(attributes: readonly KnownAttribute[], services: readonly string[], options: Options): NasReading;
}

const refuse = (cause: keyof typeof ERROR_CAUSE): NasReading => ({
  ok: false,
  errorCause: ERROR_CAUSE[cause],
});

/** JunosE: a tag from 1 to 8 for each activation and its thresholds ("Using Tags with RADIUS Attributes"). */
const erx: NasDialect = {
  attributes: [
    'ERX-Virtual-Router-Name',
    'ERX-Service-Activate',
    'ERX-Service-Deactivate',
    ...ERX_THRESHOLDS,
  ],
  read(attributes) {
    const tags = attributes.filter(isNamed('ERX-Service-Activate')).map(({ tag }) => tag);
    const thresholds = ERX_THRESHOLDS.flatMap((name) => attributes.filter(isNamed(name)));
    const areTagged = tags.every(
      (tag, index) => tag !== undefined && tag <= 8 && tags.indexOf(tag) === index,
    );
    if (!areTagged || !thresholds.every(({ tag }) => tags.includes(tag))) return refuse('Invalid-Request');
    const operations = attributes.flatMap((attribute): NasOperation[] => {
      switch (attribute.name) {
        case 'ERX-Service-Activate': {
          const bound = thresholds.filter(({ tag }) => tag === attribute.tag);
          const terms = Object.fromEntries(bound.map(({ name, value }) => [name, value]));
          return [
            {
              operation: 'activate',
              service: attribute.value,
              ...(bound.length > 0 && { thresholds: terms }),
            },
          ];
        }
        case 'ERX-Service-Deactivate':
          return [{ operation: 'deactivate', service: attribute.value }];
        default:
          return [];
      }
    });
    return operations.length === 0 ? refuse('Missing-Attribute') : { ok: true, operations };
  },
};

const CISCO_COMMANDS: Readonly<Record<string, NasOperation['operation']>> = {
  'subscriber:command=activate-service': 'activate',
  'subscriber:command=deactivate-service': 'deactivate',
};

/** Cisco ISG: one command and one service in a request. */
const cisco: NasDialect = {
  attributes: ['Cisco-AVPair'],
  read(attributes) {
    const [first, second, ...others] = allValues(attributes, 'Cisco-AVPair');
    const operation = CISCO_COMMANDS[first ?? ''];
    const [, service] = /^subscriber:service-name=(.+)$/.exec(second ?? '') ?? [];
    if (operation === undefined || service === undefined || others.length > 0)
      return refuse('Invalid-Request');
    return { ok: true, operations: [{ operation, service }] };
  },
};

/**
 * RFC 5176 section 3.6, note 3: the Filter-Ids of a request replace all that the session had. One that has a single
 * Filter-Id for a session refuses several.
 */
const generic: NasDialect = {
  attributes: ['Filter-Id'],
  read(attributes, services, { noService = NO_SERVICE, oneAtATime = false }) {
    const filters = allValues(attributes, 'Filter-Id');
    if (filters.length === 0) return refuse('Missing-Attribute');
    if (oneAtATime && filters.length > 1) return refuse('Invalid-Request');
    const wanted = filters.filter((filter) => filter !== noService);
    const operations = [
      ...wanted
        .filter((service) => !services.includes(service))
        .map((service) => ({ operation: 'activate', service }) as const),
      ...services
        .filter((service) => !wanted.includes(service))
        .map((service) => ({ operation: 'deactivate', service }) as const),
    ];
    return { ok: true, operations };
  },
};

const NAS_DIALECTS: Readonly<Record<DialectName, NasDialect>> = { erx, cisco, generic };

/** What every NAS supports: identification (RFC 5176 section 3), and what protects and routes the packet. */
const COMMON: readonly AttributeName[] = [
  'User-Name',
  ...NAS_IDENTITY_ATTRIBUTES,
  'NAS-Port',
  'NAS-Port-Id',
  'Framed-IP-Address',
  'Called-Station-Id',
  'Calling-Station-Id',
  'Acct-Session-Id',
  'Acct-Multi-Session-Id',
  'State',
  'Proxy-State',
  'Event-Timestamp',
  'Message-Authenticator',
];

/** Reads a Disconnect-Request: anything but identification refuses it (RFC 5176 section 3). */
export function readDisconnectAsNas(attributes: readonly Attribute[]): NasReading {
  const allowed: readonly AttributeName[] = [...COMMON, 'ERX-Virtual-Router-Name', 'Class'];
  const isAllowed = (one: Attribute) => 'name' in one && one.name !== 'State' && allowed.includes(one.name);
  if (!attributes.every(isAllowed)) return refuse('Unsupported-Attribute');
  return { ok: true, operations: [{ operation: 'disconnect', service: '' }] };
}

/**
 * Reads a CoA-Request as a NAS of that dialect does, for a session that has `services`. Every attribute is mandatory
 * (RFC 5176 section 2.3): an unsupported one refuses the whole request.
 */
export function readAsNas(
  dialect: DialectName,
  attributes: readonly Attribute[],
  services: readonly string[],
  options: Options = {},
): NasReading {
  const nas = NAS_DIALECTS[dialect];
  const known: KnownAttribute[] = [];
  for (const attribute of attributes) {
    if ('malformed' in attribute) return refuse('Invalid-Attribute-Value');
    if ('unknown' in attribute || ![...COMMON, ...nas.attributes].includes(attribute.name))
      return refuse('Unsupported-Attribute');
    known.push(attribute);
  }
  return nas.read(known, services, options);
}
