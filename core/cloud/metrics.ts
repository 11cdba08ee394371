// The metrics of the functions that alarms and the dashboard use.

/** The CloudWatch namespace of all of them. */
export const METRIC_NAMESPACE = 'Interlock';
/** A command that failed so often in a row is stuck. A NAS that missed one or two may just have been restarted. */
export const STUCK_AFTER_ATTEMPTS = 3;

/** A relay whose clock differs from the cloud's by so much has an alarm. */
export const CLOCK_SKEW_LIMIT_MS = 5_000;

/** Their names. */
export const METRICS = {
  /** Milliseconds from the inbox's receipt of a request to decide's answer. */
  decisionLatency: 'DecisionLatency',
  /** Replies, by `Answer` and, for a CoA-NAK, `ErrorCause`. */
  answers: 'Answers',
  /** Requests that decide did not answer, by `Reason`: what their clients may not touch, and replays. */
  discarded: 'DiscardedRequests',
  /** Outcomes of commands, by `Nas` and `Result`. */
  nasOutcomes: 'NasOutcomes',
  /** Milliseconds by which the clock of a relay differs from the cloud's, ahead or behind, in all and by `Relay`. */
  clockSkew: 'RelayClockSkew',
  /** Services that have to go or to be restored, which a NAS has not confirmed after several commands. */
  stuckDeactivations: 'StuckDeactivations',
  /** Services that became unconfirmed, in all and by `Nas`: it may have them or not. */
  unconfirmed: 'UnconfirmedServices',
  /** Services that NASes account and that contradict the table, in all and by `Nas`. */
  drifted: 'DriftedServices',
  /** Sessions of NASes that no site file names, once an hour. */
  unknownNas: 'SessionsOfUnknownNases',
  /** Accounting records that do not fit into an Accounting-Request, and are not sent. */
  unmadeRecords: 'UnmadeRecords',
  /** Changes that account cannot process, and has put into the queue of failures. */
  setAsideRecords: 'SetAsideRecords',
  /** Milliseconds by which the session that has waited longest is overdue. */
  overdue: 'Overdue',
} as const;
