import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type Pair, parsePairs } from './pairs.ts';
import { isInstalled, peer } from './require-peer.ts';

// Debian names it after the project, and has it where only root's PATH leads; others name it after the daemon.
const COMMAND = ['freeradius', 'radiusd'].find(isInstalled) ?? '/usr/sbin/freeradius';

export const radiusdPeer = peer('FreeRADIUS', isInstalled(COMMAND) || existsSync(COMMAND));

export interface Radiusd {
  /** Its UDP port on 127.0.0.1. */
  readonly port: number;
  /** The requests that it has recorded, oldest first. A record is complete before its answer is sent. */
  records(): Promise<readonly (readonly Pair[])[]>;
  /** What it has logged, for instance why it dropped a packet. */
  log(): string;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
}

/** Where Debian and others have the policies for accounting that FreeRADIUS ships, `acct_unique` among them. */
const ACCOUNTING_POLICIES = [
  '/etc/freeradius/3.0/policy.d/accounting',
  '/etc/raddb/policy.d/accounting',
].find(isReadable);

/** Its stock policy, which an ordinary user may not be allowed to read. */
export const acctUniquePeer = peer("FreeRADIUS' policy.d/accounting", ACCOUNTING_POLICIES !== undefined);

/** The text of a file of policies that has it, where there is one. */
export const ACCT_UNIQUE_POLICY = `$INCLUDE ${ACCOUNTING_POLICIES}\n`;

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Which requests it takes, and what it does with one once it has recorded it, in unlang. */
interface Role {
  readonly type: 'acct' | 'coa';
  readonly section: 'accounting' | 'recv-coa';
  readonly policy: string;
  /** Whether it adds an Acct-Unique-Session-Id with its stock policy, as the shipped configuration does. */
  readonly isUnique?: boolean;
}

/**
 * Starts FreeRADIUS as an accounting server that knows the records of one session by its stock policy `acct_unique`.
 * @throws Error with its log when it does not come up.
 */
export function startUniqueRadiusd(secret: string): Promise<Radiusd> {
  return start({ type: 'acct', section: 'accounting', policy: 'ok', isUnique: true }, secret);
}

/**
 * Starts FreeRADIUS as an accounting server for clients on 127.0.0.1.
 * @param port where it has to listen again after a restart; else one that is free.
 * @throws Error with its log when it does not come up.
 */
export function startRadiusd(secret: string, port?: number): Promise<Radiusd> {
  return start({ type: 'acct', section: 'accounting', policy: 'ok' }, secret, port);
}

/** How a NAS answers a CoA-Request. The end of a line ends a statement. */
export const NAS_POLICY = {
  ack: 'ok\n',
  nak: (errorCause: number) => `update reply { Error-Cause := ${errorCause} }\nreject\n`,
  silence: 'update control { Response-Packet-Type := Do-Not-Respond }\nhandled\n',
} as const;

/**
 * Starts FreeRADIUS as a NAS for a relay on 127.0.0.1: it records CoA-Requests, and carries nothing out.
 * @param policy one of NAS_POLICY, or unlang that chooses among them.
 * @throws Error with its log when it does not come up.
 */
export function startRadiusdNas(secret: string, policy: string): Promise<Radiusd> {
  return start({ type: 'coa', section: 'recv-coa', policy }, secret);
}

/** FreeRADIUS with a configuration folder of its own. */
export interface RadiusdProcess {
  /** What it has written to a file of that folder; nothing if there is none. */
  read(file: string): Promise<string>;
  /** The records of a detail file, oldest first. */
  records(file: string): Promise<readonly (readonly Pair[])[]>;
  /** What it has logged. */
  log(): string;
  /** Ends the server and removes the folder. */
  stop(): Promise<void>;
}

/**
 * Starts FreeRADIUS with these files, by their paths in its configuration folder. `radiusd.conf` is one of them; in it,
 * `${confdir}` is the folder.
 * @throws Error with its log when it does not come up.
 */
export async function startRadiusdWith(files: Readonly<Record<string, string>>): Promise<RadiusdProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'interlock-radiusd-'));
  for (const [file, text] of Object.entries(files)) {
    await mkdir(join(directory, dirname(file)), { recursive: true });
    await writeFile(join(directory, file), text);
  }
  const child = spawn(COMMAND, ['-f', '-d', directory, '-l', 'stdout'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TZ: 'UTC' },
  });
  const killWithUs = () => child.kill();
  process.once('exit', killWithUs);
  const log: string[] = [];
  try {
    await ready(child, log);
  } catch (error) {
    await stop();
    throw error;
  }
  return { read, records, log: () => log.join('\n'), stop };

  /** A file comes into being with its first record. */
  function read(file: string): Promise<string> {
    return readFile(join(directory, file), 'utf8').catch(() => '');
  }

  async function records(file: string): Promise<readonly (readonly Pair[])[]> {
    return (await read(file))
      .split('\n\n')
      .map(parsePairs)
      .filter((record) => record.length > 0);
  }

  /** At once: every record was written before it was answered. */
  async function stop(): Promise<void> {
    process.off('exit', killWithUs);
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL'))
      await once(child, 'exit');
    await rm(directory, { recursive: true });
  }
}

async function start(role: Role, secret: string, port?: number): Promise<Radiusd> {
  const listenPort = port ?? (await freeUdpPort());
  const radiusd = await startRadiusdWith({ 'radiusd.conf': configuration(role, secret, listenPort) });
  return { ...radiusd, port: listenPort, records: () => radiusd.records('detail') };
}

function configuration(
  { type, section, policy, isUnique = false }: Role,
  secret: string,
  port: number,
): string {
  return `
logdir = \${confdir}
run_dir = \${confdir}
client localhost {
  ipaddr = 127.0.0.1
  secret = ${secret}
}
modules {
  detail {
    filename = \${confdir}/detail
  }
  expr {
  }
  always ok {
    rcode = ok
  }
  always reject {
    rcode = reject
  }
  always handled {
    rcode = handled
  }
}
${isUnique ? `policy {\n${ACCT_UNIQUE_POLICY}}` : ''}
server default {
  listen {
    type = ${type}
    ipaddr = 127.0.0.1
    port = ${port}
  }
  ${isUnique ? 'preacct {\n    acct_unique\n  }' : ''}
  ${section} {
    detail
    ${policy}
  }
}
`;
}

function ready(child: ChildProcessByStdio<null, Readable, null>, log: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    createInterface(child.stdout)
      .on('line', (line) => {
        log.push(line);
        if (line.endsWith('Ready to process requests')) resolve();
      })
      .on('close', () => reject(new Error(`${COMMAND} did not start:\n${log.join('\n')}`)));
    child.on('error', reject);
  });
}

export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}
