// A site: the relay as a process of its own, a NAS that does as it is told, and FreeRADIUS for the accounting.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { prepareSecret } from '../../core/radius/authenticator.ts';
import { startScriptedNas } from '../../local/scripted-nas.ts';
import type { QueueUrls } from '../../relay/site.ts';
import type { Pair } from '../peers/pairs.ts';
import { startRadiusd } from '../peers/radiusd.ts';
import { start } from './process.ts';

const PROJECT = join(import.meta.dirname, '../..');

/** The secret of everybody in the shipped site file. */
export const SECRET = 'testing123';

export interface SiteProcesses {
  /** Where the relay takes CoA-Requests. */
  readonly coaPort: number;
  /** The lines of the relay's log about replies to CoA-Requests. */
  replies(): readonly string[];
  /** What the NAS was told and answered, such as `activate gold: ack`. */
  told(): readonly string[];
  /** What FreeRADIUS has recorded, such as `Start gold`. */
  accounted(): Promise<readonly string[]>;
  /** @throws AssertionError when the relay does not end as it should. */
  stop(): Promise<void>;
}

/**
 * Starts the shipped site with these queues, on free ports.
 * @param directory for the site file and the relay's log
 */
export async function startSite(
  name: string,
  queues: QueueUrls,
  env: NodeJS.ProcessEnv,
  directory: string,
): Promise<SiteProcesses> {
  const address = { address: '127.0.0.1', port: 0 };
  const nas = await startScriptedNas({ address, secrets: [prepareSecret(SECRET)], now: Date.now });
  const radiusd = await startRadiusd(SECRET);

  const site = parseDocument(await readFile(join(PROJECT, 'config/sites', `${name}.yaml`), 'utf8'));
  site.set('relay', { coa: '127.0.0.1:0', http: '127.0.0.1:0' });
  site.set('queues', queues);
  site.setIn(['nases', 0, 'address'], `127.0.0.1:${nas.address.port}`);
  site.setIn(['accounting', 0, 'address'], `127.0.0.1:${radiusd.port}`);
  const file = join(directory, `${name}.yaml`);
  await writeFile(file, String(site));

  const log: string[] = [];
  const listening = Promise.withResolvers<number>();
  const relay = start(process.execPath, [join(PROJECT, 'relay/main.ts'), file], {
    env,
    log: join(directory, 'relay.log'),
    onLine(line) {
      log.push(line);
      const [, port] = /"message":"listening".*?"coa":\{[^}]*"port":(\d+)/.exec(line) ?? [];
      if (port !== undefined) listening.resolve(Number(port));
    },
    onExit: () => listening.reject(new Error(`the relay ended: ${log.join('\n')}`)),
  });
  const stop = async () => {
    await Promise.all([relay.stop(), nas.stop(), radiusd.stop()]);
    assert.match(log.at(-1) ?? '', /"message":"stopped"/);
  };
  return {
    coaPort: await listening.promise,
    replies: () => log.filter((line) => line.includes('"message":"reply-sent"')),
    told: () => nas.record.map(({ operation, service, answer }) => `${operation} ${service}: ${answer}`),
    accounted: async () => (await radiusd.records()).map(startOrStop),
    stop,
  };
}

function startOrStop(record: readonly Pair[]): string {
  const attributes = new Map(record);
  return `${attributes.get('Acct-Status-Type')} ${attributes.get('ERX-Service-Session')}`;
}
