// The relay's image, built as relay/Dockerfile says and run as at a site, and real CoA-Requests through it:
// `npm run test:image`. Wants root, and what test/system/image/README.md lists. The first run makes a stand-in for the base
// image, kept in .interlock/image; what a run logged stays in .interlock/image/run. The exit code says whether all was
// as it should be.
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isInstalled } from '../peers/require-peer.ts';
import { startSite } from '../runs/site.ts';
import { play, type Running, step, tell, until } from '../runs/story.ts';
import { BASE_IMAGE, ensureBaseImage } from './base-image.ts';
import { startCloud } from './cloud.ts';
import { startInstanceMetadata } from './instance-metadata.ts';
import { Podman } from './podman.ts';
import { execInRelay, relayStatus, runRelay } from './relay-container.ts';
import { buildRelayImage, readRelayImage } from './relay-image.ts';

const SITE_FILE = join(import.meta.dirname, '../../../config/sites/demo.yaml');
const INSTALLATION = join(import.meta.dirname, '../../../.interlock/image');
const DIRECTORY = join(INSTALLATION, 'run');
const MAX_IMAGE_BYTES = 150_000_000;
const NODE = '/usr/local/bin/node';
/** How long Docker waits before it kills. */
const STOP_MS = 10_000;

await play(main);

async function main(running: Running): Promise<void> {
  assert(process.getuid?.() === 0, 'to make the base image and to confine the relay takes root');
  for (const command of ['buildah', 'debootstrap', 'podman', 'radclient', 'runc'])
    assert(
      isInstalled(command),
      `there is no ${command} here; test/system/image/README.md says what is wanted`,
    );
  await rm(DIRECTORY, { recursive: true, force: true });
  await mkdir(DIRECTORY, { recursive: true });
  const podman = new Podman(INSTALLATION);
  const clear = () => podman.clear(BASE_IMAGE);
  // Also what a run has left behind that was killed.
  await clear();
  running.push({ stop: clear });

  await step('the base image is there', ensureBaseImage(podman, INSTALLATION));
  await step('the image is built', buildRelayImage(podman));
  const { bytes, files, healthCheck } = await readRelayImage(podman);
  tell(`  ${(bytes / 1e6).toFixed(1)} MB: ${files.join(' ')}`);
  assert(bytes < MAX_IMAGE_BYTES, 'the image is too big');
  const programs = files.filter((file) => /\/s?bin\//.test(file));
  assert.deepEqual(programs, [NODE]);

  const metadata = await startInstanceMetadata();
  running.push(metadata);
  const cloud = await step('the cloud runs', startCloud(SITE_FILE, tell));
  running.push(cloud);
  const options = [
    `--env=AWS_REGION=${cloud.region}`,
    `--env=AWS_EC2_METADATA_SERVICE_ENDPOINT=${metadata.endpoint}`,
    // A name, because the image has to be able to look names up.
    '--add-host=sqs.test:127.0.0.1',
    `--env=AWS_ENDPOINT_URL_SQS=http://sqs.test:${cloud.sqsPort}`,
  ];
  const relayCommand = (siteFile: string) => ({
    command: 'podman',
    args: podman.args(...runRelay(siteFile, options)),
    env: process.env,
  });
  const site = await step(
    'the relay listens, in its container',
    startSite(SITE_FILE, cloud.queues, relayCommand, DIRECTORY),
  );
  running.push(site);

  await step('gold: CoA-ACK', site.activate('gold'));
  await step('silver: CoA-ACK', site.activate('silver'));
  await step('accounting', until(site.accounted, ['Start gold', 'Start silver', 'Stop gold']));
  assert.deepEqual(site.told(), ['activate gold: ack', 'activate silver: ack', 'deactivate gold: ack']);
  for (const reply of site.replies()) tell(`  ${reply}`);

  // The first were about to expire.
  const [first = '', second = '', ...more] = metadata.accessKeys;
  assert.deepEqual(more, []);
  assert(cloud.accessKeys.has(second), `requests were signed with ${[...cloud.accessKeys]}`);
  tell(`credentials from the metadata service, ${first} and then ${second}`);

  const [how, ...command] = healthCheck;
  assert.equal(how, 'CMD', 'there is no shell for the health check');
  const askAt = (url: string) => execInRelay(podman, command, { INTERLOCK_HEALTH_URL: url });
  await step('the health check is content', askAt(site.healthUrl));
  await assert.rejects(askAt('http://127.0.0.1:1/'), /failed \(1\)/);

  const status = await relayStatus(podman);
  const confinement = ['Uid', 'Gid', 'CapBnd', 'NoNewPrivs'].map((name) => status.get(name)?.split('\t')[0]);
  assert.deepEqual(confinement, ['1000', '1000', '0000000000000000', '1']);
  const write = execInRelay(podman, [NODE, '-e', 'fs.writeFileSync("/opt/interlock/file", "")']);
  await assert.rejects(write, /EROFS: read-only file system/);
  tell(`uid 1000, no capabilities, a root that cannot be written to, ${status.get('VmHWM')} at the most`);

  const beganAtMs = performance.now();
  await step('SIGTERM: exit 0', running.stopLatest());
  assert(performance.now() - beganAtMs < STOP_MS, 'Docker would have killed it');

  const wrong = join(DIRECTORY, 'wrong.yaml');
  await writeFile(wrong, (await readFile(SITE_FILE, 'utf8')).replace('dialect: erx', 'dialect: morse'));
  const said = await podman.call(...runRelay(wrong, options)).catch(({ message }: Error) => message);
  const [, sentence] = /failed \(1\):\n(.* nases\.0\.dialect: .*)\n$/.exec(said) ?? [];
  assert(sentence !== undefined, said);
  tell(`a wrong site file: exit 1, ${sentence}`);
}
