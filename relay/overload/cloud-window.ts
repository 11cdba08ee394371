// How many requests the cloud works on at a time. More of them would only wait there, behind one another and in front of those of
// other clients, and nothing that waits in SQS can be taken back or answered by the relay.
//
// A request is in the cloud from when it is forwarded until a command of it comes, and again from the outcome of that until the
// next command or the reply. What it takes at its NAS is no matter of the cloud.

/**
 * The window has room for what the cloud works off in twice the time that a request takes there when nothing waits: it then has
 * always something to do, and nothing waits for longer than it takes. Never for less than this time.
 */
const LEAST_TARGET_MS = 50;
/** The window is adjusted so often, by a factor of two at most, and by so many requests at least. */
const ADJUSTED_EVERY_MS = 250;
const ADJUSTED_BY = 8;
const LEAST = 4;
const INITIAL = 16;
const MOST = 4096;
/** When nothing waits is when requests took least on average, within one such span or two. */
const SPAN_MS = 30_000;
/** After so many adjustments the window is halved for once, so that this is seen also under constant load. */
const PROBED_EVERY = 40;
/**
 * A request of which nothing is heard for so long has been lost, or waits for others of its session. Where nothing is heard of any
 * other one either, the cloud does nothing, and the window is halved.
 */
const LOST_AFTER_MS = 5_000;
const QUIET_AFTER_MS = 1_000;
/** After so long a request is at no NAS any more. */
const FORGOTTEN_AFTER_MS = 60_000;
/** So many requests of a session wait in its item while one of them is at the NAS: they are with the cloud, and cost it nothing. */
const WAIT_FOR_THEIR_SESSION = 8;

interface Entry {
  readonly group: string;
  /** Monotonic time at which it came to where it is: the cloud, or its NAS. */
  readonly sinceMs: number;
}

interface Group {
  inCloud: number;
  atNas: number;
}

/** The requests with the cloud, by correlation id. All times are monotonic, in milliseconds. */
export class CloudWindow {
  /** Each in the order of `sinceMs`. */
  readonly #inCloud = new Map<string, Entry>();
  readonly #atNas = new Map<string, Entry>();
  readonly #groups = new Map<string, Group>();
  #taken = 0;
  #limit = INITIAL;
  #adjustments = 0;
  /** Since the latest adjustment. */
  #sinceMs = 0;
  #heard = 0;
  #tookMs = 0;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #wasFull = false;
  #lostAtMs = Number.NEGATIVE_INFINITY;
  #span = { sinceMs: 0, leastMs: Number.POSITIVE_INFINITY, leastBeforeMs: Number.POSITIVE_INFINITY };

  /** How many may be in the cloud at a time. */
  get limit(): number {
    return this.#limit;
  }

  /** How many are in the cloud, but for those that wait for a session whose NAS has a command. */
  get size(): number {
    return this.#taken;
  }

  /** Whether another one may be forwarded. */
  hasRoom(nowMs: number): boolean {
    this.#expire(nowMs);
    const hasRoom = this.#taken < this.#limit;
    if (!hasRoom) this.#wasFull = true;
    return hasRoom;
  }

  /** A request is forwarded. `group` is its message group. */
  sent(id: string, group: string, nowMs: number): void {
    this.#count(group, { inCloud: 1 });
    this.#inCloud.set(id, { group, sinceMs: nowMs });
  }

  /** A command of it has come, and is sent to its NAS. */
  atNas(id: string, nowMs: number): void {
    const group = this.#leave(id, nowMs);
    if (group === undefined) return;
    this.#count(group, { atNas: 1 });
    this.#atNas.set(id, { group, sinceMs: nowMs });
  }

  /** The outcome of that is on its way to the cloud. */
  back(id: string, nowMs: number): void {
    const entry = this.#atNas.get(id);
    if (entry === undefined) return;
    this.#atNas.delete(id);
    this.#count(entry.group, { atNas: -1, inCloud: 1 });
    this.#inCloud.set(id, { group: entry.group, sinceMs: nowMs });
  }

