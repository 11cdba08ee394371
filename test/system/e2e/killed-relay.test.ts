// A relay, in a process of its own, that is killed when the NAS has carried out what it was told.
import { expect, it, onTestFinished } from 'vitest';
import { CODE } from '../../../core/radius/packet.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { type RelayChild, startKilledRelaySite } from '../runs/killed-relay.ts';

it.skipIf(dynoxide.skip)(
  dynoxide.title('the next relay asks the NAS again, and the client gets the answer'),
  async () => {
    let relay: RelayChild | undefined;
    const killed: RelayChild[] = [];
    const site = await startKilledRelaySite(({ operations }) => {
      if (
        relay !== undefined &&
        killed.length === 0 &&
        operations.some(({ service }) => service === 'gold')
      ) {
        relay.signal('SIGKILL');
        killed.push(relay);
        relay = site.startRelay();
      }
      return 'ack';
    });
    onTestFinished(() => site.stop());
    relay = site.startRelay();
    await relay.listening;
    expect(await site.activate('silver')).toBe(CODE.CoaAck);
    expect(await site.activate('gold')).toBe(CODE.CoaAck);
    expect(killed.length).toBe(1);
    expect(relay.log).toContainEqual(
      expect.objectContaining({ message: 'command-not-sent', reason: 'received-before' }),
    );
    expect(site.told().slice(0, 3)).toEqual([
      'activate silver: ack',
      'activate gold: ack',
      'activate gold: ack',
    ]);
    expect((await site.session())?.services['gold']?.state).toBe('active');
  },
  60_000,
);
