// Values on the wire: a pair of functions for each type of value (RFC 2865 section 5, RFC 3162, RFC 8044).

/** The JavaScript type of each type of value. */
export interface ValueTypes {
  /** UTF-8, at least one octet. */
  text: string;
  /** At least one octet. */
  octets: Uint8Array;
  /** 32 bits, unsigned. */
  integer: number;
  /** 24 bits, unsigned: the rest of an integer after its tag (RFC 2868 section 3.1). */
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
/** The name of a type of value. */
export type ValueType = keyof ValueTypes;

/** A value or its octets; or the reason why there are none: what was expected and what was found. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** Decodes and encodes one type of value. It never throws: octets or a value that do not fit give a reason. */
export interface ValueCodec<T> {
  decode(octets: Uint8Array): Result<T>;
  encode(value: T): Result<Uint8Array>;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const success = <T>(value: T): Result<T> => ({ ok: true, value });
/** The result for octets or a value that do not fit. */
export const mismatch = (expected: string, found: string | number): Result<never> => ({
  ok: false,
  reason: `expected ${expected}, got ${found}`,
});

const text: ValueCodec<string> = {
  decode(octets) {
    if (octets.length === 0) return mismatch('at least 1 octet', 0);
    try {
      return success(UTF8.decode(octets));
    } catch {
      return mismatch('UTF-8', 'other octets');
    }
  },
  encode(value) {
    if (!value.isWellFormed()) return mismatch('well-formed Unicode', JSON.stringify(value));
    return value === '' ? mismatch('at least 1 octet', 0) : success(Buffer.from(value));
  },
};

const octets: ValueCodec<Uint8Array> = {
  decode: (value) => (value.length === 0 ? mismatch('at least 1 octet', 0) : success(value)),
  encode: (value) => octets.decode(value),
};

/** An unsigned integer of `size` octets, most significant first. */
const unsigned = (size: number): ValueCodec<number> => ({
  decode: (octets) =>
    octets.length === size
      ? success(octets.reduce((value, octet) => value * 256 + octet, 0))
      : mismatch(`${size} octets`, octets.length),
  encode(value) {
    const most = 256 ** size - 1;
    if (!Number.isInteger(value) || value < 0 || value > most) {
      return mismatch(`an integer from 0 to ${most}`, value);
    }
    return success(Uint8Array.from({ length: size }, (_, index) => value / 256 ** (size - 1 - index)));
  },
});

const ipv4: ValueCodec<string> = {
  decode: (octets) => (octets.length === 4 ? success(octets.join('.')) : mismatch('4 octets', octets.length)),
  encode(value) {
    const octets = value.split('.');
    return octets.length === 4 &&
      octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) < 256)
      ? success(Uint8Array.from(octets, Number))
      : mismatch('an IPv4 address', JSON.stringify(value));
  },
};

const ipv6: ValueCodec<string> = {
  decode: (octets) =>
    octets.length === 16 ? success(canonicalIpv6(toGroups(octets))) : mismatch('16 octets', octets.length),
  encode(value) {
    if (!isIpv6(value)) return mismatch('an IPv6 address', JSON.stringify(value));
    const [left = [], right = []] = canonicalIpv6(value)
      .split('::')
      .map((half) => half.split(':').filter((group) => group !== ''));
    const zeros = Array<string>(8 - left.length - right.length).fill('0');
    return success(fromGroups([...left, ...zeros, ...right]));
  },
};

/** A reserved octet, the prefix length in bits, and the octets of the prefix (RFC 3162 section 2.3). */
const ipv6Prefix: ValueCodec<string> = {
  decode(octets) {
    if (octets.length < 2 || octets.length > 18) return mismatch('2 to 18 octets', octets.length);
    const [, bits = 0, ...prefix] = octets;
    if (bits > 128) return mismatch('a prefix length of at most 128', bits);
    if (prefix.length * 8 < bits) return mismatch(`${bits} bits of prefix`, prefix.length * 8);
    if (prefix.some((octet, index) => octet & ~mask(bits, index))) {
      return mismatch(`zeros behind ${bits} bits of prefix`, hex(octets));
    }
    const address = Uint8Array.from({ length: 16 }, (_, index) => prefix[index] ?? 0);
    return success(`${canonicalIpv6(toGroups(address))}/${bits}`);
  },
  encode(value) {
    const [, address = '', digits] = /^([^/]+)\/(\d{1,3})$/.exec(value) ?? [];
    const prefix = ipv6.encode(address);
    const bits = Number(digits);
    if (!prefix.ok || bits > 128 || prefix.value.some((octet, index) => octet & ~mask(bits, index))) {
      return mismatch('an IPv6 prefix', JSON.stringify(value));
    }
    return success(Uint8Array.from([0, bits, ...prefix.value.subarray(0, Math.ceil(bits / 8))]));
  },
};

const interfaceId: ValueCodec<string> = {
  decode: (octets) => (octets.length === 8 ? success(toGroups(octets)) : mismatch('8 octets', octets.length)),
  encode: (value) =>
    /^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){3}$/i.test(value)
      ? success(fromGroups(value.split(':')))
      : mismatch('four groups of hexadecimal digits', JSON.stringify(value)),
};

/** The codec of each type of value. */
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

/** Octets in hexadecimal: `0x` and two digits an octet. */
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

/** Whether `address` is an IPv6 address in one of its text forms, without zone (RFC 4291 section 2.2). */
export const isIpv6 = (address: string) =>
  /^[0-9a-f:.]+$/i.test(address) && URL.canParse(`http://[${address}]`);

/**
 * The form of RFC 5952 of an IPv6 address, in which the URL standard writes a host.
 * @throws TypeError when `address` is no IPv6 address.
 */
export const canonicalIpv6 = (address: string) => new URL(`http://[${address}]`).hostname.slice(1, -1);
