// The emulated SQS as a process of its own: `node queues.ts DIRECTORY` prints its endpoint.
import { startFauxqs } from '../../../local/cloud/fauxqs.ts';

const [, , directory] = process.argv;
const { endpoint } = await startFauxqs(directory);
process.stdout.write(`${endpoint}\n`);
