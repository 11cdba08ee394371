import { describe, expect, it } from 'vitest';
import { isMutexGroup } from '../../../core/services/catalogue.ts';

describe('a mutex group', () => {
  it.each([1, 12, 2147483646, -1, -2147483647])('may be %d', (group) => {
    expect(isMutexGroup(group)).toBe(true);
  });

  it.each([0, -0, 2147483647, -2147483648, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'is never %d, which means no group',
    (group) => {
      expect(isMutexGroup(group)).toBe(false);
    },
  );
});
