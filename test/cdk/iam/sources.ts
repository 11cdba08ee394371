// Which actions the code asks IAM for: the commands of the AWS SDK that it imports.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

/** The actions of the commands that files in `folder` import. */
function actionsOf(folder: string): readonly string[] {
  const actions = globSync(`${folder}/**/*.ts`, { cwd: ROOT }).flatMap((file) => {
    const imports = readFileSync(join(ROOT, file), 'utf8').matchAll(
      /import \{([^}]*)\} from '@aws-sdk\/client-([a-z-]+)'/g,
    );
    return [...imports].flatMap(([, names = '', client = '']) =>
      names.split(',').flatMap((name) => actionOf(name.trim(), client) ?? []),
    );
  });
  return [...new Set(actions)].sort();
}

/** SQS has no permissions of their own for batches; a paginator makes the calls of its command. */
function actionOf(name: string, client: string): string | undefined {
  const [, command, paged] = /^(?:(\w+)Command|paginate(\w+))$/.exec(name) ?? [];
  const action = command ?? paged;
  if (action === undefined) return undefined;
  return client === 'sqs' ? `sqs:${action.replace(/Batch$/, '')}` : `${client.replace(/-/g, '')}:${action}`;
}

/** By folder: its actions, and the callers that run it. */
export const SOURCES: readonly (readonly [
  folder: string,
  actions: readonly string[],
  callers: readonly string[],
])[] = [
  ['functions', actionsOf('functions'), ['Decide', 'Ingest', 'Account', 'Sweep']],
  ['relay', actionsOf('relay'), ['relay of north']],
  ['cli', actionsOf('cli'), ['operators']],
];
