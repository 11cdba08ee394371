// How many octets each dialect has for the name of a service. One that does not fit is refused before the NAS is told.
import { describe, expect, it } from 'vitest';
import type { DialectName } from '../../../core/dialects/dialects.ts';
import { asked, brief, deactivation, having, nas, play, request, service } from '../support.ts';

const ROOM: readonly (readonly [DialectName, octets: number])[] = [
  ['erx', 246],
  ['cisco', 223],
  ['generic', 253],
];
const at = (dialect: DialectName) => {
  const options = dialect === 'erx' ? { tagDeactivations: false } : {};
  return { nas: nas({ enforcement: 'coa' as const, dialect, options }) };
};
const UMLAUT = 'ö';

describe('the room for a name', () => {
  it.each(ROOM)('%s: %d octets, however many characters they are', (dialect, octets) => {
    const plain = 'g'.repeat(octets);
    const long = UMLAUT.repeat(Math.floor(octets / 2));
    for (const name of [plain, long]) {
      expect(brief(play([asked(request('r1', { ...at(dialect), activate: [name] }))]).last)).toEqual([
        `activate ${name}`,
      ]);
    }
    for (const name of [`${plain}g`, `${long}${UMLAUT}`]) {
      const activated = play([asked(request('r1', { ...at(dialect), activate: [name] }))]);
      expect(brief(activated.last)).toEqual(['nak 407']);
      expect(activated.session).toBeUndefined();
    }
  });

  it('cisco: a deactivation of a longer name is refused, too', () => {
    const ask = request('r1', { ...at('cisco'), deactivate: [deactivation('g'.repeat(224))] });
    expect(brief(play([asked(ask)], having([service('gold')])).last)).toEqual(['nak 407']);
  });
});
