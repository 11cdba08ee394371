// A site: the relay as a process of its own, a NAS that does as it is told, and FreeRADIUS for the accounting.
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseDocument } from 'yaml';
import type { Endpoint } from '../../../core/endpoint.ts';
import { formatEndpoint } from '../../../core/endpoint.ts';
import { prepareSecret } from '../../../core/radius/authenticator.ts';
import { startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import type { QueueUrls } from '../../../relay/site/site.ts';
import type { Pair } from '../peers/pairs.ts';
import { radclient } from '../peers/radclient.ts';
import { startRadiusd } from '../peers/radiusd.ts';
import { start } from './process.ts';

const PROJECT = join(import.meta.dirname, '../../..');

/** The secret of everybody in the shipped site file. */
export const SECRET = 'testing123';
/** The subscriber session that requests are about. */
export const SESSION = { nas: 'bng-1', acctSessionId: '0001' };

export interface SiteProcesses {
  /** Where the relay says how it is. */
  readonly healthUrl: string;
  /** Sends a CoA-Request with radclient, which repeats it as often as it takes. @throws AssertionError unless CoA-ACK */
  activate(service: string): Promise<void>;
  /** The lines of the relay's log about replies to CoA-Requests. */
  replies(): readonly string[];
  /** What the NAS was told and answered, such as `activate gold: ack`. */
  told(): readonly string[];
  /** What FreeRADIUS has recorded, such as `Start gold`. */
  accounted(): Promise<readonly string[]>;
  /** @throws AssertionError when the relay does not end as it should. */
  stop(): Promise<void>;
}

/** A command that runs the relay with a site file, and its environment. */
export interface RelayCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** The relay as it is in this checkout. */
export function relayInCheckout(siteFile: string, env: NodeJS.ProcessEnv): RelayCommand {
  return { command: process.execPath, args: [join(PROJECT, 'relay/main.ts'), siteFile], env };
}

/** Writes the shipped configuration to `directory`, with these references for the secret of the site's client. */
export async function writeConfiguration(
  directory: string,
  site: string,
  references: readonly string[],
): Promise<void> {
  await cp(join(PROJECT, 'config'), directory, { recursive: true });
  const file = join(directory, 'sites', `${site}.yaml`);
  const document = parseDocument(await readFile(file, 'utf8'));
  document.setIn(['clients', 0, 'secret'], references);
  await writeFile(file, String(document));
}

/**
 * Starts the site of a file with these queues, on free ports.
 * @param directory for the site file that the relay gets, and the relay's log
 */
export async function startSite(
  template: string,
  queues: QueueUrls,
  relayCommand: (siteFile: string) => RelayCommand,
  directory: string,
): Promise<SiteProcesses> {
  const address = { address: '127.0.0.1', port: 0 };
  const nas = await startScriptedNas({ address, secrets: [prepareSecret(SECRET)], now: Date.now });
  const radiusd = await startRadiusd(SECRET);

  const site = parseDocument(await readFile(template, 'utf8'));
  site.set('relay', { coa: '127.0.0.1:0', http: '127.0.0.1:0', accounting: '127.0.0.1:0' });
  site.set('queues', queues);
  site.setIn(['nases', 0, 'address'], `127.0.0.1:${nas.address.port}`);
  site.setIn(['accounting', 0, 'address'], `127.0.0.1:${radiusd.port}`);
  const file = join(directory, basename(template));
  await writeFile(file, String(site));

  const log: string[] = [];
  const listening = Promise.withResolvers<{ readonly coa: Endpoint; readonly http: Endpoint }>();
  const { command, args, env } = relayCommand(file);
  const relay = start(command, args, {
    env,
    log: join(directory, 'relay.log'),
    onLine(line) {
      log.push(line);
      if (line.includes('"message":"listening"')) listening.resolve(JSON.parse(line));
    },
    onExit: () => listening.reject(new Error(`the relay ended: ${log.join('\n')}`)),
  });
  const stop = async () => {
    const [exitCode] = await Promise.all([relay.stop(), nas.stop(), radiusd.stop()]);
    assert.equal(exitCode, 0);
    assert.match(log.at(-1) ?? '', /"message":"stopped"/);
  };
  const { coa, http } = await listening.promise;
  return {
    healthUrl: `http://${formatEndpoint(http)}/healthz`,
    activate: (service) => activate(service, coa.port),
    replies: () => log.filter((line) => line.includes('"message":"reply-sent"')),
    told: () => nas.record.map(({ operation, service, answer }) => `${operation} ${service}: ${answer}`),
    accounted: async () => (await radiusd.records()).map(startOrStop),
    stop,
  };
}

async function activate(service: string, port: number): Promise<void> {
  const { answer, output } = await radclient({
    command: 'coa',
    port,
    secret: SECRET,
    attributes: [
      'User-Name = "client1@isp1.com"',
      `Acct-Session-Id = "${SESSION.acctSessionId}"`,
      `ERX-Service-Activate:1 = "${service}"`,
    ],
    tries: 20,
    timeoutSeconds: 3,
  });
  assert.equal(answer?.code, 'CoA-ACK', output);
}

function startOrStop(record: readonly Pair[]): string {
  const attributes = new Map(record);
  return `${attributes.get('Acct-Status-Type')} ${attributes.get('ERX-Service-Session')}`;
}
