// The attributes that Interlock reads and writes, by the names in their RFCs and in FreeRADIUS' dictionaries. All
// others are decoded as unknown. Passwords are left out on purpose: they are obfuscated with the Request Authenticator,
// which in a CoA-Request is no nonce, so the obfuscation protects nothing.
import type { ValueType, ValueTypes } from './value-types.ts';

/** How an attribute is encoded. */
export interface AttributeDefinition {
  /** Its type, 1 to 255 (RFC 2865 section 5). */
  readonly number: number;
  /** Private enterprise number; `number` is then the vendor type within Vendor-Specific (RFC 2865 section 5.26). */
  readonly vendor?: number;
  readonly type: ValueType;
  /** A tag octet may precede the value (RFC 2868 section 3.1). */
  readonly tagged?: true;
}

const CISCO = 9;
const ERICSSON = 2352;
const ERX = 4874;
const NOKIA = 6527;

/** The table of attributes, grouped by RFC; a comment names the section. */
export const ATTRIBUTES = {
  // RFC 2865: Remote Authentication Dial In User Service
  'User-Name': { number: 1, type: 'text' }, // 5.1
  'NAS-IP-Address': { number: 4, type: 'ipv4' }, // 5.4
  'NAS-Port': { number: 5, type: 'integer' }, // 5.5
  'Service-Type': { number: 6, type: 'integer' }, // 5.6
  'Framed-Protocol': { number: 7, type: 'integer' }, // 5.7
  'Framed-IP-Address': { number: 8, type: 'ipv4' }, // 5.8
  'Framed-IP-Netmask': { number: 9, type: 'ipv4' }, // 5.9
  'Filter-Id': { number: 11, type: 'text' }, // 5.11
  'Framed-MTU': { number: 12, type: 'integer' }, // 5.12
  'Framed-Compression': { number: 13, type: 'integer' }, // 5.13
  'Reply-Message': { number: 18, type: 'text' }, // 5.18
  'Framed-Route': { number: 22, type: 'text' }, // 5.22
  State: { number: 24, type: 'octets' }, // 5.24
  Class: { number: 25, type: 'octets' }, // 5.25
  'Session-Timeout': { number: 27, type: 'integer' }, // 5.27
  'Idle-Timeout': { number: 28, type: 'integer' }, // 5.28
  'Termination-Action': { number: 29, type: 'integer' }, // 5.29
  'Called-Station-Id': { number: 30, type: 'text' }, // 5.30
  'Calling-Station-Id': { number: 31, type: 'text' }, // 5.31
  'NAS-Identifier': { number: 32, type: 'text' }, // 5.32
  'Proxy-State': { number: 33, type: 'octets' }, // 5.33
  'NAS-Port-Type': { number: 61, type: 'integer' }, // 5.41
  'Port-Limit': { number: 62, type: 'integer' }, // 5.42

  // RFC 2866: RADIUS Accounting
  'Acct-Status-Type': { number: 40, type: 'integer' }, // 5.1
  'Acct-Delay-Time': { number: 41, type: 'integer' }, // 5.2
  'Acct-Input-Octets': { number: 42, type: 'integer' }, // 5.3
  'Acct-Output-Octets': { number: 43, type: 'integer' }, // 5.4
  'Acct-Session-Id': { number: 44, type: 'text' }, // 5.5
  'Acct-Authentic': { number: 45, type: 'integer' }, // 5.6
  'Acct-Session-Time': { number: 46, type: 'integer' }, // 5.7
  'Acct-Input-Packets': { number: 47, type: 'integer' }, // 5.8
  'Acct-Output-Packets': { number: 48, type: 'integer' }, // 5.9
  'Acct-Terminate-Cause': { number: 49, type: 'integer' }, // 5.10
  'Acct-Multi-Session-Id': { number: 50, type: 'text' }, // 5.11
  'Acct-Link-Count': { number: 51, type: 'integer' }, // 5.12

  // RFC 2867 and 2868: tunnels
  'Tunnel-Type': { number: 64, type: 'integer24', tagged: true }, // 2868, 3.1
  'Tunnel-Medium-Type': { number: 65, type: 'integer24', tagged: true }, // 2868, 3.2
  'Tunnel-Client-Endpoint': { number: 66, type: 'text', tagged: true }, // 2868, 3.3
  'Tunnel-Server-Endpoint': { number: 67, type: 'text', tagged: true }, // 2868, 3.4
  'Acct-Tunnel-Connection': { number: 68, type: 'text' }, // 2867, 4.1
  'Tunnel-Private-Group-Id': { number: 81, type: 'text', tagged: true }, // 2868, 3.6
  'Tunnel-Assignment-Id': { number: 82, type: 'text', tagged: true }, // 2868, 3.7
  'Tunnel-Preference': { number: 83, type: 'integer24', tagged: true }, // 2868, 3.8
  'Tunnel-Client-Auth-Id': { number: 90, type: 'text', tagged: true }, // 2868, 3.9
  'Tunnel-Server-Auth-Id': { number: 91, type: 'text', tagged: true }, // 2868, 3.10

  // RFC 2869: RADIUS Extensions
  'Acct-Input-Gigawords': { number: 52, type: 'integer' }, // 5.1
  'Acct-Output-Gigawords': { number: 53, type: 'integer' }, // 5.2
  'Event-Timestamp': { number: 55, type: 'time' }, // 5.3
  'Connect-Info': { number: 77, type: 'text' }, // 5.11
  'EAP-Message': { number: 79, type: 'octets' }, // 5.13
  'Message-Authenticator': { number: 80, type: 'octets' }, // 5.14
  'Acct-Interim-Interval': { number: 85, type: 'integer' }, // 5.16
  'NAS-Port-Id': { number: 87, type: 'text' }, // 5.17
  'Framed-Pool': { number: 88, type: 'text' }, // 5.18

  // RFC 3162, 4818 and 6911: IPv6
  'NAS-IPv6-Address': { number: 95, type: 'ipv6' }, // 3162, 2.1
  'Framed-Interface-Id': { number: 96, type: 'interface-id' }, // 3162, 2.2
  'Framed-IPv6-Prefix': { number: 97, type: 'ipv6-prefix' }, // 3162, 2.3
  'Framed-IPv6-Route': { number: 99, type: 'text' }, // 3162, 2.5
  'Framed-IPv6-Pool': { number: 100, type: 'text' }, // 3162, 2.6
  'Delegated-IPv6-Prefix': { number: 123, type: 'ipv6-prefix' }, // 4818, 3
  'Framed-IPv6-Address': { number: 168, type: 'ipv6' }, // 6911, 3.1

  // RFC 4372, 5176 and 5580
  'Chargeable-User-Identity': { number: 89, type: 'octets' }, // 4372, 2.2
  'Error-Cause': { number: 101, type: 'integer' }, // 5176, 3.5
  'Operator-Name': { number: 126, type: 'text' }, // 5580, 4.1

  // Cisco ISG and IOS XE
  'Cisco-AVPair': { vendor: CISCO, number: 1, type: 'text' },

  // Ericsson and Redback SmartEdge: why a service or a session was not changed
  'Session-Error-Code': { vendor: ERICSSON, number: 142, type: 'integer' },
  'Session-Error-Msg': { vendor: ERICSSON, number: 143, type: 'text' },
  'Service-Error-Cause': { vendor: ERICSSON, number: 193, type: 'integer24', tagged: true },

  // Nokia SR OS: why a request was refused
  'Alc-Error-Code': { vendor: NOKIA, number: 226, type: 'integer' },
  'Alc-Error-Message': { vendor: NOKIA, number: 227, type: 'text' },

  // JunosE and Junos OS. Service-Deactivate is specified without a tag, but some clients send one. No text begins with
  // an octet that is a tag.
  'ERX-Virtual-Router-Name': { vendor: ERX, number: 1, type: 'text' },
  'ERX-Service-Activate': { vendor: ERX, number: 65, type: 'text', tagged: true },
  'ERX-Service-Deactivate': { vendor: ERX, number: 66, type: 'text', tagged: true },
  'ERX-Service-Volume': { vendor: ERX, number: 67, type: 'integer24', tagged: true }, // megabytes
  'ERX-Service-Timeout': { vendor: ERX, number: 68, type: 'integer24', tagged: true }, // seconds
  'ERX-Service-Statistics': { vendor: ERX, number: 69, type: 'integer24', tagged: true }, // 0 off, 1 time, 2 both
  'ERX-Service-Session': { vendor: ERX, number: 83, type: 'text' },
  'ERX-Service-Acct-Interval': { vendor: ERX, number: 140, type: 'integer24', tagged: true }, // seconds
  'ERX-IPv6-Acct-Input-Octets': { vendor: ERX, number: 151, type: 'integer' },
  'ERX-IPv6-Acct-Output-Octets': { vendor: ERX, number: 152, type: 'integer' },
  'ERX-IPv6-Acct-Input-Packets': { vendor: ERX, number: 153, type: 'integer' },
  'ERX-IPv6-Acct-Output-Packets': { vendor: ERX, number: 154, type: 'integer' },
  'ERX-IPv6-Acct-Input-Gigawords': { vendor: ERX, number: 155, type: 'integer' },
  'ERX-IPv6-Acct-Output-Gigawords': { vendor: ERX, number: 156, type: 'integer' },
  'ERX-Service-Activate-Type': { vendor: ERX, number: 173, type: 'integer24', tagged: true },
  'ERX-Action-Reason': { vendor: ERX, number: 178, type: 'text' },
  'ERX-Service-Volume-Gigawords': { vendor: ERX, number: 179, type: 'integer24', tagged: true }, // 4 gigabytes
  'ERX-Update-Service': { vendor: ERX, number: 180, type: 'text', tagged: true },
  'ERX-Acct-Request-Reason': { vendor: ERX, number: 210, type: 'integer' },
} as const satisfies Record<string, AttributeDefinition>;

