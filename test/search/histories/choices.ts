/** Numbers that settle, one after the other, what happens. Zero is the calm choice, and so is the end of the list: with
 * fewer and smaller numbers less happens. */
export class Choices {
  readonly #numbers: readonly number[];
  #next = 0;

  constructor(numbers: readonly number[] = []) {
    this.#numbers = numbers;
  }

  /** From 0 to `count` - 1. */
  below(count: number): number {
    return (this.#numbers[this.#next++] ?? 0) % count;
  }

  /** The first one is the calm one. */
  oneOf<T>(options: readonly T[]): T {
    const index = this.below(options.length);
    if (index in options) return options[index] as T;
    throw new RangeError('there is nothing to choose from');
  }

  /** As `oneOf`, each as likely as its weight says. */
  weighted<T>(options: readonly (readonly [weight: number, option: T])[]): T {
    let left = this.below(options.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, option] of options) {
      if (left < weight) return option;
      left -= weight;
    }
    throw new RangeError('there is nothing to choose from');
  }

  /** Whether something out of the ordinary happens, which it does so many times in a hundred. */
  chance(percent: number): boolean {
    return this.below(100) >= 100 - percent;
  }
}
