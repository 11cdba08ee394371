// The terms of a service: what is accounted for it, when it ends, and which services it excludes.

/** What is accounted for a service: nothing, its time, or its time and volume (ERX-Service-Statistics). */
export type Statistics = 'off' | 'time' | 'time+volume';

/** The terms of one activation, catalogue defaults filled in. A threshold of 0 means never or unlimited. */
export interface ServiceTerms {
  /** Canonical activation string. */
  readonly activation: string;
  /** Mutex groups. They stay as they were at activation: a later catalogue does not move an active service. */
  readonly groups: readonly number[];
  readonly statistics: Statistics;
  readonly timeoutSeconds: number;
  readonly volumeMegabytes: number;
  readonly interimIntervalSeconds: number;
}

/** One service as a request asks for it. */
export interface PlannedService extends ServiceTerms {
  /** Those of `groups` with `policy: refuse`: the service is refused while another member is active. */
  readonly refusingGroups: readonly number[];
}
