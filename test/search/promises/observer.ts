// Sees what happens to one subscriber, keeps the facts that several promises need, and feeds the checkers.
import type { AccountingMessage, CommandMessage, OutcomeMessage } from '../../../core/messages.ts';
import type { Order } from '../../../core/nas.ts';
import { nameOf } from '../../../core/services/activation.ts';
import type { HistoryItem } from '../../../core/subscriber/history.ts';
import { isClosed } from '../../../core/subscriber/life.ts';
import type { Answer, GivenAnswer, Session } from '../../../core/subscriber/session.ts';
import { areExclusive, canonical, deployment, termsOf } from '../histories/deployment.ts';
import type { Wish } from '../histories/wish.ts';
import {
  type Change,
  type Checker,
  type Evaluation,
  endsSession,
  type Facts,
  type Forward,
  hasAnswer,
  type Outcome,
  type Reply,
} from './promise.ts';
import { PROMISES } from './promises.ts';

/** An answer that could not be sent goes with an empty item after so long: no client waits for it. */
const ANSWER_OWED_FOR_MS = 300_000;

export interface ObserverOptions {
  /** Whether the NAS is told and confirms. */
  readonly isEnforced: boolean;
  readonly replacesAll: boolean;
  readonly isOneAtATime: boolean;
  readonly order: Order;
  /** The subscriber's User-Name, where the NAS is told of it and can check it. */
  readonly userName?: string;
  /** What the NAS has now, as it would say itself, by canonical activation string. */
  readonly servicesAtNas: () => readonly string[];
  readonly beganAtNasMs: () => number | undefined;
  readonly accountedAtNas: () => readonly string[];
  readonly isAnnounced: () => boolean;
  readonly foundByName: () => string | undefined;
  readonly isFound: () => boolean;
  readonly hasFeed: boolean;
  readonly serviceAccounting: 'interlock' | 'nas';
  /** Hears of a promise that is not kept. */
  readonly violated: (what: string) => void;
}

/** Nothing is done about what is not told here; each method tells of one kind of event. */
export class Observer {
  readonly #forwards: Forward[] = [];
  /** Those that turned out to be for another session when they came again, perhaps after a refusal. */
  readonly #givenUp = new Map<string, Forward>();
  /** By correlation id. */
  readonly #found = new Set<string>();
  readonly #replies: Reply[] = [];
  readonly #evaluations: { readonly forward: Forward; readonly atMs: number }[] = [];
  readonly #carriedOut = new Set<Forward>();
  readonly #changing = new Set<Forward>();
  readonly #implied = new Map<string, number>();
  readonly #fromLogIn: Set<string>;
  readonly #hasToGo = new Set<string>();
  readonly #doubted = new Set<string>();
  readonly #vague = new Set<string>();
  readonly #endedByNas = new Set<string>();
  readonly #reopened = new Set<string>();
  readonly #forgotten = new Set<string>();
  readonly #lapsed = new Set<string>();
  readonly #outcomes = new Map<string, Outcome[]>();
  readonly #commands = new Map<string, CommandMessage>();
  /** Commands that have no outcome yet. */
  readonly #underWay = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #facts: Facts;
  readonly #checkers: readonly Checker[];
  readonly #endedUnaccounted = new Set<string>();
  #atNas: readonly string[];
  /** As it was written last. */
  #session: Session | undefined;
  /** What requests have named for deactivation, and the item did not know. */
  readonly #strange = new Set<string>();
  #isOverdue = false;
  /** Whether the NAS has ended the session since the item was made. */
  #hasEnded = false;

