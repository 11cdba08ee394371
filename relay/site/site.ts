// The site file with its secrets, which only the relay has.
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type QueueName, queueName } from '../../core/cloud/queues.ts';
import { nasAccountingWarnings } from '../../core/config/accounting-warnings.ts';
import { clientWarnings } from '../../core/config/client-warnings.ts';
import { ConfigurationError } from '../../core/config/problems.ts';
import type { SecretReference } from '../../core/config/secret-reference.ts';
import { parseSiteWithPlaces, type Site, secretsOf } from '../../core/config/site-file.ts';
import type { Endpoint } from '../../core/endpoint.ts';
import { formatEndpoint } from '../../core/endpoint.ts';
import { prepareSecret, type Secret } from '../../core/radius/authenticator.ts';
import type { AccountingNas } from '../../core/requests/accounting-request.ts';
import type { AccountingServer } from '../accounting-servers.ts';
import type { Nas } from '../nas-client.ts';
import type { Report } from '../telemetry/events.ts';
import type { Client, Feed } from './clients.ts';
import { type Environment, type ReadStoredSecret, resolveSecrets } from './secrets.ts';

/** The URLs of the site's queues. That of the feed is needed only where the relay takes Accounting-Requests. */
export type QueueUrls = NonNullable<Site['queues']>;

/** The URL of another queue of a site, from that of its inbox; undefined if this has another name than on AWS. */
export function queueBeside(inbox: string, site: string, queue: QueueName): string | undefined {
  const name = `/${queueName(site, 'inbox')}`;
  return inbox.endsWith(name) ? `${inbox.slice(0, -name.length)}/${queueName(site, queue)}` : undefined;
}

/** What the relay needs to take Accounting-Requests. */
export interface Intake {
  /** Where it listens for them. */
  readonly address: Endpoint;
  readonly feeds: readonly Feed[];
  /** The NASes that records may be about. */
  readonly nases: readonly AccountingNas[];
}

/** A site file, its secrets resolved. */
export interface RelaySite {
  readonly name: string;
  readonly coa: Endpoint;
  readonly http: Endpoint;
  readonly eventTimestampWindowSeconds: number;
  /** Whether names and addresses of subscribers may be logged. @default true */
  readonly logIdentity?: boolean;
  readonly queues?: QueueUrls | undefined;
  readonly clients: readonly Client[];
  readonly accounting: readonly AccountingServer[];
  readonly nases: readonly Nas[];
  /** @default none: the relay takes no Accounting-Requests */
  readonly intake?: Intake | undefined;
}

/** draft-ietf-radext-deprecating-radius: warn of 12 characters or fewer; 8 can be found by trial within hours. */
const WEAK_SECRET_CHARACTERS = 12;

/**
 * Reads a site file and resolves its secrets.
 * @throws ConfigurationError as `resolveSite` does, and when the file cannot be read.
 */
export async function readSite(
  file: string,
  environment: Environment,
  report: Report,
  readStoredSecret: ReadStoredSecret,
): Promise<RelaySite> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError([`${file}: cannot be read (${error.code})`]);
  });
  return resolveSite(file, text, environment, report, readStoredSecret);
}

/**
 * Parses the text of a site file and resolves its secrets: `${NAME}` from `environment`, `file:PATH` relative to the
 * folder of `file`, an ARN with `readStoredSecret`, anything else as it stands. Weak secrets are reported, and
 * what an operator should know of who accounts.
 * @throws ConfigurationError with file, line, path and what was expected, for every problem.
 */
export async function resolveSite(
  file: string,
  text: string,
  environment: Environment,
  report: Report,
  readStoredSecret: ReadStoredSecret,
): Promise<RelaySite> {
  const parsed = parseSiteWithPlaces(file, text);
  const { value: site, problem } = parsed;
  const resolved = await resolveSecrets(
    secretsOf(site).map(({ reference }) => reference),
    { folder: dirname(file), environment, readStoredSecret },
  );
  const problems: string[] = [];

  const secretsFor = (references: readonly SecretReference[], ...path: (string | number)[]): Secret[] =>
    references.flatMap((reference) => {
      const result = resolved.get(reference);
      if (!result?.ok) {
        problems.push(problem(path, `${result?.reason}`));
        return [];
      }
      if (result.text.length <= WEAK_SECRET_CHARACTERS) report({ kind: 'weak-secret', path: path.join('.') });
      return [prepareSecret(result.text)];
    });

  const clients: Client[] = [];
  for (const [index, { source, secret, clientPatienceSeconds, ...client }] of site.clients.entries()) {
    const secrets = secretsFor(secret, 'clients', index, 'secret');
    const patienceSeconds = clientPatienceSeconds ?? site.clientPatienceSeconds;
    clients.push({ ...client, sources: source, secrets, patienceSeconds });
  }
  const accounting: AccountingServer[] = [];
  for (const [index, { address, secret, messageAuthenticator }] of site.accounting.entries()) {
    const secrets = secretsFor(secret, 'accounting', index, 'secret');
    // During a rotation the relay does not know which secret the server has: the previous one is tried like one more
    // server.
    for (const [age, secret] of secrets.entries()) {
      const name = `${formatEndpoint(address)}${age === 0 ? '' : ' (previous secret)'}`;
      accounting.push({
        ...address,
        name,
        secret,
        messageAuthenticator,
        // The Response Authenticator is required in any case (RFC 2866 section 3). FreeRADIUS computes the
        // Message-Authenticator of an Accounting-Response over a zero authenticator; no RFC says how.
        requireMessageAuthenticator: false,
        zeroAuthenticatorReplies: true,
      });
    }
  }
  const nases: Nas[] = [];
  for (const [index, { address, secret, ...nas }] of site.nases.entries()) {
    const secrets = secretsFor(secret, 'nases', index, 'secret');
    nases.push({ ...nas, ...address, secrets });
  }
  const feeds: Feed[] = [];
  for (const [index, { source, secret, ...feed }] of site.accountingFrom.entries()) {
    feeds.push({ ...feed, sources: source, secrets: secretsFor(secret, 'accountingFrom', index, 'secret') });
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  for (const warning of [...nasAccountingWarnings(parsed), ...clientWarnings(parsed)])
    report({ kind: 'configuration-warning', warning });
  const { accounting: address, ...relay } = site.relay;
  const intake = address && { address, feeds, nases: site.nases };
  const { logIdentity, queues } = site;
  return { name: site.site, ...relay, logIdentity, queues, clients, accounting, nases, intake };
}
