// The activation string, `tiered(1280000, 5120000)`: a client writes it, and it identifies a service session.

/** A service with the values of its parameters, and the canonical string for both. */
export interface Activation {
  readonly name: string;
  readonly parameters: readonly string[];
  /** Without blanks around parentheses and commas, and without empty parentheses: `tiered(1280000,5120000)`. */
  readonly canonical: string;
}

/** A Vendor-Specific value has at most 247 octets (RFC 2865 section 5.26); one is the tag of Service-Activate. */
export const MAX_ACTIVATION_OCTETS = 246;

const ACTIVATION = /^\s*([A-Za-z][A-Za-z0-9_.-]*)\s*(?:\(([^()]*)\)\s*)?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
const CONTROL = /[\u0000-\u001f\u007f]/;

/** The activation in a string; or, if it does not parse, a reason that says what was expected. */
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