/** The name of an attribute of the table. */
export type AttributeName = keyof typeof ATTRIBUTES;

/** The type of an attribute's value: a string, a number or octets. */
export type AttributeValue<N extends AttributeName> = ValueTypes[(typeof ATTRIBUTES)[N]['type']];

/** Vendor 0 is a vendor: a Vendor-Specific with Vendor-Id 0 never holds a standard attribute. */
const key = (number: number, vendor = -1) => vendor * 256 + number;
const NAMES = new Map(
  Object.entries<AttributeDefinition>(ATTRIBUTES).map(([name, { number, vendor }]) => [
    key(number, vendor),
    name as AttributeName,
  ]),
);

/** The name of the attribute of that type, or of that vendor and vendor type; undefined if the table has none. */
export function attributeNameAt(number: number, vendor?: number): AttributeName | undefined {
  return NAMES.get(key(number, vendor));
}

/** Values of Error-Cause: RFC 5176 section 3.5. 201 may stand in an ACK only, the others in a NAK only. */
export const ERROR_CAUSE = {
  'Residual-Session-Context-Removed': 201,
  'Invalid-EAP-Packet': 202,
  'Unsupported-Attribute': 401,
  'Missing-Attribute': 402,
  'NAS-Identification-Mismatch': 403,
  'Invalid-Request': 404,
  'Unsupported-Service': 405,
  'Unsupported-Extension': 406,
  'Invalid-Attribute-Value': 407,
  'Administratively-Prohibited': 501,
  'Request-Not-Routable': 502,
  'Session-Context-Not-Found': 503,
  'Session-Context-Not-Removable': 504,
  'Other-Proxy-Processing-Error': 505,
  'Resources-Unavailable': 506,
  'Request-Initiated': 507,
  'Multiple-Session-Selection-Unsupported': 508,
} as const;
/** A value of Error-Cause that RFC 5176 defines. */
export type ErrorCause = (typeof ERROR_CAUSE)[keyof typeof ERROR_CAUSE];

