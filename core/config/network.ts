// Networks and addresses as numbers. An IPv4 address counts as its IPv4-mapped form, ::ffff:0:0/96 (RFC 4291 section
// 2.5.5.2), which is what a socket on [::] reports: both spellings are one address.

export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** How many of the 128 bits of an address belong to its network: 96 and the prefix for IPv4. */
export const networkBits = ({ prefix, family }: Network) => (family === 'ipv4' ? 96 + prefix : prefix);

/** The first `bits` bits of an address, which may have a zone (RFC 4007 section 11). */
export const networkNumber = (address: string, bits: number) => addressNumber(address) >> BigInt(128 - bits);

/** A key that is equal for all spellings of one network. The bits behind the prefix do not count. */
export function networkKey(network: Network): string {
  const bits = networkBits(network);
  return `${networkNumber(network.address, bits)}/${bits}`;
}

function addressNumber(address: string): bigint {
  const [text = ''] = (address.includes(':') ? address : `::ffff:${address}`).split('%', 1);
  const [head = [], tail = []] = text.split('::').map(hexGroups);
  const zeros = Array<string>(8 - head.length - tail.length).fill('0000');
  return BigInt(`0x${[...head, ...zeros, ...tail].join('')}`);
}

function hexGroups(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [group.padStart(4, '0')];
    const [a, b, c, d] = group.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
    return [`${a}${b}`, `${c}${d}`];
  });
}
