// The activation string, `tiered(1280000, 5120000)`: a client requests a service with it, and it identifies the
// service session.

/** A service and its concrete parameters, with the canonical string that identifies the two together. */
export interface Activation {
  readonly name: string;
  readonly parameters: readonly string[];
  /** Without blanks around parentheses and commas, and without empty parentheses: `tiered(1280000,5120000)`. */
  readonly canonical: string;
}

const ACTIVATION = /^\s*([A-Za-z][A-Za-z0-9_.-]*)\s*(?:\(([^()]*)\)\s*)?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Reads an activation string: a name, and in parentheses its parameters, with blanks anywhere between them. It is not
 * ok with control characters, without a name, or with an empty parameter; `reason` says what was expected.
 */
export function parseActivation(
  text: string,
): { readonly ok: true; readonly activation: Activation } | { readonly ok: false; readonly reason: string } {
  const match = CONTROL.test(text) ? null : ACTIVATION.exec(text);
  if (match === null) return { ok: false, reason: 'expected name or name(parameter, …)' };
  const [, name = '', list = ''] = match;
  const parameters = list.trim() === '' ? [] : list.split(',').map((parameter) => parameter.trim());
  if (parameters.includes('')) return { ok: false, reason: 'expected no empty parameter' };
  const canonical = parameters.length === 0 ? name : `${name}(${parameters.join(',')})`;
  return { ok: true, activation: { name, parameters, canonical } };
}