const ERROR_CAUSE_NAMES = new Map<number, string>(
  Object.entries(ERROR_CAUSE).map(([name, value]) => [value, name]),
);

/** The RFC's name of a value of Error-Cause; undefined for a value that RFC 5176 section 3.5 does not define. */
export function errorCauseName(value: number): string | undefined {
  return ERROR_CAUSE_NAMES.get(value);
}

/** Values of Acct-Status-Type: RFC 2866 section 5.1. */
export const ACCT_STATUS_TYPE = {
  Start: 1,
  Stop: 2,
  'Interim-Update': 3,
  'Accounting-On': 7,
  'Accounting-Off': 8,
  Failed: 15,
} as const;

/** Values of Acct-Terminate-Cause: RFC 2866 section 5.10. */
export const TERMINATE_CAUSE = {
  'User-Request': 1,
  'Lost-Carrier': 2,
  'Lost-Service': 3,
  'Idle-Timeout': 4,
  'Session-Timeout': 5,
  'Admin-Reset': 6,
  'Admin-Reboot': 7,
  'Port-Error': 8,
  'NAS-Error': 9,
  'NAS-Request': 10,
  'NAS-Reboot': 11,
  'Port-Unneeded': 12,
  'Port-Preempted': 13,
  'Port-Suspended': 14,
  'Service-Unavailable': 15,
  Callback: 16,
  'User-Error': 17,
  'Host-Request': 18,
} as const;
