// What one subscriber has been promised, kept by an onlooker: it sees requests, the item, the NAS, answers and accounts,
// and knows the rules, but not how they are kept.
import type { AccountingMessage } from '../../../core/messages.ts';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import type { Answer, GivenAnswer, Session } from '../../../core/subscriber/session.ts';
import { MAX_WAITING } from '../../../core/subscriber/transition.ts';
import { areExclusive, deployment, termsOf } from './deployment.ts';
import { UNKNOWN_SERVICE, type Wish } from './wish.ts';

/** A request that the relay forwarded. */
export interface Forward {
  readonly correlationId: string;
  readonly receivedAtMs: number;
  readonly wish: Wish;
  /** The same for the same bytes. */
  readonly bytes: string;
  /** How many answers the subscriber's clients had heard by then. */
  readonly answersBefore: number;
}

interface Reply extends Answer {
  readonly correlationId: string;
}

export interface LedgerOptions {
  /** Whether the NAS is told and confirms. */
  readonly isEnforced: boolean;
  /** What the NAS has now, as it would say itself. */
  services(): readonly string[];
  /** Hears of a promise that is not kept. */
  violated(what: string): void;
}

/** What a NAS says that does not want to. */
export const NAS_REFUSAL = ERROR_CAUSE['Session-Context-Not-Removable'];

/** RFC 5176 section 6.3. */
const REPLAY_WINDOW_MS = 300_000;
/** So many answers the item remembers. */
const ANSWERS_REMEMBERED = 16;

