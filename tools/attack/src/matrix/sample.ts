import type { JsonSchema, OpenApi } from '@partyline/contracts/openapi';

/**
 * Makes a valid value from a schema's own examples, so the document must suffice to call the API.
 */
export function sample(document: OpenApi, schema: JsonSchema): unknown {
  if (schema.$ref !== undefined) {
    const named = document.components.schemas[schema.$ref.replace(/.*\//, '')];
    if (named === undefined) throw new Error(`The document has no ${schema.$ref}.`);
    return sample(document, named);
  }
  if (schema.properties !== undefined) {
    const needed = Object.entries(schema.properties).filter(
      ([name, field]) => schema.required?.includes(name) === true && field.default === undefined,
    );
    // At least one field: an empty change may be rejected.
    const shown = needed.length > 0 ? needed : Object.entries(schema.properties).slice(0, 1);
    return Object.fromEntries(shown.map(([name, field]) => [name, sample(document, field)]));
  }
  if (schema.examples?.[0] !== undefined) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  const one = [...(schema.anyOf ?? []), ...((schema['oneOf'] as JsonSchema[] | undefined) ?? [])].find(
    ({ type }) => type !== 'null',
  );
  if (one !== undefined) return sample(document, one);
  if (schema.items !== undefined) return [sample(document, schema.items)];
  return { string: 'x', integer: 1, number: 1, boolean: true, object: {} }[schema.type ?? 'object'];
}
