// The metrics that the functions write, as far as alarms and the dashboard look for them.

export const METRIC_NAMESPACE = 'Interlock';
/** What the functions count and measure themselves, as far as alarms and the dashboard look for it. */
export const METRICS = {
  /** From a request's arrival at the relay to the decision about it. */
  decisionLatency: 'DecisionLatency',
  /** By `Answer` and, for a CoA-NAK, `ErrorCause`. */
  answers: 'Answers',
  /** What became of commands, by `Nas` and `Result`. */
  nasOutcomes: 'NasOutcomes',
  /** Deactivations that a NAS has not confirmed though it was told again and again. */
  stuckDeactivations: 'StuckDeactivations',
  /** Services that a NAS may have or not, by `Nas`: it was not to be found out. */
  unconfirmed: 'UnconfirmedServices',
  /** By how much the session is overdue that has waited longest. */
  overdue: 'Overdue',
} as const;
