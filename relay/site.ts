// The site file as the relay needs it: with its secrets, which are nowhere else.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ConfigurationError } from '../core/config/problems.ts';
import { parseSiteFile, type Site } from '../core/config/site-file.ts';
import type { Endpoint } from '../core/messages.ts';
import { prepareSecret, type Secret } from '../core/radius/authenticator.ts';
import type { AccountingServer } from './accounting-servers.ts';
import type { Client } from './clients.ts';
import { formatEndpoint } from './endpoint.ts';
import type { Report } from './events.ts';
import type { Nas } from './nas-client.ts';

/** URLs of the site's three queues. */
export type QueueUrls = NonNullable<Site['queues']>;

export interface RelaySite {
  readonly name: string;
  readonly coa: Endpoint;
  readonly http: Endpoint;
  readonly eventTimestampWindowSeconds: number;
  readonly queues?: QueueUrls | undefined;
  readonly clients: readonly Client[];
  readonly accounting: readonly AccountingServer[];
  readonly nases: readonly Nas[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Draft-ietf-radext-deprecating-radius: warn at 12 or fewer; 8 fall within hours. */
const WEAK_SECRET_CHARACTERS = 12;

/**
 * Reads a site file and resolves its secrets: `${NAME}` from `environment`, `file:PATH` (from the site file's
 * folder, less a newline at its end), anything else as it stands. Weak ones are reported.
 * @throws ConfigurationError naming file, path and what was expected, for everything that is wrong.
 */
export async function readSite(file: string, environment: Environment, report: Report): Promise<RelaySite> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError([`${file}: cannot be read (${error.code})`]);
  });
  const site = parseSiteFile(file, text);
  const problems: string[] = [];

  const resolveSecrets = async (references: readonly string[], path: string): Promise<Secret[]> => {
    const secrets: Secret[] = [];
    for (const reference of references) {
      const resolved = await resolveSecret(reference, dirname(file), environment);
      if (resolved.ok) {
        if (resolved.text.length <= WEAK_SECRET_CHARACTERS) report({ kind: 'weak-secret', path });
        secrets.push(prepareSecret(resolved.text));
      } else {
        problems.push(`${file}: ${path}: ${resolved.reason}`);
      }
    }
    return secrets;
  };

  const clients: Client[] = [];
  for (const [index, { source, secret, ...client }] of site.clients.entries()) {
    const secrets = await resolveSecrets(secret, `clients.${index}.secret`);
    clients.push({ ...client, sources: source, secrets });
  }
  const accounting: AccountingServer[] = [];
  for (const [index, { address, secret, messageAuthenticator }] of site.accounting.entries()) {
    const secrets = await resolveSecrets(secret, `accounting.${index}.secret`);
    // During a rotation nobody knows which secret the server has by now: the old one is tried like another server.
    for (const [age, secret] of secrets.entries()) {
      const name = `${formatEndpoint(address)}${age === 0 ? '' : ' (previous secret)'}`;
      accounting.push({
        ...address,
        name,
        secret,
        messageAuthenticator,
        // The Response Authenticator is what counts. FreeRADIUS computes the Message-Authenticator of an
        // Accounting-Response over a zero authenticator, where no RFC says how.
        requireMessageAuthenticator: false,
        zeroAuthenticatorReplies: true,
      });
    }
  }
  const nases: Nas[] = [];
  for (const [index, { address, secret, ...nas }] of site.nases.entries()) {
    const secrets = await resolveSecrets(secret, `nases.${index}.secret`);
    nases.push({ ...nas, ...address, secrets });
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { name: site.site, ...site.relay, queues: site.queues, clients, accounting, nases };
}

async function resolveSecret(
  reference: string,
  folder: string,
  environment: Environment,
): Promise<{ readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string }> {
  const found = (text: string | undefined, where: string) =>
    text ? ({ ok: true, text } as const) : ({ ok: false, reason: `expected a secret in ${where}` } as const);

  if (reference.startsWith('arn:')) {
    return {
      ok: false,
      reason:
        'a secret from Secrets Manager is not supported yet: hand it over as an environment variable or file',
    };
  }
  const [, name] = /^\$\{(\w+)\}$/.exec(reference) ?? [];
  if (name !== undefined) return found(environment[name], `the environment variable ${name}`);
  if (reference.startsWith('file:')) {
    const path = resolve(folder, reference.slice('file:'.length));
    const text = await readFile(path, 'utf8').catch(() => undefined);
    return found(text?.replace(/\r?\n$/, ''), `the file ${path}`);
  }
  return { ok: true, text: reference };
}
