// A stand-in for the official image that relay/Dockerfile builds from, where there is no registry to have it from.
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../runs/process.ts';
import type { Podman } from './podman.ts';

export const BASE_IMAGE = 'docker.io/library/node:24-bookworm-slim';

const NODE = join(import.meta.dirname, '../../../node_modules/node/bin/node');
const NPM = 'npm@11.21.2';
/** Of this machine: npm needs it in the build where a proxy has a certificate of its own. */
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/**
 * Makes the base image out of the same Debian, the same Node.js and npm, unless there is one already.
 * @param directory for the files of it, which are removed
 * @throws Error with what a program said that failed.
 */
export async function ensureBaseImage(podman: Podman, directory: string): Promise<void> {
  const isThere = await podman.call('image', 'exists', BASE_IMAGE).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const root = join(directory, 'base');
  const archive = join(directory, 'base.tar');
  try {
    await rm(root, { recursive: true, force: true });
    await run('debootstrap', ['--variant=minbase', 'bookworm', root]);
    await cp(NODE, join(root, 'usr/local/bin/node'));
    await run('npm', ['install', '--silent', '--global', '--prefix', join(root, 'usr/local'), NPM]);
    await mkdir(join(root, 'etc/ssl/certs'), { recursive: true });
    await cp(CERTIFICATES, join(root, CERTIFICATES), { dereference: true });
    await run('tar', ['--create', `--file=${archive}`, `--directory=${root}`, '.']);
    const environment = `--change=ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`;
    await podman.call('import', '--quiet', environment, archive, BASE_IMAGE);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(archive, { force: true });
  }
}
