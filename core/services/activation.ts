// The activation string, `tiered(1280000, 5120000)`: a client requests a service with it, and it identifies the
// service session.
//
// A name is whatever the NAS calls the service: `30720`, `Gold Plus`, `rate-limit;5120;30720`, `isp/gold`, in any
// script. It is compared octet by octet: case counts, and so does the Unicode normalization form.

/** A service and its concrete parameters, with the canonical string that identifies the two together. */
export interface Activation {
  readonly name: string;
  readonly parameters: readonly string[];
  /** Without blanks around parentheses and commas, and without empty parentheses: `tiered(1280000,5120000)`. */
  readonly canonical: string;
}

const ACTIVATION = /^([^()]*)(?:\(([^()]*)\)\s*)?$/;
/** Other (control, format, private use, unassigned), and the separators of lines and paragraphs. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

/** The name in a canonical activation string: `tiered` of `tiered(1280000,5120000)`. */
export function nameOf(activation: string): string {
  const end = activation.indexOf('(');
  return end === -1 ? activation : activation.slice(0, end);
}

/**
 * What is wrong with the name of a service; undefined if nothing is. It has at least one character, no parenthesis, no
 * control or format character, and no blank at its ends. Services are kept as properties of objects, so what every
 * object has is no name either.
 */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'expected a name';
  if (UNPRINTABLE.test(name)) return 'expected no control or format characters';
  if (/[()]/.test(name)) return 'expected no parentheses: they enclose parameters';
  if (name !== name.trim()) return 'expected no blanks at the ends';
  return name in {} || name === 'prototype' ? `a service cannot be called ${name}` : undefined;
}

/**
 * Reads an activation string: a name, and in parentheses its parameters, with blanks anywhere between them. It is not
 * ok with a name that is none, with an empty parameter, or with parentheses or control characters in a parameter;
 * `reason` says what was expected.
 */
export function parseActivation(
  text: string,
): { readonly ok: true; readonly activation: Activation } | { readonly ok: false; readonly reason: string } {
  if (UNPRINTABLE.test(text)) return { ok: false, reason: 'expected no control or format characters' };
  const match = ACTIVATION.exec(text);
  if (match === null) return { ok: false, reason: 'expected name or name(parameter, …)' };
  const [, before = '', list = ''] = match;
  const name = before.trim();
  const problem = nameProblem(name);
  if (problem !== undefined) return { ok: false, reason: problem };
  const parameters = list.trim() === '' ? [] : list.split(',').map((parameter) => parameter.trim());
  if (parameters.includes('')) return { ok: false, reason: 'expected no empty parameter' };
  const canonical = parameters.length === 0 ? name : `${name}(${parameters.join(',')})`;
  return { ok: true, activation: { name, parameters, canonical } };
}
