// Sees what happens to one subscriber, keeps the facts that several promises need, and feeds the checkers.
import type { AccountingMessage, OutcomeMessage } from '../../../core/messages.ts';
import type { HistoryItem } from '../../../core/subscriber/history.ts';
import type { Answer, GivenAnswer, Session } from '../../../core/subscriber/session.ts';
import { areExclusive, NAS_REFUSAL, termsOf } from '../histories/deployment.ts';
import type { Wish } from '../histories/wish.ts';
import type { Change, Checker, Evaluation, Facts, Forward, Reply } from './promise.ts';
import { PROMISES } from './promises.ts';

export interface ObserverOptions {
  /** Whether the NAS is told and confirms. */
  readonly isEnforced: boolean;
  /** What the NAS has now, as it would say itself. */
  readonly servicesAtNas: () => readonly string[];
  /** Hears of a promise that is not kept. */
  readonly violated: (what: string) => void;
}

/** Nothing is done about what is not told here; each method tells of one kind of event. */
export class Observer {
  readonly #forwards: Forward[] = [];
  readonly #replies: Reply[] = [];
  readonly #evaluations: { readonly forward: Forward; readonly atMs: number }[] = [];
  readonly #carriedOut = new Set<Forward>();
  readonly #changing = new Set<Forward>();
  readonly #implied = new Map<string, number>();
  readonly #reopened = new Set<string>();
  readonly #troubles = { unknown: 0, refused: 0 };
  readonly #checkers: readonly Checker[];

  constructor({ isEnforced, servicesAtNas, violated }: ObserverOptions) {
    const facts: Facts = {
      isEnforced,
      servicesAtNas,
      forwards: this.#forwards,
      replies: this.#replies,
      evaluations: this.#evaluations,
      carriedOut: this.#carriedOut,
      changing: this.#changing,
      implied: this.#implied,
      reopened: this.#reopened,
      troubles: this.#troubles,
      forward: (correlationId) => this.#forward(correlationId),
    };
    this.#checkers = PROMISES.map(({ sentence, checker }) =>
      checker(facts, (isKept, what) => {
        if (!isKept) violated(`${what} (“${sentence}”)`);
      }),
    );
  }

  /** Whether a request with this correlation id came into the inbox. */
  has(correlationId: string): boolean {
    return this.#forwards.some((forward) => forward.correlationId === correlationId);
  }

  /** A request came into the inbox. */
  forwarded(request: Omit<Forward, 'repliesBefore'>): void {
    const forward = { ...request, repliesBefore: this.#replies.length };
    for (const checker of this.#checkers) checker.forwarded?.(forward);
    this.#forwards.push(forward);
  }

  /** The outcome of a command came into the inbox. */
  outcome({ result, errorCause }: Pick<OutcomeMessage, 'result' | 'errorCause'>): void {
    if (errorCause === NAS_REFUSAL) this.#troubles.refused++;
    if (result !== 'ack' && result !== 'nak') this.#troubles.unknown++;
  }

  /** The item was written. */
  written(change: Change): void {
    const { after, nowMs } = change;
    for (const given of after.answered) if (given.version === after.version) this.#evaluated(given, change);
    // The answer comes when the NAS has done the rest, or has not.
    const { transition } = after;
    if (transition?.step === 'deactivate' && transition.owed?.answer === 'ack')
      this.#carryOut(this.#forward(transition.owed.request.correlationId), change);
    for (const [activation, endsAtMs] of this.#implied) {
      const isActive = after.services[activation]?.state === 'active';
      if (endsAtMs <= nowMs && !isActive) this.#implied.delete(activation);
    }
    for (const checker of this.#checkers) checker.written?.(change);
    this.told(after);
  }

  /** The NAS has carried out or refused a request. */
  told(session: Session | undefined): void {
    for (const checker of this.#checkers) checker.told?.(session);
  }

  /** A reply came into the outbox. */
  replied(reply: Reply): void {
    for (const checker of this.#checkers) checker.replied?.(reply);
    this.#replies.push(reply);
  }

  /** A client got a reply to these bytes. */
  heard(wish: Wish, bytes: string, answer: Answer): void {
    for (const checker of this.#checkers) checker.heard?.(wish, bytes, answer);
  }

  /** The accounting queue took a record. */
  accounted(record: AccountingMessage): void {
    for (const checker of this.#checkers) checker.accounted?.(record);
  }

  /** The accounting server got a record with these attributes, base64. */
  delivered(attributes: string): void {
    for (const checker of this.#checkers) checker.delivered?.(attributes);
  }

  historyWritten(item: HistoryItem): void {
    for (const checker of this.#checkers) checker.historyWritten?.(item);
  }

  /** account has worked off the stream. */
  historyComplete(session: Session | undefined): void {
    for (const checker of this.#checkers) checker.historyComplete?.(session);
  }

  /** Nothing is under way, and nothing is left to be done. */
  atRest(session: Session | undefined): void {
    for (const checker of this.#checkers) checker.atRest?.(session);
  }

  #evaluated({ correlationId, ...answer }: GivenAnswer, change: Change): void {
    const forward = this.#forward(correlationId);
    const evaluation: Evaluation = { ...change, forward, answer };
    for (const checker of this.#checkers) checker.evaluated?.(evaluation);
    const isAnswered = this.#replies.some((reply) => reply.correlationId === correlationId);
    if (forward.wish.timestampMs === undefined && isAnswered) this.#reopened.add(forward.bytes);
    this.#evaluations.unshift({ forward, atMs: change.nowMs });
    if (answer.answer === 'ack') this.#carryOut(forward, change);
  }

  #carryOut(forward: Forward, change: Change): void {
    if (this.#carriedOut.has(forward)) return;
    for (const checker of this.#checkers) checker.carriedOut?.({ ...change, forward });
    this.#carriedOut.add(forward);
    const { activate, deactivate } = forward.wish;
    const had = [...this.#implied.keys()].sort().join();
    const newcomers = activate.map(({ activation }) => activation);
    for (const member of this.#implied.keys()) {
      const isExcluded = newcomers.some((newcomer) => areExclusive(newcomer, member));
      if ((isExcluded && !newcomers.includes(member)) || deactivate.includes(member))
        this.#implied.delete(member);
    }
    for (const { activation, timeoutSeconds = termsOf(activation).timeoutSeconds } of activate) {
      const endsAtMs = timeoutSeconds === 0 ? Number.POSITIVE_INFINITY : change.nowMs + timeoutSeconds * 1000;
      this.#implied.set(activation, endsAtMs);
    }
    if (had !== [...this.#implied.keys()].sort().join()) this.#changing.add(forward);
  }

  #forward(correlationId: string): Forward {
    const forward = this.#forwards.find((one) => one.correlationId === correlationId);
    if (forward === undefined) throw new Error(`there is no request ${correlationId}`);
    return forward;
  }
}
