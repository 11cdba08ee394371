// Reads a CoA-Request. RFC 5176 section 2.3 makes every attribute in it mandatory: if one cannot be carried out, the
// whole request is refused and nothing changes.

import { ERX_MAX_TAG, ERX_STATISTICS } from '../dialects/erx.ts';
import { IDENTITY_ATTRIBUTES, NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import type { Origin } from '../origin.ts';
import type { AttributeName } from '../radius/attributes.ts';
import { type Attribute, decodeAttributes, type KnownAttribute } from '../radius/codec.ts';
import { CODE, type Packet } from '../radius/packet.ts';
import { type Activation, parseActivation } from '../services/activation.ts';
import type { Catalogue, ServiceDefinition } from '../services/catalogue.ts';
import type { PlannedService, Statistics } from '../services/terms.ts';
import type { RequestedDeactivation, ServiceRequest } from '../subscriber/session.ts';
import { readDisconnect } from './disconnect-request.ts';
import { type Sought, subjectOf } from './identification.ts';
import { orRefuse, type Refusal, Refused } from './reading.ts';
import { aboutRequest, classesOf, oneOf, type RequestContext } from './request-context.ts';

/** What a request asks for, and of which session; or that the session has to be looked up; or why the request is refused. */
export type Understood =
  | { readonly ok: true; readonly request: ServiceRequest }
  | { readonly ok: true; readonly request?: undefined; readonly sought: Sought; readonly origin: Origin }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * What a verified CoA-Request or Disconnect-Request asks for (RFC 5176 sections 2.1 and 2.2), or the refusal for its first
 * fault.
 */
export function understandRequest(packet: Packet, context: RequestContext): Understood {
  try {
    const isDisconnect = packet.code === CODE.DisconnectRequest;
    const read = isDisconnect ? readDisconnect(packet, context) : readCoa(packet, context);
    if (!('nasNames' in read)) return { ok: true, request: read };
    const { origin } = aboutRequest(packet, decodeAttributes(packet), context);
    return { ok: true, sought: read, origin };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refusal: error.refusal };
    throw error;
  }
}

function readCoa(packet: Packet, context: RequestContext): ServiceRequest | Sought {
  const attributes = decodeAttributes(packet).map(supported);
  const subject = orRefuse(subjectOf(attributes, context.nases, context.found));
  const activate = activations(attributes, context.catalogue);
  const deactivate = deactivations(attributes, context.catalogue);
  const both = activate.find(({ activation }) => deactivate.some((one) => one.activation === activation));
  if (both !== undefined)
    throw new Refused('Invalid-Request', `${both.activation} is both activated and deactivated`);
  if (activate.length + deactivate.length === 0) {
    throw new Refused('Missing-Attribute', 'it has neither ERX-Service-Activate nor ERX-Service-Deactivate');
  }

  if ('nasNames' in subject) return subject;
  return {
    ...aboutRequest(packet, attributes, context),
    ...subject,
    classes: classesOf(attributes),
    activate,
    deactivate,
  };
}

// --- Attributes -----------------------------------------------------------------------------------------------

const SUPPORTED: ReadonlySet<AttributeName> = new Set<AttributeName>([
  ...IDENTITY_ATTRIBUTES,
  'Acct-Session-Id',
  ...NAS_IDENTITY_ATTRIBUTES,
  'Class',
  'State',
  'Proxy-State',
  'Event-Timestamp',
  'Message-Authenticator',
  'ERX-Service-Activate',
  'ERX-Service-Deactivate',
  'ERX-Service-Volume',
  'ERX-Service-Timeout',
  'ERX-Service-Statistics',
  'ERX-Service-Acct-Interval',
]);

function supported(attribute: Attribute): KnownAttribute {
  if ('name' in attribute && attribute.name === 'Service-Type') {
    throw new Refused('Unsupported-Service', 'Service-Type is not supported');
  }
  return oneOf(SUPPORTED, attribute);
}

type Named<N extends AttributeName> = Extract<KnownAttribute, { readonly name: N }>;

function named<N extends AttributeName>(attributes: readonly KnownAttribute[], name: N): readonly Named<N>[] {
  return attributes.filter((attribute): attribute is Named<N> => attribute.name === name);
}

// --- Services -------------------------------------------------------------------------------------------------

/** The attributes that belong to the activation with their tag, and the terms that they set. */
const TERMS = {
  'ERX-Service-Timeout': (value: number) => ({ timeoutSeconds: value }),
  'ERX-Service-Volume': (value: number) => ({ volumeMegabytes: value }),
  'ERX-Service-Statistics': (value: number) => ({ statistics: statisticsOf(value) }),
  'ERX-Service-Acct-Interval': (value: number) => ({ interimIntervalSeconds: interimInterval(value) }),
} as const;
const TERM_NAMES = Object.keys(TERMS) as (keyof typeof TERMS)[];
const ABOUT_STATISTICS: ReadonlySet<string> = new Set([
  'ERX-Service-Statistics',
  'ERX-Service-Acct-Interval',
]);
const ASKED = { asksForStatistics: true } as const;

