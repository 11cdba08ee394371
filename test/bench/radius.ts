// How many CoA-Requests a second can be verified: ours against the npm package `radius`, whose `decode` parses,
// verifies and decodes in one call. Both get the same packet and secret, in turns, in one process. The package
// refuses the packet with a Message-Authenticator, which is correct by RFC 5176; its time to do so is shown all the same.
// Run by hand: node test/bench/radius.ts
import { prepareSecret, verifyRequest } from '../../core/radius/authenticator.ts';
import { decodeAttributes } from '../../core/radius/codec.ts';
import { parsePacket } from '../../core/radius/packet.ts';
import { npmRadius } from '../../local/peers/policy-server/npm-radius.ts';
import { COA_REQUEST, COA_REQUEST_MA, SECRET } from '../core/radius/vectors.ts';

const ROUNDS = 31;
const PACKETS_A_ROUND = 5_000;

const secret = prepareSecret(SECRET);

function verified(datagram: Buffer) {
  const parsed = parsePacket(datagram);
  if (!parsed.ok || !verifyRequest(parsed.packet, secret).ok) throw new Error('a good packet was refused');
  return parsed.packet;
}

function npmDecodes(packet: Buffer): boolean {
  try {
    npmRadius.decode({ packet, secret: SECRET });
    return true;
  } catch {
    return false;
  }
}

for (const [title, { bytes }] of Object.entries({
  'without Message-Authenticator': COA_REQUEST,
  'with Message-Authenticator': COA_REQUEST_MA,
})) {
  const verdict = npmDecodes(bytes) ? 'accepts it' : 'refuses it';
  const contenders = [
    { name: `npm radius, decode (${verdict})`, run: () => npmDecodes(bytes), rounds: [] as number[] },
    { name: 'interlock, parse and verify', run: () => verified(bytes), rounds: [] as number[] },
    {
      name: 'interlock, parse, verify and decode',
      run: () => decodeAttributes(verified(bytes)),
      rounds: [] as number[],
    },
  ];
  for (let round = 0; round < ROUNDS; round++) {
    for (const { run, rounds } of contenders) {
      const startNs = process.hrtime.bigint();
      for (let packet = 0; packet < PACKETS_A_ROUND; packet++) run();
      rounds.push((PACKETS_A_ROUND * 1e9) / Number(process.hrtime.bigint() - startNs));
    }
  }
  process.stdout.write(`CoA-Request ${title}: median of ${ROUNDS} rounds\n`);
  const median = (rounds: readonly number[]) => rounds.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? 0;
  const base = median(contenders[0]?.rounds ?? []);
  for (const { name, rounds } of contenders) {
    const rate = median(rounds);
    process.stdout.write(
      `  ${name.padEnd(38)} ${Math.round(rate).toLocaleString('en').padStart(9)} a second  ×${(rate / base).toFixed(1)}\n`,
    );
  }
}
