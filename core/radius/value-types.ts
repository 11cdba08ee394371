// How values lie on the wire: one pair of functions per value type (RFC 2865 section 5, RFC 3162, RFC 8044).

/** What a value of each type is to its users. */
export interface ValueTypes {
  /** UTF-8, at least one octet. */
  text: string;
  /** At least one octet. */
  octets: Uint8Array;
  /** 32 bits, unsigned. */
  integer: number;
  /** 24 bits, unsigned: what is left of an integer behind a tag (RFC 2868 section 3.1). */
  integer24: number;
  /** Seconds since 1970-01-01 UTC. */
  time: number;
  /** `192.0.2.1` */
  ipv4: string;
  /** `2001:db8::1`, as RFC 5952 writes it. */
  ipv6: string;
  /** `2001:db8::/32` */
  'ipv6-prefix': string;
  /** `0011:2233:4455:6677` */
  'interface-id': string;
}
export type ValueType = keyof ValueTypes;

/** A value or its octets, or the reason why there are none: what was expected and what was found. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** Bytes from a peer that are no such value give a reason; so does a value of ours that has no such bytes. */
export interface ValueCodec<T> {
  decode(octets: Uint8Array): Result<T>;
  encode(value: T): Result<Uint8Array>;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const success = <T>(value: T): Result<T> => ({ ok: true, value });
/** What was expected, and what there was. */
export const refusal = (expected: string, found: string | number): Result<never> => ({
  ok: false,
  reason: `expected ${expected}, got ${found}`,
});

const text: ValueCodec<string> = {
  decode(octets) {
    if (octets.length === 0) return refusal('at least 1 octet', 0);
    try {
      return success(UTF8.decode(octets));
    } catch {
      return refusal('UTF-8', 'other octets');
    }
  },
  encode(value) {
    if (!value.isWellFormed()) return refusal('well-formed Unicode', JSON.stringify(value));
    return value === '' ? refusal('at least 1 octet', 0) : success(Buffer.from(value));
  },
};

const octets: ValueCodec<Uint8Array> = {
  decode: (value) => (value.length === 0 ? refusal('at least 1 octet', 0) : success(value)),
  encode: (value) => octets.decode(value),
};

/** An unsigned integer of `size` octets, most significant first. */
const unsigned = (size: number): ValueCodec<number> => ({
  decode: (octets) =>
    octets.length === size
      ? success(octets.reduce((value, octet) => value * 256 + octet, 0))
      : refusal(`${size} octets`, octets.length),
  encode(value) {
    const most = 256 ** size - 1;
    if (!Number.isInteger(value) || value < 0 || value > most) {
      return refusal(`an integer from 0 to ${most}`, value);
    }
    return success(Uint8Array.from({ length: size }, (_, index) => value / 256 ** (size - 1 - index)));
  },
});

const ipv4: ValueCodec<string> = {
  decode: (octets) => (octets.length === 4 ? success(octets.join('.')) : refusal('4 octets', octets.length)),
  encode(value) {
    const octets = value.split('.');
    return octets.length === 4 &&
      octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) < 256)
      ? success(Uint8Array.from(octets, Number))
      : refusal('an IPv4 address', JSON.stringify(value));
  },
};

const ipv6: ValueCodec<string> = {
  decode: (octets) =>
    octets.length === 16 ? success(canonicalIpv6(toGroups(octets))) : refusal('16 octets', octets.length),
  encode(value) {
    if (!isIpv6(value)) return refusal('an IPv6 address', JSON.stringify(value));
    const [left = [], right = []] = canonicalIpv6(value)
      .split('::')
      .map((half) => half.split(':').filter((group) => group !== ''));
    const zeros = Array<string>(8 - left.length - right.length).fill('0');
    return success(fromGroups([...left, ...zeros, ...right]));
  },
};

/** A reserved octet, the prefix length in bits, then as many octets of the prefix as it takes (RFC 3162, 2.3). */
const ipv6Prefix: ValueCodec<string> = {
  decode(octets) {
    if (octets.length < 2 || octets.length > 18) return refusal('2 to 18 octets', octets.length);
    const [, bits = 0, ...prefix] = octets;
    if (bits > 128) return refusal('a prefix length of at most 128', bits);
    if (prefix.length * 8 < bits) return refusal(`${bits} bits of prefix`, prefix.length * 8);
    if (prefix.some((octet, index) => octet & ~mask(bits, index))) {
      return refusal(`zeros behind ${bits} bits of prefix`, hex(octets));
    }
    const address = Uint8Array.from({ length: 16 }, (_, index) => prefix[index] ?? 0);
    return success(`${canonicalIpv6(toGroups(address))}/${bits}`);
  },
  encode(value) {
    const [, address = '', digits] = /^([^/]+)\/(\d{1,3})$/.exec(value) ?? [];
    const prefix = ipv6.encode(address);
    const bits = Number(digits);
    if (!prefix.ok || bits > 128 || prefix.value.some((octet, index) => octet & ~mask(bits, index))) {
      return refusal('an IPv6 prefix', JSON.stringify(value));
    }
    return success(Uint8Array.from([0, bits, ...prefix.value.subarray(0, Math.ceil(bits / 8))]));
  },
};

const interfaceId: ValueCodec<string> = {
  decode: (octets) => (octets.length === 8 ? success(toGroups(octets)) : refusal('8 octets', octets.length)),
  encode: (value) =>
    /^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){3}$/i.test(value)
      ? success(fromGroups(value.split(':')))
      : refusal('four groups of hexadecimal digits', JSON.stringify(value)),
};

export const VALUE_CODECS: { readonly [T in ValueType]: ValueCodec<ValueTypes[T]> } = {
  text,
  octets,
  integer: unsigned(4),
  integer24: unsigned(3),
  time: unsigned(4),
  ipv4,
  ipv6,
  'ipv6-prefix': ipv6Prefix,
  'interface-id': interfaceId,
};

/** `0x` and two digits per octet. */
export const hex = (octets: Uint8Array) => `0x${Buffer.from(octets).toString('hex')}`;

/** The bits of the octet at `index` that belong to a prefix of `bits` bits. */
const mask = (bits: number, index: number) => (0xff00 >> Math.max(0, Math.min(8, bits - 8 * index))) & 0xff;

/** Two octets a group: `2001:0db8:…` */
const toGroups = (octets: Uint8Array) =>
  Buffer.from(octets)
    .toString('hex')
    .replace(/.{4}(?=.)/g, '$&:');

const fromGroups = (groups: readonly string[]) =>
  Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');

export const isIpv6 = (address: string) =>
  /^[0-9a-f:.]+$/i.test(address) && URL.canParse(`http://[${address}]`);

/** RFC 5952's form of any other one, which is how the URL standard writes such a host. */
export const canonicalIpv6 = (address: string) => new URL(`http://[${address}]`).hostname.slice(1, -1);
