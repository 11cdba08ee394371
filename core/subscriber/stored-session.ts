// The item of a session, as it is read back: every part of it is checked, so that what another release wrote is never
// taken for something else. `upgrade.ts` makes today's shape of every past one first.
import * as v from 'valibot';
import { DIALECT_NAMES } from '../dialects/dialects.ts';
import { IDENTITY_ATTRIBUTES, NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import { ORDERS, SERVICE_ACCOUNTING, SESSIONS } from '../nas.ts';
import { EVENT_QUEUES, type Session } from './session.ts';

const Text = v.string();
const Flag = v.boolean();
const Count = v.pipe(v.number(), v.integer(), v.minValue(0));
const TimeMs = v.number();
const Texts = v.array(Text);
const Numbers = v.array(v.number());

const Nas = v.strictObject({
  site: Text,
  name: Text,
  identity: v.strictObject(v.entriesFromList(NAS_IDENTITY_ATTRIBUTES, v.exactOptional(Text))),
  enforcement: v.picklist(['none', 'coa']),
  dialect: v.picklist(DIALECT_NAMES),
  order: v.picklist(ORDERS),
  // Absent in items from before there was a choice.
  serviceAccounting: v.optional(v.picklist(SERVICE_ACCOUNTING), 'interlock'),
  // Absent in items from before there was a choice.
  sessions: v.optional(v.picklist(SESSIONS), 'implicit'),
  options: v.record(Text, v.union([Flag, v.number(), Text])),
  answerTimeoutSeconds: v.number(),
});

const Identity = v.strictObject(
  v.entriesFromList(IDENTITY_ATTRIBUTES, v.exactOptional(v.union([Text, v.number()]))),
);

const Terms = {
  activation: Text,
  groups: v.array(v.number()),
  statistics: v.picklist(['off', 'time', 'time+volume']),
  timeoutSeconds: v.number(),
  volumeMegabytes: v.number(),
  interimIntervalSeconds: v.number(),
};

const CommandOutcome = v.strictObject({
  result: v.picklist(['ack', 'nak', 'timeout', 'unreachable', 'interrupted', 'unsent', 'deadline']),
  errorCause: v.exactOptional(v.number()),
  text: v.exactOptional(Text),
  unsent: v.exactOptional(Text),
});

const ServiceSession = v.strictObject({
  ...Terms,
  state: v.picklist(['active', 'deactivating', 'restoring', 'unconfirmed']),
  number: Count,
  activatedAtMs: v.exactOptional(TimeMs),
  terminateCause: v.exactOptional(v.number()),
  expiresAtMs: v.exactOptional(TimeMs),
  correlationId: Text,
  spelling: v.exactOptional(Text),
  named: v.exactOptional(v.array(Identity)),
  account: v.exactOptional(v.strictObject({ number: Count, startedAtMs: TimeMs, as: Text })),
  isAccountedByNas: v.exactOptional(v.literal(true)),
  record: v.exactOptional(v.strictObject({ serviceSessionId: Text, atMs: TimeMs })),
  isLearned: v.exactOptional(v.literal(true)),
  settledAtMs: v.exactOptional(TimeMs),
  retry: v.exactOptional(
    v.strictObject({
      attempts: Count,
      atMs: TimeMs,
      alsoGone: v.exactOptional(Count),
      sinceMs: v.exactOptional(TimeMs),
      outcome: v.exactOptional(CommandOutcome),
    }),
  ),
  isStranger: v.exactOptional(v.literal(true)),
  isLost: v.exactOptional(v.literal(true)),
  undo: v.exactOptional(v.literal(true)),
});

const Origin = v.strictObject({
  kind: v.literal('radius'),
  relay: v.exactOptional(Text),
  client: v.strictObject({ name: Text, address: Text, port: v.number() }),
  packet: Text,
  key: Text,
  timestamped: Flag,
  eventAtSeconds: v.exactOptional(v.number()),
});

const Deactivation = {
  activation: Text,
  spelling: Text,
  groups: Numbers,
  statistics: v.exactOptional(v.picklist(['time', 'time+volume'])),
};

const Request = v.strictObject({
  correlationId: Text,
  queuedAtMs: TimeMs,
  sequence: v.exactOptional(Text),
  answerByMs: v.exactOptional(TimeMs),
  origin: Origin,
  nas: Nas,
  acctSessionId: Text,
  lookedUpAt: v.exactOptional(Text),
  identity: Identity,
  classes: Texts,
  activate: v.array(
    v.strictObject({
      ...Terms,
      refusingGroups: Numbers,
      unknownMembers: v.array(v.strictObject({ activation: Text, groups: Numbers, clears: Numbers })),
      asksForStatistics: v.exactOptional(v.literal(true)),
    }),
  ),
  deactivate: v.array(v.strictObject({ ...Deactivation, isDefined: Flag })),
  isDisconnect: v.exactOptional(v.literal(true)),
});

const Answer = { answer: v.picklist(['ack', 'nak']), errorCause: v.exactOptional(v.number()) };

const Effect = v.variant('kind', [
  v.strictObject({
    kind: v.literal('reply'),
    correlationId: Text,
    origin: Origin,
    ...Answer,
    atMs: v.exactOptional(TimeMs),
  }),
  v.strictObject({
    kind: v.literal('command'),
    correlationId: Text,
    commandId: Text,
    operation: v.picklist(['activate', 'deactivate', 'switch', 'disconnect']),
    services: Texts,
    deactivates: v.exactOptional(Texts),
    attributes: Text,
    startBeforeMs: TimeMs,
  }),
]);

const Job = v.strictObject({
  request: Request,
  planned: v.record(Text, ServiceSession),
  explicit: v.array(
    v.strictObject({
      ...Deactivation,
      isKnown: Flag,
      isOptional: Flag,
    }),
  ),
  victims: Texts,
  confirmed: Texts,
  ended: Texts,
  isAcknowledged: v.exactOptional(v.literal(true)),
  doubted: v.exactOptional(Texts),
});

const Step = {
  commandId: Text,
  correlationId: Text,
  underWay: Texts,
  remaining: v.array(Texts),
  isConfirmed: Flag,
  deadlineMs: TimeMs,
  tellings: v.exactOptional(Count),
};

const Transition = v.variant('step', [
  v.strictObject({ step: v.literal('activate'), ...Step, job: Job, along: Texts, otherwise: v.array(Texts) }),
  v.strictObject({ step: v.literal('deactivate'), ...Step, job: Job }),
  v.strictObject({
    step: v.literal('exclude'),
    ...Step,
    owed: v.exactOptional(v.strictObject({ ...Answer, request: Request, reason: v.exactOptional(Text) })),
  }),
  v.strictObject({ step: v.literal('restore'), ...Step, isClearing: v.exactOptional(v.literal(true)) }),
  v.strictObject({ step: v.literal('disconnect'), ...Step, request: Request }),
]);

const Moment = v.strictObject({ atMs: TimeMs, isStamped: Flag });
const ServiceRecordId = { serviceSessionId: Text, atMs: TimeMs };

const Life = v.strictObject({
  knownBy: v.picklist(['start', 'interim']),
  began: v.exactOptional(Moment),
  after: v.exactOptional(Moment),
  latest: Moment,
  heardAtMs: TimeMs,
  hasInterims: v.exactOptional(v.literal(true)),
  staleSinceMs: v.exactOptional(TimeMs),
  closed: v.exactOptional(
    v.strictObject({
      by: v.picklist(['stop', 'restart', 'not-found', 'disconnect']),
      at: Moment,
      terminateCause: v.number(),
      decidedAtMs: TimeMs,
      services: v.exactOptional(v.record(Text, ServiceSession)),
      command: v.exactOptional(
        v.strictObject({
          commandId: Text,
          activates: v.array(ServiceSession),
          isToldAgain: v.exactOptional(v.literal(true)),
        }),
      ),
      younger: v.exactOptional(v.array(ServiceSession)),
    }),
  ),
  deferred: v.array(
    v.strictObject({
      ...ServiceRecordId,
      id: Text,
      kind: v.picklist(['start', 'interim', 'stop']),
      activation: Text,
      spelling: Text,
      groups: Numbers,
      eventAtMs: v.exactOptional(TimeMs),
      startedAtMs: v.exactOptional(TimeMs),
      terminateCause: v.exactOptional(v.number()),
    }),
  ),
  endedServices: v.array(v.strictObject(ServiceRecordId)),
});

const StoredSession: v.GenericSchema<unknown, Session> = v.strictObject({
  nas: Nas,
  storedUnder: v.exactOptional(Text),
  acctSessionId: Text,
  createdBy: v.exactOptional(v.strictObject({ site: Text, sequence: Text, atMs: TimeMs })),
  identity: Identity,
  claimed: Identity,
  classes: Texts,
  life: v.exactOptional(Life),
  drift: v.exactOptional(v.record(Text, v.strictObject({ sinceMs: TimeMs, instead: Texts }))),
  services: v.record(Text, ServiceSession),
  nextServiceNumber: Count,
  // Absent in items from before Starts were kept; `upgrade.ts` fills it.
  accountedAs: v.optional(
    v.record(
      Text,
      v.strictObject({
        identity: v.strictObject({ ...Identity.entries, ...Nas.entries.identity.entries }),
        classes: Texts,
      }),
    ),
    {},
  ),
  clearedGroups: Numbers,
  transition: v.exactOptional(Transition),
  waiting: v.array(Request),
  ended: v.record(
    Text,
    v.strictObject({ terminateCause: v.number(), correlationId: Text, atMs: v.exactOptional(TimeMs) }),
  ),
  answered: v.array(
    v.strictObject({
      ...Answer,
      key: Text,
      correlationId: Text,
      sequence: v.exactOptional(Text),
      asked: Text,
      reason: v.exactOptional(Text),
      stamp: v.exactOptional(v.strictObject({ client: Text, atSeconds: v.number() })),
      version: Count,
      atMs: TimeMs,
    }),
  ),
  outdatedUntilSeconds: v.exactOptional(v.record(Text, v.number())),
  isForgotten: v.exactOptional(v.literal(true)),
  changedAtMs: TimeMs,
  recentEvents: v.array(
    v.strictObject({
      id: Text,
      queue: v.picklist(EVENT_QUEUES),
      effects: v.array(Effect),
      outcome: v.exactOptional(CommandOutcome),
    }),
  ),
  version: Count,
  revision: Count,
});

/** The session that `value` is, or the first path of it that does not fit, with what was expected there. */
export function checkSession(
  value: unknown,
): { readonly ok: true; readonly session: Session } | { readonly ok: false; readonly problem: string } {
  const result = v.safeParse(StoredSession, value);
  if (result.success) return { ok: true, session: result.output };
  const [issue] = result.issues;
  // The library quotes the value that it received, which may be a subscriber's.
  const reason = issue.message.replace(/ but received .*/s, '');
  return { ok: false, problem: `${v.getDotPath(issue) ?? 'item'}: ${reason}` };
}
