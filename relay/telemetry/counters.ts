// Counters, gauges and histograms in the text format 0.0.4 of Prometheus.

/** Label values by label name. */
export type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: () => Iterable<readonly [suffix: string, labels: Labels, value: number]>;
}

/** A set of counters, gauges and histograms. Label values have to come from small fixed sets. */
export class Counters {
  readonly #families: Family[] = [];

  /** Adds a counter and returns the function that increments it. There is a number for each combination of labels. */
  counter(name: string, help: string): (labels?: Labels) => void {
    const values = new Map<string, { readonly labels: Labels; value: number }>();
    const samples = () => Array.from(values.values(), ({ labels, value }) => ['', labels, value] as const);
    this.#families.push({ name, help, type: 'counter', samples });
    return (labels = {}) => {
      const key = Object.values(labels).join('\0');
      const counted = values.get(key);
      if (counted === undefined) values.set(key, { labels, value: 1 });
      else counted.value++;
    };
  }

  /** Adds a gauge, which is read at each scrape. */
  gauge(name: string, help: string, read: () => Iterable<readonly [Labels, number]>): void {
    const samples = () => Array.from(read(), ([labels, value]) => ['', labels, value] as const);
    this.#families.push({ name, help, type: 'gauge', samples });
  }

  /** Adds a histogram with upper bounds in ascending order, and returns the function that adds a value. */
  histogram(name: string, help: string, bounds: readonly number[]): (value: number) => void {
    const counts = bounds.map(() => 0);
    let count = 0;
    let sum = 0;
    const samples = () => [
      ...bounds.map((bound, index) => ['_bucket', { le: String(bound) }, counts[index] ?? 0] as const),
      ['_bucket', { le: '+Inf' }, count] as const,
      ['_sum', {}, sum] as const,
      ['_count', {}, count] as const,
    ];
    this.#families.push({ name, help, type: 'histogram', samples });
    return (value) => {
      count++;
      sum += value;
      bounds.forEach((bound, index) => {
        if (value <= bound) counts[index] = (counts[index] ?? 0) + 1;
      });
    };
  }

  /** The text that a scrape returns. */
  render(): string {
    const lines = this.#families.flatMap(({ name, help, type, samples }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...Array.from(samples(), ([suffix, labels, value]) => `${name}${suffix}${render(labels)} ${value}`),
    ]);
    return `${lines.join('\n')}\n`;
  }
}

function render(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join()}}`;
}
