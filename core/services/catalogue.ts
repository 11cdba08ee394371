// The catalogue: the services that can be activated, and the mutex groups in which they exclude one another.

import type { ServiceTerms } from './terms.ts';

/** A service definition: the names of its parameters, and the terms that apply if a request sets none. */
export interface ServiceDefinition extends Omit<ServiceTerms, 'activation'> {
  readonly parameters: readonly string[];
}

/** The service definitions of a deployment. */
export interface Catalogue {
  /** By name. */
  readonly services: Readonly<Record<string, ServiceDefinition>>;
  /** Groups with `policy: refuse`: a service is refused while another member is active. */
  readonly refusingGroups: readonly number[];
  /** Groups with `unknownMembers: deactivate`: members that the table does not know are deactivated, too. */
  readonly clearedGroups: readonly number[];
}

/**
 * Whether `group` is the index of a mutex group. JunosE accepts -2147483647 to -1 and 1 to 2147483646 ("Configuring a
 * Mutex Service").
 */
export function isMutexGroup(group: number): boolean {
  return Number.isInteger(group) && group !== 0 && group >= -2147483647 && group <= 2147483646;
}