  /** It has its reply, or SQS did not take it. */
  ended(id: string, nowMs: number): void {
    if (this.#leave(id, nowMs) !== undefined) return;
    const entry = this.#atNas.get(id);
    if (entry === undefined) return;
    this.#atNas.delete(id);
    this.#count(entry.group, { atNas: -1 });
  }

  #leave(id: string, nowMs: number): string | undefined {
    const entry = this.#inCloud.get(id);
    if (entry === undefined) return undefined;
    this.#inCloud.delete(id);
    this.#count(entry.group, { inCloud: -1 });
    this.#hear(nowMs - entry.sinceMs, nowMs);
    return entry.group;
  }

  #count(name: string, { inCloud = 0, atNas = 0 }: Partial<Group>): void {
    const group = this.#groups.get(name) ?? { inCloud: 0, atNas: 0 };
    this.#taken -= takenBy(group);
    group.inCloud += inCloud;
    group.atNas += atNas;
    this.#taken += takenBy(group);
    if (group.inCloud + group.atNas === 0) this.#groups.delete(name);
    else this.#groups.set(name, group);
  }

  #expire(nowMs: number): void {
    for (const [id, { group, sinceMs }] of this.#inCloud) {
      if (nowMs - sinceMs < LOST_AFTER_MS) break;
      this.#inCloud.delete(id);
      this.#count(group, { inCloud: -1 });
      const isQuiet = nowMs - this.#heardAtMs > QUIET_AFTER_MS;
      if (!isQuiet || nowMs - this.#lostAtMs < LOST_AFTER_MS) continue;
      this.#lostAtMs = nowMs;
      this.#limit = Math.max(LEAST, Math.round(this.#limit / 2));
    }
    for (const [id, { group, sinceMs }] of this.#atNas) {
      if (nowMs - sinceMs < FORGOTTEN_AFTER_MS) break;
      this.#atNas.delete(id);
      this.#count(group, { atNas: -1 });
    }
  }

  /** Learns from one that has been in the cloud for `tookMs`. */
  #hear(tookMs: number, nowMs: number): void {
    this.#heard++;
    this.#tookMs += tookMs;
    this.#heardAtMs = nowMs;
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < ADJUSTED_EVERY_MS || this.#heard < ADJUSTED_BY) return;
    if (nowMs - this.#span.sinceMs >= SPAN_MS) {
      const { leastMs: leastBeforeMs } = this.#span;
      this.#span = { sinceMs: nowMs, leastMs: Number.POSITIVE_INFINITY, leastBeforeMs };
    }
    this.#span.leastMs = Math.min(this.#span.leastMs, this.#tookMs / this.#heard);
    this.#adjust(this.#heard / elapsedMs, this.#tookMs / this.#heard);
    this.#sinceMs = nowMs;
    this.#heard = 0;
    this.#tookMs = 0;
    this.#wasFull = false;
  }

  /** By Little's law the cloud holds its rate times the time that a request takes. */
  #adjust(perMs: number, tookMs: number): void {
    const { leastMs, leastBeforeMs } = this.#span;
    const targetMs = Math.max(LEAST_TARGET_MS, 2 * Math.min(leastMs, leastBeforeMs));
    // Where there was room all the time, the rate is that of the clients. Then the time alone tells that requests wait.
    if (!this.#wasFull && tookMs <= targetMs) return;
    const isProbe = this.#wasFull && ++this.#adjustments % PROBED_EVERY === 0;
    const wanted = isProbe ? this.#limit / 2 : perMs * targetMs;
    const most = this.#wasFull ? Math.min(this.#limit * 2, MOST) : this.#limit;
    this.#limit = Math.round(Math.max(LEAST, this.#limit / 2, Math.min(wanted, most)));
  }
}

function takenBy({ inCloud, atNas }: Group): number {
  return atNas > 0 ? Math.max(0, inCloud - WAIT_FOR_THEIR_SESSION) : inCloud;
}
