import { expect, it } from 'vitest';
import { randomOf } from '../../random.ts';
import { Fuzzer } from './laws.ts';

it('5,000 mutants of packets, messages and items break no law, and some get behind each check', () => {
  const fuzzer = new Fuzzer(randomOf(1), Date.UTC(2026, 10, 22, 12));
  const labels = new Set(Array.from({ length: 5_000 }, () => fuzzer.play()));
  const reached = [
    'coa: understood',
    'accounting: taken',
    'reply: nak',
    'message: read, request',
    'item: read',
  ];
  expect([...labels]).toEqual(expect.arrayContaining(reached));
});