  constructor({ violated, ...options }: ObserverOptions) {
    this.#atNas = options.servicesAtNas();
    this.#fromLogIn = new Set(this.#atNas);
    const { userName } = options;
    this.#facts = {
      ...options,
      ...(userName !== undefined && { userName }),
      forwards: this.#forwards,
      replies: this.#replies,
      evaluations: this.#evaluations,
      carriedOut: this.#carriedOut,
      changing: this.#changing,
      implied: this.#implied,
      fromLogIn: this.#fromLogIn,
      hasToGo: this.#hasToGo,
      endedByNas: this.#endedByNas,
      reopened: this.#reopened,
      forgotten: this.#forgotten,
      lapsed: this.#lapsed,
      failures: this.#failures,
      isOverdue: () => this.#isOverdue,
      endedUnaccounted: this.#endedUnaccounted,
      isOverlooked: () => this.#isOverlooked(),
      isDoubted: (activation) => this.#isDoubted(activation),
      outcomes: (correlationId) => this.#outcomes.get(correlationId) ?? [],
      forward: (correlationId) => this.#forward(correlationId),
    };
    this.#checkers = PROMISES.map(({ sentence, checker }) =>
      checker(this.#facts, (isKept, what) => {
        if (!isKept) violated(`${what} (“${sentence}”)`);
      }),
    );
  }

  /** Whether a request with this correlation id came into the inbox. */
  has(correlationId: string): boolean {
    return this.#forwards.some((forward) => forward.correlationId === correlationId);
  }

  /** Whether each request that came into the inbox has an answer of its own, or its repeats have one. */
  get isAnswered(): boolean {
    return this.#forwards.every(
      (forward) =>
        hasAnswer(this.#facts, forward) || (this.#facts.hasFeed && this.#reopened.has(forward.bytes)),
    );
  }

  /** A request came into the inbox. */
  forwarded(request: Omit<Forward, 'repliesBefore'>): void {
    const forward = { ...request, repliesBefore: this.#replies.length };
    for (const checker of this.#checkers) checker.forwarded?.(forward);
    this.#forwards.push(forward);
  }

  /** The session of a request was found. It now comes after what came into the message group of that before. */
  found(correlationId: string): void {
    if (this.#found.has(correlationId)) return;
    this.#found.add(correlationId);
    const forward = this.#forward(correlationId);
    this.#forwards.splice(this.#forwards.indexOf(forward), 1);
    this.#forwards.push({ ...forward, repliesBefore: this.#replies.length });
  }

  /** A command came into the outbox. */
  commanded(command: CommandMessage): void {
    this.#underWay.add(command.commandId);
    this.#commands.set(command.commandId, command);
  }

  /** The outcome of a command came into the inbox. */
  outcome({ commandId, correlationId, result, errorCause }: OutcomeMessage): void {
    this.#underWay.delete(commandId);
    const isAnswer = result === 'ack' || result === 'nak';
    const known = this.#outcomes.get(correlationId) ?? [];
    this.#outcomes.set(correlationId, [...known, isAnswer ? { result, errorCause } : { result: 'unknown' }]);
    const { services = [], deactivates = [] } = this.#commands.get(commandId) ?? {};
    for (const activation of [...services, ...deactivates])
      if (result === 'ack') this.#failures.delete(activation);
      else this.#failed(activation);
  }

  /** The item was written. */
  written(change: Change): void {
    const { before, after, nowMs } = change;
    if (before?.transition !== undefined && before.transition.deadlineMs <= nowMs) {
      const { transition } = before;
      const known = this.#outcomes.get(transition.correlationId) ?? [];
      this.#outcomes.set(transition.correlationId, [...known, { result: 'unknown' }]);
      for (const activation of transition.underWay) this.#failed(activation);
    }
    const isNews = after.version !== before?.version;
    for (const given of after.answered)
      if (isNews && given.version === after.version) this.#evaluated(given, change);
    // The answer comes when what it does not depend on has been told once.
    const { transition } = after;
    if (transition?.step === 'exclude' && transition.owed?.answer === 'ack')
      this.#carryOut(this.#forward(transition.owed.request.correlationId), change);
    const wasOverlooked = this.#isOverlooked();
    this.#session = after;
    if (before === undefined || before.isForgotten) this.#hasEnded = false;
    // A repeat that names no Acct-Session-Id does not find a session that has ended, nor its answer.
    if (endsSession(change))
      for (const { bytes, wish } of this.#forwards) if (wish.isByName) this.#forgotten.add(bytes);
    if (endsSession(change) || (wasOverlooked && !this.#isOverlooked())) this.#beginAgain(after);
    this.#settleDoubts(change);
    for (const [activation, endsAtMs] of this.#implied) {
      const { state } = after.services[activation] ?? {};
      const isMember = state === 'active' || state === 'restoring';
      if (endsAtMs <= nowMs && !isMember) this.#takeAway(activation);
    }
    for (const checker of this.#checkers) checker.written?.(change);
    this.#told(after, []);
    // What is left of the session remembers requests with Event-Timestamp.
    if (after.isForgotten) this.#over(nowMs, ({ wish }) => wish.timestampMs === undefined);
  }

  /** The item was removed. */
  removed(session: Session, nowMs: number): void {
    for (const checker of this.#checkers) checker.removed?.(session);
    this.#over(nowMs, () => true);
  }

  /** The session is over, and these requests are remembered no longer. */
  #over(nowMs: number, isLost: (forward: Forward) => boolean): void {
    for (const { forward, atMs } of this.#evaluations)
      if (nowMs - atMs >= ANSWER_OWED_FOR_MS) this.#lapsed.add(forward.correlationId);
    const kept = this.#evaluations.filter(({ forward }) => !isLost(forward));
    this.#evaluations.splice(0, this.#evaluations.length, ...kept);
    for (const forward of this.#forwards) if (isLost(forward)) this.#forgotten.add(forward.bytes);
    this.#session = undefined;
    this.#hasEnded = false;
    if (this.#facts.hasFeed) this.#beginAgain(undefined);
  }

  /** The NAS has carried out or refused a request. */
  toldNas(session: Session | undefined): void {
    const has = this.#facts.servicesAtNas();
    const lost = this.#atNas.filter((activation) => !has.includes(activation));
    this.#atNas = has;
    for (const activation of has) {
      this.#endedByNas.delete(activation);
      this.#endedUnaccounted.delete(activation);
    }
    this.#told(session, lost);
  }

  /** The NAS has ended services by itself. */
  endedByNas(
    activations: readonly string[],
    { isLogOff, isAccounted }: { readonly isLogOff: boolean; readonly isAccounted: boolean },
  ): void {
    this.#atNas = this.#facts.servicesAtNas();
    this.#hasEnded ||= isLogOff;
    // What is to be there again ends with the session, too, and the NAS does not have it yet.
    const all = isLogOff ? [...activations, ...this.#implied.keys(), ...this.#fromLogIn] : activations;
    for (const activation of all) {
      this.#endedByNas.add(activation);
      if (!isAccounted) this.#endedUnaccounted.add(activation);
      this.#fromLogIn.delete(activation);
    }
  }

  /** The subscriber has logged on again under the same Acct-Session-Id. */
  begunAgain(): void {
    this.#atNas = this.#facts.servicesAtNas();
    for (const activation of this.#atNas) this.#endedByNas.delete(activation);
    // An item without a record is of a session before this one.
    this.#hasEnded ||= this.#session !== undefined;
    if (this.#session === undefined || isClosed(this.#session)) this.#beginAgain(this.#session);
  }

  /** A record of the session comes to ingest when its end is no longer remembered. */
  recordOverdue(): void {
    this.#isOverdue = true;
  }

  /** A request turned out to be for another session of the subscriber: the request, and how it was answered before that. */
  giveUp(correlationId: string): { readonly forward: Forward; readonly replies: readonly Reply[] } {
    const forward = this.#forward(correlationId);
    this.#forwards.splice(this.#forwards.indexOf(forward), 1);
    this.#givenUp.set(correlationId, forward);
    return { forward, replies: this.#replies.filter((reply) => reply.correlationId === correlationId) };
  }

  /** A request came for this session, which it names in another way. */
  takeOver({ forward, replies }: ReturnType<Observer['giveUp']>): void {
    this.#found.add(forward.correlationId);
    this.#forwards.push({ ...forward, repliesBefore: this.#replies.length });
    this.#replies.push(...replies);
  }

  /** Whether a request with these bytes had this answer. */
  hasAnswered(bytes: string, { answer, errorCause }: Answer): boolean {
    return this.#replies.some(
      (reply) =>
        reply.answer === answer &&
        reply.errorCause === errorCause &&
        this.#forward(reply.correlationId).bytes === bytes,
    );
  }

  /** A reply came into the outbox. */
  replied(reply: Reply): void {
    for (const checker of this.#checkers) checker.replied?.(reply);
    const { bytes } = this.#forward(reply.correlationId);
    if (!this.#evaluations.some(({ forward }) => forward.bytes === bytes)) this.#forgotten.add(bytes);
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
    // Of a service from log-in that was not known, the NAS may account the end before Interlock knows the outcome.
    const isGone = (activation: string) =>
      session?.services[activation] === undefined && !this.#facts.servicesAtNas().includes(activation);
    if (this.#facts.hasFeed)
      for (const activation of this.#strange) if (isGone(activation)) this.#fromLogIn.delete(activation);
    for (const checker of this.#checkers) checker.atRest?.(session);
  }

  #told(session: Session | undefined, lost: readonly string[]): void {
    for (const checker of this.#checkers) checker.told?.(session, lost);
  }

  #isOverlooked(): boolean {
    if (!this.#facts.hasFeed || this.#session === undefined) return false;
    const beganAtMs = this.#facts.beganAtNasMs();
    if (beganAtMs === undefined) return !isClosed(this.#session);
    const { life } = this.#session;
    if (life === undefined) return this.#hasEnded;
    return life.closed !== undefined || life.latest.atMs < Math.floor(beganAtMs / 1000) * 1000;
  }

  /** What the requests add up to begins anew with what there is now. */
  #beginAgain(session: Session | undefined): void {
    const services = Object.values(session?.services ?? {});
    for (const set of [this.#implied, this.#hasToGo, this.#doubted, this.#vague, this.#fromLogIn])
      set.clear();
    for (const { activation, state, expiresAtMs = Number.POSITIVE_INFINITY } of services) {
      if (state === 'active' || state === 'restoring') this.#implied.set(activation, expiresAtMs);
      else this.#doubted.add(activation);
    }
    // A command for the former session may come to the one that has its Acct-Session-Id now.
    for (const commandId of this.#underWay) {
      const { services: named = [], deactivates = [] } = this.#commands.get(commandId) ?? {};
      for (const activation of [...named, ...deactivates]) {
        this.#hasToGo.add(activation);
        this.#doubted.add(activation);
      }
    }
    const known = services.map(({ activation }) => activation);
    this.#atNas = this.#facts.servicesAtNas();
    for (const activation of this.#atNas) if (!known.includes(activation)) this.#fromLogIn.add(activation);
    for (const checker of this.#checkers) checker.begunAgain?.();
  }

  #isDoubted(activation: string): boolean {
    if (this.#doubted.has(activation)) return true;
    const name = nameOf(activation);
    return name !== activation && (this.#doubted.has(name) || this.#vague.has(name));
  }

  #failed(activation: string): void {
    this.#failures.set(activation, (this.#failures.get(activation) ?? 0) + 1);
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
    const named = deactivate.map(canonical);
    const known = [...this.#implied.keys(), ...Object.keys(change.before?.services ?? {})];
    for (const member of known) {
      const isExcluded = newcomers.some((newcomer) => areExclusive(newcomer, member));
      const isNamed = named.some((name) => name === member || name === nameOf(member));
      if (!newcomers.includes(member) && (isExcluded || isNamed)) this.#takeAway(member);
    }
    const { clearedGroups } = deployment.catalogue;
    for (const member of [...this.#fromLogIn]) {
      const isCleared = newcomers.some((newcomer) => areExclusive(newcomer, member, clearedGroups));
      // A NAS may take a bare name for all services of that name, or for none.
      const isMeant = named.includes(nameOf(member)) && !this.#facts.servicesAtNas().includes(member);
      if (named.includes(member) || isCleared || isMeant) this.#takeAway(member);
    }
    for (const { activation, timeoutSeconds = termsOf(activation).timeoutSeconds } of activate) {
      const endsAtMs = timeoutSeconds === 0 ? Number.POSITIVE_INFINITY : change.nowMs + timeoutSeconds * 1000;
      for (const set of [this.#fromLogIn, this.#hasToGo, this.#doubted]) set.delete(activation);
      this.#implied.set(activation, endsAtMs);
    }
    if (had !== [...this.#implied.keys()].sort().join()) this.#changing.add(forward);
  }

  #takeAway(activation: string): void {
    this.#implied.delete(activation);
    this.#fromLogIn.delete(activation);
    this.#doubted.delete(activation);
    this.#hasToGo.add(activation);
  }

  /** What the item says of services that no request that was carried out accounts for. */
  #settleDoubts({ before, after }: Change): void {
    const { services } = after;
    for (const [activation, { state, expiresAtMs, isLearned }] of Object.entries(services)) {
      const isImplied = this.#implied.has(activation);
      const isRestored = state === 'active' && before?.services[activation]?.state === 'restoring';
      if (isLearned && state === 'active' && !isImplied && before?.services[activation]?.state !== state) {
        this.#implied.set(activation, Number.POSITIVE_INFINITY);
        this.#fromLogIn.delete(activation);
        this.#doubted.delete(activation);
        continue;
      }
      // The NAS may have ended it again since: the item does not know, as of any other service.
      const isNewToUs = !isImplied && this.#endedByNas.has(activation);
      if (isRestored && (isNewToUs || this.#doubted.has(activation) || this.#fromLogIn.has(activation))) {
        this.#implied.set(activation, expiresAtMs ?? Number.POSITIVE_INFINITY);
        this.#fromLogIn.delete(activation);
        this.#doubted.delete(activation);
      } else if (
        state === 'unconfirmed' ||
        (state === 'deactivating' && !isImplied && this.#fromLogIn.has(activation))
      )
        this.#doubted.add(activation);
    }
    for (const activation of this.#doubted) {
      if (activation in services) continue;
      this.#doubted.delete(activation);
      this.#implied.delete(activation);
      // What was asked for and undone under another subscriber's name is not what this one has from log-in.
      const { named = [{}] } = before?.services[activation] ?? {};
      const { userName } = this.#facts;
      if (named.some(({ 'User-Name': name = userName }) => name === userName))
        this.#fromLogIn.delete(activation);
    }
    for (const activation of this.#implied.keys()) {
      // What Interlock only knows from records ends by a record, whoever has ended it.
      const isForgotten = this.#endedByNas.has(activation) || before?.services[activation]?.isLearned;
      if (isForgotten && !(activation in services)) this.#implied.delete(activation);
    }
    // Of a bare name that was told in vain nobody knows which services the NAS took it for.
    const { transition } = before ?? {};
    if (transition?.step !== 'deactivate' && transition?.step !== 'activate') return;
    for (const { activation, isKnown } of transition.job.explicit)
      if (!isKnown) this.#strange.add(activation);
    for (const { activation, isKnown } of transition.job.explicit)
      if (!isKnown && activation === nameOf(activation)) this.#vague.add(activation);
  }

  #forward(correlationId: string): Forward {
    const forward =
      this.#forwards.find((one) => one.correlationId === correlationId) ?? this.#givenUp.get(correlationId);
    if (forward === undefined) throw new Error(`there is no request ${correlationId}`);
    return forward;
  }
}