function activations(attributes: readonly KnownAttribute[], catalogue: Catalogue): readonly PlannedService[] {
  const byTag = new Map<number, PlannedService>();
  for (const { tag, value } of named(attributes, 'ERX-Service-Activate')) {
    const { activation, definition } = lookUp(value, catalogue);
    if (tag === undefined || tag > ERX_MAX_TAG) {
      throw new Refused(
        'Invalid-Request',
        `ERX-Service-Activate ${activation.canonical}: expected a tag from 1 to ${ERX_MAX_TAG}`,
      );
    }
    if (byTag.has(tag))
      throw new Refused('Invalid-Request', `ERX-Service-Activate: the tag ${tag} occurs more than once`);
    if ([...byTag.values()].some((other) => other.activation === activation.canonical)) {
      throw new Refused(
        'Invalid-Request',
        `ERX-Service-Activate: ${activation.canonical} occurs more than once`,
      );
    }
    byTag.set(tag, { activation: activation.canonical, ...defaults(activation.name, definition, catalogue) });
  }
  const bound = new Set<string>();
  for (const name of TERM_NAMES) {
    for (const { tag, value } of named(attributes, name)) {
      const service = tag === undefined ? undefined : byTag.get(tag);
      if (tag === undefined || service === undefined) {
        throw new Refused(
          'Invalid-Request',
          tag === undefined ? `${name} has no tag` : `${name}: no ERX-Service-Activate has the tag ${tag}`,
        );
      }
      if (bound.has(`${name}:${tag}`))
        throw new Refused('Invalid-Request', `${name}:${tag} occurs more than once`);
      bound.add(`${name}:${tag}`);
      byTag.set(tag, { ...service, ...TERMS[name](value), ...(ABOUT_STATISTICS.has(name) && ASKED) });
    }
  }
  return [...byTag.values()];
}

function deactivations(
  attributes: readonly KnownAttribute[],
  { services }: Catalogue,
): readonly RequestedDeactivation[] {
  const requested = named(attributes, 'ERX-Service-Deactivate').map(({ value }) => {
    const parsed = parseActivation(value);
    if (!parsed.ok)
      throw new Refused('Invalid-Attribute-Value', `ERX-Service-Deactivate "${value}": ${parsed.reason}`);
    const { name, canonical } = parsed.activation;
    const definition = Object.hasOwn(services, name) ? services[name] : undefined;
    return {
      activation: canonical,
      spelling: value,
      groups: definition?.groups ?? [],
      isDefined: definition !== undefined,
      ...(definition !== undefined &&
        definition.statistics !== 'off' && { statistics: definition.statistics }),
    };
  });
  return [...new Map(requested.map((one) => [one.activation, one])).values()];
}

function lookUp(
  text: string,
  { services }: Catalogue,
): { activation: Activation; definition: ServiceDefinition } {
  const parsed = parseActivation(text);
  if (!parsed.ok)
    throw new Refused('Invalid-Attribute-Value', `ERX-Service-Activate "${text}": ${parsed.reason}`);
  const { activation } = parsed;
  const definition = Object.hasOwn(services, activation.name) ? services[activation.name] : undefined;
  if (definition === undefined)
    throw new Refused('Invalid-Request', unknownService(activation.name, services));
  const { parameters } = definition;
  if (parameters.length !== activation.parameters.length) {
    const signature = parameters.length === 0 ? 'no parameters' : `(${parameters.join(', ')})`;
    throw new Refused(
      'Invalid-Attribute-Value',
      `ERX-Service-Activate ${activation.canonical}: expected ${signature}`,
    );
  }
  return { activation, definition };
}

/** Two spellings of one text look alike: `ö` is one character or two. */
function unknownService(name: string, services: Catalogue['services']): string {
  const hasTwin = Object.keys(services).some((other) => other.normalize() === name.normalize());
  return `there is no service ${name}${hasTwin ? ' in this Unicode normalization form' : ''}`;
}

function defaults(
  name: string,
  definition: ServiceDefinition,
  { services, refusingGroups, clearedGroups }: Catalogue,
): Omit<PlannedService, 'activation'> {
  const { parameters: _, ...terms } = definition;
  const cleared = terms.groups.filter((group) => clearedGroups.includes(group));
  const unknownMembers = Object.entries(services).flatMap(([other, { parameters, groups }]) => {
    const clears = groups.filter((group) => cleared.includes(group));
    const isMember = other !== name && parameters.length === 0 && clears.length > 0;
    return isMember ? [{ activation: other, groups, clears }] : [];
  });
  return {
    ...terms,
    refusingGroups: terms.groups.filter((group) => refusingGroups.includes(group)),
    unknownMembers,
  };
}

function statisticsOf(value: number): Statistics {
  const found = (Object.keys(ERX_STATISTICS) as Statistics[]).find((name) => ERX_STATISTICS[name] === value);
  if (found === undefined)
    throw new Refused('Invalid-Attribute-Value', `ERX-Service-Statistics: expected 0, 1 or 2, got ${value}`);
  return found;
}

/** JunosE raises 1 to 599 seconds to 600 ("Service Interim Accounting Overview"), and allows at most 86,400. */
function interimInterval(seconds: number): number {
  return seconds === 0 ? 0 : Math.min(Math.max(seconds, 600), 86_400);
}
