// Which messages of a queue have been handled. SQS drops a message that is sent twice for five minutes only, but account sends
// again what the stream gives it again, for up to 24 hours, and decide what its inbox does.
import { hash } from 'node:crypto';

/** The ids of the latest messages that were handled. A relay that has been restarted knows none. */
export class HandledMessages {
  /** The first 16 octets of the hash of each id, which may have any length. */
  #digests = new Set<string>();
  /** Those before them. */
  #former: ReadonlySet<string> = new Set();
  readonly #capacity: number;

  /** Remembers the latest `capacity` ids, and at most twice as many. An id takes about 70 octets of memory. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(id: string): boolean {
    const digest = digestOf(id);
    return this.#digests.has(digest) || this.#former.has(digest);
  }

  add(id: string): void {
    this.#digests.add(digestOf(id));
    if (this.#digests.size < this.#capacity) return;
    this.#former = this.#digests;
    this.#digests = new Set();
  }
}

const digestOf = (id: string) => hash('sha256', id, 'buffer').subarray(0, 16).toString('latin1');
