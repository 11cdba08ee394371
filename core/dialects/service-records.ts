// Accounting of services by the NAS itself: by which attributes each make tells a record of a service from one of the
// subscriber session, and which session it names.
import { ATTRIBUTES, type AttributeDefinition } from '../radius/attributes.ts';
import { type Attribute, firstValue } from '../radius/codec.ts';

/** What an Accounting-Request says of the service that it accounts. */
export interface ServiceRecord {
  /** The activation string, as the NAS has sent it. */
  readonly name: string;
  /** Acct-Session-Id of the service. */
  readonly serviceSessionId: string;
  /** Acct-Session-Id of the subscriber session; absent where the record does not name it. */
  readonly parentSessionId?: string;
}

/** The service that a record accounts; undefined for a record of the subscriber session itself. */
export type ReadServiceRecord = (attributes: readonly Attribute[]) => ServiceRecord | undefined;

/** Private enterprise numbers. */
const CISCO = 9;
const HUAWEI = 2011;
const REDBACK = 2352;
const ERX = 4874;
const NOKIA = 6527;

/**
 * JunosE and Junos OS: ERX-Service-Session (26-4874-83) names the service. Its Acct-Session-Id is that of the subscriber
 * session, a colon and a number; the former may contain colons, too.
 */
export const erxServiceRecord: ReadServiceRecord = (attributes) => {
  const [name] = vendorTexts(attributes, ERX, 83);
  const id = ownId(attributes);
  const parent = id.slice(0, Math.max(0, id.lastIndexOf(':')));
  return serviceRecord(name, id, parent);
};

/**
 * Cisco ISG and IOS XR: Cisco-Service-Info (26-9-251) `N<name>`, Cisco-AVPair `servicename=<name>` or Cisco-Service-Name
 * (26-9-51) names the service; Cisco-AVPair `parent-session-id=<id>` or Cisco-Parent-Session-Id (26-9-52) the session.
 */
export const ciscoServiceRecord: ReadServiceRecord = (attributes) => {
  const [info] = vendorTexts(attributes, CISCO, 251).filter((text) => text.startsWith('N'));
  const [named] = vendorTexts(attributes, CISCO, 51);
  const name = info?.slice(1) ?? avPair(attributes, 'servicename') ?? named;
  const parent = avPair(attributes, 'parent-session-id') ?? vendorTexts(attributes, CISCO, 52)[0];
  return serviceRecord(name, ownId(attributes), parent);
};

/**
 * Nokia SR OS: Alc-Sub-Serv-Activate (26-6527-151) without a tag, a long one in several attributes. Acct-Multi-Session-Id
 * is the Acct-Session-Id of the session.
 */
export const nokiaServiceRecord: ReadServiceRecord = (attributes) =>
  serviceRecord(vendorTexts(attributes, NOKIA, 151).join(''), ownId(attributes), multiId(attributes));

/**
 * Huawei EDSG: HW-Service-Info (26-2011-185), a letter and the name, or HW-Policy-Name (26-2011-95).
 * Acct-Multi-Session-Id is the Acct-Session-Id of the session.
 */
export const huaweiServiceRecord: ReadServiceRecord = (attributes) => {
  const [info] = vendorTexts(attributes, HUAWEI, 185);
  const [policy] = vendorTexts(attributes, HUAWEI, 95);
  return serviceRecord(info?.slice(1) ?? policy, ownId(attributes), multiId(attributes));
};

/**
 * Redback and Ericsson: Service-Name (26-2352-190). The session is Acct-Alt-Session-ID (26-2352-197); where that is
 * absent, the service has the Acct-Session-Id of the session.
 */
export const redbackServiceRecord: ReadServiceRecord = (attributes) => {
  const [name] = vendorTexts(attributes, REDBACK, 190);
  const id = ownId(attributes);
  return serviceRecord(name, id, vendorTexts(attributes, REDBACK, 197)[0] ?? id);
};

function serviceRecord(
  name: string | undefined,
  serviceSessionId: string,
  parentSessionId: string | undefined,
): ServiceRecord | undefined {
  if (!name) return undefined;
  return { name, serviceSessionId, ...(parentSessionId && { parentSessionId }) };
}

const ownId = (attributes: readonly Attribute[]) => firstValue(attributes, 'Acct-Session-Id') ?? '';
const multiId = (attributes: readonly Attribute[]) => firstValue(attributes, 'Acct-Multi-Session-Id');

/** The value of `NAME=VALUE` in a Cisco-AVPair; the protocol in front, such as `subscriber:`, may be there or not. */
function avPair(attributes: readonly Attribute[], name: string): string | undefined {
  const pattern = new RegExp(`^(?:[\\w-]+:)?${name}=(.+)$`, 'is');
  return vendorTexts(attributes, CISCO, 1).flatMap((text) => pattern.exec(text)?.[1] ?? [])[0];
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The texts of a vendor's attribute in order, whether the table of attributes has it or not. */
function vendorTexts(attributes: readonly Attribute[], vendor: number, vendorType: number): string[] {
  return attributes.flatMap((attribute) => {
    if ('name' in attribute) {
      const definition: AttributeDefinition = ATTRIBUTES[attribute.name];
      const isIt = definition.vendor === vendor && definition.number === vendorType;
      return isIt && typeof attribute.value === 'string' ? attribute.value : [];
    }
    if ('malformed' in attribute) return [];
    const { unknown, value } = attribute;
    if (unknown.vendor !== vendor || unknown.vendorType !== vendorType || value.length === 0) return [];
    try {
      return UTF8.decode(value);
    } catch {
      return [];
    }
  });
}
