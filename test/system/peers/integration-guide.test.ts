import { describe, expect, it } from 'vitest';
import { freeradiusFiles } from '../e2e/integration-guide.ts';
import { checkShipped, radiusdPeer, shippedPeer } from './radiusd.ts';

/** The recipes that can be used side by side: a NAS accounts to FreeRADIUS, or through Interlock. */
const ALL = [
  'Interlock as a home server',
  'FreeRADIUS as CoA proxy',
  'Services at log-on',
  'A copy of the accounting',
];

describe.skipIf(radiusdPeer.skip || shippedPeer.skip)(
  radiusdPeer.title(shippedPeer.title('the configuration that FreeRADIUS ships')),
  () => {
    const { 'sites-enabled/default': _, ...files } = freeradiusFiles(ALL, {});
    const added = Object.fromEntries(
      Object.entries(files).map(([file, text]) => [file, (shipped: string) => shipped + text]),
    );

    it('takes all files of docs/integration.md as they are, and each other', async () => {
      const { exitCode, output } = await checkShipped({
        ...added,
        'sites-enabled/default': (shipped) =>
          shipped.replace(/^accounting \{/m, '$&\n\tinterlock_log_on\n\tinterlock_copy\n'),
      });
      expect(exitCode, output.slice(-2000)).toBe(0);
      for (const said of [
        'server interlock-coa {',
        'server interlock-copy {',
        'home_server interlock-copy {',
      ])
        expect(output).toContain(said);
    });

    it('does not take the policies without what they name', async () => {
      const { 'mods-enabled/interlock-copy': __, ...others } = added;
      const { exitCode } = await checkShipped({
        ...others,
        'sites-enabled/default': (shipped) => shipped.replace(/^accounting \{/m, '$&\n\tinterlock_copy\n'),
      });
      expect(exitCode).toBe(1);
    });
  },
);
