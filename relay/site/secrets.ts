// Resolves the secrets of a site file.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SecretReference, StoredSecret } from '../../core/config/secret-reference.ts';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads one version of a secret in Secrets Manager. Rejects with an Error whose message is for the operator. */
export type ReadStoredSecret = (secret: StoredSecret) => Promise<string>;

/** Where secrets come from. */
export interface SecretSources {
  /** The folder that `file:PATH` is relative to. */
  readonly folder: string;
  readonly environment: Environment;
  readonly readStoredSecret: ReadStoredSecret;
}

/** A secret, or why there is none, for the operator. */
export type Resolved =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: string };

/**
 * Resolves references, all at the same time. A version of a stored secret is read once, however many references it has.
 * A newline at the end of a file or a stored secret is not part of the secret.
 */
export async function resolveSecrets(
  references: readonly SecretReference[],
  { folder, environment, readStoredSecret }: SecretSources,
): Promise<ReadonlyMap<SecretReference, Resolved>> {
  const reads = new Map<string, Promise<string>>();
  const readOnce = (secret: StoredSecret) => {
    const key = `${secret.arn} ${secret.versionStage}`;
    const read = reads.get(key) ?? readStoredSecret(secret);
    reads.set(key, read);
    return read;
  };
  const resolveOne = async (reference: SecretReference): Promise<Resolved> => {
    switch (reference.kind) {
      case 'text':
        return { ok: true, text: reference.text };
      case 'environment':
        return found(environment[reference.name], `the environment variable ${reference.name}`);
      case 'file': {
        const path = resolve(folder, reference.path);
        return found(await readFile(path, 'utf8').catch(() => undefined), `the file ${path}`);
      }
      case 'stored':
        return readOnce(reference).then(
          (stored) => textIn(stored, reference),
          (error: Error) => ({ ok: false, reason: `${reference.arn}: ${error.message}` }),
        );
    }
  };
  return new Map(
    await Promise.all(references.map(async (reference) => [reference, await resolveOne(reference)] as const)),
  );
}

function found(text: string | undefined, where: string): Resolved {
  const secret = text?.replace(/\r?\n$/, '');
  return secret ? { ok: true, text: secret } : { ok: false, reason: `expected a secret in ${where}` };
}

function textIn(stored: string, { arn, key }: StoredSecret): Resolved {
  const members = membersOf(stored);
  if (key === undefined) {
    // The AWS console stores a JSON object by default. No NAS has such a text for its secret.
    if (members !== undefined) return { ok: false, reason: `${arn}: expected ARN:KEY, with one of its keys` };
    return found(stored, arn);
  }
  const value = members?.get(key);
  return found(typeof value === 'string' ? value : undefined, `${arn} under the key ${key}`);
}

/** The members of a JSON object; undefined when `text` is none. */
function membersOf(text: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}
