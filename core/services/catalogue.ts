// The catalogue: the services that can be activated, and the mutex groups that make them exclude one another.

export type Statistics = 'off' | 'time' | 'time+volume';

/** A service definition. Zero means "never" or "unlimited" for the three thresholds, as on the wire. */
export interface ServiceDefinition {
  readonly parameters: readonly string[];
  readonly groups: readonly number[];
  readonly statistics: Statistics;
  readonly timeoutSeconds: number;
  readonly volumeMegabytes: number;
  readonly interimIntervalSeconds: number;
}

export interface Catalogue {
  readonly services: Readonly<Record<string, ServiceDefinition>>;
  /** Groups whose policy is `refuse`: a newcomer is refused while a member is active. */
  readonly refusingGroups: readonly number[];
}

/** JunosE accepts -2147483647..-1 and 1..2147483646 as a mutex group index ("Configuring a Mutex Service"). */
export function isMutexGroup(group: number): boolean {
  return Number.isInteger(group) && group !== 0 && group >= -2147483647 && group <= 2147483646;
}
