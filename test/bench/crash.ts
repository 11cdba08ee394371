// A relay is killed (SIGKILL) when its NAS has carried out a command and acknowledges it, and started again at once: how long
// its client waits for the answer. The client sends its request each 2 s. Run by hand: node test/bench/crash.ts [RUNS]
import { CODE } from '../../core/radius/packet.ts';
import { type RelayChild, startKilledRelaySite } from '../system/runs/killed-relay.ts';

const runs = Number(process.argv[2] ?? 5);
const answers: number[] = [];
for (let run = 0; run < runs; run++) {
  let relay: RelayChild | undefined;
  let killedAtMs = 0;
  const site = await startKilledRelaySite(({ operations }) => {
    if (killedAtMs === 0 && operations.some(({ service }) => service === 'gold')) {
      killedAtMs = performance.now();
      relay?.signal('SIGKILL');
      relay = site.startRelay();
    }
    return 'ack';
  });
  try {
    relay = site.startRelay();
    await relay.listening;
    await site.activate('silver');
    const code = await site.activate('gold');
    answers.push(performance.now() - killedAtMs);
    const answer = code === CODE.CoaAck ? 'CoA-ACK' : `code ${code}`;
    process.stdout.write(
      `${answer} ${((answers.at(-1) ?? 0) / 1000).toFixed(1)} s after the kill; the NAS has ${site.has()}: ${site.told().join(', ')}\n`,
    );
  } finally {
    await site.stop();
  }
}
const sorted = answers.toSorted((a, b) => a - b).map((ms) => `${(ms / 1000).toFixed(1)} s`);
process.stdout.write(`${runs} kills: the answer came after ${sorted[0]} to ${sorted.at(-1)}\n`);
