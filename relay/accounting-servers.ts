// The accounting servers of the site, of which one is used at a time.
import type { RadiusServer } from './radius/client.ts';
import type { Report } from './telemetry/events.ts';

/** An accounting server of the site file. */
export interface AccountingServer extends RadiusServer {
  /** For logs. */
  readonly name: string;
}

/** Which of the servers is in use: all records go to it until it does not answer; then the next one is used. */
export class AccountingServers {
  /** In the order in which they are tried. */
  readonly all: readonly AccountingServer[];
  readonly #report: Report;
  #index = 0;

  constructor(all: readonly AccountingServer[], report: Report) {
    this.all = all;
    this.#report = report;
  }

  /** @throws Error when there is none. */
  get current(): AccountingServer {
    const server = this.all[this.#index];
    if (server === undefined) throw new Error('there is no accounting server');
    return server;
  }

  /** Changes to the server after `server`, unless another record has done so in the meantime. */
  turnFrom(server: AccountingServer): void {
    if (server !== this.current || this.all.length === 1) return;
    this.#index = (this.#index + 1) % this.all.length;
    this.#report({ kind: 'accounting-server-changed', from: server.name, to: this.current.name });
  }
}
