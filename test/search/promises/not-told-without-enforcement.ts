import type { Checker, Expect, Facts } from './promise.ts';

export const sentence = 'With enforcement: none, it sends the NAS nothing and only changes the table.';

export const checker = ({ isEnforced, servicesAtNas }: Facts, expect: Expect): Checker => ({
  told(session) {
    if (isEnforced) return;
    expect(servicesAtNas().length === 0, 'the NAS is told, and should not be');
    expect(session?.transition === undefined, 'the item waits for the NAS, which is not told');
  },
});
