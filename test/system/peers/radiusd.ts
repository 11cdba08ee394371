import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { accessSync, constants, existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
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

/** Where Debian and others have the configuration that FreeRADIUS ships; an ordinary user may not be allowed to read it. */
const SHIPPED = ['/etc/freeradius/3.0', '/etc/raddb'].find((directory) =>
  isReadable(join(directory, 'policy.d/accounting')),
);

/** The configuration that it ships, its policy `acct_unique` among it. */
export const shippedPeer = peer("FreeRADIUS' shipped configuration", SHIPPED !== undefined);

/** The text of a file of policies that has `acct_unique`, where there is one. */
export const ACCT_UNIQUE_POLICY = `$INCLUDE ${SHIPPED}/policy.d/accounting\n`;

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
  for (const [file, contents] of Object.entries(files)) {
    await mkdir(join(directory, dirname(file)), { recursive: true });
    await writeFile(join(directory, file), contents);
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

/**
 * What FreeRADIUS says of the configuration that it ships, changed like this: a file that is there is given its text and
 * returns another, one that is not there is given nothing.
 */
export async function checkShipped(
  changes: Readonly<Record<string, (shipped: string) => string>>,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  if (SHIPPED === undefined) throw new Error('there is no shipped configuration');
  const directory = await mkdtemp(join(tmpdir(), 'interlock-radiusd-'));
  try {
    await cp(SHIPPED, directory, { recursive: true, dereference: true });
    // It would read the folder as another user, who may not.
    const asUs = (shipped: string) => shipped.replaceAll(/^\t(?:user|group) = .*$/gm, '');
    for (const [file, change] of Object.entries({ 'radiusd.conf': asUs, ...changes })) {
      const path = join(directory, file);
      await writeFile(path, change(await readFile(path, 'utf8').catch(() => '')));
    }
    const child = spawn(COMMAND, ['-XC', '-d', directory], { stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = once(child, 'exit');
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const [exitCode] = (await exited) as [number];
    return { exitCode, output: stdout + stderr };
  } finally {
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
