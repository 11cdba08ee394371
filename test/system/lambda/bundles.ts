// The functions as they are deployed: bundled, each with the files that lie beside its code.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../../../cdk/bundle.ts';
import { type Deployment, nasNames, nasSites } from '../../../core/deployment.ts';

export const FUNCTIONS = ['decide', 'ingest', 'account', 'sweep'] as const;

/** Makes a folder for each function in `directory`. */
export function bundleFunctions(directory: string, deployment: Deployment): void {
  const files = {
    decide: { 'deployment.json': JSON.stringify(deployment) },
    ingest: { 'deployment.json': JSON.stringify(deployment) },
    account: { 'nas-sites.json': JSON.stringify([...nasSites(deployment)]) },
    sweep: { 'nas-names.json': JSON.stringify([...nasNames(deployment)]) },
  };
  for (const name of FUNCTIONS) {
    const folder = join(directory, name);
    mkdirSync(folder);
    bundle(name, files[name], folder);
  }
}
