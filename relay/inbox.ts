// The way up: verified requests, in batches, into the site's inbox.fifo.
import { type Endpoint, messageGroup, type RequestMessage } from '../core/messages.ts';
import { ATTRIBUTES } from '../core/radius/attributes.ts';
import type { Packet } from '../core/radius/packet.ts';
import { BATCH, type Queue } from './queue.ts';

/** A request that the relay has taken on. */
export interface InboxRequest {
  readonly correlationId: string;
  readonly receivedAtMs: number;
  readonly client: string;
  readonly source: Endpoint;
  readonly packet: Packet;
}

interface Waiting {
  readonly request: InboxRequest;
  readonly group: string;
}

/**
 * Collects the requests of one turn of the event loop, because a call costs the same for one message and for ten.
 * Several calls are under way at a time, but never two with messages of one group: they could overtake each other.
 */
export class Inbox {
  readonly #queue: Queue;
  readonly #settled: (request: InboxRequest, isForwarded: boolean) => void;
  readonly #maxCalls: number;
  readonly #maxWaiting: number;
  #waiting: Waiting[] = [];
  #calls = 0;
  readonly #groupsUnderWay = new Set<string>();
  #isFlushScheduled = false;

  /** `settled` is told of each request once, whether SQS has it or it is lost. */
  constructor(
    queue: Queue,
    settled: (request: InboxRequest, isForwarded: boolean) => void,
    { maxCalls = 8, maxWaiting = 1000 } = {},
  ) {
    this.#queue = queue;
    this.#settled = settled;
    this.#maxCalls = maxCalls;
    this.#maxWaiting = maxWaiting;
  }

  /** How many requests wait for a call. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Takes a request for the next call; false when too many wait already. */
  offer(request: InboxRequest): boolean {
    if (this.#waiting.length >= this.#maxWaiting) return false;
    this.#waiting.push({ request, group: groupOf(request.packet) });
    if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      setImmediate(() => {
        this.#isFlushScheduled = false;
        this.#flush();
      });
    }
    return true;
  }

  #flush(): void {
    while (this.#calls < this.#maxCalls) {
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      void this.#send(batch);
    }
  }

  /** The longest waiting requests whose groups have no call under way. */
  #takeBatch(): Waiting[] {
    const batch: Waiting[] = [];
    const rest: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const fits = batch.length < BATCH && !this.#groupsUnderWay.has(waiting.group);
      (fits ? batch : rest).push(waiting);
    }
    if (batch.length > 0) this.#waiting = rest;
    return batch;
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    this.#calls++;
    for (const { group } of batch) this.#groupsUnderWay.add(group);
    const sent = await this.#queue.send(
      batch.map(({ request, group }) => ({
        body: JSON.stringify(messageOf(request)),
        group,
        // Never derived from the packet: the same bytes may be another request (A, B, then A again).
        deduplicationId: request.correlationId,
      })),
    );
    for (const { group } of batch) this.#groupsUnderWay.delete(group);
    this.#calls--;
    batch.forEach(({ request }, index) => {
      this.#settled(request, sent[index] === true);
    });
    this.#flush();
  }
}

const groupOf = ({ attributes }: Packet) =>
  messageGroup(attributes.find(({ type }) => type === ATTRIBUTES['Acct-Session-Id'].number)?.value);

const messageOf = ({
  correlationId,
  receivedAtMs,
  client,
  source,
  packet,
}: InboxRequest): RequestMessage => ({
  kind: 'request',
  correlationId,
  receivedAtMs,
  client: { name: client, ...source },
  packet: Buffer.from(packet.bytes).toString('base64'),
});
