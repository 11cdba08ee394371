// The image that relay/Dockerfile makes, and what is in it.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Podman } from './podman.ts';

const PROJECT = join(import.meta.dirname, '../../..');

export const RELAY_IMAGE = 'localhost/interlock-relay:test';

export interface ImageContent {
  readonly bytes: number;
  /** The paths of its files. */
  readonly files: readonly string[];
  /** As in Docker: `CMD` and a command, or `CMD-SHELL` and a line for a shell. */
  readonly healthCheck: readonly string[];
}

export function buildRelayImage(podman: Podman): Promise<void> {
  return podman.build(join(PROJECT, 'relay/Dockerfile'), PROJECT, RELAY_IMAGE);
}

export async function readRelayImage(podman: Podman): Promise<ImageContent> {
  const [{ Size, Healthcheck }] = JSON.parse(await podman.call('image', 'inspect', RELAY_IMAGE));
  const root = (await podman.call('image', 'mount', RELAY_IMAGE)).trim();
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  await podman.call('image', 'unmount', RELAY_IMAGE);
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(root.length));
  return { bytes: Size, files, healthCheck: Healthcheck.Test };
}
