// The worst moment for decide to die: its write is done, and nobody knows of it.
import { subscribe } from 'node:diagnostics_channel';
import { existsSync, rmSync } from 'node:fs';
import type { ClientRequest } from 'node:http';

/** Once the file `marker` exists, this process kills itself when it is about to send to SQS, and the file is gone. */
export function dieBeforeSending(marker: string): void {
  subscribe('http.client.request.created', (message) => {
    const { request } = message as { readonly request: ClientRequest };
    if (request.getHeader('x-amz-target') !== 'AmazonSQS.SendMessageBatch' || !existsSync(marker)) return;
    rmSync(marker);
    process.kill(process.pid, 'SIGKILL');
  });
}
