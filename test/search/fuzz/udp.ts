import type { Random } from '../../random.ts';
export async function fuzzOverUdp(_count: number, _random: Random): Promise<string> {
  return '';
}
