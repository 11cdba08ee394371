import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { type Pair, parsePairs } from './pairs.ts';
import { isInstalled, peer } from './require-peer.ts';

export const radclientPeer = peer('radclient', isInstalled('radclient'));

export interface RadclientRequest {
  readonly command: 'acct' | 'coa' | 'disconnect' | 'status';
  /** On 127.0.0.1. */
  readonly port: number;
  readonly secret: string;
  /** As FreeRADIUS writes them: `User-Name = "client1"`, `ERX-Service-Activate:1 = "gold"`. */
  readonly attributes: readonly string[];
  /** How often it sends, and how long it waits for an answer each time. */
  readonly tries?: number;
  readonly timeoutSeconds?: number;
}

export interface RadclientResult {
  /** The answer that it accepted; absent when there was none, or when it did not verify. */
  readonly answer?: {
    readonly code: string;
    readonly identifier: number;
    readonly attributes: readonly Pair[];
  };
  /** Everything that it printed. */
  readonly output: string;
}

/** Sends one request with radclient, FreeRADIUS' RADIUS client, and waits until it has given its opinion. */
export async function radclient({
  command,
  port,
  secret,
  attributes,
  tries = 1,
  timeoutSeconds = 5,
}: RadclientRequest): Promise<RadclientResult> {
  // An ordinary user cannot read the installed configuration, and we need none: this folder holds no `dictionary`.
  const configuration = ['-d', import.meta.dirname];
  const patience = ['-r', String(tries), '-t', String(timeoutSeconds)];
  const child = spawn(
    'radclient',
    ['-x', ...configuration, ...patience, `127.0.0.1:${port}`, command, secret],
    { env: { ...process.env, TZ: 'UTC' } },
  );
  child.stdin.end(attributes.join('\n'));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const output = stdout + stderr;
  const [, code, identifier, lines] = /^Received (\S+) Id (\d+) .*\n((?:\t.*\n)*)/m.exec(stdout) ?? [];
  if (code === undefined || output.includes('verification failed')) return { output };
  return { answer: { code, identifier: Number(identifier), attributes: parsePairs(lines ?? '') }, output };
}
