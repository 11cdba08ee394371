// Podman and Buildah as they run without a registry, systemd or an engine, also inside another container.
import { join } from 'node:path';
import { run } from '../runs/process.ts';

export class Podman {
  readonly #storage: readonly string[];

  /** @param directory for images and containers of its own; those of this machine are not touched */
  constructor(directory: string) {
    this.#storage = [
      // Copies every layer, and needs nothing of the kernel for it.
      '--storage-driver=vfs',
      `--root=${join(directory, 'storage')}`,
      `--runroot=${join(directory, 'storage-run')}`,
    ];
  }

  /**
   * Runs a command of Podman, such as `image exists NAME`, to its end, and gives what it printed.
   * @throws Error with the exit code and all that was printed when it fails.
   */
  call(...command: readonly string[]): Promise<string> {
    return run('podman', this.args(...command));
  }

  /** The arguments with which `podman` runs that command. */
  args(...command: readonly string[]): readonly string[] {
    return [...this.#storage, '--runtime=runc', '--cgroup-manager=cgroupfs', ...command];
  }

  /** Builds an image from images that are there. */
  async build(dockerfile: string, context: string, image: string): Promise<void> {
    // Docker's format, because the other one has no HEALTHCHECK.
    const options = ['--isolation=chroot', '--pull-never', '--format=docker', `--file=${dockerfile}`];
    await run('buildah', [...this.#storage, 'build', ...options, `--tag=${image}`, context]);
  }

  /** Removes all containers, those of builds too, and all images but this one. */
  async clear(keptImage: string): Promise<void> {
    await run('buildah', [...this.#storage, 'rm', '--all']);
    await this.call('rm', '--all', '--force', '--time=0');
    const images = await this.call('image', 'ls', '--format={{.Id}} {{.Repository}}:{{.Tag}}');
    for (const image of images.split('\n')) {
      const [id = '', name] = image.split(' ');
      if (id !== '' && name !== keptImage) await this.call('image', 'rm', '--force', id);
    }
  }
}