export class Ledger {
  /** How often the cloud did not hear what became of a command, and how often the NAS did not want to. */
  readonly troubles = { silences: 0, refusals: 0 };
  readonly #options: LedgerOptions;
  readonly #forwards: Forward[] = [];
  readonly #replies: Reply[] = [];
  /** What the requests that were carried out add up to: when each service ends of itself. */
  readonly #implied = new Map<string, number>();
  /** The latest first. */
  readonly #evaluated: { readonly forward: Forward; readonly atMs: number }[] = [];
  readonly #carriedOut = new Set<Forward>();
  /** Those of them that changed what the subscriber has. */
  readonly #changing = new Set<Forward>();
  /**
   * Bytes that were answered out of the item and evaluated after that. Such an answer leaves no trace in the item; if
   * the message is delivered again and time or the NAS have changed the item by then, it is a new request.
   */
  readonly #reopened = new Set<string>();
  /** The service of each Acct-Start that there has to be. */
  readonly #accountable: string[] = [];
  readonly #accounts = new Map<string, AccountingMessage>();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  forwarded(forward: Omit<Forward, 'answersBefore'>): void {
    this.#forwards.push({ ...forward, answersBefore: this.#replies.length });
  }

  has(correlationId: string): boolean {
    return this.#forwards.some((forward) => forward.correlationId === correlationId);
  }

  /** The item was written. */
  changed(before: Session | undefined, after: Session, nowMs: number): void {
    const version = before?.version ?? 0;
    this.#expect(after.version === version + 1, `the version after ${version} is ${after.version}`);
    for (const given of after.answered)
      if (given.version === after.version) this.#answered(given, before, after, nowMs);
    // The answer comes when the NAS has done the rest, or has not.
    const { transition } = after;
    if (transition?.step === 'deactivate' && transition.owed?.answer === 'ack')
      this.#carryOut(this.#find(transition.owed.request.correlationId), before, after, nowMs);

    const active = Object.keys(after.services).filter((name) => after.services[name]?.state === 'active');
    for (const [activation, endsAtMs] of this.#implied)
      if (endsAtMs <= nowMs && !active.includes(activation)) this.#implied.delete(activation);
    this.#expectSame('active in the item', active, 'implied by the requests', [...this.#implied.keys()]);
    this.told(after);
  }

  /** The NAS was told something: it has all that is implied, and nothing that the item does not know of. */
  told(session: Session | undefined): void {
    const has = this.#options.services();
    if (!this.#options.isEnforced) {
      this.#expect(has.length === 0, 'the NAS is told, and should not be');
      return;
    }
    for (const activation of this.#implied.keys())
      this.#expect(has.includes(activation), `the NAS has lost ${activation}, which nobody took away`);
    const { services = {}, transition } = session ?? {};
    const planned = transition?.step === 'activate' ? transition.planned : {};
    for (const activation of has)
      this.#expect(
        activation in services || activation in planned,
        `the NAS has ${activation}, and the item does not know`,
      );
  }

  /** The client was sent an answer. */
  replied(reply: Reply): void {
    const { correlationId } = reply;
    const forward = this.#find(correlationId);
    const isUnknown = forward.wish.activate.some(({ activation }) => activation === UNKNOWN_SERVICE);
    this.#expect(
      isUnknown === (reply.errorCause === ERROR_CAUSE['Invalid-Request']),
      `${correlationId} hears ${brief(reply)}`,
    );
    const earlier = this.#replies.find((other) => other.correlationId === correlationId);
    if (earlier !== undefined && !this.#reopened.has(forward.bytes))
      this.#expectSame(`${correlationId} hears`, [brief(reply)], 'before', [brief(earlier)]);
    this.#replies.push(reply);
  }

  /** The accounting queue took a record; by the same name it is the same record. */
  accounted(message: AccountingMessage): void {
    const { acctSessionId, status, serviceSession, eventAtMs } = message;
    const name = `${status} ${acctSessionId}`;
    const known = this.#accounts.get(name);
    if (known !== undefined) {
      this.#expectSame(name, [JSON.stringify(message)], 'before', [JSON.stringify(known)]);
      return;
    }
    this.#accounts.set(name, message);
    if (status === 'Start') return;
    const start = this.#accounts.get(`Start ${acctSessionId}`);
    this.#expect(
      start?.serviceSession === serviceSession && start.eventAtMs <= eventAtMs,
      `${name} of ${serviceSession} does not follow its Start`,
    );
  }

  /** Nothing is under way. */
  atRest(session: Session | undefined): void {
    const item = Object.keys(session?.services ?? {});
    this.#expectSame('in the item', item, 'implied by the requests', [...this.#implied.keys()]);
    if (this.#options.isEnforced)
      this.#expectSame('in the item', item, 'at the NAS', this.#options.services());

    const starts = [...this.#accounts.values()].filter(({ status }) => status === 'Start');
    const open = starts.filter(({ acctSessionId }) => !this.#accounts.has(`Stop ${acctSessionId}`));
    this.#expectSame('Acct-Starts', starts.map(serviceOf), 'activations', this.#accountable);
    this.#expectSame('open accounts', open.map(serviceOf), 'in the item', item.filter(isAccountable));

    for (const { correlationId, bytes, answersBefore } of this.#forwards) {
      const isAnswered = this.#replies.some(
        (reply, index) =>
          reply.correlationId === correlationId ||
          (index >= answersBefore && this.#find(reply.correlationId).bytes === bytes),
      );
      this.#expect(isAnswered || this.#reopened.has(bytes), `${correlationId} has no answer`);
    }
    for (const [index, forward] of this.#forwards.entries()) this.#checkStoredAnswer(forward, index);
  }

  /**
   * Bytes without Event-Timestamp that come after their answer are the same request only while no other has changed
   * anything. Those that come before it are a repeat, whatever else is under way.
   */
  #checkStoredAnswer(repeat: Forward, index: number): void {
    const { correlationId, bytes, wish, answersBefore } = repeat;
    const isEvaluated = (one: Forward) => this.#evaluated.some(({ forward }) => forward === one);
    const hasAnswer = (one: Forward, replies = this.#replies) =>
      replies.some((reply) => reply.correlationId === one.correlationId);
    if (wish.timestampMs !== undefined || isEvaluated(repeat) || !hasAnswer(repeat)) return;
    const before = this.#forwards.slice(0, index);
    const origin = before.findLast((one) => one.bytes === bytes && isEvaluated(one));
    if (origin === undefined || !hasAnswer(origin, this.#replies.slice(0, answersBefore))) return;
    for (const between of before.slice(before.indexOf(origin) + 1)) {
      const isHarmless = !this.#changing.has(between);
      this.#expect(isHarmless, `${correlationId} gets a stored answer behind ${between.correlationId}`);
    }
  }

  /** A request was evaluated, and this is its answer. */
  #answered(given: GivenAnswer, before: Session | undefined, after: Session, nowMs: number): void {
    const { correlationId, answer, errorCause } = given;
    const forward = this.#find(correlationId);
    const { bytes, receivedAtMs, wish } = forward;
    if (wish.timestampMs === undefined) {
      if (this.#replies.some((reply) => reply.correlationId === correlationId)) this.#reopened.add(bytes);
    } else {
      const isReplay = this.#evaluated
        .slice(0, ANSWERS_REMEMBERED)
        .some((one) => one.forward.bytes === bytes && receivedAtMs - one.atMs <= REPLAY_WINDOW_MS);
      this.#expect(!isReplay, `${correlationId} is evaluated, and its bytes were answered before`);
    }
    this.#evaluated.unshift({ forward, atMs: nowMs });
    if (answer === 'ack') this.#carryOut(forward, before, after, nowMs);
    else
      this.#expect(
        this.#isReason(errorCause, wish, before ?? after, nowMs),
        `${correlationId} is refused with ${errorCause} for no reason`,
      );
  }

  #isReason(errorCause: number | undefined, wish: Wish, session: Session, nowMs: number): boolean {
    const { identity, waiting, transition } = session;
    switch (errorCause) {
      case ERROR_CAUSE['Session-Context-Not-Found']:
        return identity['User-Name'] !== wish.userName;
      case ERROR_CAUSE['Administratively-Prohibited']: {
        const { refusingGroups } = deployment.catalogue;
        return wish.activate.some(({ activation }) =>
          this.#implied.keys().some((member) => areExclusive(activation, member, refusingGroups)),
        );
      }
      case ERROR_CAUSE['Other-Proxy-Processing-Error']:
        return this.troubles.silences > 0 || (transition !== undefined && transition.deadlineMs <= nowMs);
      case ERROR_CAUSE['Resources-Unavailable']:
        return waiting.length >= MAX_WAITING;
      case NAS_REFUSAL:
        return this.troubles.refusals > 0;
      default:
        return false;
    }
  }

  /** A request is as good as done: what it activates is there, and what that excludes or it takes away has to go. */
  #carryOut(forward: Forward, before: Session | undefined, after: Session, nowMs: number): void {
    if (this.#carriedOut.has(forward)) return;
    this.#carriedOut.add(forward);
    const { correlationId, wish } = forward;
    const late = this.#forwards.findLast((one) => this.#carriedOut.has(one));
    this.#expect(late === forward, `${correlationId} is carried out after ${late?.correlationId}`);

    const had = [...this.#implied.keys()];
    const newcomers = wish.activate.map(({ activation }) => activation);
    for (const member of this.#implied.keys()) {
      const isExcluded = newcomers.some((newcomer) => areExclusive(newcomer, member));
      if ((isExcluded && !newcomers.includes(member)) || wish.deactivate.includes(member))
        this.#implied.delete(member);
    }
    for (const { activation, timeoutSeconds = termsOf(activation).timeoutSeconds } of wish.activate) {
      const endsAtMs = timeoutSeconds === 0 ? Number.POSITIVE_INFINITY : nowMs + timeoutSeconds * 1000;
      this.#implied.set(activation, endsAtMs);
      const found = after.services[activation]?.expiresAtMs ?? Number.POSITIVE_INFINITY;
      this.#expect(found === endsAtMs, `${activation} ends at ${found} and not at ${endsAtMs}`);
      const isNew = before?.services[activation]?.activatedAtMs === undefined;
      if (isNew && isAccountable(activation)) this.#accountable.push(activation);
    }
    if (had.toSorted().join() !== [...this.#implied.keys()].toSorted().join()) this.#changing.add(forward);
  }

  #find(correlationId: string): Forward {
    const forward = this.#forwards.find((one) => one.correlationId === correlationId);
    if (forward === undefined) throw new Error(`there is no request ${correlationId}`);
    return forward;
  }

  #expectSame(what: string, found: readonly string[], other: string, expected: readonly string[]): void {
    const [one, two] = [found, expected].map((list) => list.toSorted().join(' ') || 'nothing');
    this.#expect(one === two, `${what}: ${one}; ${other}: ${two}`);
  }

  #expect(isKept: boolean, what: string): void {
    if (!isKept) this.#options.violated(what);
  }
}

const brief = ({ answer, errorCause }: Answer) => [answer, errorCause].join(' ').trim();
const serviceOf = ({ serviceSession }: AccountingMessage) => serviceSession;
const isAccountable = (activation: string) => termsOf(activation).statistics !== 'off';
