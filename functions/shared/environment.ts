// The environment variables of the functions, read once and as a whole.
import * as v from 'valibot';

const Json = <S extends v.GenericSchema>(schema: S) => v.pipe(v.string(), v.parseJson(), schema);
const QueueUrls = Json(v.record(v.string(), v.pipe(v.string(), v.url())));

/** The environment of decide. The stack has the type of each environment from these schemas. */
export const DecideEnvironment = v.object({
  TABLE_NAME: v.pipe(v.string(), v.nonEmpty()),
  /** JSON: outbox URL by site. */
  OUTBOX_URLS: QueueUrls,
  /** JSON: inbox URL by site. */
  INBOX_URLS: QueueUrls,
  DUE_QUEUE_URL: v.pipe(v.string(), v.url()),
  /** Path of the deployment file, JSON. */
  DEPLOYMENT_FILE: v.pipe(v.string(), v.nonEmpty()),
});

/** The environment of ingest. */
export const IngestEnvironment = v.object({
  TABLE_NAME: v.pipe(v.string(), v.nonEmpty()),
  /** JSON: outbox URL by site, and feed queue URL by site. */
  OUTBOX_URLS: QueueUrls,
  FEED_URLS: QueueUrls,
  DUE_QUEUE_URL: v.pipe(v.string(), v.url()),
  /** Path of the deployment file, JSON. */
  DEPLOYMENT_FILE: v.pipe(v.string(), v.nonEmpty()),
});

/** The environment of account. */
export const AccountEnvironment = v.object({
  TABLE_NAME: v.pipe(v.string(), v.nonEmpty()),
  /** JSON: accounting queue URL by site. */
  ACCOUNTING_URLS: QueueUrls,
  /** The queue of the records that it cannot process. */
  FAILURES_URL: v.pipe(v.string(), v.url()),
  /** Path of a file, JSON: pairs of a name under which sessions may be stored and the site of that NAS today. */
  NAS_SITES_FILE: v.pipe(v.string(), v.nonEmpty()),
});

/** The environment of sweep. */
export const SweepEnvironment = v.object({
  TABLE_NAME: v.pipe(v.string(), v.nonEmpty()),
  DUE_QUEUE_URL: v.pipe(v.string(), v.url()),
  /** Path of a file, JSON: pairs of a name under which sessions may be stored and the name of that NAS today. */
  NAS_NAMES_FILE: v.pipe(v.string(), v.nonEmpty()),
});

/**
 * The variables of `schema` in `environment`.
 * @throws Error that lists all variables that are missing or wrong.
 */
export function readEnvironment<S extends v.GenericSchema>(
  schema: S,
  environment: Readonly<Record<string, string | undefined>>,
): v.InferOutput<S> {
  const result = v.safeParse(schema, environment);
  if (result.success) return result.output;
  const problems = result.issues.map((issue) => `${v.getDotPath(issue) ?? 'environment'}: ${issue.message}`);
  throw new Error(`the environment of this function is not complete: ${problems.join('; ')}`);
}
