// Reads a Disconnect-Request. It identifies a session and says nothing else (RFC 5176 section 3).
import { IDENTITY_ATTRIBUTES, NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import type { AttributeName } from '../radius/attributes.ts';
import { decodeAttributes } from '../radius/codec.ts';
import type { Packet } from '../radius/packet.ts';
import type { ServiceRequest } from '../subscriber/session.ts';
import { acctSessionIdOf, identityOf, nasOf } from './identification.ts';
import { orRefuse } from './reading.ts';
import { aboutRequest, classesOf, oneOf, type RequestContext } from './request-context.ts';

/** Identification, and what RFC 5176 section 3.6 allows besides. Class goes into the Acct-Stop of the session (note 4). */
const SUPPORTED: ReadonlySet<AttributeName> = new Set<AttributeName>([
  ...IDENTITY_ATTRIBUTES,
  'Acct-Session-Id',
  ...NAS_IDENTITY_ATTRIBUTES,
  'Class',
  'Proxy-State',
  'Event-Timestamp',
  'Message-Authenticator',
]);

/**
 * What a verified Disconnect-Request asks for.
 * @throws Refused at its first fault: Unsupported-Attribute for whatever is no identification.
 */
export function readDisconnect(packet: Packet, context: RequestContext): ServiceRequest {
  const attributes = decodeAttributes(packet).map((attribute) => oneOf(SUPPORTED, attribute));
  const acctSessionId = orRefuse(acctSessionIdOf(attributes));
  const nas = orRefuse(nasOf(attributes, context.nases));
  return {
    ...aboutRequest(packet, attributes, context),
    nas,
    acctSessionId,
    identity: orRefuse(identityOf(attributes)),
    classes: classesOf(attributes),
    activate: [],
    deactivate: [],
    isDisconnect: true,
  };
}
