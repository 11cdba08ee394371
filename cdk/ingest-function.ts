import type { Construct } from 'constructs';
import { INGEST_TIMEOUT_SECONDS } from '../core/cloud/queues.ts';
import type { Deployment } from '../core/deployment.ts';
import { DriftAlarm } from './drift-alarm.ts';
import { NodeFunction } from './node-function.ts';

export interface IngestFunctionProps {
  /** The catalogue, and the sites with their NASes. */
  readonly deployment: Deployment;
}

/** ingest, deployed together with the catalogue and the sites. */
export class IngestFunction extends NodeFunction {
  constructor(scope: Construct, id: string, { deployment }: IngestFunctionProps) {
    super(scope, id, {
      folder: 'ingest',
      timeoutSeconds: INGEST_TIMEOUT_SECONDS,
      files: { 'deployment.json': JSON.stringify(deployment) },
    });
    this.addEnvironment('DEPLOYMENT_FILE', '/var/task/deployment.json');
    new DriftAlarm(this);
  }
}
