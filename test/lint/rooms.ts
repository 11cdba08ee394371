// The folders of the code and what each may import besides itself and packages. Biome's configuration has no variables,
// so the list stands there once for each folder; test/lint checks both it and the README's table against this one.

/** `types of X`: `import type` only. `X/Y`: nothing of X but Y. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  functions: ['core'],
  relay: ['core'],
  cli: ['core', 'functions/shared'],
  cdk: ['core', 'types of functions'],
  local: ['core', 'functions', 'relay', 'cli', 'cdk'],
  test: ['core', 'functions', 'relay', 'cli', 'cdk', 'local'],
};
