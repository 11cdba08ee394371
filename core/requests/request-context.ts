// What a CoA-Request and a Disconnect-Request have in common.
import type { SessionKey } from '../messages.ts';
import type { KnownNas } from '../nas.ts';
import { type RadiusClient, radiusOrigin } from '../origin.ts';
import { type AttributeName, attributeNameAt } from '../radius/attributes.ts';
import { type Attribute, allValues, describeAttribute, type KnownAttribute } from '../radius/codec.ts';
import type { Packet } from '../radius/packet.ts';
import type { Catalogue } from '../services/catalogue.ts';
import type { ServiceRequest } from '../subscriber/session.ts';
import { atMostOne, orRefuse, Refused } from './reading.ts';

/** What the request's message and the deployment say of it. */
export interface RequestContext {
  readonly correlationId: string;
  /** When the inbox took its message, milliseconds since 1970-01-01 UTC by the clock of SQS. */
  readonly queuedAtMs: number;
  /** The sequence number of its message in the inbox; absent where SQS gave none. */
  readonly sequence?: string | undefined;
  /** When its client gives up, milliseconds since 1970-01-01 UTC by the cloud's clock. */
  readonly answerByMs: number;
  /** The relay that received it; absent for one of 0.1.0. */
  readonly relay?: string | undefined;
  readonly client: RadiusClient;
  readonly catalogue: Catalogue;
  /** The NASes of the relay's site. */
  readonly nases: readonly KnownNas[];
  /** The session that a look-up has found for it, where it has no Acct-Session-Id. */
  readonly found?: SessionKey | undefined;
}

/**
 * What the message of a request says of it besides its content.
 * @throws Refused if it has two Event-Timestamps.
 */
export function aboutRequest(
  packet: Packet,
  attributes: readonly Attribute[],
  { correlationId, queuedAtMs, sequence, answerByMs, relay, client }: RequestContext,
): Pick<ServiceRequest, 'correlationId' | 'queuedAtMs' | 'sequence' | 'answerByMs' | 'origin'> {
  const eventAtSeconds = orRefuse(atMostOne(attributes, 'Event-Timestamp'));
  return {
    correlationId,
    queuedAtMs,
    ...(sequence !== undefined && { sequence }),
    answerByMs,
    origin: radiusOrigin(packet, {
      ...(relay !== undefined && { relay }),
      client,
      ...(eventAtSeconds !== undefined && { eventAtSeconds }),
    }),
  };
}

/** The values of Class in hexadecimal, in order. */
export function classesOf(attributes: readonly Attribute[]): readonly string[] {
  return allValues(attributes, 'Class').map((value) => Buffer.from(value).toString('hex'));
}

/**
 * `attribute`, if it is well-formed and one of `supported`.
 * @throws Refused with Invalid-Attribute-Value or Unsupported-Attribute.
 */
export function oneOf(supported: ReadonlySet<AttributeName>, attribute: Attribute): KnownAttribute {
  if ('malformed' in attribute) {
    const { type, vendor, vendorType, reason } = attribute.malformed;
    const name = attributeNameAt(vendorType ?? type, vendor) ?? describeAttribute(attribute);
    throw new Refused('Invalid-Attribute-Value', `${name}: ${reason}`);
  }
  if ('unknown' in attribute || !supported.has(attribute.name)) {
    throw new Refused('Unsupported-Attribute', `${describeAttribute(attribute)} is not supported`);
  }
  return attribute;
}
